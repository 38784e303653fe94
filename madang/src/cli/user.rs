//! `madang user`: accounts by the operator's hand, while the board serves or not.
//!
//! It needs the database alone and takes no lock on the data folder. Another process that serves sees every change at its next
//! statement.

use std::io::{self, Write};

use clap::Subcommand;
use greenlit::{Db, Opts, Tx};
use serde_json::json;
use unicode_normalization::UnicodeNormalization;

use super::{find_database, is_whole};
use crate::{
    account::{Email, Nickname, Passwords, UserId, queries, service},
    clock::Clock,
    error::{Code, Error},
    migration, secret,
};

/// What is to be done with an account.
#[derive(Subcommand, Clone, Debug)]
pub enum Action {
    /// List the accounts
    List {
        /// One JSON object a line, for programs
        #[arg(long)]
        json: bool,
    },
    /// Make an account; its password is random and shown once
    Add {
        /// The e-mail address
        email: String,
        /// The name that others see
        nickname: String,
    },
    /// Give an account another password, random and shown once, and end its log-ins
    ResetPassword {
        /// The e-mail address
        email: String,
    },
    /// Make somebody an administrator
    Admin {
        /// The e-mail address
        email: String,
        /// Make them none instead
        #[arg(long)]
        revoke: bool,
    },
    /// Shut somebody out and end their log-ins
    Suspend {
        /// The e-mail address
        email: String,
        /// Let them in again instead
        #[arg(long)]
        lift: bool,
    },
}

/// How many accounts are read at a time.
const PAGE: i64 = 500;

/// Does it on the database of this URL.
///
/// # Errors
/// A sentence for the operator.
pub async fn run(database_url: &str, action: Action) -> Result<(), String> {
    let db = open(database_url).await?;
    let mut out = io::stdout();
    match action {
        Action::List { json } => list(&db, json, &mut out).await,
        Action::Add { email, nickname } => add(&db, &email, &nickname, &mut out).await,
        Action::ResetPassword { email } => {
            let user = find(&db, &email).await?;
            let (password, hash) = new_password().await?;
            let reset = async |tx: &mut Tx| service::reset_password(tx, user, &hash).await;
            db.tx(Opts::default(), reset).await.map_err(words)?;
            say(&mut out, &format!("the password of {email} is {password}"))
        }
        Action::Admin { email, revoke } => {
            let user = find(&db, &email).await?;
            let set = async |tx: &mut Tx| queries::set_admin(tx, user, !revoke).await;
            db.tx(Opts::default(), set).await.map_err(words)?;
            say(&mut out, &format!("{email} is {} administrator", if revoke { "no" } else { "an" }))
        }
        Action::Suspend { email, lift } => {
            let (user, now) = (find(&db, &email).await?, Clock::default().now());
            let set = async |tx: &mut Tx| match lift {
                true => service::lift(tx, user).await,
                false => service::suspend(tx, user, now).await,
            };
            db.tx(Opts::default(), set).await.map_err(words)?;
            say(&mut out, &format!("{email} {}", if lift { "may log in again" } else { "is suspended" }))
        }
    }
}

async fn open(url: &str) -> Result<Db, String> {
    find_database(url)?;
    let failed = |e: greenlit::Error| format!("the database does not serve: {e}");
    let db = Db::open(url).await.map_err(failed)?;
    db.migrate(migration::HISTORY).await.map_err(failed)?;
    is_whole(&db).await?;
    Ok(db)
}

async fn list(db: &Db, json: bool, out: &mut impl Write) -> Result<(), String> {
    let mut after = UserId(0);
    loop {
        let page = queries::list_after(&mut db.single(), after, PAGE).await.map_err(words)?;
        let Some(last) = page.last() else {
            return if after == UserId(0) && !json { say(out, "there are no accounts yet") } else { Ok(()) };
        };
        after = last.id;
        for user in page {
            let line = if json {
                json!({
                    "id": user.id, "email": user.email, "nickname": user.nickname, "is_admin": user.is_admin,
                    "suspended_dt": user.suspended_dt, "create_dt": user.create_dt,
                })
                .to_string()
            } else {
                let marks = match (user.is_admin, user.suspended_dt) {
                    (_, Some(since)) => format!("  suspended since {since}"),
                    (true, None) => "  administrator".to_owned(),
                    (false, None) => String::new(),
                };
                format!("{:>6}  {}  {}{marks}", user.id.0, user.email.as_str(), user.nickname.as_str())
            };
            say(out, &line)?;
        }
    }
}

async fn add(db: &Db, email: &str, nickname: &str, out: &mut impl Write) -> Result<(), String> {
    let address = address(email)?;
    let nickname: String = nickname.nfc().collect();
    let nickname = Nickname::parse(&nickname).ok_or_else(|| {
        format!("{nickname:?} cannot be a nickname: it has 1 to 30 visible characters, and single spaces between words")
    })?;
    let (password, hash) = new_password().await?;
    let now = Clock::default().now();
    let insert = async |tx: &mut Tx| queries::insert(tx, &address, &nickname, &hash, now).await;
    db.tx(Opts::default(), insert).await.map_err(words)?;
    say(out, &format!("{email} may log in with the password {password}"))
}

async fn find(db: &Db, email: &str) -> Result<UserId, String> {
    let found = queries::id_by_email(&mut db.single(), &address(email)?).await.map_err(words)?;
    found.ok_or_else(|| format!("nobody has the address {email}"))
}

fn address(email: &str) -> Result<Email, String> {
    Email::parse(email).ok_or_else(|| format!("{email:?} is no e-mail address"))
}

/// A random password of 128 bits, and its hash.
async fn new_password() -> Result<(String, String), String> {
    let password = secret::random_name();
    let hash = Passwords::default().hash(password.clone()).await.map_err(|e| e.to_string())?;
    Ok((password, hash))
}

/// What a client would be told where that says more than the database's words.
fn words(error: greenlit::Error) -> String {
    let text = error.to_string();
    match Error::from(error).code() {
        code @ (Code::EmailAlreadyRegistered | Code::NicknameAlreadyRegistered) => code.detail().to_owned(),
        _ => format!("the database does not serve: {text}"),
    }
}

fn say(out: &mut impl Write, line: &str) -> Result<(), String> {
    writeln!(out, "{line}").map_err(|e| e.to_string())
}

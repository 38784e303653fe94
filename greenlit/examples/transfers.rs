//! A bank as a small service: accounts, transfers that happen once, and receipts that are sent whatever dies in between.
//!
//!     cargo run -p greenlit --example transfers                                  # on a new file bank.db
//!     cargo run -p greenlit --example transfers postgres://user@host/database    # or mariadb://...
//!
//!     curl -i localhost:3000/accounts -H 'content-type: application/json' -d '{"owner":"ann","balance":100}'
//!     curl -i localhost:3000/accounts -H 'content-type: application/json' -d '{"owner":"bob","balance":0}'
//!     curl -i localhost:3000/transfers -H 'content-type: application/json' -H 'idempotency-key: 1' \
//!          -d '{"from":1,"to":2,"amount":30}'
//!     curl -i localhost:3000/accounts/2 -H 'read-after: TOKEN OF THE ANSWER BEFORE'
//!
//! Send the transfer twice: it happens once and is answered alike. Cut it off in the middle, or kill the process with
//! `kill -9` and start it again: it has happened with its receipt, or not at all.

#![allow(clippy::print_stdout)] // a program for people

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use greenlit::{Db, Error, FromRow, Job, Migration, Opts, Reader, Token, Tx, args};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    name: "accounts and transfers",
    sql: "
        create table account (id {id}, owner {key 100} not null, balance {int} not null);
        create unique index uq_account__owner on account (owner);
        create table transfer (id {id}, from_account {int} not null, to_account {int} not null, amount {int} not null);
    ",
}];
const RECEIPT: &str = "receipt";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "sqlite:bank.db".to_owned());
    let db = Db::open(&url).await?;
    db.migrate(SCHEMA).await?;
    let bank = Arc::new(Bank { db, new_job: Notify::new() });
    let (stop, stopped) = watch::channel(false);
    let postman = tokio::spawn(deliver(bank.clone(), stopped));

    let routes = Router::new()
        .route("/accounts", post(open))
        .route("/accounts/{id}", get(show))
        .route("/transfers", post(transfer))
        .with_state(bank);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}", listener.local_addr()?);
    // Requests in flight are answered, then the postman ends the job that it is at. Whatever else waits, waits in the
    // database.
    let interrupted = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, routes).with_graceful_shutdown(interrupted).await?;
    stop.send_replace(true);
    Ok(postman.await?)
}

struct Bank {
    db: Db,
    /// Rung when a job was committed, so that it does not wait for the next look.
    new_job: Notify,
}

#[derive(Deserialize, FromRow, Serialize)]
struct Account {
    #[serde(default)]
    id: i64,
    owner: String,
    balance: i64,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Transfer {
    from: i64,
    to: i64,
    amount: u32,
}

/// What a transfer is answered with, and what its receipt tells.
#[derive(Deserialize, Serialize)]
struct Done {
    id: i64,
    #[serde(flatten)]
    transfer: Transfer,
}

// Functions that write take `&mut Tx`: they join whatever transaction they are called in.
impl Bank {
    async fn transfer(&self, tx: &mut Tx, transfer: Transfer) -> Result<Done, Refusal> {
        let Transfer { from, to, amount } = transfer;
        // Two opposite transfers may deadlock: the database gives one up, and greenlit runs it again from the start.
        let debit = "update account set balance = balance - ? where id = ? and balance >= ?";
        if tx.exec(debit, args![amount, from, amount]).await? == 0 {
            return Err(Refusal::Rejected("no such account, or too little on it"));
        }
        let credit = "update account set balance = balance + ? where id = ?";
        if tx.exec(credit, args![amount, to]).await? == 0 {
            return Err(Refusal::Rejected("no account to transfer to")); // and the debit is undone
        }
        let new = "insert into transfer (from_account, to_account, amount) values (?, ?, ?)";
        let id = tx.insert(new, args![from, to, amount]).await?;
        let done = Done { id, transfer };
        // A job that exists if and only if the transfer does.
        tx.outbox(RECEIPT, &done).await?;
        Ok(done)
    }
}

// Functions that only read take any reader.
async fn account(r: &mut impl Reader, id: i64) -> Result<Account, Error> {
    r.fetch_one("select id, owner, balance from account where id = ?", args![id]).await
}

async fn open(State(bank): State<Arc<Bank>>, Json(new): Json<Account>) -> Result<Response, Refusal> {
    let insert = "insert into account (owner, balance) values (?, ?)";
    let id = bank.db.tx(Opts::default(), async |tx| tx.insert(insert, args![&new.owner, new.balance]).await).await?;
    Ok((StatusCode::CREATED, Json(Account { id, ..new })).into_response())
}

/// One statement needs no transaction. A replica may answer, if there are any and one has come as far as the client has
/// written.
async fn show(
    State(bank): State<Arc<Bank>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Json<Account>, Refusal> {
    match header(&headers, "read-after").and_then(|token| token.parse::<Token>().ok()) {
        Some(token) => Ok(Json(account(&mut bank.db.single().after(token), id).await?)),
        None => Ok(Json(account(&mut bank.db.single(), id).await?)),
    }
}

async fn transfer(
    State(bank): State<Arc<Bank>>,
    headers: HeaderMap,
    Json(transfer): Json<Transfer>,
) -> Result<Response, Refusal> {
    let key = header(&headers, "idempotency-key").ok_or(Refusal::Rejected("an Idempotency-Key is needed"))?;
    let opts = Opts::default().within(Duration::from_secs(3)).once(key);
    let ran = bank.db.tx(opts, async |tx| {
        let done = bank.transfer(tx, transfer).await?;
        // The answer is kept beside the key, in the same transaction.
        let answer = serde_json::to_vec(&done).map_err(|e| Error::Encode(e.to_string()))?;
        tx.outcome(&answer).await?;
        let bell = bank.clone();
        tx.after_commit(async move || bell.new_job.notify_one());
        Ok(answer)
    });
    let answer = match ran.await {
        // The client sent it again: the answer of the first time.
        Err(Refusal::Database(Error::AlreadyDone)) => bank.db.outcome(key).await?.unwrap_or_default(),
        answer => answer?,
    };
    // Taken after the COMMIT: whoever reads after it sees the transfer.
    let token = bank.db.token().await?.to_string();
    Ok(([("content-type", "application/json"), ("read-after", token.as_str())], answer).into_response())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Sends receipts, each at least once. Any number of processes may do this at the same time.
async fn deliver(bank: Arc<Bank>, mut stopped: watch::Receiver<bool>) {
    let outbox = bank.db.outbox();
    while !*stopped.borrow() {
        let lease = Duration::from_secs(30); // if this process dies, another gets the job then
        let jobs = outbox.claim(&[RECEIPT], 1, lease).await.unwrap_or_default();
        for job in &jobs {
            let said = match send(job) {
                Ok(()) => outbox.acknowledge(job).await,
                Err(e) if job.attempt < 5 => outbox.retry(job, Duration::from_secs(10), &e.to_string()).await,
                Err(e) => outbox.park(job, &e.to_string()).await,
            };
            if let Err(e) = said {
                println!("job {} is somebody else's by now, or will be: {e}", job.id);
            }
        }
        if jobs.is_empty() {
            tokio::select! {
                () = bank.new_job.notified() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                _ = stopped.changed() => {}
            }
        }
    }
}

fn send(job: &Job) -> Result<(), Error> {
    let Done { id, transfer } = job.payload()?;
    println!("receipt {id}: {} from {} to {}", transfer.amount, transfer.from, transfer.to);
    Ok(())
}

/// Why a request was refused.
#[derive(Debug)]
enum Refusal {
    Rejected(&'static str),
    Database(Error),
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Refusal {
        Refusal::Database(e)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Refusal::Rejected(why) => (StatusCode::UNPROCESSABLE_ENTITY, why),
            Refusal::Database(Error::NotFound) => (StatusCode::NOT_FOUND, "no such account"),
            Refusal::Database(Error::InFlight) => (StatusCode::CONFLICT, "this transfer is being made"),
            Refusal::Database(e) if e.unique() == Some("uq_account__owner") => {
                (StatusCode::CONFLICT, "this owner has an account")
            }
            Refusal::Database(e) if e.is_transient() => (StatusCode::SERVICE_UNAVAILABLE, "try again"),
            // Its words are for the log: they may hold values.
            Refusal::Database(e) => {
                println!("{e}");
                (StatusCode::INTERNAL_SERVER_ERROR, "something went wrong")
            }
        };
        (status, text).into_response()
    }
}

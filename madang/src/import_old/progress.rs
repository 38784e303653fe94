//! How far an import has come, so that it goes on where it was interrupted and does nothing twice.
//!
//! Each transaction has a commit key that names where it begins, and keeps where it ends: committing and coming further are
//! one. The next run walks along these keys.

use std::time::Duration;

use greenlit::{Db, Dialect, Opts, Tx};

use super::queries;

/// The key of the first transaction, which keeps where the data comes from.
const BEGUN: &str = "import-old:begun";
const ENDED: &str = "import-old:ended";

/// The tables in their order. The names are part of commit keys.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    Users,
    Feeds,
    Comments,
    Likes,
    Follows,
}

/// Where a run goes on: the last keys that were dealt with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Starts {
    pub(super) users: i64,
    pub(super) feeds: i64,
    pub(super) comments: i64,
    pub(super) likes: i64,
    pub(super) follows: (i64, i64),
}

/// What the first transaction needs to know of the old board.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) name: String,
    /// The largest ids that were ever given away.
    pub(super) users: i64,
    pub(super) feeds: i64,
    pub(super) comments: i64,
}

/// Why an import cannot begin.
pub(super) enum Refused {
    NotEmpty,
    Other(String),
    Database(greenlit::Error),
}

impl From<greenlit::Error> for Refused {
    fn from(e: greenlit::Error) -> Refused {
        Refused::Database(e)
    }
}

/// Begins, unless that was done before: the board must be empty, and no id of the old one is ever given away again.
pub(super) async fn begin(db: &Db, origin: &Origin) -> Result<(), Refused> {
    if let Some(name) = db.outcome(BEGUN).await? {
        let name = String::from_utf8_lossy(&name).into_owned();
        return if name == origin.name { Ok(()) } else { Err(Refused::Other(name)) };
    }
    let dialect = db.dialect();
    db.tx(options(BEGUN.to_owned()), async |tx| {
        if !queries::is_empty(tx).await? {
            return Err(Refused::NotEmpty);
        }
        queries::pass_ids(tx, origin.users, origin.feeds, origin.comments).await?;
        if dialect == Dialect::Postgres {
            queries::set_sequences(tx, origin.users, origin.feeds, origin.comments).await?;
        }
        Ok(tx.outcome(origin.name.as_bytes()).await?)
    })
    .await
}

/// Notes that everything is done.
pub(super) async fn end(db: &Db) -> greenlit::Result<()> {
    match db.tx(options(ENDED.to_owned()), async |_: &mut Tx| Ok(())).await {
        Err(greenlit::Error::AlreadyDone) => Ok(()),
        ended => ended,
    }
}

/// Whether everything was done before.
pub(super) async fn has_ended(db: &Db) -> greenlit::Result<bool> {
    Ok(db.outcome(ENDED).await?.is_some())
}

/// Where to go on.
pub(super) async fn starts(db: &Db) -> greenlit::Result<Starts> {
    Ok(Starts {
        users: walk(db, Phase::Users).await?.0,
        feeds: walk(db, Phase::Feeds).await?.0,
        comments: walk(db, Phase::Comments).await?.0,
        likes: walk(db, Phase::Likes).await?.0,
        follows: walk(db, Phase::Follows).await?,
    })
}

async fn walk(db: &Db, phase: Phase) -> greenlit::Result<(i64, i64)> {
    let mut at = (0, 0);
    while let Some(next) = db.outcome(&key(phase, at)).await? {
        let bytes = next.as_slice().split_at_checked(8).map(|(a, b)| (a.try_into(), b.try_into()));
        let Some((Ok(a), Ok(b))) = bytes else {
            return Err(greenlit::Error::Decode("an import's progress".to_owned()));
        };
        at = (i64::from_be_bytes(a), i64::from_be_bytes(b));
    }
    Ok(at)
}

/// The options of the transaction that begins behind `from`.
pub(super) fn step(phase: Phase, from: (i64, i64)) -> Opts {
    options(key(phase, from))
}

/// The last thing in that transaction: it ends with `to`.
pub(super) async fn reach(tx: &mut Tx, to: (i64, i64)) -> greenlit::Result<()> {
    tx.outcome(&[to.0.to_be_bytes(), to.1.to_be_bytes()].concat()).await
}

fn options(key: String) -> Opts {
    Opts::default().within(Duration::from_secs(60)).once(key)
}

fn key(phase: Phase, at: (i64, i64)) -> String {
    format!("import-old:{phase:?}:{}:{}", at.0, at.1)
}

//! Commit keys: a transaction that commits at most once, and the answer that it stored.

use std::time::Duration;

use crate::{
    Class, Db, Dialect, Error, Opts, Result, Tx, args,
    driver::{Access, Begin, Conn},
    outbox::{micros, now},
    session::Session,
};

pub(crate) const OUTCOME: &str = "select outcome from greenlit_commit_keys where commit_key = ?";
pub(crate) const STORE: &str = "update greenlit_commit_keys set outcome = ? where commit_key = ?";

/// The statement that takes a key.
fn take_sql(dialect: Dialect) -> String {
    format!("insert into greenlit_commit_keys (commit_key, taken) values (?, {})", now(dialect))
}

/// How often an outcome is asked for after a lost COMMIT, with growing pauses, and how long in all: together with the wait
/// for the COMMIT itself less than its caller waits.
const QUESTIONS: u32 = 12;
const RESOLVE_PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of a commit key.
const KEY_LENGTH: usize = 255;

/// Inserts the key's row: the first statement of the transaction.
///
/// The row is unique, so whoever comes second waits for the first to end. On SQLite that wait was for the writer.
pub(crate) async fn take(session: &mut Session, key: &str) -> Result<()> {
    if key.len() > KEY_LENGTH {
        let long = Error::Encode(format!("a commit key has at most {KEY_LENGTH} bytes"));
        session.fail_scope(crate::Doom::StatementFailed);
        return Err(long);
    }
    let sql = take_sql(session.db().dialect());
    // The session learns the meaning, not the database's error: neither is a reason to run the transaction again.
    let take = async |conn: &mut Conn| match conn.ask_briefly(&sql, args![key]).await {
        Err(e) if matches!(e.class(), Class::Unique(_)) => Err(Error::AlreadyDone),
        Err(Error::Database(e)) if matches!(e.code.as_deref(), Some("55P03" | "1205")) => Err(Error::InFlight),
        taken => taken,
    };
    session.statement(take).await.map(drop)
}

/// Finds out how a COMMIT ended whose answer was lost.
///
/// The transaction in question inserted its key before it sent COMMIT. Inserting the same key again therefore waits for
/// it to end: a duplicate means that it committed, an insert that it never will.
pub(crate) async fn resolve(db: &Db, key: &str) -> Result<()> {
    let asked = tokio::time::timeout(RESOLVE_PATIENCE, ask_until_answered(db, key)).await;
    asked.unwrap_or(Err(Error::CommitUnknown))
}

async fn ask_until_answered(db: &Db, key: &str) -> Result<()> {
    for question in 0..QUESTIONS {
        match ask(db, key).await {
            Err(e) if matches!(e.class(), Class::Unique(_)) => return Ok(()),
            Ok(()) => {
                return Err(Error::database(Class::Retry, None, "the COMMIT was lost before it reached the server"));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20 << question.min(6))).await,
        }
    }
    Err(Error::CommitUnknown)
}

async fn ask(db: &Db, key: &str) -> Result<()> {
    let work = async {
        let mut conn = db.acquire(Access::Write).await?;
        let begin = Begin { access: Access::Write, serializable: false };
        conn.begin(begin).await?;
        let asked = conn.ask(&take_sql(db.dialect()), args![key]).await;
        conn.rollback().await?;
        asked.map(drop)
    };
    let asked = tokio::time::timeout(Duration::from_secs(5), work).await;
    asked.unwrap_or(Err(Error::Deadline))
}

/// Forgets the keys that were taken longer ago than `age`.
pub(crate) async fn forget(db: &Db, age: Duration) -> Result<u64> {
    let sql = format!("delete from greenlit_commit_keys where taken < {} - ?", now(db.dialect()));
    db.tx(Opts::default(), async move |tx: &mut Tx| tx.exec(&sql, args![micros(age)]).await).await
}

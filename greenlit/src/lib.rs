//! Database sessions that keep their word, on SQLite, PostgreSQL and MariaDB.
//!
//! greenlit gives an application transactions that cannot be lost, leaked or half done, whatever is cancelled, swallowed,
//! nested, retried or killed around them. It stands directly on the native drivers and adds what they leave to luck.
//!
//! ```
//! use greenlit::{Db, Migration, Opts, Reader, Result, Tx, args};
//!
//! const SCHEMA: &[Migration] = &[Migration {
//!     version: 1,
//!     name: "accounts",
//!     sql: "create table account (id {id}, owner {text} not null, balance {int} not null)",
//! }];
//!
//! /// Takes `&mut Tx`: it can only be called inside a transaction, and joins it.
//! async fn add(tx: &mut Tx, account: i64, amount: i64) -> Result<u64> {
//!     tx.exec("update account set balance = balance + ? where id = ?", args![amount, account]).await
//! }
//!
//! /// Takes `&mut impl Reader`: it can be called in a transaction, in a read session, or on its own.
//! async fn balance(r: &mut impl Reader, account: i64) -> Result<i64> {
//!     let (balance,) = r.fetch_one("select balance from account where id = ?", args![account]).await?;
//!     Ok(balance)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
//! # let scratch = greenlit::testing::Scratch::sqlite()?; let url = scratch.url();
//! let db = Db::open(url).await?; // "sqlite:board.db", "postgres://user@host/board" or "mariadb://user@host/board"
//! db.migrate(SCHEMA).await?;
//! let (mine, yours) = db
//!     .tx(Opts::default(), async |tx| {
//!         let new = "insert into account (owner, balance) values (?, ?)";
//!         Ok::<_, greenlit::Error>((tx.insert(new, args!["me", 10]).await?, tx.insert(new, args!["you", 0]).await?))
//!     })
//!     .await?;
//! db.tx(Opts::default(), async |tx| {
//!     add(tx, mine, -4).await?;
//!     add(tx, yours, 4).await
//! })
//! .await?;
//! assert_eq!(balance(&mut db.single(), yours).await?, 4);
//! # Ok(()) }
//! ```
//!
//! # Where to look
//!
//! | | |
//! |---|---|
//! | [`Db`] | opens a database, migrates it, begins sessions |
//! | [`Tx`], [`Read`], [`Reader`] | what a function may do is in its signature |
//! | [`Opts`] | deadline, tries, isolation, statement budget, commit key, replica token |
//! | [`Error`] | by what its reader must decide: [`Error::is_transient`], [`Error::unique`], [`Error::class`] |
//! | [`Value`], [`args!`], [`FromRow`], [`by_key`] | what travels |
//! | [`Outbox`] | jobs that commit with their cause |
//! | [`Token`] | reading from replicas what one has written |
//! | [`blocking`] | the same without async |
//! | [`Stats`] | what is counted; spans and statements go to the targets `greenlit::tx` and `greenlit::sql` of `tracing` |
#![cfg_attr(feature = "testing", doc = "| [`testing`] | a database for each test |")]
//!
//! # The laws
//!
//! Each is a test of its number in `tests/laws`, run on every database that can show it; the README has the table.
//!
//! - **Ownership.** A session belongs to one task (1), cannot leave its closure (2), is unusable outside an open
//!   savepoint (3); every future is `Send` (4); a read session cannot write (5). A session leaves nothing behind for the
//!   next borrower (6). Rows own their values: no lazy loading (7).
//! - **Cancellation.** Dropped at any point, a session leaves all of its rows or none, and the next borrower a clean
//!   connection (8). A statement or scope dropped inside a living closure dooms the transaction (9). The server is told to
//!   stop it (10), and nobody else's (11). From COMMIT on, cancellation changes nothing (12). A panic is a rollback (13).
//!   A storm of cancellations conserves sums (14).
//! - **Scopes.** A failed required scope makes the whole commit fail, though swallowed (15). A handled savepoint failure
//!   loses its own rows and effects alone (16). A failed statement poisons its scope on every database (17). A deadlock
//!   cannot be handled: everything runs again (18). Nothing runs in autocommit after the database ended the transaction
//!   (19). A session inside a session is refused at once (20), but for `requires_new`, which cannot deadlock the pool (21).
//!   Inner scopes take no options (22), and no more than 32 stand inside each other (23).
//! - **Commit and retry.** `Ok` means that a commit was acknowledged as a commit (24); a refused one is an error without
//!   rows and effects (25); a lost answer is found out by the commit key (26). COMMIT that meets BUSY is repeated (27). At
//!   most N tries with jittered backoff within the deadline; effects of failed tries are dropped (28). The session's state
//!   decides a retry, not the application's error type (29). A connection lost before COMMIT is replaced (30). Write skew
//!   is prevented under serializable (31). SQLite's writers begin with BEGIN IMMEDIATE (32).
//! - **Effects.** `after_commit` never runs if COMMIT failed; in order, without a connection; a panic in one stops no
//!   other (33). An outbox row commits with its cause, is claimed by lease, delivered at least once, and a stale worker's
//!   word is refused (34). The caller sees `Ok` only after COMMIT (35).
//! - **Time and reads.** The deadline covers everything up to COMMIT (36). A replica that has not caught up with a token
//!   waits, or the primary answers (37). A statement budget catches N+1 (38). A commit key works once (39). Tests use a
//!   database each (40).
//! - **SQLite.** Concurrent writers share one COMMIT, and none another's failure (41). Acknowledged means on disk (42).
//!
//! # What belongs where
//!
//! | Spring says | greenlit says |
//! |---|---|
//! | REQUIRED | [`Db::tx`] at the edge, [`Tx::required`] inside |
//! | REQUIRES_NEW | [`Db::requires_new`] |
//! | NESTED | [`Tx::savepoint`] |
//! | MANDATORY | a `&mut Tx` parameter |
//! | SUPPORTS | a `&mut impl Reader` parameter |
//! | NOT_SUPPORTED | end the transaction first |
//! | NEVER | a `&Db` parameter: what it begins is refused inside a session |
//!
//! # Features
//!
//! `sqlite`, `postgres` and `mariadb` choose the databases, each with its own driver and nothing of the others; all are on by
//! default. `testing` adds scratch databases for tests.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations)]
// What only one database's driver uses is unused without it.
#![cfg_attr(not(all(feature = "sqlite", feature = "postgres", feature = "mariadb")), allow(unused))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

// The derive macros name this crate by its name, in this crate as well.
extern crate self as greenlit;

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mariadb")))]
compile_error!(
    "greenlit needs a database: switch on at least one of its features `sqlite`, `postgres` and `mariadb` (all are on by \
     default; with `default-features = false`, name those that you use)"
);

pub mod blocking;
mod commit;
mod db;
mod deadline;
mod driver;
mod error;
mod migrate;
mod observe;
mod once;
mod opts;
mod outbox;
mod retry;
mod route;
mod row;
mod session;
mod sql;
mod statements;
#[cfg(feature = "testing")]
pub mod testing;
mod tx;
mod value;

pub use db::{Config, Db, Single};
pub use driver::Dialect;
pub use error::{Class, DatabaseError, Doom, Error, Result};
pub use greenlit_derive::{FromRow, Value};
pub use migrate::{Migrated, Migration};
pub use observe::Stats;
pub use opts::Opts;
pub use outbox::{Backlog, Job, Outbox, ParkedJob};
pub use route::Token;
pub use row::{FromRow, Row, by_key};
pub use tx::{Read, Reader, Tx, TxFn};
pub use value::{FromValue, Json, Value, list};

/// What crosses threads, said here so that nobody takes it away by accident.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_can_be_sent_and_databases_shared() {
        fn sent<T: Send + 'static>() {}
        fn shared<T: Clone + Send + Sync + 'static>() {}
        sent::<Tx>();
        sent::<Read>();
        sent::<Row>();
        shared::<Db>();
        shared::<blocking::Db>();
        shared::<Config>();
        shared::<Error>();
        shared::<Opts>();
        shared::<Outbox>();
        shared::<Token>();
        shared::<Value>();
    }
}

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
//! # The laws
//!
//! Each is a test of its number in `tests/laws`, run on every database that can show it.
//!
//! - **Ownership.** A session belongs to one task (1), cannot leave its closure (2), is unusable outside an open
//!   savepoint (3); every future is `Send` (4); a read session cannot write (5).
//! - **Cancellation.** Dropped at any point, a session leaves all of its rows or none, and the next borrower a clean
//!   connection (8). A statement or scope dropped inside a living closure dooms the transaction (9). From COMMIT on,
//!   cancellation changes nothing (12). A panic is a rollback (13).
//! - **Scopes.** A failed required scope makes the whole commit fail, though swallowed (15). A handled savepoint failure
//!   loses its own rows and effects alone (16). A failed statement poisons its scope on every database (17). Nothing runs
//!   in autocommit after the database ended the transaction (19). A session inside a session is refused at once (20).
//! - **Commit and retry.** `Ok` means that a commit was acknowledged as a commit (24). At most N tries with jittered
//!   backoff within the deadline; effects of failed tries are dropped (28). The session's state decides a retry, not the
//!   application's error type (29). SQLite's writers begin with BEGIN IMMEDIATE (32).
//! - **Effects.** `after_commit` never runs if COMMIT failed; in order, without a connection; a panic in one stops no
//!   other (33). An outbox row commits with its cause, is claimed by lease, delivered at least once, and a stale worker's
//!   word is refused (34). The caller sees `Ok` only after COMMIT (35).
//! - **Time and reads.** A statement budget catches N+1 (38). A commit key works once (39). Tests use a database each (40).
//!
//! # What belongs where
//!
//! | Spring says | greenlit says |
//! |---|---|
//! | REQUIRED | [`Db::tx`] at the edge, [`Tx::required`] inside |
//! | NESTED | [`Tx::savepoint`] |
//! | REQUIRES_NEW | [`Db::requires_new`] |
//! | MANDATORY | a `&mut Tx` parameter |
//! | SUPPORTS | a `&mut impl Reader` parameter |
//! | NEVER | a `&Db` parameter: refused inside a session |
//! | NOT_SUPPORTED | end the transaction first |

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
mod db;
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
#[cfg(feature = "testing")]
pub mod testing;
mod tx;
mod value;

pub use db::{Config, Db, Single, Stats};
pub use driver::Dialect;
pub use error::{Class, DatabaseError, Doom, Error, Result};
pub use greenlit_derive::{FromRow, Value};
pub use migrate::{Migrated, Migration};
pub use opts::Opts;
pub use outbox::{Backlog, Job, Outbox, ParkedJob};
pub use route::Token;
pub use row::{FromRow, Row, by_key};
pub use tx::{Read, Reader, Tx, TxFn};
pub use value::{FromValue, Json, Value, list};

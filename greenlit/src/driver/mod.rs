//! The face that the databases share. Everything above it is written once; everything below it knows one database.
//!
//! A connection's `Drop` keeps the promise on which the laws of cancellation rest: whatever state it is dropped in, the
//! next borrower gets a clean connection or a new one.

#[cfg(feature = "mariadb")]
mod mariadb;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "tls")]
mod shelf;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "tls")]
mod tls;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

#[cfg(feature = "sqlite")]
pub(crate) use self::sqlite::Pace;
use crate::{
    Config, Error, Result, Value,
    row::Answer,
    statements::{Statement, Statements},
};

/// Which database a [`Db`](crate::Db) speaks to, for the rare statement that must differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// SQLite, embedded.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// How a transaction begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begin {
    pub(crate) access: Access,
    pub(crate) serializable: bool,
}

/// A command about a savepoint; the number is its depth.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Savepoint {
    Open(usize),
    Release(usize),
    RollBackTo(usize),
}

impl Savepoint {
    /// The command in SQL. Rolling back releases as well, so that the stack of savepoints does not grow.
    fn sql(self) -> String {
        match self {
            Savepoint::Open(n) => format!("SAVEPOINT s{n}"),
            Savepoint::Release(n) => format!("RELEASE SAVEPOINT s{n}"),
            Savepoint::RollBackTo(n) => format!("ROLLBACK TO SAVEPOINT s{n}; RELEASE SAVEPOINT s{n}"),
        }
    }
}

/// Counters of what happened to connections, for tests and metrics. Read them with [`Db::stats`](crate::Db::stats).
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) opened: AtomicU64,
    pub(crate) discarded: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    pub(crate) rolled_back: AtomicU64,
    pub(crate) warnings: AtomicU64,
    pub(crate) statements: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) rollbacks: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) waits: AtomicU64,
    pub(crate) waited_us: AtomicU64,
    pub(crate) groups: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }
}

pub(crate) enum Pool {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Pool),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Pool),
    #[cfg(feature = "mariadb")]
    MariaDb(mariadb::Pool),
}

/// A connection on loan.
pub(crate) enum Conn {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Conn),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Conn),
    #[cfg(feature = "mariadb")]
    MariaDb(mariadb::Conn),
}

/// What the URLs of the databases begin with that this build can speak to.
const SCHEMES: &[&str] = &[
    #[cfg(feature = "sqlite")]
    "sqlite:",
    #[cfg(feature = "postgres")]
    "postgres:",
    #[cfg(feature = "mariadb")]
    "mariadb:",
];

impl Pool {
    /// Opens the database that the URL names and makes sure that it answers.
    pub(crate) async fn open(url: &str, config: &Config, statements: &Arc<Statements>) -> Result<Pool> {
        let statements = statements.clone();
        // A word without a colon is no URL, be it that of a database.
        match url.split_once(':').map_or("", |(scheme, _)| scheme) {
            #[cfg(feature = "sqlite")]
            "sqlite" => Box::pin(sqlite::Pool::open(url, config, statements)).await.map(Pool::Sqlite),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                Box::pin(postgres::Pool::open(url, config, statements)).await.map(Pool::Postgres)
            }
            #[cfg(feature = "mariadb")]
            "mariadb" | "mysql" => Box::pin(mariadb::Pool::open(url, config, statements)).await.map(Pool::MariaDb),
            _ => Err(Error::Config(format!("the database's URL begins with one of {}", SCHEMES.join(", ")))),
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(_) => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Pool::Postgres(_) => Dialect::Postgres,
            #[cfg(feature = "mariadb")]
            Pool::MariaDb(_) => Dialect::MariaDb,
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        match self {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(pool) => pool.counters(),
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => pool.counters(),
            #[cfg(feature = "mariadb")]
            Pool::MariaDb(pool) => pool.counters(),
        }
    }

    pub(crate) async fn acquire(&self, access: Access) -> Result<Conn> {
        match self {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(pool) => pool.acquire(access).await.map(Conn::Sqlite),
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => pool.acquire().await.map(Conn::Postgres),
            #[cfg(feature = "mariadb")]
            Pool::MariaDb(pool) => pool.acquire().await.map(Conn::MariaDb),
        }
    }
}

/// Awaits the same method on whichever connection this is.
///
/// All futures of sessions are as large as the largest of these: what the drivers' own take much room for is in boxes.
macro_rules! each {
    ($self:expr, $conn:ident => $call:expr) => {
        match $self {
            #[cfg(feature = "sqlite")]
            Conn::Sqlite($conn) => $call.await,
            #[cfg(feature = "postgres")]
            Conn::Postgres($conn) => $call.await,
            #[cfg(feature = "mariadb")]
            Conn::MariaDb($conn) => $call.await,
        }
    };
}

impl Conn {
    pub(crate) async fn begin(&mut self, begin: Begin) -> Result<()> {
        each!(self, conn => conn.begin(begin))
    }

    /// Whether the transaction sees what sessions before it have not committed yet, which will be together with its own work.
    pub(crate) fn shares_its_transaction(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Conn::Sqlite(_) => true,
            #[cfg(any(feature = "postgres", feature = "mariadb"))]
            _ => false,
        }
    }

    /// Lets the transaction that begins next make nobody else wait for its COMMIT, where sessions share one.
    pub(crate) fn alone(&mut self) {
        match self {
            #[cfg(feature = "sqlite")]
            Conn::Sqlite(conn) => conn.alone(),
            #[cfg(any(feature = "postgres", feature = "mariadb"))]
            _ => {}
        }
    }

    /// Runs one statement and brings back all of its rows: no error can hide behind an unread one.
    pub(crate) async fn run(&mut self, statement: &Arc<Statement>, args: Vec<Value>) -> Result<Answer> {
        each!(self, conn => conn.run(statement, args))
    }

    /// Runs a statement of greenlit's own.
    pub(crate) async fn ask(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        each!(self, conn => conn.ask(sql, args))
    }

    /// Like `ask`, but a lock that another transaction holds is waited for two seconds at most.
    pub(crate) async fn ask_briefly(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        match self {
            #[cfg(feature = "sqlite")]
            Conn::Sqlite(conn) => conn.ask(sql, args).await, // the wait for the one writer is over
            #[cfg(feature = "postgres")]
            Conn::Postgres(conn) => conn.ask_briefly(sql, args).await,
            #[cfg(feature = "mariadb")]
            Conn::MariaDb(conn) => {
                let sql = format!("set statement innodb_lock_wait_timeout = 2 for {sql}");
                conn.ask(&sql, args).await
            }
        }
    }

    /// Runs one INSERT of one row and brings back its id, if one was inserted.
    pub(crate) async fn insert(&mut self, statement: &Arc<Statement>, args: Vec<Value>) -> Result<Option<i64>> {
        let answer = each!(self, conn => conn.insert(statement, args))?;
        match answer.values.first().and_then(Option::as_ref) {
            Some(Value::Int(id)) => Ok(Some(*id)),
            Some(_) => Err(Error::Decode("column id is not an integer".to_owned())),
            None => Ok(None),
        }
    }

    /// Parses and plans a statement without running it.
    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<()> {
        each!(self, conn => conn.prepare(sql))
    }

    /// Where DDL ends transactions, migrations run without one, on a connection that nobody else gets afterwards.
    pub(crate) async fn own(&mut self) -> Result<()> {
        match self {
            #[cfg(feature = "mariadb")]
            Conn::MariaDb(conn) => conn.own().await,
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            _ => Ok(()),
        }
    }

    /// Runs a script of several statements without arguments: migrations and savepoints.
    pub(crate) async fn script(&mut self, sql: String) -> Result<()> {
        each!(self, conn => conn.script(sql))
    }

    pub(crate) async fn savepoint(&mut self, savepoint: Savepoint) -> Result<()> {
        self.script(savepoint.sql()).await
    }

    /// Commits. `Ok` means that the database acknowledged a commit; an error of class `Lost` that nobody knows; any
    /// other error that nothing was committed.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        each!(self, conn => conn.commit())
    }

    /// Where the primary's history stands now, for [`reached`](Conn::reached): an LSN, or GTIDs.
    pub(crate) async fn position(&mut self) -> Result<String> {
        match self {
            #[cfg(feature = "sqlite")]
            Conn::Sqlite(_) => Ok(String::new()),
            #[cfg(feature = "postgres")]
            Conn::Postgres(conn) => Box::pin(conn.position()).await,
            #[cfg(feature = "mariadb")]
            Conn::MariaDb(conn) => Box::pin(conn.position()).await,
        }
    }

    /// Waits until this replica has come as far as the position; `false` if that took longer than `patience`.
    pub(crate) async fn reached(&mut self, position: &str, patience: Duration) -> Result<bool> {
        match self {
            #[cfg(feature = "sqlite")]
            Conn::Sqlite(_) => Ok(false),
            #[cfg(feature = "postgres")]
            Conn::Postgres(conn) => Box::pin(conn.reached(position, patience)).await,
            #[cfg(feature = "mariadb")]
            Conn::MariaDb(conn) => Box::pin(conn.reached(position, patience)).await,
        }
    }

    pub(crate) async fn rollback(&mut self) -> Result<()> {
        each!(self, conn => conn.rollback())
    }

    /// Whether the database ended the transaction by itself, so that a further statement would commit on its own.
    pub(crate) fn transaction_ended(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Conn::Sqlite(conn) => conn.transaction_ended(),
            #[cfg(feature = "postgres")]
            Conn::Postgres(conn) => conn.transaction_ended(),
            #[cfg(feature = "mariadb")]
            Conn::MariaDb(conn) => conn.transaction_ended(),
        }
    }
}

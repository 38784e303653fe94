//! The database: where sessions begin.

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use crate::{
    Dialect, Error, FromRow, Opts, Outbox, Read, Result, Tx, Value,
    driver::{Access, Conn, Pool},
    retry::{self, LEVEL},
    session::Session,
    tx::TxFn,
};

/// A database. Cheap to clone; clones share their connections.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> greenlit::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let url = format!("sqlite:{}", folder.path().join("a.db").display());
/// use greenlit::{Db, Migration, Opts, args};
/// let db = Db::open(&url).await?;
/// db.migrate(&[Migration { version: 1, name: "accounts", sql: "create table account (id {id}, balance {int} not null)" }])
///     .await?;
/// let id = db.tx(Opts::default(), async |tx| tx.insert("insert into account (balance) values (?)", args![5]).await).await?;
/// let (balance,): (i64,) = db.fetch_one("select balance from account where id = ?", args![id]).await?;
/// assert_eq!(balance, 5);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Db {
    pub(crate) pool: Arc<Pool>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the URL, which may have a password.
        f.debug_struct("Db").field("dialect", &self.dialect()).field("stats", &self.stats()).finish()
    }
}

/// How a database is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How many connections there are at most; on SQLite, how many readers beside the one writer. At least 1.
    pub connections: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { connections: 10 }
    }
}

/// What has happened to the connections of a [`Db`] since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections opened.
    pub opened: u64,
    /// Connections thrown away because nobody could prove that they were clean.
    pub discarded: u64,
    /// Requests to the server to stop a statement whose future was dropped.
    pub cancelled: u64,
    /// Transactions rolled back after their session was dropped.
    pub rolled_back: u64,
    /// Warnings of the server, such as "there is already a transaction in progress".
    pub warnings: u64,
    /// Statements that sessions and single reads ran, without BEGIN, COMMIT and the like: what a test of a statement
    /// budget compares.
    pub statements: u64,
}

impl Db {
    /// Opens the database with the default [`Config`].
    ///
    /// URLs: `sqlite:PATH` (the file is made if its folder exists), `postgres://` or `postgresql://` as
    /// [libpq reads them](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS), `mariadb://` or
    /// `mysql://` with user, password, host, port and database.
    ///
    /// Connections to a server are encrypted if it offers that. PostgreSQL's `sslmode` and `sslrootcert` ask for more, with
    /// libpq's meaning (without `allow`), and so do MariaDB's `ssl-mode` (`disabled`, `preferred`, `required`,
    /// `verify_identity`) and `ssl-ca`. Without a file of authorities, those count that browsers trust.
    ///
    /// A MariaDB must be able to hold every text: a database or a column of another character set than utf8mb4 is refused.
    ///
    /// # Errors
    /// [`Error::Config`] if the URL cannot be read, the file cannot be opened, or the server's certificate or database is
    /// refused; [`Error::Database`] of class `Lost` if the server cannot be reached.
    pub async fn open(url: &str) -> Result<Db> {
        Db::open_with(url, &Config::default()).await
    }

    /// Opens the database; see [`open`](Db::open).
    ///
    /// # Errors
    /// As [`open`](Db::open).
    pub async fn open_with(url: &str, config: &Config) -> Result<Db> {
        let pool = Arc::new(Pool::open(url, config).await?);
        Ok(Db { pool })
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        self.pool.dialect()
    }

    /// Counters of what happened to the connections.
    pub fn stats(&self) -> Stats {
        let counters = self.pool.counters();
        Stats {
            opened: counters.opened.load(Relaxed),
            discarded: counters.discarded.load(Relaxed),
            cancelled: counters.cancelled.load(Relaxed),
            rolled_back: counters.rolled_back.load(Relaxed),
            warnings: counters.warnings.load(Relaxed),
            statements: counters.statements.load(Relaxed),
        }
    }

    /// Runs a transaction: the only way to write.
    ///
    /// The closure gets the transaction and awaits nothing but it. `Ok` commits, and is returned only after the database
    /// acknowledged the commit; `Err` rolls back. When another transaction is in the way, or the connection is lost
    /// before COMMIT, the closure is cloned and run again from the start, within the limits of `opts`: what it captured
    /// by value starts fresh, what it would capture by `&mut` does not compile.
    ///
    /// Cancellation: dropped before COMMIT, nothing is left behind. From COMMIT on, dropping changes nothing: the commit
    /// and its effects run to their end.
    ///
    /// # Errors
    /// The closure's own error, or an [`Error`] turned into it; [`Error::Nested`] inside another session;
    /// [`Error::RolledBack`] if the closure returned `Ok` though a statement or a required scope in it had failed.
    pub fn tx<F, T, E>(&self, opts: Opts, f: F) -> impl Future<Output = Result<T, E>> + Send
    where
        F: for<'a> TxFn<&'a mut Tx, Result<T, E>> + Clone + Send,
        T: Send,
        E: From<Error> + Send,
    {
        let db = self.clone();
        async move {
            retry::outermost()?;
            LEVEL.scope(1, retry::drive(&db, &opts, Access::Write, f)).await
        }
    }

    /// Runs a read session: every statement in it sees the same snapshot, and none can write.
    ///
    /// The closure is run again if the connection is lost, as in [`tx`](Db::tx). Cancellation: nothing is left behind.
    ///
    /// # Errors
    /// The closure's own error, or an [`Error`] turned into it; [`Error::Nested`] inside another session.
    pub fn read<F, T, E>(&self, opts: Opts, f: F) -> impl Future<Output = Result<T, E>> + Send
    where
        F: for<'a> TxFn<&'a mut Read, Result<T, E>> + Clone + Send,
        T: Send,
        E: From<Error> + Send,
    {
        let db = self.clone();
        async move {
            retry::outermost()?;
            LEVEL.scope(1, retry::drive(&db, &opts, Access::Read, f)).await
        }
    }

    /// A reader whose every statement is a snapshot of its own, without BEGIN: for a request that needs just one, through
    /// functions that take a [`Reader`](crate::Reader).
    ///
    /// ```
    /// use greenlit::{Db, Reader, Result, args};
    /// async fn title(r: &mut impl Reader, id: i64) -> Result<Option<(String,)>> {
    ///     r.fetch_optional("select title from feed where id = ?", args![id]).await
    /// }
    /// async fn show(db: &Db) -> Result<Option<(String,)>> {
    ///     title(&mut db.single(), 7).await
    /// }
    /// ```
    pub fn single(&self) -> Single<'_> {
        Single { db: self }
    }

    /// Runs one read statement, which is its own snapshot: one round trip, no BEGIN. The server refuses a write.
    ///
    /// # Errors
    /// [`Error::Nested`] inside a session; [`Error::Database`]; [`Error::Decode`]; [`Error::Deadline`] after ten seconds.
    pub async fn fetch<R: FromRow>(&self, sql: &str, args: Vec<Value>) -> Result<Vec<R>> {
        retry::outermost()?;
        let opts = Opts::default();
        let deadline = Instant::now() + opts.within;
        let mut attempt = 1;
        loop {
            let mut session = Session::until(self, &opts, Access::Read, deadline);
            match session.single(sql, args.clone()).await {
                // A read can be repeated: the server may have been restarted since this connection was opened.
                Err(_) if session.again() && attempt < opts.attempts => {
                    drop(session);
                    tokio::time::sleep(retry::backoff(attempt)).await;
                    attempt += 1;
                }
                answer => return answer?.decode(),
            }
        }
    }

    /// Like [`fetch`](Db::fetch), for exactly one row; further rows are not looked at.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none, and as [`fetch`](Db::fetch).
    pub async fn fetch_one<R: FromRow>(&self, sql: &str, args: Vec<Value>) -> Result<R> {
        self.fetch_optional(sql, args).await?.ok_or(Error::NotFound)
    }

    /// Like [`fetch`](Db::fetch), for the first row if there is one.
    ///
    /// # Errors
    /// As [`fetch`](Db::fetch).
    pub async fn fetch_optional<R: FromRow>(&self, sql: &str, args: Vec<Value>) -> Result<Option<R>> {
        Ok(self.fetch(sql, args).await?.into_iter().next())
    }

    /// The outbox's other side: claiming jobs and telling what became of them.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.clone())
    }

    /// What the transaction with this commit key stored by [`Tx::outcome`], empty if it stored nothing; `None` if no
    /// transaction with this key has committed.
    ///
    /// # Errors
    /// As [`fetch`](Db::fetch).
    pub async fn outcome(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let row = self.fetch_optional::<(Option<Vec<u8>>,)>(crate::once::OUTCOME, crate::args![key]).await?;
        Ok(row.map(|(outcome,)| outcome.unwrap_or_default()))
    }

    /// Forgets the commit keys that were taken longer ago than `age`, with their outcomes: from then on they are as good
    /// as never used. `age` must be longer than anybody repeats a transaction. Returns how many there were.
    ///
    /// # Errors
    /// As [`tx`](Db::tx).
    pub async fn forget_outcomes(&self, age: Duration) -> Result<u64> {
        crate::once::forget(self, age).await
    }

    /// Parses and plans a statement without running it, so that a test can do it with all of an application's.
    ///
    /// # Errors
    /// [`Error::Database`] if the database does not take it; [`Error::Nested`]; [`Error::Deadline`] after ten seconds.
    pub async fn prepare(&self, sql: &str) -> Result<()> {
        retry::outermost()?;
        let work = async {
            let mut conn = self.acquire(Access::Write).await?;
            conn.prepare(&sql.replace("?*", "?")).await
        };
        timeout_at(Instant::now() + Opts::default().within, work).await.unwrap_or(Err(Error::Deadline))
    }

    pub(crate) async fn acquire(&self, access: Access) -> Result<Conn> {
        self.pool.acquire(access).await
    }
}

/// See [`Db::single`].
pub struct Single<'a> {
    pub(crate) db: &'a Db,
}

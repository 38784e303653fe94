//! The database: where sessions begin.

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use crate::{
    Dialect, Error, FromRow, Opts, Outbox, Read, Reader, Result, Stats, Tx, Value,
    driver::{Access, Conn, Counters},
    retry::{self, LEVEL, Tries},
    route::{Route, Token},
    row::Answer,
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
    pub(crate) route: Arc<Route>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the URL, which may have a password.
        f.debug_struct("Db").field("dialect", &self.dialect()).field("stats", &self.stats()).finish()
    }
}

/// How a database is opened.
///
/// ```
/// # async fn f(url: &str) -> greenlit::Result<greenlit::Db> {
/// let mut config = greenlit::Config::default();
/// config.connections = 20;
/// greenlit::Db::open_with(url, &config).await
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How many connections there are at most; on SQLite, how many readers beside the one writer. At least 1.
    pub connections: usize,
    /// How many connections are kept apart for [`Db::requires_new`] inside sessions, so that it never waits for one that
    /// its own caller holds. They are opened when they are first needed. At least 1; SQLite has none.
    pub separate: usize,
    /// URLs of servers that replay what the primary does; see [`Opts::after`]. Each gets as many connections as the
    /// primary. On MariaDB they follow by GTID, or are other nodes of the primary's Galera cluster. SQLite has none.
    pub replicas: Vec<String>,
    /// Whether statements are prepared under a name. `false` is for a PostgreSQL (14 or later) behind a pooler that lends a
    /// connection for one transaction only, such as PgBouncer in transaction mode. The server then parses and plans each
    /// statement every time, and BEGIN takes a round trip of its own, also around a single read. Arguments travel as text:
    /// one that does not fit is told by the server, and a text column takes a number.
    pub named_statements: bool,
    /// From which duration on a statement is told as slow: a line of level WARN with its text, without values. `None`
    /// tells none.
    pub slow_statement: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            connections: 10,
            separate: 2,
            replicas: Vec::new(),
            named_statements: true,
            slow_statement: Some(Duration::from_secs(1)),
        }
    }
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
        let route = Arc::new(Route::open(url, config).await?);
        Ok(Db { route })
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.route.primary().dialect()
    }

    /// Counters of what happened so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(&self.route)
    }

    /// How many transactions were committed so far, as [`stats`](Db::stats) tells, without what else it counts: for a cache
    /// that asks at every look whether anything changed.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.route.pools().map(|pool| pool.counters().commits.load(Relaxed)).sum()
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

    /// Runs a transaction of its own, whatever transaction is open around it (Spring's REQUIRES_NEW): what it commits
    /// stays, even if the outer one rolls back. It takes one of a few connections that are kept apart
    /// ([`Config::separate`]), so that it never waits for one that an outer session holds. Outside of any session it is
    /// [`tx`](Db::tx).
    ///
    /// It is a second session at the database: it does not see what the outer one has not committed, and if it
    /// wants a row that the outer one has locked, it waits until its deadline. When the outer transaction is run again,
    /// so is this one; with a commit key it commits once.
    ///
    /// Cancellation: as in [`tx`](Db::tx).
    ///
    /// # Errors
    /// As [`tx`](Db::tx); [`Error::Nested`] inside another `requires_new`; [`Error::Refused`] inside a session on
    /// SQLite, whose one writer the outer session may hold.
    ///
    /// ```
    /// # use greenlit::{Db, Error, Opts, Result, Tx, args};
    /// # async fn log_in(tx: &mut Tx) -> Result<()> { Ok(()) }
    /// # async fn f(db: &Db) -> Result<()> {
    /// db.tx(Opts::default(), async |tx| {
    ///     // Stays, even if the log-in fails.
    ///     let note = async |tx: &mut Tx| tx.exec("insert into audit (what) values (?)", args!["log-in"]).await;
    ///     db.requires_new(Opts::default(), note).await?;
    ///     log_in(tx).await
    /// })
    /// .await
    /// # }
    /// ```
    pub fn requires_new<F, T, E>(&self, opts: Opts, f: F) -> impl Future<Output = Result<T, E>> + Send
    where
        F: for<'a> TxFn<&'a mut Tx, Result<T, E>> + Clone + Send,
        T: Send,
        E: From<Error> + Send,
    {
        let db = self.clone();
        async move {
            let level = retry::separate(db.dialect())?;
            let opts = Opts { separate: level > 1, ..opts };
            LEVEL.scope(level, retry::drive(&db, &opts, Access::Write, f)).await
        }
    }

    /// Runs a read session: every statement in it sees the same snapshot, and none can write.
    ///
    /// The closure is run again if the connection is lost, as in [`tx`](Db::tx). Cancellation: nothing is left behind.
    ///
    /// # Errors
    /// The closure's own error, or an [`Error`] turned into it; [`Error::Nested`] inside another session;
    /// [`Error::Refused`] with a commit key, which is for what commits.
    pub fn read<F, T, E>(&self, opts: Opts, f: F) -> impl Future<Output = Result<T, E>> + Send
    where
        F: for<'a> TxFn<&'a mut Read, Result<T, E>> + Clone + Send,
        T: Send,
        E: From<Error> + Send,
    {
        let db = self.clone();
        async move {
            retry::outermost()?;
            if opts.once.is_some() {
                return Err(Error::Refused("a commit key for a session that only reads".to_owned()).into());
            }
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
    #[must_use]
    pub fn single(&self) -> Single<'_> {
        Single { db: self, opts: Opts::default() }
    }

    /// Runs one read statement, which is its own snapshot: one round trip, no BEGIN. The server refuses a write.
    ///
    /// # Errors
    /// [`Error::Nested`] inside a session; [`Error::Database`]; [`Error::Decode`]; [`Error::Deadline`] after ten seconds.
    pub async fn fetch<R: FromRow>(&self, sql: &str, args: Vec<Value>) -> Result<Vec<R>> {
        self.single().fetch(sql, args).await
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
    #[must_use]
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

    /// Where the primary's history stands now: take it after the COMMIT that a later read shall see, and give it to
    /// [`Opts::after`]. Without replicas nobody is asked, and the token is the default one.
    ///
    /// # Errors
    /// As [`fetch`](Db::fetch).
    pub async fn token(&self) -> Result<Token> {
        retry::outermost()?;
        if !self.route.has_replicas() {
            return Ok(Token::default());
        }
        let opts = Opts::default();
        let mut tries = Tries::of(&opts);
        loop {
            let mut session = tries.read(self, &opts);
            let position = session.position().await;
            if position.is_ok() || !tries.again(session).await {
                return position.map(Token::new);
            }
        }
    }

    /// Where its sessions count what happens.
    pub(crate) fn counters(&self) -> &Counters {
        self.route.primary().counters()
    }

    pub(crate) async fn acquire(&self, access: Access) -> Result<Conn> {
        self.route.acquire(access, &Opts::default(), true).await
    }
}

/// See [`Db::single`].
#[derive(Debug)]
pub struct Single<'a> {
    db: &'a Db,
    opts: Opts,
}

impl Single<'_> {
    /// Lets a replica answer that has come as far as the token; see [`Opts::after`].
    #[must_use]
    pub fn after(mut self, token: Token) -> Self {
        self.opts = self.opts.after(token);
        self
    }

    pub(crate) async fn run(&self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        retry::outermost()?;
        let mut tries = Tries::of(&self.opts);
        loop {
            let mut session = tries.read(self.db, &self.opts);
            let answer = session.single(sql, args.clone()).await;
            // A read can be repeated: the server may have been restarted since this connection was opened.
            if answer.is_ok() || !tries.again(session).await {
                return answer;
            }
        }
    }
}

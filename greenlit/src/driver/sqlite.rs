//! SQLite by rusqlite: one writer and several readers on one file in WAL mode.
//!
//! A statement runs on a thread of tokio's blocking pool and takes the connection along by value. If the statement's
//! future is dropped meanwhile, the connection comes home by itself: the thread drops the lease, whose `Drop` rolls back.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, types::ValueRef};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Access, Begin, Counters, sqlite_error::error};
use crate::{Class, Config, Error, Result, Value, row::Answer};

/// How many virtual-machine steps pass between two looks at whether the statement was given up.
const STEPS_BETWEEN_LOOKS: i32 = 1_000;
/// How long somebody else who is setting up the same file is waited for.
const OPEN_PATIENCE: Duration = Duration::from_secs(5);
/// How long a COMMIT that another process holds up is repeated.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Pool {
    writer: Arc<Shelf>,
    readers: Arc<Shelf>,
    counters: Arc<Counters>,
}

/// Where connections of one kind wait for a borrower. Permits and connections are counted apart: a permit without a
/// connection means that one is to be opened.
struct Shelf {
    file: PathBuf,
    access: Access,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    counters: Arc<Counters>,
}

impl Pool {
    pub(crate) async fn open(url: &str, config: &Config) -> Result<Pool> {
        let file = file_of(url)?;
        let counters = Arc::new(Counters::default());
        let shelf = |access, connections| {
            Arc::new(Shelf {
                file: file.clone(),
                access,
                idle: Mutex::default(),
                permits: Arc::new(Semaphore::new(connections)),
                counters: counters.clone(),
            })
        };
        let pool = Pool {
            writer: shelf(Access::Write, 1),
            readers: shelf(Access::Read, config.connections.max(1)),
            counters: counters.clone(),
        };
        // The writer creates the file and switches it to WAL, which readers cannot.
        drop(pool.acquire(Access::Write).await?);
        drop(pool.acquire(Access::Read).await?);
        Ok(pool)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) async fn acquire(&self, access: Access) -> Result<Conn> {
        let shelf = match access {
            Access::Read => &self.readers,
            Access::Write => &self.writer,
        };
        let permit = shelf.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::lost("the pool was closed"))?;
        let idle = lock(&shelf.idle).pop();
        let lease = Lease { connection: idle, permit: Some(permit), shelf: shelf.clone() };
        let mut conn = Conn { lease: Some(lease), ended: false };
        if conn.lease.as_ref().is_some_and(|l| l.connection.is_none()) {
            conn.open().await?;
        }
        Ok(conn)
    }
}

fn file_of(url: &str) -> Result<PathBuf> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.starts_with(":memory:") {
        return Err(Error::Config("sqlite: needs the path of a file, as in sqlite:data/board.db".to_owned()));
    }
    Ok(Path::new(path).to_owned())
}

impl Shelf {
    fn open(&self) -> rusqlite::Result<Connection> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if self.access == Access::Write {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        #[allow(clippy::disallowed_methods)] // the one place where raw connections are made
        let connection = Connection::open_with_flags(&self.file, flags)?;
        connection.busy_timeout(OPEN_PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(256);
        match self.access {
            Access::Write => {
                // The answer is the mode that it got: where files cannot be shared in memory, WAL is not to be had.
                let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
                if mode != "wal" {
                    return Err(rusqlite::Error::InvalidPath(self.file.clone()));
                }
                connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
            }
            Access::Read => connection.execute_batch("PRAGMA query_only = ON; PRAGMA foreign_keys = ON")?,
        }
        // From now on nothing sleeps inside SQLite: it could not be cancelled there.
        connection.busy_timeout(Duration::ZERO)?;
        Counters::add(&self.counters.opened);
        Ok(connection)
    }
}

/// A connection on loan, with the right to it. Dropping it rolls back what is open and puts it on its shelf.
struct Lease {
    connection: Option<Connection>,
    permit: Option<OwnedSemaphorePermit>,
    shelf: Arc<Shelf>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if connection.is_autocommit() {
            lock(&self.shelf.idle).push(connection);
            return;
        }
        let (shelf, permit) = (self.shelf.clone(), self.permit.take());
        let roll_back = move || {
            // The last statement's handler may say that it was given up; the rollback is not.
            let _ = connection.progress_handler(0, None::<fn() -> bool>);
            if connection.execute_batch("ROLLBACK").is_ok() || connection.is_autocommit() {
                Counters::add(&shelf.counters.rolled_back);
                lock(&shelf.idle).push(connection);
            } else {
                Counters::add(&shelf.counters.discarded);
            }
            drop(permit);
        };
        // A rollback may touch the disk, so not on a worker of the runtime.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(roll_back)),
            Err(_) => roll_back(),
        }
    }
}

/// Tells the thread that nobody waits for its statement any more.
struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

pub(crate) struct Conn {
    /// Absent while a statement runs on a thread, and for good if its future was dropped.
    lease: Option<Lease>,
    ended: bool,
}

impl Conn {
    /// Runs `work` with the connection on a thread that may block.
    async fn on_thread<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let lost = || Error::lost("the connection was lost to a dropped statement");
        let mut lease = self.lease.take().ok_or_else(lost)?;
        let given_up = Arc::new(AtomicBool::new(false));
        let _give_up = GiveUp(given_up.clone());
        let task = tokio::task::spawn_blocking(move || {
            let result = match &mut lease.connection {
                Some(connection) => connection
                    .progress_handler(STEPS_BETWEEN_LOOKS, Some(move || given_up.load(Relaxed)))
                    .map_err(|e| error(&e, None))
                    .and_then(|()| work(connection)),
                None => Err(lost()),
            };
            (lease, result)
        });
        let (lease, result) = task.await.map_err(|e| Error::lost(e.to_string()))?;
        self.lease = Some(lease);
        result
    }

    async fn open(&mut self) -> Result<()> {
        let lost = || Error::lost("the connection was lost to a dropped statement");
        let lease = self.lease.as_mut().ok_or_else(lost)?;
        let patience = tokio::time::Instant::now() + OPEN_PATIENCE;
        loop {
            let shelf = lease.shelf.clone();
            let opened = tokio::task::spawn_blocking(move || shelf.open()).await;
            match opened.map_err(|e| Error::lost(e.to_string()))? {
                Ok(connection) => {
                    lease.connection = Some(connection);
                    return Ok(());
                }
                // Somebody else is switching the new file to WAL: SQLite does not wait for that, whatever its timeout.
                Err(e) if error(&e, None).class() == Class::Retry && tokio::time::Instant::now() < patience => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(e) => {
                    let file = lease.shelf.file.display();
                    return Err(Error::Config(format!("cannot open the database {file}: {e}")));
                }
            }
        }
    }

    pub(crate) async fn begin(&mut self, begin: Begin) -> Result<()> {
        let sql = match begin.access {
            Access::Read => "BEGIN DEFERRED",
            // A deferred transaction that comes to write later fails at once if another wrote meanwhile.
            Access::Write => "BEGIN IMMEDIATE",
        };
        // Only another process can be in the way: inside this one the permit is the lock. The caller's deadline ends it.
        let mut pause = Duration::from_millis(1);
        loop {
            let begun = self.on_thread(move |c| c.execute_batch(sql).map_err(|e| error(&e, None))).await;
            match begun {
                Err(e) if e.class() == Class::Retry => tokio::time::sleep(pause).await,
                begun => return begun,
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    pub(crate) async fn run(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        self.query(sql.to_owned(), args).await
    }

    /// `RETURNING id`, since the last inserted rowid is not the row's when an upsert updated one.
    pub(crate) async fn insert(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        self.query(format!("{sql}\nreturning id"), args).await
    }

    async fn query(&mut self, sql: String, args: Vec<Value>) -> Result<Answer> {
        let inside = self.is_open();
        let (ended, result) = self
            .on_thread(move |c| {
                let result = run(c, &sql, args).map_err(|e| error(&e, Some(c)));
                Ok((inside && c.is_autocommit(), result))
            })
            .await?;
        self.ended |= ended;
        result
    }

    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<()> {
        let sql = sql.to_owned();
        self.on_thread(move |c| c.prepare(&sql).map(drop).map_err(|e| error(&e, None))).await
    }

    pub(crate) async fn script(&mut self, sql: String) -> Result<()> {
        self.on_thread(move |c| c.execute_batch(&sql).map_err(|e| error(&e, Some(c)))).await
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        let patience = tokio::time::Instant::now() + COMMIT_PATIENCE;
        loop {
            // BUSY at COMMIT leaves the transaction as it was: the same COMMIT is repeated, not the work.
            match self.script("COMMIT".to_owned()).await {
                Err(e) if e.class() == Class::Retry && tokio::time::Instant::now() < patience => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                result => return result,
            }
        }
    }

    pub(crate) async fn rollback(&mut self) -> Result<()> {
        self.on_thread(|c| {
            if c.is_autocommit() {
                return Ok(());
            }
            c.execute_batch("ROLLBACK").map_err(|e| error(&e, None))
        })
        .await
    }

    pub(crate) fn transaction_ended(&self) -> bool {
        self.ended
    }

    fn is_open(&self) -> bool {
        let connection = self.lease.as_ref().and_then(|lease| lease.connection.as_ref());
        connection.is_some_and(|c| !c.is_autocommit())
    }
}

fn run(connection: &Connection, sql: &str, args: Vec<Value>) -> rusqlite::Result<Answer> {
    let mut statement = connection.prepare_cached(sql)?;
    let args = args.into_iter().map(bound).collect::<rusqlite::Result<Vec<_>>>()?;
    let args = rusqlite::params_from_iter(args);
    let mut rows = Vec::new();
    let mut columns: Arc<[Box<str>]> = Arc::default();
    if statement.column_count() == 0 {
        let affected = statement.execute(args)? as u64;
        return Ok(Answer { columns, rows, affected });
    }
    let mut cursor = statement.query(args)?;
    while let Some(row) = cursor.next()? {
        if rows.is_empty() {
            // Not before the first step, which prepares the statement anew if the schema has changed.
            columns = row.as_ref().column_names().map(Box::from).collect();
        }
        let values = (0..columns.len()).map(|i| row.get_ref(i).map(value));
        rows.push(values.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    drop(cursor);
    let affected = if statement.readonly() { rows.len() as u64 } else { connection.changes() };
    Ok(Answer { columns, rows, affected })
}

/// The argument as SQLite takes it.
fn bound(value: Value) -> rusqlite::Result<rusqlite::types::Value> {
    let unfit = |what: &str| Err(rusqlite::Error::ToSqlConversionFailure(what.into()));
    Ok(match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Bool(b) => rusqlite::types::Value::Integer(b.into()),
        Value::Int(i) => rusqlite::types::Value::Integer(i),
        Value::Float(f) if f.is_nan() => return unfit("SQLite has no NaN: it would store NULL"),
        Value::Float(f) => rusqlite::types::Value::Real(f),
        Value::Text(t) => rusqlite::types::Value::Text(t),
        Value::Bytes(b) => rusqlite::types::Value::Blob(b),
        Value::List(_) => return unfit("a list stands where there is no ?*"),
    })
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(i) => Value::Int(i),
        ValueRef::Real(f) => Value::Float(f),
        // SQLite does not check that text is UTF-8; what is not, is bytes.
        ValueRef::Text(t) => match std::str::from_utf8(t) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Bytes(t.to_vec()),
        },
        ValueRef::Blob(b) => Value::Bytes(b.to_vec()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it is held, and a list of connections is valid at any point.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

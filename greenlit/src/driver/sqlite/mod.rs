//! SQLite by rusqlite: one writer and several readers on one file in WAL mode.
//!
//! A statement that has earned it runs right here, on a worker of the runtime; any other takes the connection along to a
//! thread of tokio's blocking pool. If its future is dropped meanwhile, the connection comes home by itself: the thread drops
//! the lease, whose `Drop` rolls back.

mod engine;
mod error;
mod group;
mod pace;
mod value;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};

pub(crate) use self::pace::Pace;
use self::{
    engine::{Engine, OPEN_PATIENCE, lock},
    error::error,
    pace::BOUND,
    writer::{Turn, Writer},
};
use super::{Access, Begin, Counters};
use crate::{
    Class, Config, Error, Result, Value,
    row::Answer,
    statements::{Statement, Statements},
};

pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    file: PathBuf,
    writer: Arc<Writer>,
    readers: Mutex<Vec<Engine>>,
    /// Counted apart from the readers: a permit without one means that one is to be opened.
    permits: Arc<Semaphore>,
    statements: Arc<Statements>,
    counters: Arc<Counters>,
}

impl Pool {
    pub(crate) async fn open(url: &str, config: &Config, statements: Arc<Statements>) -> Result<Pool> {
        let counters = Arc::new(Counters::default());
        let pool = Pool(Arc::new(Shared {
            file: file_of(url)?,
            writer: Arc::new(Writer::new(counters.clone())),
            readers: Mutex::default(),
            permits: Arc::new(Semaphore::new(config.connections.max(1))),
            statements,
            counters,
        }));
        // The writer creates the file and switches it to WAL, which readers cannot.
        for access in [Access::Write, Access::Read] {
            drop(pool.acquire(access).await.map_err(|e| pool.cannot_open(e))?);
        }
        Ok(pool)
    }

    fn cannot_open(&self, e: Error) -> Error {
        match e {
            Error::Database(e) if e.class != Class::Retry => {
                Error::Config(format!("cannot open the database {}: {}", self.0.file.display(), e.message))
            }
            e => e,
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) async fn acquire(&self, access: Access) -> Result<Conn> {
        let lease = match access {
            Access::Read => {
                let permit = self.0.permits.clone().acquire_owned().await;
                let permit = permit.map_err(|_| Error::lost("the pool was closed"))?;
                let engine = lock(&self.0.readers).pop();
                Lease::Reader(Reader { engine, began: false, shared: self.0.clone(), _permit: permit })
            }
            Access::Write => Lease::Writer(self.0.writer.turn().await?),
        };
        let is_open = lease.engine().is_ok();
        let shared = self.0.clone();
        let mut conn = Conn { shared, lease: Some(lease), ended: false, alone: false, held: Duration::ZERO };
        if !is_open {
            Box::pin(conn.opened()).await?; // rare, and large
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

/// A reading connection on loan. Dropping it ends its transaction, which touches nothing but memory.
struct Reader {
    engine: Option<Engine>,
    /// Whether it is meant to be in a transaction.
    began: bool,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    fn roll_back(mut self) {
        if let Some(engine) = self.engine.take_if(|engine| engine.in_transaction()) {
            self.give_back(engine);
        }
    }

    fn give_back(&self, engine: Engine) {
        if engine.in_transaction() && engine.command("ROLLBACK").is_err() && engine.in_transaction() {
            return Counters::add(&self.shared.counters.discarded);
        }
        lock(&self.shared.readers).push(engine);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(engine) = self.engine.take() else { return };
        if engine.in_transaction() {
            Counters::add(&self.shared.counters.rolled_back);
        }
        self.give_back(engine);
    }
}

enum Lease {
    Reader(Reader),
    Writer(Turn),
}

fn lost() -> Error {
    Error::lost("the connection was lost to a dropped statement")
}

impl Lease {
    /// Takes the engine for a statement, until `leave`.
    fn enter(&mut self) -> Result<()> {
        match self {
            Lease::Reader(_) => Ok(()),
            Lease::Writer(turn) => turn.enter(),
        }
    }

    /// Leaves the engine after a statement; tells whether the transaction has ended by itself.
    fn leave(&mut self) -> Result<bool> {
        match self {
            Lease::Reader(reader) => Ok(reader.began && reader.engine.as_ref().is_none_or(|e| !e.in_transaction())),
            Lease::Writer(turn) => turn.leave(),
        }
    }

    /// The engine, while it is taken, as it is when the lease begins.
    fn engine(&self) -> Result<&Engine> {
        let engine = match self {
            Lease::Reader(reader) => reader.engine.as_ref(),
            Lease::Writer(turn) => turn.engine(),
        };
        engine.ok_or_else(lost)
    }

    /// Opens the connection if there is none.
    fn open(&mut self, file: &Path, counters: &Counters) -> Result<()> {
        if self.engine().is_ok() {
            return Ok(());
        }
        let access = if matches!(self, Lease::Reader(_)) { Access::Read } else { Access::Write };
        let engine = Engine::open(file, access).map_err(|e| error(&e, None))?;
        Counters::add(&counters.opened);
        match self {
            Lease::Reader(reader) => reader.engine = Some(engine),
            Lease::Writer(turn) => turn.equip(engine),
        }
        Ok(())
    }

    /// Commits those whose turn was before.
    fn commit_others(&mut self) -> Result<()> {
        if let Lease::Writer(turn) = self {
            turn.commit_others();
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        match self {
            Lease::Reader(reader) => {
                reader.engine.as_ref().ok_or_else(lost)?.command("BEGIN DEFERRED")?;
                reader.began = true;
                Ok(())
            }
            Lease::Writer(turn) => turn.begin(),
        }
    }
}

/// A statement on a thread. Dropped before it has ended, it is told that nobody waits for it any more.
struct Away<T> {
    given_up: Arc<AtomicBool>,
    thread: JoinHandle<T>,
}

impl<T> Drop for Away<T> {
    fn drop(&mut self) {
        self.given_up.store(true, Relaxed);
    }
}

pub(crate) struct Conn {
    shared: Arc<Shared>,
    /// Absent while a statement runs on a thread, and for good if its future was dropped.
    lease: Option<Lease>,
    ended: bool,
    alone: bool,
    /// How long it has held the caller's worker since it last let others have it.
    held: Duration,
}

impl Conn {
    /// Does `work` here if this statement has earned it and it takes no longer than it may, else on a thread.
    async fn perform<T: Send + 'static>(
        &mut self,
        statement: &Arc<Statement>,
        work: impl Fn(&mut Lease, &Statement) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if statement.pace.has_earned() {
            // Statements that run here never wait, and so would keep the worker as long as there are some.
            if self.held >= BOUND {
                self.held = Duration::ZERO;
                tokio::task::yield_now().await;
            }
            if let Some(result) = self.here(statement, &work)? {
                return result;
            }
        }
        let statement = statement.clone();
        let measured = move |lease: &mut Lease| {
            let started = Instant::now();
            let result = work(lease, &statement);
            statement.pace.ran_on_thread(started.elapsed());
            result
        };
        self.on_thread(measured).await
    }

    /// Does `work` on the caller's worker. `None`: it took too long, and has done nothing.
    fn here<T>(
        &mut self,
        statement: &Statement,
        work: impl Fn(&mut Lease, &Statement) -> Result<T>,
    ) -> Result<Option<Result<T>>> {
        let mut lease = self.lease.take().ok_or_else(lost)?;
        lease.enter()?;
        let started = Instant::now();
        lease.engine()?.limit(Some(started + BOUND), None);
        let result = work(&mut lease, statement);
        let time = started.elapsed();
        let late = result.is_err() && lease.engine().is_ok_and(Engine::was_late);
        statement.pace.ran_on_worker(time, late);
        self.held += time;
        self.ended |= lease.leave()?;
        self.lease = Some(lease);
        Ok((!late).then_some(result))
    }

    /// Does `work` with the connection on a thread that may block.
    async fn on_thread<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Lease) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut lease = self.lease.take().ok_or_else(lost)?;
        lease.enter()?;
        let given_up = Arc::new(AtomicBool::new(false));
        if let Ok(engine) = lease.engine() {
            engine.limit(None, Some(given_up.clone()));
        }
        let thread = tokio::task::spawn_blocking(move || {
            let result = work(&mut lease);
            (lease, result)
        });
        let mut away = Away { given_up, thread };
        let (mut lease, result) = (&mut away.thread).await.map_err(|e| Error::lost(e.to_string()))?;
        self.ended |= lease.leave()?;
        self.lease = Some(lease);
        result
    }

    async fn opened(&mut self) -> Result<()> {
        let patience = Instant::now() + OPEN_PATIENCE;
        loop {
            let shared = self.shared.clone();
            match self.on_thread(move |lease| lease.open(&shared.file, &shared.counters)).await {
                // Somebody else is switching the new file to WAL: SQLite does not wait for that, whatever its timeout.
                Err(e) if e.class() == Class::Retry && Instant::now() < patience => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                opened => return opened,
            }
        }
    }

    pub(crate) async fn begin(&mut self, begin: Begin) -> Result<()> {
        if self.alone {
            self.on_thread(Lease::commit_others).await?;
        }
        let statement = self.shared.statements.get(match begin.access {
            Access::Read => "BEGIN DEFERRED",
            Access::Write => "BEGIN IMMEDIATE",
        });
        // Only another process can be in the way: inside this one the lease is the lock. The caller's deadline ends it.
        let mut pause = Duration::from_millis(1);
        loop {
            match self.perform(&statement, |lease, _| lease.begin()).await {
                Err(e) if e.class() == Class::Retry && self.lease.is_some() => tokio::time::sleep(pause).await,
                begun => return begun,
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Lets the transaction that begins next be the first in its group, so that nobody who has come before waits for its end.
    pub(crate) fn alone(&mut self) {
        self.alone = true;
    }

    pub(crate) async fn run(&mut self, statement: &Arc<Statement>, args: Vec<Value>) -> Result<Answer> {
        self.perform(statement, move |lease, statement| lease.engine()?.run(statement, &args)).await
    }

    pub(crate) async fn ask(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        let statement = self.shared.statements.get(sql);
        self.run(&statement, args).await
    }

    /// `RETURNING id`, since the last inserted rowid is not the row's when an upsert updated one.
    pub(crate) async fn insert(&mut self, statement: &Arc<Statement>, args: Vec<Value>) -> Result<Answer> {
        self.run(statement.returning(), args).await
    }

    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<()> {
        let sql = sql.to_owned();
        self.on_thread(move |lease| lease.engine()?.prepare(&sql)).await
    }

    pub(crate) async fn script(&mut self, sql: String) -> Result<()> {
        let statement = self.shared.statements.get(&sql);
        self.perform(&statement, |lease, statement| lease.engine()?.script(&statement.sql)).await
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        match &mut self.lease {
            Some(Lease::Writer(turn)) => turn.release()?.await,
            Some(Lease::Reader(_)) => self.rollback().await, // there is nothing to keep
            None => Err(lost()),
        }
    }

    /// Ends the transaction, and gives the connection back. An error: what the session saw of others was never committed.
    pub(crate) async fn rollback(&mut self) -> Result<()> {
        match self.lease.take() {
            Some(Lease::Writer(turn)) => return turn.roll_back().await,
            Some(Lease::Reader(reader)) => reader.roll_back(),
            None => {}
        }
        Ok(())
    }

    pub(crate) fn transaction_ended(&self) -> bool {
        self.ended
    }
}

//! greenlit without async, for scripts and command-line tools.
//!
//! The same sessions with the same laws, over a runtime of their own: closures are plain ones, and every call returns when
//! it is done. A service uses [`greenlit::Db`](crate::Db): its sessions end when their request is gone, which a thread
//! cannot.
//!
//! ```
//! use greenlit::{Migration, Opts, Result, args, blocking::{Db, Reader, Tx}};
//!
//! const SCHEMA: &[Migration] =
//!     &[Migration { version: 1, name: "feeds", sql: "create table feed (id {id}, title {text} not null)" }];
//!
//! fn add(tx: &mut Tx<'_>, title: &str) -> Result<i64> {
//!     tx.insert("insert into feed (title) values (?)", args![title])
//! }
//!
//! fn title(r: &mut impl Reader, id: i64) -> Result<String> {
//!     Ok(r.fetch_one::<(String,)>("select title from feed where id = ?", args![id])?.0)
//! }
//!
//! fn main() -> Result<()> {
//! # let scratch = greenlit::testing::Scratch::sqlite()?;
//! # let url = scratch.url();
//! # #[cfg(any())]
//!     let url = "sqlite:board.db";
//!     let db = Db::open(url)?;
//!     db.migrate(SCHEMA)?;
//!     let id = db.tx(Opts::default(), |tx| add(tx, "Hello"))?; // committed
//!     assert_eq!(title(&mut db.single(), id)?, "Hello");
//!     Ok(())
//! }
//! ```

mod session;

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

pub use self::session::{Read, Reader, Single, Tx};
use crate::{Config, Dialect, Error, FromRow, Migrated, Migration, Opts, Result, Stats, Value, retry};

/// A database, for programs without async. Cheap to clone; clones share their connections and may be used by many threads.
///
/// It brings a thread of its own, which moves the bytes and ends with the last clone. None of its methods may be called
/// where async code runs, on whichever thread of its runtime: they fail with [`Error::InsideRuntime`].
#[derive(Clone)]
pub struct Db {
    db: crate::Db,
    runtime: Runtime,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.db.fmt(f)
    }
}

impl Db {
    /// Opens the database with the default [`Config`]. The URLs are those of [`greenlit::Db::open`](crate::Db::open).
    ///
    /// # Errors
    /// As [`greenlit::Db::open`](crate::Db::open), and [`Error::InsideRuntime`].
    pub fn open(url: &str) -> Result<Db> {
        Db::open_with(url, &Config::default())
    }

    /// Opens the database; see [`open`](Db::open).
    ///
    /// # Errors
    /// As [`open`](Db::open).
    pub fn open_with(url: &str, config: &Config) -> Result<Db> {
        outside()?;
        let runtime = Runtime::start()?;
        let db = block_on(&runtime.handle, crate::Db::open_with(url, config))?;
        Ok(Db { db, runtime })
    }

    /// Brings the schema to the end of this history; see [`greenlit::Db::migrate`](crate::Db::migrate).
    ///
    /// # Errors
    /// As [`greenlit::Db::migrate`](crate::Db::migrate), and [`Error::InsideRuntime`].
    pub fn migrate(&self, history: &[Migration]) -> Result<Migrated> {
        self.wait(self.db.migrate(history))
    }

    /// Runs a transaction: the only way to write. `Ok` commits, and is returned only after the database acknowledged that;
    /// `Err` and a panic roll back. When another transaction is in the way, or the connection is lost before COMMIT, the
    /// closure is cloned and run again from the start; see [`greenlit::Db::tx`](crate::Db::tx).
    ///
    /// # Errors
    /// As [`greenlit::Db::tx`](crate::Db::tx), and [`Error::InsideRuntime`].
    pub fn tx<F, T, E>(&self, opts: Opts, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Clone + Send,
        T: Send,
        E: From<Error> + Send,
    {
        self.wait(self.db.tx(opts, async move |tx: &mut crate::Tx| f(&mut Tx::over(tx))))
    }

    /// Runs a transaction of its own, whatever transaction is open around it; see
    /// [`greenlit::Db::requires_new`](crate::Db::requires_new).
    ///
    /// # Errors
    /// As [`greenlit::Db::requires_new`](crate::Db::requires_new), and [`Error::InsideRuntime`].
    pub fn requires_new<F, T, E>(&self, opts: Opts, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Clone + Send,
        T: Send,
        E: From<Error> + Send,
    {
        self.wait(self.db.requires_new(opts, async move |tx: &mut crate::Tx| f(&mut Tx::over(tx))))
    }

    /// Runs a read session: every statement in it sees the same snapshot, and none can write; see
    /// [`greenlit::Db::read`](crate::Db::read).
    ///
    /// # Errors
    /// As [`greenlit::Db::read`](crate::Db::read), and [`Error::InsideRuntime`].
    pub fn read<F, T, E>(&self, opts: Opts, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Read<'_>) -> Result<T, E> + Clone + Send,
        T: Send,
        E: From<Error> + Send,
    {
        self.wait(self.db.read(opts, async move |r: &mut crate::Read| f(&mut Read::over(r))))
    }

    /// A reader whose every statement is a snapshot of its own; see [`greenlit::Db::single`](crate::Db::single).
    #[must_use]
    pub fn single(&self) -> Single<'_> {
        Single::over(self)
    }

    /// Runs one read statement, which is its own snapshot.
    ///
    /// # Errors
    /// As [`greenlit::Db::fetch`](crate::Db::fetch), and [`Error::InsideRuntime`].
    pub fn fetch<R: FromRow>(&self, sql: &str, args: Vec<Value>) -> Result<Vec<R>> {
        self.wait(self.db.fetch(sql, args))
    }

    /// Like [`fetch`](Db::fetch), for exactly one row; further rows are not looked at.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none, and as [`fetch`](Db::fetch).
    pub fn fetch_one<R: FromRow>(&self, sql: &str, args: Vec<Value>) -> Result<R> {
        self.wait(self.db.fetch_one(sql, args))
    }

    /// Like [`fetch`](Db::fetch), for the first row if there is one.
    ///
    /// # Errors
    /// As [`fetch`](Db::fetch).
    pub fn fetch_optional<R: FromRow>(&self, sql: &str, args: Vec<Value>) -> Result<Option<R>> {
        self.wait(self.db.fetch_optional(sql, args))
    }

    /// Runs async code on the database and waits for it: for what has no method here, such as the outbox.
    ///
    /// ```
    /// # fn f(db: &greenlit::blocking::Db) -> greenlit::Result<()> {
    /// let parked = db.run(async |db| db.outbox().parked(10).await)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The closure's own, and [`Error::InsideRuntime`].
    pub fn run<T, E: From<Error>>(&self, work: impl AsyncFnOnce(&crate::Db) -> Result<T, E>) -> Result<T, E> {
        self.wait(work(&self.db))
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.db.dialect()
    }

    /// Counters of what happened so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.db.stats()
    }

    fn wait<T, E: From<Error>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        // Inside one of its own sessions the thread knows a runtime as well: the work itself refuses that, as nested.
        if retry::outermost().is_ok() {
            outside()?;
        }
        block_on(&self.runtime.handle, work)
    }
}

/// A thread on which connections, timers and commits live. It ends when the last clone is dropped.
#[derive(Clone)]
struct Runtime {
    handle: Handle,
    _until_dropped: Arc<oneshot::Sender<()>>,
}

impl Runtime {
    fn start() -> Result<Runtime> {
        let failed = |e: std::io::Error| Error::Config(format!("no thread for the database: {e}"));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (handle, (until_dropped, dropped)) = (runtime.handle().clone(), oneshot::channel::<()>());
        let thread = thread::Builder::new().name("greenlit".to_owned());
        thread.spawn(move || runtime.block_on(dropped)).map_err(failed)?;
        Ok(Runtime { handle, _until_dropped: Arc::new(until_dropped) })
    }
}

/// A thread that runs async code must not be made to wait: what it waits for may be its own turn.
fn outside() -> Result<()> {
    if Handle::try_current().is_ok() { Err(Error::InsideRuntime) } else { Ok(()) }
}

/// Wakes a thread. The flag is this waiting's own: a wait inside another must not swallow the other's waking.
struct Alarm {
    thread: Thread,
    rung: AtomicBool,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs a future on this thread, while its connections and timers are served by the runtime's.
///
/// A runtime's own `block_on` cannot be called inside itself. This one can: the closure of a session is called while the
/// session's future is polled, and its statements are waited for there.
fn block_on<F: Future>(runtime: &Handle, future: F) -> F::Output {
    let _context = runtime.enter();
    let mut future = pin!(future);
    let alarm = Arc::new(Alarm { thread: thread::current(), rung: AtomicBool::new(false) });
    let waker = Waker::from(alarm.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !alarm.rung.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

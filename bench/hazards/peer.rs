//! What a library has to do here: transactions as lists of steps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{sync::Barrier, time::timeout};

use super::Result;

/// What a transaction does, in this order; it commits after the last step.
#[derive(Clone)]
pub enum Step {
    /// Runs the statement; its failure is the transaction's.
    Run(String),
    /// Runs the statement and ignores its failure.
    Swallow(String),
    /// Drops the statement's future after [`GIVE_UP`].
    GiveUp(String),
    /// Runs the statement in a savepoint; its failure is handled by rolling back to that.
    Savepoint(String),
    /// Runs the statement through the pool, as a function would that was not handed the transaction.
    Outside(String),
    /// Waits for the other transaction, the first time.
    Meet(Arc<Meeting>),
    Panic,
}

pub const GIVE_UP: Duration = Duration::from_millis(100);

/// Where two transactions wait for each other, once: neither waits when it is run again, or for long.
pub struct Meeting {
    arrived: AtomicU32,
    both: Barrier,
}

impl Meeting {
    pub(super) fn new() -> Arc<Meeting> {
        Arc::new(Meeting { arrived: AtomicU32::new(0), both: Barrier::new(2) })
    }

    pub async fn wait(&self) {
        if self.arrived.fetch_add(1, SeqCst) < 2 {
            let _alone = timeout(Duration::from_millis(500), self.both.wait()).await;
        }
    }
}

/// A library, used as its documentation shows, with its default settings but for the number of connections.
pub trait Peer: Clone + Send + Sync + 'static {
    const NAME: &'static str;

    fn open(url: &str, connections: usize) -> impl Future<Output = Result<Self>> + Send;

    /// Creates the tables.
    fn create(&self, tables: &'static str) -> impl Future<Output = Result<()>> + Send;

    /// One write on its own.
    fn write(&self, sql: String) -> impl Future<Output = Result<()>> + Send;

    /// One read on its own: the column n of its row.
    fn number(&self, sql: &str) -> impl Future<Output = Result<i64>> + Send;

    fn transaction(&self, steps: Arc<[Step]>) -> impl Future<Output = Result<()>> + Send;

    /// A transaction that opens a savepoint, runs the statement on the outer handle, rolls the savepoint back and commits;
    /// None if the library's types do not let it.
    fn outer_in_savepoint(&self, _sql: String) -> impl Future<Output = Option<Result<()>>> + Send {
        async { None }
    }

    /// A transaction of one statement that happens once for this key; None if the library has no such thing.
    fn once(&self, _key: &'static str, _sql: String) -> impl Future<Output = Option<Result<()>>> + Send {
        async { None }
    }

    fn close(self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

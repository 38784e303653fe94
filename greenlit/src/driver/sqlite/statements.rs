//! What is known of the statements that a database runs: above all, which of them are short.
//!
//! A statement that is not known to be short runs on a thread that may block, which costs two wake-ups. One that was short
//! there several times has earned to run right where its session is, on a worker of the runtime, for a bounded time.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use foldhash::fast::RandomState;

/// How long a statement may hold a worker of the runtime.
pub(super) const BOUND: Duration = Duration::from_millis(1);
/// How often a statement has to be short on a thread before it may run on a worker.
const SHORT_RUNS: u32 = 3;
/// The same for one that was too long on a worker and was not stopped there, as a write never is: it held the worker all
/// the while.
const SHORT_RUNS_OF_UNSTOPPED: u32 = 100;
/// How many statements are known. More than that are not one application's but made up anew again and again.
pub(super) const KNOWN: usize = 1_024;
/// Longer texts, such as migrations and long lists, are not worth the memory.
const LONGEST: usize = 4_096;

/// The statements of one database.
#[derive(Default)]
pub(super) struct Statements(RwLock<HashMap<Arc<str>, Arc<Statement>, RandomState>>);

/// A statement and what is known of it.
pub(super) struct Statement {
    /// Given once and never again.
    pub(super) id: u64,
    sql: Arc<str>,
    /// How many short runs it has to show before it may run on a worker.
    to_earn: AtomicU32,
}

impl Statements {
    pub(super) fn get(&self, sql: &str) -> Arc<Statement> {
        // A panic while it is locked leaves a map that is whole.
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(sql) {
            return known.clone();
        }
        static IDS: AtomicU64 = AtomicU64::new(0);
        let (id, sql) = (IDS.fetch_add(1, Relaxed), Arc::<str>::from(sql));
        let new = Arc::new(Statement { id, sql: sql.clone(), to_earn: AtomicU32::new(SHORT_RUNS) });
        if sql.len() <= LONGEST {
            let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= KNOWN {
                all.clear(); // what is in use has earned its place again within a few runs
            }
            return all.entry(sql).or_insert(new).clone();
        }
        new
    }
}

impl Statement {
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    /// Whether it may run on a worker.
    pub(super) fn has_earned(&self) -> bool {
        self.to_earn.load(Relaxed) == 0
    }

    pub(super) fn ran_on_thread(&self, time: Duration) {
        let wanted = self.to_earn.load(Relaxed);
        // Lost updates only make it earn a little later.
        self.to_earn.store(if time < BOUND / 2 { wanted.saturating_sub(1) } else { wanted.max(SHORT_RUNS) }, Relaxed);
    }

    pub(super) fn ran_on_worker(&self, time: Duration, stopped: bool) {
        if time >= BOUND {
            self.to_earn.store(if stopped { SHORT_RUNS } else { SHORT_RUNS_OF_UNSTOPPED }, Relaxed);
        }
    }
}

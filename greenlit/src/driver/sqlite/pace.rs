//! Which statements are short.
//!
//! A statement that is not known to be short runs on a thread that may block, which costs two wake-ups. One that was short
//! there several times has earned to run right where its session is, on a worker of the runtime, for a bounded time.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

/// How long a statement may hold a worker of the runtime.
pub(super) const BOUND: Duration = Duration::from_millis(1);
/// How often a statement has to be short on a thread before it may run on a worker.
const SHORT_RUNS: u32 = 3;
/// The same for one that was too long on a worker and was not stopped there, as a write never is: it held the worker all
/// the while.
const SHORT_RUNS_OF_UNSTOPPED: u32 = 100;

/// How many short runs a statement has to show before it may run on a worker.
pub(crate) struct Pace(AtomicU32);

impl Default for Pace {
    fn default() -> Self {
        Pace(AtomicU32::new(SHORT_RUNS))
    }
}

impl Pace {
    /// Whether it may run on a worker.
    pub(super) fn has_earned(&self) -> bool {
        self.0.load(Relaxed) == 0
    }

    pub(super) fn ran_on_thread(&self, time: Duration) {
        let wanted = self.0.load(Relaxed);
        // Lost updates only make it earn a little later.
        self.0.store(if time < BOUND / 2 { wanted.saturating_sub(1) } else { wanted.max(SHORT_RUNS) }, Relaxed);
    }

    pub(super) fn ran_on_worker(&self, time: Duration, stopped: bool) {
        if time >= BOUND {
            self.0.store(if stopped { SHORT_RUNS } else { SHORT_RUNS_OF_UNSTOPPED }, Relaxed);
        }
    }
}

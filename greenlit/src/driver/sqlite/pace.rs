//! Which statements are short.
//!
//! A statement that is not known to be short runs on a thread that may block, which costs two wake-ups. One that was short
//! there several times has earned to run right where its session is, on a worker of the runtime, for a bounded time.
//!
//! Where the system has more to do than processors, it takes the processor away from a short statement now and then, which then
//! looks long. So each short run there is credit, and a long one costs as much of it as it took too long: one that is long again
//! and again, because it waits for the disk, say, has none left after a few.

use std::{
    sync::atomic::{AtomicI32, Ordering::Relaxed},
    time::Duration,
};

/// How long a statement may hold a worker of the runtime.
pub(super) const BOUND: Duration = Duration::from_millis(1);
/// How often a statement has to be short on a thread before it may run on a worker.
const SHORT_RUNS: i32 = 3;
/// The same for one that was too long on a worker and was not stopped there, as a write never is: it held the worker all
/// the while.
const SHORT_RUNS_OF_UNSTOPPED: i32 = 100;
/// So much credit a statement can have: enough for some hundredths of a second once, or to lose the processor in one run of
/// thirty.
const MOST_CREDIT: i32 = 512;
/// What each bound's length of a run that was too long costs, in short runs.
const COST: i32 = 16;

/// How many short runs a statement has to show before it may run on a worker, or how much credit it has there, below zero.
pub(crate) struct Pace(AtomicI32);

impl Default for Pace {
    fn default() -> Self {
        Pace(AtomicI32::new(SHORT_RUNS))
    }
}

impl Pace {
    /// Whether it may run on a worker.
    pub(super) fn has_earned(&self) -> bool {
        self.0.load(Relaxed) <= 0
    }

    // Lost updates only make it earn a little later, or lose a little later.

    pub(super) fn ran_on_thread(&self, time: Duration) {
        let wanted = self.0.load(Relaxed);
        self.0.store(if time < BOUND / 2 { (wanted - 1).max(0) } else { wanted.max(SHORT_RUNS) }, Relaxed);
    }

    pub(super) fn ran_on_worker(&self, time: Duration, stopped: bool) {
        let credit = self.0.load(Relaxed);
        if time < BOUND {
            // Mostly it has all that it can have, and other processors need not hear of this run.
            if credit > -MOST_CREDIT {
                self.0.store(credit - 1, Relaxed);
            }
            return;
        }
        let bounds = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        let left = credit.saturating_add(bounds.saturating_mul(COST));
        let lost = if stopped { SHORT_RUNS } else { SHORT_RUNS_OF_UNSTOPPED };
        // One that was stopped for its work, and not for what the system did meanwhile, will be so again.
        self.0.store(if left > 0 { lost } else { left }, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_micros(20);

    fn earned() -> Pace {
        let pace = Pace::default();
        for _ in 0..SHORT_RUNS {
            assert!(!pace.has_earned());
            pace.ran_on_thread(SHORT);
        }
        assert!(pace.has_earned());
        pace
    }

    #[test]
    fn who_is_long_at_once_is_sent_away_for_long() {
        let pace = earned();
        pace.ran_on_worker(2 * BOUND, false);
        for _ in 0..SHORT_RUNS_OF_UNSTOPPED {
            assert!(!pace.has_earned());
            pace.ran_on_thread(SHORT);
        }
        assert!(pace.has_earned());
    }

    #[test]
    fn who_loses_the_processor_now_and_then_stays() {
        let pace = earned();
        for run in 1..10_000 {
            pace.ran_on_worker(if run % 100 == 0 { 4 * BOUND } else { SHORT }, false);
            assert!(pace.has_earned(), "{run}");
        }
    }

    #[test]
    fn who_is_long_again_and_again_goes_however_long_he_was_short() {
        let pace = earned();
        (0..10_000).for_each(|_| pace.ran_on_worker(SHORT, false));
        let long = (1..).find(|_| {
            pace.ran_on_worker(4 * BOUND, false);
            !pace.has_earned()
        });
        assert_eq!(long, Some(8 + 1));
        let pace = earned();
        (0..10_000).for_each(|_| pace.ran_on_worker(SHORT, false));
        pace.ran_on_worker(Duration::from_millis(100), false);
        assert!(!pace.has_earned());
    }
}

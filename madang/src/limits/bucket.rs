//! One quota, counted for each key by the generic cell rate algorithm: a key's whole state is the time at which it will
//! have its full quota again, so that forgetting those whose time has come changes nothing.
//!
//! Not `governor`: that cannot give a successful log-in's place back, nor tell known keys from new ones when there are too
//! many.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::quota::Quota;
use crate::clock::{Clock, Timestamp};

/// A network, and what of it.
pub(super) type Key = (u128, u64);

/// More keys than this are not told apart: 50 bytes each, for each quota.
pub(super) const MOST_KEYS: usize = 65_536;

/// Those who come when there are too many share what one may do. Who was there before is not among them.
const CROWD: Key = (u128::MAX, u64::MAX);

/// While there are too many, how often it is looked whether some can be forgotten.
const CROWDED_SWEEP_US: i64 = 1_000_000;

/// The state of one quota.
#[derive(Debug)]
pub(super) struct Buckets {
    burst: i64,
    interval_us: i64,
    clock: Clock,
    keys: Mutex<Keys>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Keys {
    full_at: HashMap<Key, i64>,
    swept_at: i64,
}

impl Buckets {
    pub(super) fn new(quota: Quota, clock: Clock) -> Buckets {
        Buckets {
            burst: quota.burst.get().into(),
            interval_us: i64::try_from(quota.interval().as_micros()).unwrap_or(i64::MAX).max(1),
            clock,
            keys: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes `cost` from the key's quota, or says how long to wait until it can be taken. What costs more than the whole
    /// quota can be had of a full one.
    pub(super) fn take(&self, key: Key, cost: u32) -> Result<(), Duration> {
        let Timestamp(now) = self.clock.now();
        let capacity = self.burst.saturating_mul(self.interval_us);
        let price = i64::from(cost).min(self.burst).saturating_mul(self.interval_us);
        let mut keys = self.lock();
        let key = keys.admitted(key, now);
        // Never further ahead than an empty quota is, though the clock may have been put back.
        let full_at = keys.full_at.get(&key).copied().unwrap_or(now).clamp(now, now.saturating_add(capacity));
        let after = full_at.saturating_add(price);
        let wait = after.saturating_sub(now).saturating_sub(capacity);
        if wait > 0 {
            self.refused.fetch_add(1, Relaxed);
            return Err(Duration::from_micros(wait.unsigned_abs()));
        }
        keys.full_at.insert(key, after);
        Ok(())
    }

    /// Gives back what was taken.
    pub(super) fn give_back(&self, key: Key, cost: u32) {
        let price = i64::from(cost).min(self.burst).saturating_mul(self.interval_us);
        if let Some(full_at) = self.lock().full_at.get_mut(&key) {
            *full_at = full_at.saturating_sub(price);
        }
    }

    /// Forgets the keys that have their full quota.
    pub(super) fn sweep(&self) {
        let Timestamp(now) = self.clock.now();
        self.lock().sweep(now);
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Room for how many keys there is, which is what the memory goes by.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.lock().full_at.capacity()
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        // Nothing between the lock and its end panics, and if it did the times would still be times.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    fn admitted(&mut self, key: Key, now: i64) -> Key {
        let is_full = |keys: &Keys| keys.full_at.len() >= MOST_KEYS;
        if !is_full(self) || self.full_at.contains_key(&key) {
            return key;
        }
        if now.saturating_sub(self.swept_at).unsigned_abs() >= CROWDED_SWEEP_US.unsigned_abs() {
            self.sweep(now);
        }
        if is_full(self) { CROWD } else { key }
    }

    fn sweep(&mut self, now: i64) {
        self.swept_at = now;
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() < self.full_at.capacity() / 4 {
            self.full_at.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Quotas;

    #[test]
    fn a_clock_that_was_put_back_locks_nobody_out() {
        let buckets = Buckets::new(Quotas::default().signup, Clock::default());
        buckets.lock().full_at.insert((1, 1), i64::MAX);
        let wait = buckets.take((1, 1), 1).unwrap_err();
        assert!(wait <= Duration::from_secs(60), "{wait:?}");
    }
}

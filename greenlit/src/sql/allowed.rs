//! The statements that sessions were found to be allowed to run.

use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

use foldhash::fast::RandomState;

/// How many are remembered. More than that are not one application's but made up anew again and again.
const KNOWN: usize = 1_024;
/// Longer texts, such as long lists, are not worth the memory.
const LONGEST: usize = 4_096;

/// Remembers what [`refused`](super::refused) found nothing in: an application has few statements, and runs them often.
#[derive(Default)]
pub(crate) struct Allowed(RwLock<HashSet<Box<str>, RandomState>>);

impl Allowed {
    /// As [`refused`](super::refused).
    pub(crate) fn refused(&self, sql: &str) -> Option<String> {
        // A panic while it is locked leaves a set that is whole.
        if self.0.read().unwrap_or_else(PoisonError::into_inner).contains(sql) {
            return None;
        }
        let word = super::refused(sql);
        if word.is_none() && sql.len() <= LONGEST {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= KNOWN {
                known.clear();
            }
            known.insert(sql.into());
        }
        word
    }
}

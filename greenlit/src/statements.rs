//! The statements that a database is asked, and what is known of each: what a session must not run of it, and on SQLite
//! whether it is short. An application has few of them, and asks them often.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use foldhash::fast::RandomState;

#[cfg(feature = "sqlite")]
use crate::driver::Pace;
use crate::sql;

/// How many are remembered. More than that are not one application's but made up anew again and again.
pub(crate) const KNOWN: usize = 1_024;
/// Bytes of a statement that is remembered.
const LONGEST: usize = 64 * 1024;

#[derive(Default)]
pub(crate) struct Statements(RwLock<HashMap<Arc<str>, Arc<Statement>, RandomState>>);

pub(crate) struct Statement {
    /// Given once and never again: connections tell by it what they have prepared.
    pub(crate) id: u64,
    pub(crate) sql: Arc<str>,
    /// What a session must not run of it.
    pub(crate) refused: Option<String>,
    returning: OnceLock<Arc<Statement>>,
    #[cfg(feature = "sqlite")]
    pub(crate) pace: Pace,
}

impl Statements {
    pub(crate) fn get(&self, sql: &str) -> Arc<Statement> {
        // A panic while it is locked leaves a map that is whole.
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(sql) {
            return known.clone();
        }
        let new = Statement::new(sql);
        if sql.len() > LONGEST {
            return new;
        }
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KNOWN {
            all.clear(); // what is in use is known again soon
        }
        all.entry(new.sql.clone()).or_insert(new).clone()
    }
}

impl Statement {
    fn new(sql: &str) -> Arc<Statement> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Arc::new(Statement {
            id: IDS.fetch_add(1, Relaxed),
            sql: sql.into(),
            refused: sql::refused(sql),
            returning: OnceLock::new(),
            #[cfg(feature = "sqlite")]
            pace: Pace::default(),
        })
    }

    /// The INSERT that brings back the id of what it inserted.
    pub(crate) fn returning(&self) -> &Arc<Statement> {
        self.returning.get_or_init(|| Statement::new(&format!("{}\nreturning id", self.sql)))
    }
}

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
/// Longer ones, such as long lists, are not worth the memory, here and where they are prepared.
const LONGEST: usize = 16 * 1024;

#[derive(Default)]
pub(crate) struct Statements(RwLock<HashMap<Arc<str>, Arc<Statement>, RandomState>>);

pub(crate) struct Statement {
    /// Given once and never again: connections tell by it what they have prepared.
    pub(crate) id: u64,
    /// Whether it will be asked for again by this id.
    pub(crate) kept: bool,
    pub(crate) sql: Arc<str>,
    /// What a session must not run of it.
    pub(crate) refused: Option<String>,
    returning: OnceLock<Arc<Statement>>,
    #[cfg(feature = "sqlite")]
    pub(crate) pace: Pace,
}

impl Statements {
    pub(crate) fn get(&self, sql: &str) -> Arc<Statement> {
        let sql = sql.trim(); // as rusqlite does: what is one statement there must not be two here
        // A panic while it is locked leaves a map that is whole.
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(sql) {
            return known.clone();
        }
        let new = Statement::new(sql, sql.len() <= LONGEST);
        if !new.kept {
            return new;
        }
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KNOWN {
            all.clear(); // what is in use is known again soon, and prepared again
        }
        all.entry(new.sql.clone()).or_insert(new).clone()
    }
}

impl Statement {
    fn new(sql: &str, kept: bool) -> Arc<Statement> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Arc::new(Statement {
            id: IDS.fetch_add(1, Relaxed),
            kept,
            sql: sql.into(),
            refused: sql::refused(sql),
            returning: OnceLock::new(),
            #[cfg(feature = "sqlite")]
            pace: Pace::default(),
        })
    }

    /// The INSERT that brings back the id of what it inserted.
    pub(crate) fn returning(&self) -> &Arc<Statement> {
        self.returning.get_or_init(|| Statement::new(&format!("{}\nreturning id", self.sql), self.kept))
    }
}

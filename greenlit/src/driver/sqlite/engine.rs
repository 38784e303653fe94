//! One connection of SQLite's, and what may stop a statement on it.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, StatementStatus, config::DbConfig, ffi};

use super::{Access, error::error, value};
use crate::{
    Result, Value,
    row::Answer,
    statements::{KNOWN, Statement},
};

/// How many virtual-machine steps pass between two looks at whether the statement has to stop: some tens of microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 1_000;
/// How long somebody else who is setting up the same file is waited for.
pub(super) const OPEN_PATIENCE: Duration = Duration::from_secs(5);

type Columns = Arc<[Box<str>]>;

/// A raw connection, and the limits of the statement that runs on it.
pub(super) struct Engine {
    connection: Connection,
    /// The names of the columns of the statements by their ids, and how often each had been prepared anew by then.
    columns: RefCell<HashMap<u64, (i32, Columns), foldhash::fast::RandomState>>,
    limits: Arc<Mutex<Limits>>,
}

/// What ends a statement early, if it only reads. A write is never stopped: SQLite would roll back the whole transaction,
/// and with it the work of other sessions.
#[derive(Default)]
pub(super) struct Limits {
    reads: bool,
    /// Until when it may hold the caller's worker.
    until: Option<Instant>,
    /// It did, and was stopped for that.
    late: bool,
    /// Whether nobody waits for it any more. A flag for each statement: it cannot hit another one.
    given_up: Option<Arc<AtomicBool>>,
}

impl Limits {
    fn are_passed(&mut self) -> bool {
        if !self.reads {
            return false;
        }
        self.late = self.until.is_some_and(|until| Instant::now() >= until);
        self.late || self.given_up.as_ref().is_some_and(|flag| flag.load(Relaxed))
    }

    /// Stops the running statement, if it runs on a thread and only reads.
    pub(super) fn give_up(&self) {
        if let Some(flag) = &self.given_up {
            flag.store(true, Relaxed);
        }
    }
}

impl Engine {
    pub(super) fn open(file: &Path, access: Access) -> rusqlite::Result<Engine> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if access == Access::Write {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        #[allow(clippy::disallowed_methods)] // the one place where raw connections are made
        let connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(OPEN_PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(256);
        match access {
            Access::Write => {
                // The answer is the mode that it got: where files cannot be shared in memory, WAL is not to be had.
                let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
                if mode != "wal" {
                    return Err(rusqlite::Error::InvalidPath(file.to_owned()));
                }
                connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
            }
            Access::Read => connection.execute_batch("PRAGMA query_only = ON; PRAGMA foreign_keys = ON")?,
        }
        Engine::over(connection)
    }

    /// From now on nothing sleeps inside SQLite: it could not be cancelled there.
    pub(super) fn over(mut connection: Connection) -> rusqlite::Result<Engine> {
        connection.busy_timeout(Duration::ZERO)?;
        // Plans do not depend on arguments. Else SQLite plans a statement anew whenever the cache has cleared those that a
        // plan could depend on, which is every time.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let limits = Arc::new(Mutex::new(Limits::default()));
        let watched = limits.clone();
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || lock(&watched).are_passed()))?;
        Ok(Engine { connection, columns: RefCell::default(), limits })
    }

    pub(super) fn limits(&self) -> &Arc<Mutex<Limits>> {
        &self.limits
    }

    /// What may stop the statement that comes next.
    pub(super) fn limit(&self, until: Option<Instant>, given_up: Option<Arc<AtomicBool>>) {
        *lock(&self.limits) = Limits { reads: false, until, late: false, given_up };
    }

    /// Whether the statement was stopped because it held the caller's worker for too long.
    pub(super) fn was_late(&self) -> bool {
        lock(&self.limits).late
    }

    /// Runs one statement and brings back all of its rows.
    pub(super) fn run(&self, statement: &Statement, args: &[Value]) -> Result<Answer> {
        self.explained(self.answer(statement, args))
    }

    fn answer(&self, statement: &Statement, args: &[Value]) -> rusqlite::Result<Answer> {
        let mut prepared = self.connection.prepare_cached(&statement.sql)?;
        let reads = prepared.readonly();
        lock(&self.limits).reads = reads;
        let (mut values, mut rows, mut columns) = (Vec::new(), 0, Arc::default());
        let args = rusqlite::params_from_iter(args.iter().map(value::Argument));
        if prepared.column_count() == 0 {
            let affected = prepared.execute(args)? as u64;
            return Ok(Answer { columns, values, rows, affected });
        }
        if prepared.get_status(StatementStatus::Run) == 0 {
            self.columns.borrow_mut().remove(&statement.id); // they were another's, prepared before and closed since
        }
        let mut cursor = prepared.query(args)?;
        while let Some(row) = cursor.next()? {
            if rows == 0 {
                // Not before the first step, which prepares the statement anew if the schema has changed.
                columns = self.columns(statement, row.as_ref());
                values.reserve(columns.len());
            }
            rows += 1;
            for at in 0..columns.len() {
                values.push(Some(value::value(row.get_ref(at)?)));
            }
        }
        drop(cursor);
        let affected = if reads { rows as u64 } else { self.connection.changes() };
        Ok(Answer { columns, values, rows, affected })
    }

    /// The names of the columns. To ask for them costs more than many a statement.
    fn columns(&self, statement: &Statement, prepared: &rusqlite::Statement<'_>) -> Columns {
        let reprepared = prepared.get_status(StatementStatus::RePrepare);
        let mut known = self.columns.borrow_mut();
        match known.get(&statement.id) {
            Some((before, columns)) if *before == reprepared => return columns.clone(),
            Some(_) => {}
            None if known.len() >= KNOWN => known.clear(),
            None => {}
        }
        let name = |at| Box::from(prepared.column_name(at).unwrap_or_default());
        let columns: Columns = (0..prepared.column_count()).map(name).collect();
        known.insert(statement.id, (reprepared, columns.clone()));
        columns
    }

    /// Runs a command that is short and returns nothing, whatever the limits of the statement before it were.
    pub(super) fn command(&self, sql: &'static str) -> Result<()> {
        self.limit(None, None);
        self.explained(self.connection.prepare_cached(sql).and_then(|mut prepared| prepared.raw_execute()).map(drop))
    }

    /// Runs several statements without arguments.
    pub(super) fn script(&self, sql: &str) -> Result<()> {
        lock(&self.limits).reads = false;
        self.explained(self.connection.execute_batch(sql))
    }

    /// Parses and plans a statement.
    pub(super) fn prepare(&self, sql: &str) -> Result<()> {
        self.explained(self.connection.prepare(sql).map(drop))
    }

    fn explained<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|e| error(&e, Some(&self.connection)))
    }

    pub(super) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// How many rows were changed since the connection was opened.
    pub(super) fn changes(&self) -> u64 {
        self.connection.total_changes()
    }

    /// Fails if the transaction has violations of foreign keys that COMMIT would find.
    pub(super) fn check_deferred_foreign_keys(&self) -> Result<()> {
        let (mut violated, mut highest) = (0, 0);
        // SAFETY: the handle is that of the open connection, which nobody else uses while it is borrowed here, and the
        // function only writes to the two numbers. There is no other way to ask.
        #[allow(unsafe_code)]
        let code = unsafe {
            let handle = self.connection.handle();
            ffi::sqlite3_db_status(handle, ffi::SQLITE_DBSTATUS_DEFERRED_FKS, &mut violated, &mut highest, 0)
        };
        if code == ffi::SQLITE_OK && violated == 0 {
            return Ok(());
        }
        // As COMMIT would say it.
        let code = if code == ffi::SQLITE_OK { ffi::SQLITE_CONSTRAINT_FOREIGNKEY } else { code };
        let message = (code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY).then(|| "FOREIGN KEY constraint failed".to_owned());
        Err(error(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), message), None))
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while one of this driver's is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! MariaDB by mysql_async.
//!
//! A connection goes back to the pool only when the last answer on it said that no transaction is open. One on which a
//! statement's end was not seen is never used again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use mysql_async::{Column, Opts, Params, Row, Statement, prelude::Queryable};
use tokio::{sync::Semaphore, time::timeout};

pub(crate) use super::mariadb_conn::Conn;
use super::{
    Counters,
    mariadb_error::{connecting, error},
    mariadb_session::{self, STATEMENTS, Server},
    mariadb_value,
    tls::Mode,
};
use crate::{Config, Error, Result, Value, row::Answer};

/// How long connecting may take, the server's answer to it included.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How many cancel requests are on their way at once: each is a connection of its own.
const CANCELS: usize = 4;

pub(crate) struct Pool {
    shelf: Arc<Shelf>,
}

pub(super) struct Shelf {
    pub(super) opts: Opts,
    /// What was found out when the database was opened.
    pub(super) server: OnceLock<Server>,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    pub(super) cancels: Semaphore,
    pub(super) counters: Counters,
}

impl Pool {
    pub(crate) async fn open(url: &str, config: &Config) -> Result<Pool> {
        let (mut opts, mode) = mariadb_session::options(url)?;
        if mode == Mode::Preferred && mariadb_session::has_no_tls(&opts).await {
            opts = mariadb_session::unencrypted(&opts);
        }
        let shelf = Shelf {
            opts,
            server: OnceLock::new(),
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(config.connections.max(1))),
            cancels: Semaphore::new(CANCELS),
            counters: Counters::default(),
        };
        let pool = Pool { shelf: Arc::new(shelf) };
        let server = mariadb_session::look(&mut pool.acquire().await?).await?;
        let _ = pool.shelf.server.set(server);
        Ok(pool)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shelf.counters
    }

    pub(crate) async fn acquire(&self) -> Result<Conn> {
        let shelf = self.shelf.clone();
        let permit = shelf.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::lost("the pool was closed"))?;
        let idle = lock(&shelf.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => Box::pin(shelf.connect()).await?,
        };
        Ok(Conn::new(shelf, connection, permit))
    }
}

impl Shelf {
    async fn connect(&self) -> Result<Connection> {
        let opened = timeout(CONNECT_PATIENCE, open(&self.opts)).await;
        let wire = opened.map_err(|_| Error::lost("the database does not answer"))??;
        Counters::add(&self.counters.opened);
        Ok(Connection { wire, statements: HashMap::new() })
    }

    /// Takes a clean connection back.
    pub(super) fn keep(&self, connection: Connection) {
        lock(&self.idle).push(connection);
    }

    /// Throws the idle connections away. The server may have been restarted, or may have become a replica: each of them
    /// would cost its borrower one of a few attempts.
    pub(super) fn clear(&self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        idle.iter().for_each(|_| Counters::add(&self.counters.discarded));
    }
}

async fn open(opts: &Opts) -> Result<mysql_async::Conn> {
    #[allow(clippy::disallowed_methods)] // the one place where raw connections are made
    let mut connection = mysql_async::Conn::new(opts.clone()).await.map_err(|e| connecting(&e))?;
    connection.query_drop(mariadb_session::SET_UP).await.map_err(|e| error(&e, mariadb_session::SET_UP))?;
    Ok(connection)
}

/// A connection with what was prepared on it.
pub(super) struct Connection {
    pub(super) wire: mysql_async::Conn,
    statements: HashMap<Box<str>, Prepared>,
}

struct Prepared {
    statement: Statement,
    /// The columns of its last answer, and their names.
    columns: Arc<[Column]>,
    names: Arc<[Box<str>]>,
}

impl Connection {
    /// Runs a prepared statement and reads all of its rows, so that no error can hide behind an unread one.
    pub(super) async fn run(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        let failed = |e| error(&e, sql);
        if !self.statements.contains_key(sql) {
            self.prepare(sql).await?;
        }
        let Some(prepared) = self.statements.get_mut(sql) else { return Err(Error::lost("a statement is gone")) };
        let (wanted, given) = (usize::from(prepared.statement.num_params()), args.len());
        if wanted != given {
            return Err(Error::Encode(format!("{wanted} arguments are wanted, {given} were given: {sql}")));
        }
        let mut values = Vec::with_capacity(given);
        for arg in args {
            values.push(mariadb_value::param(arg)?);
        }
        let args = if given == 0 { Params::Empty } else { Params::Positional(values) };
        let mut result = self.wire.exec_iter(&prepared.statement, args).await.map_err(failed)?;
        let columns = result.columns().unwrap_or_default();
        // A value that cannot be read is told after the last row.
        let (mut rows, mut unread) = (Vec::new(), None);
        let read = |(), row: Row| match mariadb_value::values(row, &columns) {
            Ok(row) => rows.push(row),
            Err(e) => unread = Some(e),
        };
        result.reduce((), read).await.map_err(failed)?;
        result.drop_result().await.map_err(failed)?;
        if let Some(e) = unread {
            return Err(e);
        }
        // The server tells the columns again only when they changed, so that this mostly is the same list.
        if !Arc::ptr_eq(&columns, &prepared.columns) {
            prepared.names = columns.iter().map(|c| Box::from(c.name_str())).collect();
            prepared.columns = columns;
        }
        let affected = if prepared.columns.is_empty() { self.wire.affected_rows() } else { rows.len() as u64 };
        Ok(Answer { columns: prepared.names.clone(), rows, affected })
    }

    async fn prepare(&mut self, sql: &str) -> Result<()> {
        self.make_room().await?;
        let statement = self.wire.prep(sql).await.map_err(|e| error(&e, sql))?;
        self.statements.insert(sql.into(), Prepared { statement, columns: Arc::default(), names: Arc::default() });
        Ok(())
    }

    /// Lets the server forget one statement if there are too many.
    async fn make_room(&mut self) -> Result<()> {
        if self.statements.len() < STATEMENTS {
            return Ok(());
        }
        let any = self.statements.keys().next().cloned();
        let any = any.and_then(|sql| self.statements.remove(&sql));
        match any {
            Some(prepared) => self.wire.close(prepared.statement).await.map_err(|e| error(&e, "")),
            None => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it is held, and a list of connections is valid at any point.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

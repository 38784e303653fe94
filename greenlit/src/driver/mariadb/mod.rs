//! MariaDB by mysql_async.
//!
//! A connection goes back to the pool only when the last answer on it said that no transaction is open. One on which a
//! statement's end was not seen is never used again.

mod conn;
mod error;
mod session;
mod value;

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use mysql_async::{Column, Opts, Params, Row, prelude::Queryable};
use tokio::time::timeout;

pub(crate) use self::conn::Conn;
use self::{
    error::{connecting, error},
    session::{STATEMENTS, Server},
};
use super::{Access, Begin, Counters, shelf, tls};
use crate::{
    Config, Error, Result, Value,
    row::Answer,
    statements::{Statement, Statements},
};

/// How long connecting may take, the server's answer to it included.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    opts: Opts,
    /// What was found out when the database was opened.
    server: OnceLock<Server>,
    statements: Arc<Statements>,
    shelf: shelf::Shelf<Connection>,
}

impl Pool {
    pub(crate) async fn open(url: &str, config: &Config, statements: Arc<Statements>) -> Result<Pool> {
        let (mut opts, mode) = session::options(url)?;
        if mode == tls::Mode::Preferred && session::has_no_tls(&opts).await {
            opts = session::unencrypted(&opts);
        }
        let (server, shelf) = (OnceLock::new(), shelf::Shelf::new(config.connections));
        let pool = Pool(Arc::new(Shared { opts, server, statements, shelf }));
        let server = session::look(&mut pool.acquire().await?).await?;
        let _ = pool.0.server.set(server);
        Ok(pool)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.shelf.counters
    }

    pub(crate) async fn acquire(&self) -> Result<Conn> {
        let shared = self.0.clone();
        let permit = shared.shelf.permit().await?;
        let connection = match shared.shelf.take() {
            Some(connection) => connection,
            None => Box::pin(shared.connect()).await?,
        };
        Ok(Conn::new(shared, connection, permit))
    }
}

impl Shared {
    async fn connect(&self) -> Result<Box<Connection>> {
        let opened = timeout(CONNECT_PATIENCE, open(&self.opts)).await;
        let wire = opened.map_err(|_| Error::lost("the database does not answer"))??;
        Counters::add(&self.shelf.counters.opened);
        Ok(Box::new(Connection { wire, prepared: HashMap::default(), runs: 0, passing: None }))
    }
}

async fn open(opts: &Opts) -> Result<mysql_async::Conn> {
    #[allow(clippy::disallowed_methods)] // the one place where raw connections are made
    let mut connection = mysql_async::Conn::new(opts.clone()).await.map_err(|e| connecting(&e))?;
    connection.query_drop(session::SET_UP).await.map_err(|e| error(&e, session::SET_UP))?;
    Ok(connection)
}

/// A connection with what was prepared on it.
struct Connection {
    wire: mysql_async::Conn,
    /// By the ids of the statements.
    prepared: HashMap<u64, Prepared, foldhash::fast::RandomState>,
    runs: u64,
    /// One that will not be asked for again.
    passing: Option<u64>,
}

struct Prepared {
    statement: mysql_async::Statement,
    /// Which of the connection's runs was its last.
    last_run: u64,
    /// The columns of its last answer, and their names.
    columns: Arc<[Column]>,
    names: Arc<[Box<str>]>,
}

impl Connection {
    /// Runs a statement and reads all of its rows, so that no error can hide behind an unread one.
    async fn run(&mut self, statement: &Statement, args: Vec<Value>) -> Result<Answer> {
        let (id, sql) = (statement.id, &*statement.sql);
        let failed = |e| error(&e, sql);
        if !self.prepared.contains_key(&id) {
            self.prepare(statement).await?;
        }
        let Some(prepared) = self.prepared.get_mut(&id) else { return Err(Error::lost("a statement is gone")) };
        self.runs += 1;
        prepared.last_run = self.runs;
        let (wanted, given) = (usize::from(prepared.statement.num_params()), args.len());
        if wanted != given {
            return Err(Error::Encode(format!("{wanted} arguments are wanted, {given} were given: {sql}")));
        }
        let mut values = Vec::with_capacity(given);
        for arg in args {
            values.push(value::param(arg)?);
        }
        let args = if given == 0 { Params::Empty } else { Params::Positional(values) };
        let mut result = self.wire.exec_iter(&prepared.statement, args).await.map_err(failed)?;
        let columns = result.columns().unwrap_or_default();
        // A value that cannot be read is told after the last row.
        let (mut values, mut rows, mut unread) = (Vec::new(), 0, None);
        let read = |(), row: Row| {
            rows += 1;
            if unread.is_none() {
                unread = value::read(row, &columns, &mut values).err();
            }
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
        let affected = if prepared.columns.is_empty() { self.wire.affected_rows() } else { rows as u64 };
        Ok(Answer { columns: prepared.names.clone(), values, rows, affected })
    }

    async fn prepare(&mut self, statement: &Statement) -> Result<()> {
        let (id, sql) = (statement.id, &*statement.sql);
        if let Some(passing) = self.passing.take() {
            self.forget(passing).await?;
        }
        if self.prepared.len() >= STATEMENTS {
            let oldest = self.prepared.iter().min_by_key(|(_, prepared)| prepared.last_run).map(|(id, _)| *id);
            self.forget(oldest.unwrap_or_default()).await?;
        }
        let native = self.wire.prep(sql).await.map_err(|e| error(&e, sql))?;
        let new = Prepared { statement: native, last_run: 0, columns: Arc::default(), names: Arc::default() };
        self.prepared.insert(id, new);
        self.passing = (!statement.kept).then_some(id);
        Ok(())
    }

    /// Lets the server forget a statement.
    async fn forget(&mut self, id: u64) -> Result<()> {
        match self.prepared.remove(&id) {
            Some(prepared) => self.wire.close(prepared.statement).await.map_err(|e| error(&e, "")),
            None => Ok(()),
        }
    }
}

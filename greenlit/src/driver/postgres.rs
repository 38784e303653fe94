//! PostgreSQL by tokio-postgres.
//!
//! A connection goes back to the pool only when it is proven clean: no statement in flight and no transaction open.
//! One that was ever sent a cancel request is never used again, since the request may arrive late.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::TryStreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Row, SimpleQueryMessage, Statement,
    error::{DbError, SqlState},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Begin, Counters,
    postgres_error::{error, in_full},
    postgres_options,
    postgres_value::{Column, Param},
};
use crate::{Class, Config, Error, Result, Value, args, row::Answer, sql};

/// How long cleaning up after a dropped session may take before its connection is given up.
const CLEAN_UP_PATIENCE: Duration = Duration::from_secs(2);
/// How long connecting may take, the server's answer to it included.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long the answer to a COMMIT is waited for before its connection counts as lost.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);
/// How often a statement is told to stop: a request that comes before the statement does nothing.
const CANCEL_REQUESTS: usize = 5;
/// How long after a request the connection is watched for its end.
const CANCEL_PAUSE: Duration = Duration::from_millis(400);
/// How long a replica replays between two looks at how far it has come.
const REPLAY_PAUSE: Duration = Duration::from_millis(5);
/// How many prepared statements a connection remembers.
const STATEMENTS: usize = 512;
/// How many cancel requests are on their way at once: each is a connection of its own.
const CANCELS: usize = 4;

pub(crate) struct Pool {
    shelf: Arc<Shelf>,
}

struct Shelf {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    cancels: Semaphore,
    counters: Arc<Counters>,
}

/// A connection with what was prepared on it.
struct Connection {
    client: Client,
    /// Moves the bytes; ends with the connection.
    driver: JoinHandle<()>,
    cancel: CancelToken,
    statements: HashMap<Box<str>, Prepared>,
    inserts: HashMap<Box<str>, Prepared>,
}

#[derive(Clone)]
struct Prepared {
    statement: Statement,
    columns: Arc<[Box<str>]>,
}

impl Pool {
    pub(crate) async fn open(url: &str, config: &Config) -> Result<Pool> {
        let (pg, tls) = postgres_options::options(url)?;
        let shelf = Shelf {
            config: pg,
            tls,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(config.connections.max(1))),
            cancels: Semaphore::new(CANCELS),
            counters: Arc::default(),
        };
        let pool = Pool { shelf: Arc::new(shelf) };
        drop(pool.acquire().await?);
        Ok(pool)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shelf.counters
    }

    pub(crate) async fn acquire(&self) -> Result<Conn> {
        let shelf = self.shelf.clone();
        let permit = shelf.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::lost("the pool was closed"))?;
        let idle = loop {
            let connection = lock(&shelf.idle).pop();
            match connection {
                Some(c) if c.client.is_closed() => Counters::add(&shelf.counters.discarded),
                other => break other,
            }
        };
        let connection = match idle {
            Some(connection) => connection,
            None => shelf.connect().await?,
        };
        Ok(Conn { connection: Some(connection), permit: Some(permit), shelf, in_flight: false, open: false })
    }
}

impl Shelf {
    async fn connect(&self) -> Result<Connection> {
        #[allow(clippy::disallowed_methods)] // the one place where raw connections are made
        let connecting = timeout(CONNECT_PATIENCE, self.config.connect(self.tls.clone())).await;
        let connected = connecting.map_err(|_| Error::lost("the database does not answer"))?;
        let (client, mut driver) = connected.map_err(|e| error(&e))?;
        let counters = self.counters.clone();
        let driver = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| driver.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message {
                    note(&counters, &notice);
                }
            }
        });
        Counters::add(&self.counters.opened);
        let cancel = client.cancel_token();
        Ok(Connection { client, driver, cancel, statements: HashMap::new(), inserts: HashMap::new() })
    }
}

fn note(counters: &Counters, notice: &DbError) {
    // Rolling back after a refused COMMIT finds no transaction: expected, and not worth a line.
    if notice.severity() == "WARNING" && *notice.code() != SqlState::NO_ACTIVE_SQL_TRANSACTION {
        Counters::add(&counters.warnings);
        tracing::warn!(code = notice.code().code(), "the database warns: {}", notice.message());
    }
}

/// A connection on loan.
pub(crate) struct Conn {
    connection: Option<Connection>,
    permit: Option<OwnedSemaphorePermit>,
    shelf: Arc<Shelf>,
    /// A statement was sent and its end was not seen.
    in_flight: bool,
    /// A transaction may be open.
    open: bool,
}

impl Drop for Conn {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let (shelf, permit, in_flight) = (self.shelf.clone(), self.permit.take(), self.in_flight);
        if connection.client.is_closed() {
            Counters::add(&shelf.counters.discarded);
            return;
        }
        if !in_flight && !self.open {
            lock(&shelf.idle).push(connection);
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            Counters::add(&shelf.counters.discarded);
            return;
        };
        runtime.spawn(async move {
            let clean = !in_flight && {
                let rolled_back = timeout(CLEAN_UP_PATIENCE, connection.client.batch_execute("ROLLBACK")).await;
                matches!(rolled_back, Ok(Ok(())))
            };
            if clean {
                Counters::add(&shelf.counters.rolled_back);
                lock(&shelf.idle).push(connection);
            } else {
                Counters::add(&shelf.counters.discarded);
                stop(&shelf, connection).await;
            }
            // Only now, so that the server has no more connections of ours than were agreed.
            drop(permit);
        });
    }
}

/// Ends a connection and what it is doing at the server, which would go on with it otherwise.
///
/// Without its client the driver says goodbye as soon as the server has answered, and ends. As long as it has not, the
/// server's process is still this connection's, so that no request can hit another's.
async fn stop(shelf: &Shelf, connection: Connection) {
    let Connection { client, mut driver, cancel, .. } = connection;
    drop(client);
    let Ok(_turn) = shelf.cancels.acquire().await else { return };
    Counters::add(&shelf.counters.cancelled);
    for _ in 0..CANCEL_REQUESTS {
        let _ = timeout(CLEAN_UP_PATIENCE, cancel.cancel_query(shelf.tls.clone())).await;
        if timeout(CANCEL_PAUSE, &mut driver).await.is_ok() {
            return;
        }
    }
    driver.abort();
}

impl Conn {
    fn connection(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().ok_or_else(|| Error::lost("the connection is gone"))
    }

    pub(crate) async fn begin(&mut self, begin: Begin) -> Result<()> {
        let sql = match (begin.access, begin.serializable) {
            (super::Access::Write, false) => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            (super::Access::Write, true) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
            // One snapshot for the whole session.
            (super::Access::Read, false) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            (super::Access::Read, true) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
        };
        self.open = true;
        self.batch(sql).await
    }

    async fn batch(&mut self, sql: &str) -> Result<()> {
        self.in_flight = true;
        let result = self.connection()?.client.batch_execute(sql).await;
        self.settle(&result);
        result.map_err(|e| error(&e))
    }

    /// A statement's end was seen, unless the connection broke.
    fn settle<T>(&mut self, result: &Result<T, tokio_postgres::Error>) {
        self.in_flight = result.as_ref().is_err_and(|e| error(e).class() == Class::Lost);
        if self.in_flight {
            // The server may have been restarted: the idle connections are then dead too, though they may not know it
            // yet, and each would cost its borrower one of a few attempts.
            let idle = std::mem::take(&mut *lock(&self.shelf.idle));
            idle.iter().for_each(|_| Counters::add(&self.shelf.counters.discarded));
        }
    }

    pub(crate) async fn run(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        self.query(sql, false, &args).await
    }

    pub(crate) async fn insert(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        self.query(sql, true, &args).await
    }

    async fn query(&mut self, sql: &str, returning: bool, args: &[Value]) -> Result<Answer> {
        self.in_flight = true;
        let prepared = self.connection()?.prepared(sql, returning).await;
        self.settle(&prepared);
        let prepared = prepared.map_err(|e| error(&e))?;
        let (wanted, given) = (prepared.statement.params().len(), args.len());
        if wanted != given {
            return Err(Error::Encode(format!("{wanted} arguments are wanted, {given} were given: {sql}")));
        }
        self.in_flight = true;
        let rows = self.connection()?.rows(&prepared.statement, args).await;
        self.settle(&rows);
        let (rows, affected) = rows.map_err(|e| self.explain(&e))?;
        let rows = rows.iter().map(values).collect::<Result<_>>()?;
        Ok(Answer { columns: prepared.columns, rows, affected })
    }

    /// A plan that was made before a table changed is refused once; the next try plans anew.
    fn explain(&mut self, e: &tokio_postgres::Error) -> Error {
        // Told by the function that found it, since messages come in the server's language.
        let stale = |db: &DbError| db.routine() == Some("RevalidateCachedQuery");
        if !e.as_db_error().is_some_and(stale) {
            return error(e);
        }
        if let Some(connection) = &mut self.connection {
            connection.statements.clear();
            connection.inserts.clear();
        }
        Error::database(Class::Retry, Some(SqlState::FEATURE_NOT_SUPPORTED.code().to_owned()), in_full(e))
    }

    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<()> {
        self.in_flight = true;
        let result = self.connection()?.client.prepare(&sql::numbered(sql)).await;
        self.settle(&result);
        result.map(drop).map_err(|e| error(&e))
    }

    pub(crate) async fn script(&mut self, sql: String) -> Result<()> {
        self.batch(&sql).await
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        if self.connection()?.client.is_closed() {
            return Err(Error::database(Class::Retry, None, "the connection was lost before COMMIT"));
        }
        self.in_flight = true;
        // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, which tokio-postgres does not show. In a
        // failed transaction the SELECT is refused, and with it the whole message: an answer is the answer of a commit.
        let sent = self.connection()?.client.simple_query("SELECT 1; COMMIT");
        let answer = timeout(COMMIT_PATIENCE, sent).await;
        let result = answer.map_err(|_| Error::lost("COMMIT was not answered"))?;
        self.settle(&result);
        match result {
            Ok(messages) if messages.iter().any(|m| matches!(m, SimpleQueryMessage::Row(_))) => {
                self.open = false;
                Ok(())
            }
            Ok(_) => Err(Error::lost("COMMIT was answered with something else")),
            Err(e) => Err(error(&e)),
        }
    }

    pub(crate) async fn rollback(&mut self) -> Result<()> {
        self.batch("ROLLBACK").await?;
        self.open = false;
        Ok(())
    }

    pub(crate) async fn position(&mut self) -> Result<String> {
        // Where the next record goes: behind every COMMIT that was acknowledged, even if it is not written yet.
        let answer = self.run("select cast(pg_current_wal_insert_lsn() as text)", Vec::new()).await?;
        answer.decode::<(String,)>()?.pop().map(|(lsn,)| lsn).ok_or(Error::NotFound)
    }

    pub(crate) async fn reached(&mut self, position: &str, patience: Duration) -> Result<bool> {
        // A server that replays nothing is no replica: it says null, and cannot be waited for.
        const REACHED: &str = "select pg_last_wal_replay_lsn() >= cast(cast(? as text) as pg_lsn)";
        let end = Instant::now() + patience;
        loop {
            let answer = self.run(REACHED, args![position]).await?;
            if let Some((Some(true),)) = answer.decode::<(Option<bool>,)>()?.pop() {
                return Ok(true);
            }
            if Instant::now() + REPLAY_PAUSE > end {
                return Ok(false);
            }
            tokio::time::sleep(REPLAY_PAUSE).await;
        }
    }

    pub(crate) fn transaction_ended(&self) -> bool {
        false // an error leaves PostgreSQL's transaction failed but open, and the scope is poisoned by then
    }
}

impl Connection {
    /// All rows, so that no error can hide behind an unread one, and how many were affected.
    async fn rows(&self, statement: &Statement, args: &[Value]) -> Result<(Vec<Row>, u64), tokio_postgres::Error> {
        let mut stream = std::pin::pin!(self.client.query_raw(statement, args.iter().map(Param)).await?);
        let mut rows = Vec::new();
        while let Some(row) = stream.try_next().await? {
            rows.push(row);
        }
        Ok((rows, stream.rows_affected().unwrap_or_default()))
    }

    async fn prepared(&mut self, sql: &str, returning: bool) -> Result<Prepared, tokio_postgres::Error> {
        let cache = if returning { &mut self.inserts } else { &mut self.statements };
        if let Some(prepared) = cache.get(sql) {
            return Ok(prepared.clone());
        }
        let mut text = sql::numbered(sql);
        if returning {
            text.push_str("\nreturning id");
        }
        let statement = self.client.prepare(&text).await?;
        let columns = statement.columns().iter().map(|c| Box::from(c.name())).collect();
        let prepared = Prepared { statement, columns };
        if cache.len() >= STATEMENTS {
            cache.clear();
        }
        cache.insert(sql.into(), prepared.clone());
        Ok(prepared)
    }
}

fn values(row: &Row) -> Result<Vec<Value>> {
    let value = |i| match row.try_get::<_, Column>(i) {
        Ok(column) => Ok(column.0),
        Err(e) => Err(Error::Decode(std::error::Error::source(&e).map_or(e.to_string(), ToString::to_string))),
    };
    (0..row.len()).map(value).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it is held, and a list of connections is valid at any point.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_postgres::types::Type;

    use crate::driver::Access;

    /// Law 24, one floor below its test in tests/laws: even if a failed statement went unnoticed, COMMIT tells.
    #[tokio::test]
    async fn commit_of_a_failed_transaction_is_no_commit() -> Result<()> {
        let url = std::env::var("GREENLIT_TEST_POSTGRES").expect("scripts/test starts a PostgreSQL and names it");
        let pool = Pool::open(&url, &Config::default()).await?;
        let mut conn = pool.acquire().await?;
        let write = Begin { access: Access::Write, serializable: false };
        conn.begin(write).await?;
        assert!(conn.script("select 1 / 0".to_owned()).await.is_err());
        let refused = conn.commit().await;
        assert!(matches!(&refused, Err(Error::Database(e)) if e.code.as_deref() == Some("25P02")), "{refused:?}");
        Ok(())
    }

    #[test]
    fn types_that_are_not_read_are_named() {
        let unread = Column::read(&Type::POINT, &[]);
        assert!(unread.is_err_and(|e| e.to_string().contains("point")));
    }
}

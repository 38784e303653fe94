//! MariaDB by mysql_async.
//!
//! A statement owns its connection while it runs. One whose future is dropped half-way is therefore not torn apart: the
//! clean-up gets it whole, tells the server to stop it, and reads on until the server has answered or is given up. A
//! connection goes back to the pool only when its last answer said that no transaction is open.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::future::{Either, select};
use mysql_async::{Opts, Params, Row, consts::StatusFlags, prelude::Queryable};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    Access, Begin, Counters,
    mariadb_error::{connecting, error},
    mariadb_session, mariadb_value,
    tls::Mode,
};
use crate::{Class, Config, Error, Result, Value, args, row::Answer};

/// How long cleaning up after a dropped session may take before its connection is given up.
const CLEAN_UP_PATIENCE: Duration = Duration::from_secs(2);
/// How long connecting may take, the server's answer to it included.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long the answer to a COMMIT is waited for before its connection counts as lost.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);
/// How often a statement is told to stop, should a request not get through.
const CANCEL_REQUESTS: usize = 5;
/// How long after a request the statement is watched for its end.
const CANCEL_PAUSE: Duration = Duration::from_millis(400);
/// How many cancel requests are on their way at once: each is a connection of its own.
const CANCELS: usize = 4;

pub(crate) struct Pool {
    shelf: Arc<Shelf>,
}

struct Shelf {
    opts: Opts,
    /// How many bytes the server takes at once, when that is known.
    largest: OnceLock<usize>,
    idle: Mutex<Vec<mysql_async::Conn>>,
    permits: Arc<Semaphore>,
    cancels: Semaphore,
    counters: Counters,
}

impl Pool {
    pub(crate) async fn open(url: &str, config: &Config) -> Result<Pool> {
        let (mut opts, mode) = mariadb_session::options(url)?;
        if mode == Mode::Preferred && mariadb_session::has_no_tls(&opts).await {
            opts = mariadb_session::unencrypted(&opts);
        }
        let shelf = Shelf {
            opts,
            largest: OnceLock::new(),
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(config.connections.max(1))),
            cancels: Semaphore::new(CANCELS),
            counters: Counters::default(),
        };
        let pool = Pool { shelf: Arc::new(shelf) };
        let mut conn = pool.acquire().await?;
        for check in mariadb_session::CHECKS {
            if let Some(refusal) = (check.refusal)(&conn.run(check.sql, Vec::new()).await?.decode()?) {
                return Err(Error::Config(refusal));
            }
        }
        let largest = conn.run(mariadb_session::LARGEST, Vec::new()).await?.decode::<(i64,)>()?;
        let _ = pool.shelf.largest.set(largest.first().map_or(usize::MAX, |(bytes,)| *bytes as usize));
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
            None => shelf.connect().await?,
        };
        Ok(Conn {
            id: connection.id(),
            connection: Some(connection),
            running: None,
            permit: Some(permit),
            shelf,
            open: false,
            in_transaction: false,
            own: false,
        })
    }
}

impl Shelf {
    async fn connect(&self) -> Result<mysql_async::Conn> {
        let opened = timeout(CONNECT_PATIENCE, open(&self.opts)).await;
        let connection = opened.map_err(|_| Error::lost("the database does not answer"))??;
        Counters::add(&self.counters.opened);
        Ok(connection)
    }
}

async fn open(opts: &Opts) -> Result<mysql_async::Conn> {
    #[allow(clippy::disallowed_methods)] // the one place where raw connections are made
    let mut connection = mysql_async::Conn::new(opts.clone()).await.map_err(|e| connecting(&e))?;
    connection.query_drop(mariadb_session::SET_UP).await.map_err(|e| error(&e, mariadb_session::SET_UP))?;
    Ok(connection)
}

/// A statement that runs, with the connection that it gives back at its end.
type Running = Pin<Box<dyn Future<Output = (mysql_async::Conn, Result<Answer>)> + Send>>;

/// A connection on loan.
pub(crate) struct Conn {
    /// The server's name of the connection.
    id: u32,
    /// Not there while a statement runs, when one was dropped, and once it is lost.
    connection: Option<mysql_async::Conn>,
    /// A statement was sent and its end was not seen.
    running: Option<Running>,
    permit: Option<OwnedSemaphorePermit>,
    shelf: Arc<Shelf>,
    /// A transaction was begun, and neither committed nor rolled back.
    open: bool,
    /// What the server's last answer said.
    in_transaction: bool,
    /// Its state was changed for good: nobody else may have it.
    own: bool,
}

impl Drop for Conn {
    fn drop(&mut self) {
        let (shelf, permit) = (self.shelf.clone(), self.permit.take());
        let clean = !self.open && !self.in_transaction && !self.own;
        let work: Pin<Box<dyn Future<Output = ()> + Send>> = match (self.running.take(), self.connection.take()) {
            (Some(running), _) => Box::pin(stop(shelf, self.id, running)),
            (None, Some(connection)) if clean && !connection.is_disconnected() => {
                lock(&shelf.idle).push(connection);
                return;
            }
            (None, Some(connection)) if !self.own && !connection.is_disconnected() => {
                Box::pin(roll_back(shelf, connection))
            }
            (None, connection) => {
                Counters::add(&shelf.counters.discarded);
                Box::pin(async move { goodbye(connection).await })
            }
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            Counters::add(&self.shelf.counters.discarded);
            return;
        };
        runtime.spawn(async move {
            work.await;
            // Only now, so that the server has no more connections of ours than were agreed.
            drop(permit);
        });
    }
}

async fn roll_back(shelf: Arc<Shelf>, mut connection: mysql_async::Conn) {
    let rolled_back = timeout(CLEAN_UP_PATIENCE, connection.query_drop("ROLLBACK")).await;
    if matches!(rolled_back, Ok(Ok(()))) && !in_transaction(&connection).unwrap_or(true) {
        Counters::add(&shelf.counters.rolled_back);
        lock(&shelf.idle).push(connection);
    } else {
        Counters::add(&shelf.counters.discarded);
        goodbye(Some(connection)).await;
    }
}

/// Ends a connection and what it is doing at the server, which would go on with it otherwise.
///
/// As long as the statement has not ended, and the connection is not seen to break, its id is this connection's, so that no
/// request can hit another's. What was ever told to stop is never used again, since the request may arrive late.
async fn stop(shelf: Arc<Shelf>, id: u32, mut running: Running) {
    Counters::add(&shelf.counters.discarded);
    let Ok(_turn) = shelf.cancels.acquire().await else { return };
    Counters::add(&shelf.counters.cancelled);
    for _ in 0..CANCEL_REQUESTS {
        let kill = Box::pin(timeout(CLEAN_UP_PATIENCE, mariadb_session::kill(&shelf.opts, id)));
        // The statement is looked at first, each time before the request gets on.
        if let Either::Left(((connection, _), _)) = select(&mut running, kill).await {
            return goodbye(Some(connection)).await;
        }
        if let Ok((connection, _)) = timeout(CANCEL_PAUSE, &mut running).await {
            return goodbye(Some(connection)).await;
        }
    }
}

async fn goodbye(connection: Option<mysql_async::Conn>) {
    if let Some(connection) = connection {
        let _ = timeout(CLEAN_UP_PATIENCE, connection.disconnect()).await;
    }
}

/// What the last answer said, if it was one that says it: errors do not.
fn in_transaction(connection: &mysql_async::Conn) -> Option<bool> {
    let answer = connection.last_ok_packet()?;
    Some(answer.status_flags().contains(StatusFlags::SERVER_STATUS_IN_TRANS))
}

impl Conn {
    /// Runs a job that owns the connection until its end, and learns from its answer.
    async fn job<F>(&mut self, job: impl FnOnce(mysql_async::Conn) -> F) -> Result<Answer>
    where
        F: Future<Output = (mysql_async::Conn, Result<Answer>)> + Send + 'static,
    {
        let connection = self.connection.take().ok_or_else(|| Error::lost("the connection is gone"))?;
        let (connection, result) = self.running.insert(Box::pin(job(connection))).await;
        self.running = None;
        self.in_transaction = in_transaction(&connection).unwrap_or(self.in_transaction);
        if result.as_ref().is_err_and(|e| e.class() == Class::Lost) {
            // The server may have been restarted: the idle connections are then dead too, and nobody knows it yet. Each
            // would cost its borrower one of a few attempts, and so would this one, of which only the server may know.
            let idle = std::mem::take(&mut *lock(&self.shelf.idle));
            idle.iter().for_each(|_| Counters::add(&self.shelf.counters.discarded));
        } else {
            self.connection = Some(connection);
        }
        result
    }

    /// Runs a job, and makes sure afterwards that it is known whether the transaction is still there.
    async fn tell<F>(&mut self, job: impl FnOnce(mysql_async::Conn) -> F) -> Result<Answer>
    where
        F: Future<Output = (mysql_async::Conn, Result<Answer>)> + Send + 'static,
    {
        let result = self.job(job).await;
        let told = |e: &Error| matches!(e.class(), Class::Retry | Class::Lost) || matches!(e, Error::Encode(_));
        if self.open && result.as_ref().is_err_and(|e| !told(e)) {
            // An error does not say it, but any other answer does.
            self.job(ping).await?;
        }
        result
    }

    pub(crate) async fn begin(&mut self, begin: Begin) -> Result<()> {
        let sql = match (begin.access, begin.serializable) {
            // READ COMMITTED is the session's default.
            (Access::Write, false) => "START TRANSACTION READ WRITE",
            (Access::Write, true) => "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION READ WRITE",
            // One snapshot for the whole session. InnoDB's serializable writers commit in the order of their
            // serialization, so that a snapshot is serializable beside them, without any lock.
            (Access::Read, _) => {
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                 START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
            }
        };
        self.open = true;
        self.script(sql.to_owned()).await
    }

    pub(crate) async fn run(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        mariadb_value::fits(sql, &args, self.shelf.largest.get())?;
        let sql = sql.to_owned();
        self.tell(|mut connection| async move {
            let answer = answer(&mut connection, &sql, args).await;
            (connection, answer)
        })
        .await
    }

    /// The id comes with the answer to the INSERT; it is 0 where nothing was counted up.
    pub(crate) async fn insert(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        let mut answer = self.run(sql, args).await?;
        let id = self.connection.as_ref().and_then(mysql_async::Conn::last_insert_id).unwrap_or_default();
        answer.rows = match (answer.affected, i64::try_from(id)) {
            (0, _) => Vec::new(),
            (_, Ok(id @ 1..)) => vec![vec![Value::Int(id)]],
            _ => return Err(Error::Decode("the table has no id that the database counts up".to_owned())),
        };
        Ok(answer)
    }

    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<()> {
        // Where it could not run, the server does not prepare it either.
        self.begin(Begin { access: Access::Write, serializable: false }).await?;
        let sql = sql.to_owned();
        let prepared = self.tell(|mut connection| async move {
            let prepared = connection.prep(sql.as_str()).await;
            (connection, prepared.map(|_| Answer::default()).map_err(|e| error(&e, &sql)))
        });
        let prepared = prepared.await.map(drop);
        self.rollback().await?;
        prepared
    }

    pub(crate) async fn script(&mut self, sql: String) -> Result<()> {
        self.tell(|mut connection| async move {
            let done = connection.query_drop(&sql).await;
            (connection, done.map(|()| Answer::default()).map_err(|e| error(&e, &sql)))
        })
        .await
        .map(drop)
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        let gone = self.connection.as_ref().is_none_or(mysql_async::Conn::is_disconnected);
        if gone || !self.in_transaction {
            // Nothing is there that a COMMIT could commit.
            return Err(Error::database(Class::Retry, None, "the transaction had ended before COMMIT"));
        }
        let answer = timeout(COMMIT_PATIENCE, self.script("COMMIT".to_owned())).await;
        answer.map_err(|_| Error::lost("COMMIT was not answered"))??;
        if self.in_transaction {
            return Err(Error::lost("COMMIT was answered with something else"));
        }
        self.open = false;
        Ok(())
    }

    pub(crate) async fn rollback(&mut self) -> Result<()> {
        self.script("ROLLBACK".to_owned()).await?;
        self.open = false;
        Ok(())
    }

    pub(crate) async fn position(&mut self) -> Result<String> {
        let answer = self.run("select @@global.log_bin, @@global.gtid_binlog_pos", Vec::new()).await?;
        match answer.decode::<(bool, String)>()?.pop() {
            Some((true, gtid)) => Ok(gtid),
            _ => Err(Error::Config("replicas need a primary that writes a binary log: log_bin is off".to_owned())),
        }
    }

    pub(crate) async fn reached(&mut self, position: &str, patience: Duration) -> Result<bool> {
        let answer = self.run("select master_gtid_wait(?, ?)", args![position, patience.as_secs_f64()]).await?;
        // 0: it is there; -1: it was not in time; null: it replays nothing.
        Ok(matches!(answer.decode::<(Option<i64>,)>()?.pop(), Some((Some(0),))))
    }

    pub(crate) fn transaction_ended(&self) -> bool {
        self.open && self.running.is_none() && !self.in_transaction
    }

    /// Takes the connection for migrations: what is said on it commits by itself, and it is closed afterwards.
    pub(crate) async fn own(&mut self) -> Result<()> {
        self.own = true;
        self.script("SET SESSION TRANSACTION READ WRITE".to_owned()).await
    }
}

async fn ping(mut connection: mysql_async::Conn) -> (mysql_async::Conn, Result<Answer>) {
    let answer = connection.ping().await;
    (connection, answer.map(|()| Answer::default()).map_err(|e| error(&e, "")))
}

/// Runs a prepared statement and reads all of its rows, so that no error can hide behind an unread one.
async fn answer(connection: &mut mysql_async::Conn, sql: &str, args: Vec<Value>) -> Result<Answer> {
    let failed = |e| error(&e, sql);
    let statement = connection.prep(sql).await.map_err(failed)?;
    let (wanted, given) = (usize::from(statement.num_params()), args.len());
    if wanted != given {
        return Err(Error::Encode(format!("{wanted} arguments are wanted, {given} were given: {sql}")));
    }
    let args = args.into_iter().map(mariadb_value::param).collect::<Result<Vec<_>>>()?;
    let args = if args.is_empty() { Params::Empty } else { Params::Positional(args) };
    let mut result = connection.exec_iter(&statement, args).await.map_err(failed)?;
    let columns = result.columns().unwrap_or_default();
    let rows: Vec<Row> = result.collect().await.map_err(failed)?;
    result.drop_result().await.map_err(failed)?;
    let affected = if columns.is_empty() { connection.affected_rows() } else { rows.len() as u64 };
    let names = columns.iter().map(|c| Box::from(c.name_str())).collect();
    let rows = rows.into_iter().map(|row| mariadb_value::values(row, &columns)).collect::<Result<_>>()?;
    Ok(Answer { columns: names, rows, affected })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it is held, and a list of connections is valid at any point.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Law 19, one floor below its test in tests/laws: whatever ends a transaction, the next answer tells.
    #[tokio::test]
    async fn a_transaction_that_ended_behind_its_back_is_noticed() -> Result<()> {
        let scratch = crate::testing::Scratch::mariadb().await?;
        let pool = Pool::open(scratch.url(), &Config { connections: 1, ..Config::default() }).await?;
        for (end, fails) in [("COMMIT", false), ("COMMIT; no statement at all", true), ("SET autocommit = 1", false)] {
            let mut conn = pool.acquire().await?;
            conn.begin(Begin { access: Access::Write, serializable: false }).await?;
            assert!(!conn.transaction_ended());
            assert!(conn.script("no statement at all".to_owned()).await.is_err());
            assert!(!conn.transaction_ended(), "an error alone does not end it");
            assert_eq!(conn.script(end.to_owned()).await.is_err(), fails);
            let ended = end.starts_with("COMMIT");
            assert_eq!(conn.transaction_ended(), ended, "{end}");
            assert_eq!(conn.commit().await.is_err(), ended, "{end}");
        }
        assert_eq!(pool.counters().opened.load(std::sync::atomic::Ordering::Relaxed), 1);
        Ok(())
    }
}

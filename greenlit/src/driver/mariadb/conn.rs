//! A connection to MariaDB on loan, and what becomes of it afterwards.

use std::{sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use mysql_async::{consts::StatusFlags, prelude::Queryable};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{
    Access, Begin, Connection, Counters, Shared,
    error::{error, of_commit},
    session, value,
};
use crate::{Class, Error, Result, Value, args, row::Answer, statements::Statement};

/// How long cleaning up after a dropped session may take before its connection is given up.
const CLEAN_UP_PATIENCE: Duration = Duration::from_secs(2);
/// How long the answer to a COMMIT is waited for before its connection counts as lost.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take in all to stop a dropped statement.
const STOP_PATIENCE: Duration = Duration::from_secs(4);
/// How long after a request to stop the statement is watched for its end.
const CANCEL_PAUSE: Duration = Duration::from_millis(400);

/// A connection on loan.
pub(crate) struct Conn {
    shared: Arc<Shared>,
    /// There until it is dropped.
    connection: Option<Box<Connection>>,
    permit: Option<OwnedSemaphorePermit>,
    /// A statement was sent and its end was not seen.
    in_flight: bool,
    /// A transaction was begun, and neither committed nor rolled back.
    open: bool,
    /// What the server's last answer said.
    in_transaction: bool,
    /// The connection broke, or its server takes no more writes.
    lost: bool,
    /// Its state was changed for good: nobody else may have it.
    own: bool,
}

impl Conn {
    pub(super) fn new(shared: Arc<Shared>, connection: Box<Connection>, permit: OwnedSemaphorePermit) -> Conn {
        let (connection, permit) = (Some(connection), Some(permit));
        Conn {
            shared,
            connection,
            permit,
            in_flight: false,
            open: false,
            in_transaction: false,
            lost: false,
            own: false,
        }
    }

    /// The connection, for something whose end will be seen by [`settle`](Conn::settle).
    fn start(&mut self) -> Result<&mut Connection> {
        match &mut self.connection {
            Some(connection) if !self.lost => {
                self.in_flight = true;
                Ok(connection)
            }
            _ => Err(Error::lost("the connection is gone")),
        }
    }

    /// Learns from an answer, and makes sure that it is known whether the transaction is still there.
    async fn settle<T>(&mut self, result: Result<T>) -> Result<T> {
        self.learn(&result);
        // A session that is to be run again ends anyway, and what cannot be sent changes nothing.
        let told = |e: &Error| matches!(e.class(), Class::Retry | Class::Lost) || matches!(e, Error::Encode(_));
        if self.open && result.as_ref().is_err_and(|e| !told(e)) {
            // An error does not say it, but any other answer does.
            let answer = self.start()?.wire.ping().await.map_err(|e| error(&e, ""));
            self.learn(&answer);
            answer?;
        }
        result
    }

    fn learn<T>(&mut self, result: &Result<T>) {
        self.in_flight = false;
        match result {
            Ok(_) => {
                if let Some(answer) = self.wire().and_then(|wire| wire.last_ok_packet()) {
                    self.in_transaction = answer.status_flags().contains(StatusFlags::SERVER_STATUS_IN_TRANS);
                }
            }
            Err(e) if e.class() == Class::Lost => {
                self.lost = true;
                self.shared.shelf.clear();
            }
            // The driver closes a connection after some errors of its own.
            Err(_) => self.lost |= self.wire().is_some_and(mysql_async::Conn::is_disconnected),
        }
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
        self.say(sql).await
    }

    async fn say(&mut self, sql: &str) -> Result<()> {
        let said = self.start()?.wire.query_drop(sql).await.map_err(|e| error(&e, sql));
        self.settle(said).await
    }

    pub(crate) async fn ask(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        let statement = self.shared.statements.get(sql);
        self.run(&statement, args).await
    }

    pub(crate) async fn run(&mut self, statement: &Arc<Statement>, args: Vec<Value>) -> Result<Answer> {
        value::fits(&statement.sql, &args, self.shared.server.get().map(|server| server.largest))?;
        let answer = Box::pin(self.start()?.run(statement, args)).await;
        let answer = self.settle(answer).await?;
        if self.wire().is_some_and(|wire| wire.get_warnings() > 0) {
            Counters::add(&self.shared.shelf.counters.warnings);
        }
        Ok(answer)
    }

    /// The id comes with the answer to the INSERT; it is 0 where nothing was counted up.
    pub(crate) async fn insert(&mut self, statement: &Arc<Statement>, args: Vec<Value>) -> Result<Answer> {
        let mut answer = self.run(statement, args).await?;
        let id = self.wire().and_then(mysql_async::Conn::last_insert_id).unwrap_or_default();
        answer.rows = 0; // it had none: the id is no row's
        answer.values = match (answer.affected, i64::try_from(id)) {
            (0, _) => Vec::new(),
            (_, Ok(id @ 1..)) => vec![Some(Value::Int(id))],
            _ => return Err(Error::Decode("the table has no id that the database counts up".to_owned())),
        };
        Ok(answer)
    }

    fn wire(&self) -> Option<&mysql_async::Conn> {
        self.connection.as_deref().map(|connection| &connection.wire)
    }

    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<()> {
        // Where it could not run, the server does not prepare it either.
        self.begin(Begin { access: Access::Write, serializable: false }).await?;
        let prepared = self.start()?.wire.prep(sql).await.map_err(|e| error(&e, sql));
        let prepared = self.settle(prepared).await.map(drop);
        self.rollback().await?;
        prepared
    }

    pub(crate) async fn script(&mut self, sql: String) -> Result<()> {
        self.say(&sql).await
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        if self.lost || !self.in_transaction {
            // Nothing is there that a COMMIT could commit.
            return Err(Error::database(Class::Retry, None, "the transaction had ended before COMMIT"));
        }
        let answer = timeout(COMMIT_PATIENCE, self.say("COMMIT")).await;
        answer.map_err(|_| Error::lost("COMMIT was not answered"))?.map_err(of_commit)?;
        if self.in_transaction {
            return Err(Error::lost("COMMIT was answered with something else"));
        }
        self.open = false;
        Ok(())
    }

    pub(crate) async fn position(&mut self) -> Result<String> {
        if self.is_galera() {
            let answer = self.ask("select cast(wsrep_last_seen_gtid() as char)", Vec::new()).await?;
            return answer.decode::<(String,)>()?.pop().map(|(gtid,)| gtid).ok_or(Error::NotFound);
        }
        // Together with what this server replayed before it became the primary.
        let answer = self.ask("select @@global.log_bin, @@global.gtid_current_pos", Vec::new()).await?;
        match answer.decode::<(bool, String)>()?.pop() {
            Some((true, gtid)) => Ok(gtid),
            _ => Err(Error::Config("replicas need a primary that writes a binary log: log_bin is off".to_owned())),
        }
    }

    pub(crate) async fn reached(&mut self, position: &str, patience: Duration) -> Result<bool> {
        let answer = if self.is_galera() {
            // Waits for all that the cluster had agreed on when it was asked, whatever its nodes call it.
            self.ask("set statement wsrep_sync_wait = 1 for select 0", Vec::new()).await
        } else {
            self.ask("select master_gtid_wait(?, ?)", args![position, patience.as_secs_f64()]).await
        };
        match answer {
            // 0: it is there; -1: it was not in time; null: it replays nothing.
            Ok(answer) => Ok(matches!(answer.decode::<(Option<i64>,)>()?.pop(), Some((Some(0),)))),
            // Not in time, or a text that is no position: another server's, or made up by a client.
            Err(e) if e.class() != Class::Lost => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn is_galera(&self) -> bool {
        self.shared.server.get().is_some_and(|server| server.galera)
    }

    pub(crate) async fn rollback(&mut self) -> Result<()> {
        self.say("ROLLBACK").await?;
        self.open = false;
        Ok(())
    }

    pub(crate) fn transaction_ended(&self) -> bool {
        self.open && !self.in_flight && !self.in_transaction
    }

    /// Takes the connection for migrations: what is said on it commits by itself, and it is closed afterwards.
    pub(crate) async fn own(&mut self) -> Result<()> {
        self.own = true;
        self.say("SET SESSION TRANSACTION READ WRITE").await
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let (in_flight, gone) = (self.in_flight, self.own || self.lost);
        if !in_flight && !gone && !self.open && !self.in_transaction {
            self.shared.shelf.keep(connection);
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            Counters::add(&self.shared.shelf.counters.discarded);
            return;
        };
        let (shared, permit) = (self.shared.clone(), self.permit.take());
        runtime.spawn(async move {
            if in_flight {
                stop(&shared, connection.wire).await;
            } else if gone {
                discard(&shared, connection.wire).await;
            } else {
                roll_back(&shared, connection).await;
            }
            // Only now, so that the server has no more connections of ours than were agreed.
            drop(permit);
        });
    }
}

async fn roll_back(shared: &Shared, mut connection: Box<Connection>) {
    let rolled_back = timeout(CLEAN_UP_PATIENCE, connection.wire.query_drop("ROLLBACK")).await;
    let answer = connection.wire.last_ok_packet().map(|ok| ok.status_flags());
    let ended = answer.is_some_and(|status| !status.contains(StatusFlags::SERVER_STATUS_IN_TRANS));
    if matches!(rolled_back, Ok(Ok(()))) && ended {
        Counters::add(&shared.shelf.counters.rolled_back);
        shared.shelf.keep(connection);
    } else {
        discard(shared, connection.wire).await;
    }
}

async fn discard(shared: &Shared, wire: mysql_async::Conn) {
    Counters::add(&shared.shelf.counters.discarded);
    let _ = timeout(CLEAN_UP_PATIENCE, wire.disconnect()).await;
}

/// Ends a connection and what it is doing at the server, which would go on with it otherwise.
///
/// As long as it stands, and is not seen to break, its id is this connection's, so that no request can hit another's. What
/// was ever told to stop is never used again, since the request may arrive late.
async fn stop(shared: &Shared, mut wire: mysql_async::Conn) {
    let id = wire.id();
    let stopping = async {
        let Ok(_turn) = shared.shelf.cancels.acquire().await else { return };
        Counters::add(&shared.shelf.counters.cancelled);
        // Whatever it reads next is the dropped statement's, if only its end.
        let mut end = wire.ping();
        loop {
            // The end is looked at first, each time before the request gets on.
            let kill = Box::pin(session::kill(&shared.opts, id));
            if let Either::Left(_) = select(&mut end, kill).await {
                return;
            }
            if timeout(CANCEL_PAUSE, &mut end).await.is_ok() {
                return;
            }
        }
    };
    let _ = timeout(STOP_PATIENCE, stopping).await;
    discard(shared, wire).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, driver::mariadb::Pool};

    /// Law 19, one floor below its test in tests/laws: whatever ends a transaction, the next answer tells.
    #[tokio::test]
    async fn a_transaction_that_ended_behind_its_back_is_noticed() -> Result<()> {
        let scratch = crate::testing::Scratch::mariadb().await?;
        let pool = Pool::open(scratch.url(), &Config { connections: 1, ..Config::default() }, Arc::default()).await?;
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

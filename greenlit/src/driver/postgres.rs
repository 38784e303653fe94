//! PostgreSQL by tokio-postgres: the pool, and what becomes of a connection. What runs on it: `postgres_session.rs`.
//!
//! A connection goes back to the pool only when it is proven clean: no statement in flight and no transaction open.
//! One that was ever sent a cancel request is never used again, since the request may arrive late.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::timeout,
};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Statement,
    error::{DbError, SqlState},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Begin, Counters, postgres_error::error, postgres_options};
use crate::{Config, Error, Result};

/// Statements outside a transaction are reads; the server shall refuse any other. Transactions that write say so. Not
/// by an option of the start: `target_session_attrs` asks for this very setting to tell primaries from replicas.
const READ_ONLY: &str = "SET default_transaction_read_only = on";
/// How long cleaning up after a dropped session may take before its connection is given up.
const CLEAN_UP_PATIENCE: Duration = Duration::from_secs(2);
/// How long connecting may take, the server's answer to it included.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How often a statement is told to stop: a request that comes before the statement does nothing.
const CANCEL_REQUESTS: usize = 5;
/// How long after a request the connection is watched for its end.
const CANCEL_PAUSE: Duration = Duration::from_millis(400);
/// How many cancel requests are on their way at once: each is a connection of its own.
const CANCELS: usize = 4;

pub(crate) struct Pool {
    shelf: Arc<Shelf>,
}

pub(super) struct Shelf {
    config: tokio_postgres::Config,
    /// Otherwise the next transaction may run on another connection of a pooler, with whatever that one knows.
    pub(super) named_statements: bool,
    tls: MakeRustlsConnect,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    cancels: Semaphore,
    counters: Arc<Counters>,
}

/// A connection with what was prepared on it.
pub(super) struct Connection {
    pub(super) client: Client,
    /// Moves the bytes; ends with the connection.
    driver: JoinHandle<()>,
    cancel: CancelToken,
    pub(super) statements: HashMap<Box<str>, Prepared>,
    pub(super) inserts: HashMap<Box<str>, Prepared>,
}

impl Connection {
    /// Those that bring back the id of what they insert apart from those that do not.
    pub(super) fn cache(&mut self, returning: bool) -> &mut HashMap<Box<str>, Prepared> {
        if returning { &mut self.inserts } else { &mut self.statements }
    }
}

#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) statement: Statement,
    pub(super) columns: Arc<[Box<str>]>,
}

impl Pool {
    pub(crate) async fn open(url: &str, config: &Config) -> Result<Pool> {
        let (pg, tls) = postgres_options::options(url)?;
        let shelf = Shelf {
            config: pg,
            named_statements: config.named_statements,
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
            // Boxed, since it is rare and large, and every session's future would be as large.
            None => Box::pin(shelf.connect()).await?,
        };
        Ok(Conn { connection: Some(connection), permit: Some(permit), shelf, state: State::default() })
    }
}

impl Shelf {
    async fn connect(&self) -> Result<Connection> {
        #[allow(clippy::disallowed_methods)] // the one place where raw connections are made
        let connecting = self.config.connect(self.tls.clone());
        let (client, mut driver) = in_time(connecting).await?;
        let counters = self.counters.clone();
        let driver = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| driver.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message {
                    note(&counters, &notice);
                }
            }
        });
        if self.named_statements {
            in_time(client.batch_execute(READ_ONLY)).await?;
        }
        Counters::add(&self.counters.opened);
        let cancel = client.cancel_token();
        Ok(Connection { client, driver, cancel, statements: HashMap::new(), inserts: HashMap::new() })
    }

    /// Throws the idle connections away: the server was restarted, or is the primary no more. They may not know it yet,
    /// and each would cost its borrower one of a few attempts.
    pub(super) fn forget_idle(&self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        idle.iter().for_each(|_| Counters::add(&self.counters.discarded));
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
    let done = timeout(CONNECT_PATIENCE, work).await.map_err(|_| Error::lost("the database does not answer"))?;
    done.map_err(|e| error(&e))
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
    pub(super) connection: Option<Connection>,
    permit: Option<OwnedSemaphorePermit>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) state: State,
}

/// What is known of a connection at the server.
#[derive(Default)]
pub(super) struct State {
    /// The BEGIN that waits for the first statement, to travel with it.
    pub(super) begin: Option<Begin>,
    /// A statement was sent and its end was not seen.
    pub(super) in_flight: bool,
    /// A transaction may be open.
    pub(super) open: bool,
    /// The transaction was begun to write.
    pub(super) writes: bool,
    /// Nothing is left to be ended, but nobody shall use the connection again.
    pub(super) spoiled: bool,
}

impl Drop for Conn {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let (shelf, permit, in_flight) = (self.shelf.clone(), self.permit.take(), self.state.in_flight);
        if connection.client.is_closed() || (self.state.spoiled && !in_flight) {
            Counters::add(&shelf.counters.discarded);
            return;
        }
        if !in_flight && !self.state.open {
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
    if !shelf.named_statements {
        // What a pooler makes of a request is its secret, and PgBouncer 1.18 may crash by one (its issue 801). But it
        // hangs up on the server when its client does, and every transaction of ours makes the server look.
        Counters::add(&shelf.counters.cancelled);
        driver.abort();
        return;
    }
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it is held, and a list of connections is valid at any point.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

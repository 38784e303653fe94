//! PostgreSQL by tokio-postgres: the pool, and what becomes of a connection. What runs on it: `session.rs`.
//!
//! A connection goes back to the pool only when it is proven clean: no statement in flight and no transaction open.
//! One that was ever sent a cancel request is never used again, since the request may arrive late.

mod error;
mod options;
mod replica;
mod session;
mod value;

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::OwnedSemaphorePermit, task::JoinHandle, time::timeout};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client,
    error::{DbError, SqlState},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::error::error;
use super::{Access, Begin, Counters, shelf, tls};
use crate::{Config, Error, Result, statements::Statements};

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

pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    config: tokio_postgres::Config,
    /// Otherwise the next transaction may run on another connection of a pooler, with whatever that one knows.
    named_statements: bool,
    tls: MakeRustlsConnect,
    statements: Arc<Statements>,
    shelf: shelf::Shelf<Connection>,
}

/// A connection with what was prepared on it.
struct Connection {
    client: Client,
    /// Moves the bytes; ends with the connection.
    driver: JoinHandle<()>,
    cancel: CancelToken,
    /// By the ids of the statements.
    prepared: HashMap<u64, Prepared, foldhash::fast::RandomState>,
}

#[derive(Clone)]
struct Prepared {
    statement: tokio_postgres::Statement,
    columns: Arc<[Box<str>]>,
}

impl Pool {
    pub(crate) async fn open(url: &str, config: &Config, statements: Arc<Statements>) -> Result<Pool> {
        let (pg, tls) = options::options(url)?;
        let (named_statements, shelf) = (config.named_statements, shelf::Shelf::new(config.connections));
        let pool = Pool(Arc::new(Shared { config: pg, named_statements, tls, statements, shelf }));
        drop(pool.acquire().await?);
        Ok(pool)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.shelf.counters
    }

    pub(crate) async fn acquire(&self) -> Result<Conn> {
        let shared = self.0.clone();
        let permit = Some(shared.shelf.permit().await?);
        let idle = loop {
            match shared.shelf.take() {
                Some(c) if c.client.is_closed() => Counters::add(&shared.shelf.counters.discarded),
                other => break other,
            }
        };
        let connection = match idle {
            Some(connection) => connection,
            // Boxed, since it is rare and large, and every session's future would be as large.
            None => Box::pin(shared.connect()).await?,
        };
        Ok(Conn { connection: Some(connection), permit, shared, state: State::default() })
    }
}

impl Shared {
    async fn connect(self: &Arc<Shared>) -> Result<Box<Connection>> {
        #[allow(clippy::disallowed_methods)] // the one place where raw connections are made
        let connecting = self.config.connect(self.tls.clone());
        let (client, mut driver) = in_time(connecting).await?;
        let shared = Arc::downgrade(self);
        let driver = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| driver.poll_message(cx)).await {
                if let (AsyncMessage::Notice(notice), Some(shared)) = (message, shared.upgrade()) {
                    note(&shared.shelf.counters, &notice);
                }
            }
        });
        if self.named_statements {
            in_time(client.batch_execute(READ_ONLY)).await?;
        }
        Counters::add(&self.shelf.counters.opened);
        let cancel = client.cancel_token();
        Ok(Box::new(Connection { client, driver, cancel, prepared: HashMap::default() }))
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
    connection: Option<Box<Connection>>,
    permit: Option<OwnedSemaphorePermit>,
    shared: Arc<Shared>,
    state: State,
}

/// What is known of a connection at the server.
#[derive(Default)]
struct State {
    /// The BEGIN that waits for the first statement, to travel with it.
    begin: Option<Begin>,
    /// A statement was sent and its end was not seen.
    in_flight: bool,
    /// A transaction may be open.
    open: bool,
    /// The transaction was begun to write.
    writes: bool,
    /// Nothing is left to be ended, but nobody shall use the connection again.
    spoiled: bool,
}

impl Drop for Conn {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let (shelf, in_flight) = (&self.shared.shelf, self.state.in_flight);
        if connection.client.is_closed() || (self.state.spoiled && !in_flight) {
            return Counters::add(&shelf.counters.discarded);
        }
        if !in_flight && !self.state.open {
            return shelf.keep(connection);
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return Counters::add(&shelf.counters.discarded);
        };
        let (shared, permit) = (self.shared.clone(), self.permit.take());
        runtime.spawn(async move {
            let clean = !in_flight && {
                let rolled_back = timeout(CLEAN_UP_PATIENCE, connection.client.batch_execute("ROLLBACK")).await;
                matches!(rolled_back, Ok(Ok(())))
            };
            if clean {
                Counters::add(&shared.shelf.counters.rolled_back);
                shared.shelf.keep(connection);
            } else {
                Counters::add(&shared.shelf.counters.discarded);
                stop(&shared, *connection).await;
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
async fn stop(shared: &Shared, connection: Connection) {
    let Connection { client, mut driver, cancel, .. } = connection;
    drop(client);
    let shelf = &shared.shelf;
    if !shared.named_statements {
        // What a pooler makes of a request is its secret, and PgBouncer 1.18 may crash by one (its issue 801). But it
        // hangs up on the server when its client does, and every transaction of ours makes the server look.
        Counters::add(&shelf.counters.cancelled);
        driver.abort();
        return;
    }
    let Ok(_turn) = shelf.cancels.acquire().await else { return };
    Counters::add(&shelf.counters.cancelled);
    for _ in 0..CANCEL_REQUESTS {
        let _ = timeout(CLEAN_UP_PATIENCE, cancel.cancel_query(shared.tls.clone())).await;
        if timeout(CANCEL_PAUSE, &mut driver).await.is_ok() {
            return;
        }
    }
    driver.abort();
}

//! The end of a transaction: what goes on from COMMIT on, whoever still waits for it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use crate::{Class, Db, Error, Result, driver::Conn, once};

/// How long a server's answer to a ROLLBACK is waited for.
const CLEAN_UP_PATIENCE: Duration = Duration::from_secs(2);

/// What shall be done once the COMMIT was acknowledged.
pub(crate) type Effect = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Work that the caller's cancellation does not stop once it has begun: it then goes on in a task.
pub(crate) struct Unstoppable {
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    begun: bool,
    /// It is being polled. Found so when it is dropped, it has panicked.
    polled: bool,
}

impl Unstoppable {
    pub(crate) fn new(work: impl Future<Output = ()> + Send + 'static) -> Unstoppable {
        Unstoppable { work: Some(Box::pin(work)), begun: false, polled: false }
    }
}

impl Future for Unstoppable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        (self.begun, self.polled) = (true, true);
        let polled = self.work.as_mut().map_or(Poll::Ready(()), |work| work.as_mut().poll(cx));
        self.polled = false;
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl Drop for Unstoppable {
    fn drop(&mut self) {
        let rest = self.work.take().filter(|_| self.begun && !self.polled);
        // Without a runtime it ends as by a crash: all or nothing, and nobody is told.
        if let (Some(rest), Ok(runtime)) = (rest, tokio::runtime::Handle::try_current()) {
            runtime.spawn(rest);
        }
    }
}

pub(crate) async fn run_effects(effects: Vec<Effect>) {
    for effect in effects {
        // Each in a task, so that a panic in one does not stop the next.
        let _ = tokio::spawn(async move { effect().await }).await;
    }
}

/// Commits, and gives the connection back.
pub(crate) async fn end(db: &Db, mut conn: Conn, once: Option<String>) -> Result<()> {
    let result = conn.commit().await;
    match &result {
        Ok(()) => drop(conn), // given back before any effect runs
        Err(e) if e.class() == Class::Lost => {
            drop(conn);
            return match once {
                // Boxed, since it is large and rare.
                Some(key) => Box::pin(once::resolve(db, &key)).await,
                None => Err(Error::CommitUnknown),
            };
        }
        Err(_) => Box::pin(roll_back(conn)).await?, // as rare
    }
    result
}

/// Rolls back, and gives the connection back. An error means that the session saw what others had not committed yet, and
/// never did.
pub(crate) async fn roll_back(mut conn: Conn) -> Result<()> {
    if conn.shares_its_transaction() {
        return conn.rollback().await; // which waits for a COMMIT, in bounded time
    }
    // Whatever goes wrong, the connection's `Drop` cleans up.
    let _ = tokio::time::timeout(CLEAN_UP_PATIENCE, conn.rollback()).await;
    Ok(())
}

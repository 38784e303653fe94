//! The connections to a server: those that nobody uses, and how many there may be.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Counters;
use crate::{Error, Result};

/// How many requests to stop a statement are on their way at once: each is a connection of its own.
const CANCELS: usize = 4;

/// In boxes, since connections are large and go from hand to hand.
pub(super) struct Shelf<C> {
    idle: Mutex<Vec<Box<C>>>,
    permits: Arc<Semaphore>,
    pub(super) cancels: Semaphore,
    pub(super) counters: Counters,
}

impl<C> Shelf<C> {
    pub(super) fn new(connections: usize) -> Shelf<C> {
        Shelf {
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(connections.max(1))),
            cancels: Semaphore::new(CANCELS),
            counters: Counters::default(),
        }
    }

    /// The right to one connection, until it is dropped.
    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        self.permits.clone().acquire_owned().await.map_err(|_| Error::lost("the pool was closed"))
    }

    /// A connection that is there already.
    pub(super) fn take(&self) -> Option<Box<C>> {
        self.idle().pop()
    }

    /// Takes a clean connection back.
    pub(super) fn keep(&self, connection: Box<C>) {
        self.idle().push(connection);
    }

    /// Throws the idle connections away: the server was restarted, or is the primary no more. They may not know it yet,
    /// and each would cost its borrower one of a few attempts.
    pub(super) fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle());
        idle.iter().for_each(|_| Counters::add(&self.counters.discarded));
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Box<C>>> {
        // Nothing panics while it is held, and a list of connections is valid at any point.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! A fixed number of connections, lent one at a time.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

use tokio::sync::{Semaphore, SemaphorePermit};

pub(crate) struct Pool<C> {
    idle: Mutex<Vec<C>>,
    permits: Semaphore,
}

impl<C> Pool<C> {
    pub(crate) fn of(connections: Vec<C>) -> Pool<C> {
        let permits = Semaphore::new(connections.len());
        Pool { idle: Mutex::new(connections), permits }
    }

    pub(crate) async fn get(&self) -> Lent<'_, C> {
        let permit = self.permits.acquire().await.expect("nobody closes it");
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lent { connection: Some(connection.expect("as many as permits")), pool: self, _permit: permit }
    }
}

pub(crate) struct Lent<'a, C> {
    connection: Option<C>, // until it is dropped
    pool: &'a Pool<C>,
    _permit: SemaphorePermit<'a>, // dropped after the connection is back
}

impl<C> Deref for Lent<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection.as_ref().expect("there until the drop")
    }
}

impl<C> DerefMut for Lent<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().expect("there until the drop")
    }
}

impl<C> Drop for Lent<'_, C> {
    fn drop(&mut self) {
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(self.connection.take());
    }
}

//! Work that only so many may do at the same time, with a line before it that is no longer than it is worth to wait in.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Code, Error, Result};

/// Hands out turns, first come, first served. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    at_work: Arc<Semaphore>,
    /// Those at work and those who wait.
    present: Arc<Semaphore>,
}

/// The right to work. Dropping it lets the next one begin.
#[derive(Debug)]
pub(crate) struct Turn {
    _at_work: OwnedSemaphorePermit,
    _present: OwnedSemaphorePermit,
}

impl Turns {
    /// As many at work as there are processors, and so many who wait.
    pub(crate) fn per_processor(waiting: usize) -> Turns {
        let at_work = std::thread::available_parallelism().map_or(2, usize::from);
        Turns { at_work: Arc::new(Semaphore::new(at_work)), present: Arc::new(Semaphore::new(at_work + waiting)) }
    }

    /// Waits for a turn. Cancelled, the place in the line is lost.
    ///
    /// # Errors
    /// 503 at once if the line is full: work that would be given up while it waits had better not begin.
    pub(crate) async fn take(&self) -> Result<Turn> {
        let busy = || Error::from(Code::Unavailable).retry_after(2);
        let present = self.present.clone().try_acquire_owned().map_err(|_| busy())?;
        let at_work = self.at_work.clone().acquire_owned().await.map_err(|_| busy())?;
        Ok(Turn { _at_work: at_work, _present: present })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_line_is_told_at_once() {
        let turns = Turns { at_work: Arc::new(Semaphore::new(1)), present: Arc::new(Semaphore::new(2)) };
        let first = turns.take().await.unwrap();
        let second = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take().await.map(drop) }
        });
        while turns.present.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(turns.take().await.unwrap_err().code(), Code::Unavailable);
        drop(first);
        second.await.unwrap().unwrap();
        assert!(turns.take().await.is_ok());
    }
}

//! How many requests may be in work at a time, and how many may wait for that. What is too much is told so at once, since work
//! that nobody waits for any more when it is done keeps all others from being done in time.
//!
//! A request that waits for its body, or for the turn of its pictures, is neither in work nor in line: slow clients shall not
//! keep others out.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{extract::Request, response::Response};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

/// Seconds after which a request that was refused may come again.
pub(crate) const RETRY_AFTER: u32 = 1;

/// How long a request waits in line.
const PATIENCE: Duration = Duration::from_secs(3);

/// Counts the requests that are present, and refuses what exceeds their number. Clones share the count.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    most: usize,
    /// In work or in line.
    present: AtomicUsize,
    /// Turns to be in work, first come, first served.
    turns: Arc<Semaphore>,
    refused: AtomicU64,
    since: Instant,
    /// The second in which the log last told of refusals.
    told: AtomicU64,
}

impl Admission {
    /// For so many at a time, all of them in work.
    pub fn new(most: usize) -> Admission {
        Admission::in_turn(most, most)
    }

    /// For so many at a time, of which so many are in work, and the others in line.
    pub fn in_turn(most: usize, at_work: usize) -> Admission {
        Admission(Arc::new(Counts {
            most,
            present: AtomicUsize::new(0),
            turns: Arc::new(Semaphore::new(at_work)),
            refused: AtomicU64::new(0),
            since: Instant::now(),
            told: AtomicU64::new(u64::MAX),
        }))
    }

    /// How many requests were refused.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    /// Has a request answered in its turn.
    ///
    /// # Errors
    /// The request, if there are too many. Refusing must cost next to nothing: who is refused may come again at once.
    pub async fn admit<F>(&self, mut request: Request, inner: impl FnOnce(Request) -> F) -> Result<Response, Request>
    where
        F: Future<Output = Response>,
    {
        let Some(admitted) = self.enter() else { return Err(self.refuse(request)) };
        // In work may be those whom a database that hangs keeps: who comes behind them shall not wait for one after the other.
        if !admitted.0.try_take_turn() && timeout(PATIENCE, admitted.0.take_turn()).await.is_err() {
            return Err(self.refuse(request));
        }
        request.extensions_mut().insert(Arc::clone(&admitted.0));
        // All that came with it are counted, or refused, before any of them is worked at: the line before the processors would
        // be the longest, and the one that nobody sees. Not only in a crowd: a request that never waits would never see one.
        tokio::task::yield_now().await;
        Ok(inner(request).await)
    }

    fn refuse(&self, request: Request) -> Request {
        let refused = self.0.refused.fetch_add(1, Relaxed) + 1;
        let second = self.0.since.elapsed().as_secs();
        // A line for each would cost more than the refusals.
        if self.0.told.swap(second, Relaxed) != second {
            tracing::warn!(refused, "too many requests at a time: refused so many of this kind since the start");
        }
        request
    }

    fn enter(&self) -> Option<Admitted> {
        let enter = |present| (present < self.0.most).then_some(present + 1);
        self.0.present.fetch_update(Relaxed, Relaxed, enter).ok()?;
        Some(Admitted(Arc::new(Place { counts: Arc::clone(&self.0), state: Mutex::new(State::Present(None)) })))
    }
}

/// The place of a request that was admitted. Its body knows it too, and may outlive it.
#[derive(Debug)]
pub(super) struct Place {
    counts: Arc<Counts>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// In work if it has a turn.
    Present(Option<OwnedSemaphorePermit>),
    Waiting,
    Left,
}

impl Place {
    /// Takes a turn if nobody waits for one.
    fn try_take_turn(&self) -> bool {
        let turn = Arc::clone(&self.counts.turns).try_acquire_owned();
        turn.map(|turn| self.has_turn(Some(turn))).is_ok()
    }

    async fn take_turn(&self) {
        self.has_turn(Arc::clone(&self.counts.turns).acquire_owned().await.ok()); // never closed
    }

    fn has_turn(&self, turn: Option<OwnedSemaphorePermit>) {
        if let State::Present(mine) = &mut *self.state() {
            *mine = turn;
        }
    }

    /// Something is waited for that others have to do.
    pub(super) fn wait(&self) {
        let mut state = self.state();
        if let State::Present(_) = *state {
            *state = State::Waiting;
            self.counts.present.fetch_sub(1, Relaxed);
        }
    }

    /// It came. Whoever was admitted goes on, though there may be one too many then.
    pub(super) fn go_on(&self) {
        let mut state = self.state();
        if let State::Waiting = *state {
            *state = State::Present(Arc::clone(&self.counts.turns).try_acquire_owned().ok());
            self.counts.present.fetch_add(1, Relaxed);
        }
    }

    fn leave(&self) {
        if let State::Present(_) = std::mem::replace(&mut *self.state(), State::Left) {
            self.counts.present.fetch_sub(1, Relaxed);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

struct Admitted(Arc<Place>);

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn f36_places_are_for_those_at_work() {
        let admission = Admission::new(2);
        let (first, second) = (admission.enter().unwrap(), admission.enter().unwrap());
        assert!(admission.enter().is_none());
        let body = Arc::clone(&first.0);
        body.wait();
        body.wait();
        let third = admission.enter().unwrap();
        assert!(admission.enter().is_none());
        body.go_on();
        assert!(admission.enter().is_none());
        drop((first, second));
        // A body that is still read when its request was answered takes no place.
        body.wait();
        body.go_on();
        assert!(admission.enter().is_some());
        drop(third);
        assert_eq!(admission.0.present.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn f36_turns_come_back_from_those_who_wait_or_left() {
        let admission = Admission::in_turn(3, 1);
        let (first, second) = (admission.enter().unwrap(), admission.enter().unwrap());
        first.0.take_turn().await;
        assert!(second.0.take_turn().now_or_never().is_none());
        first.0.wait();
        second.0.take_turn().now_or_never().unwrap();
        // Without a turn, since it has been admitted.
        first.0.go_on();
        drop(first);
        assert_eq!(admission.0.turns.available_permits(), 0);
        drop(second);
        assert_eq!(admission.0.turns.available_permits(), 1);
        assert_eq!(admission.0.present.load(Relaxed), 0);
    }
}

//! How many requests may be in work at a time. What is too much is told so at once, since work that nobody waits for any more
//! when it is done keeps all others from being done in time.
//!
//! A request that waits for its body is not in work: slow clients shall not keep others out.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use axum::{extract::Request, middleware::Next, response::Response};

use super::body::Progress;
use crate::error::{Code, Error, Result};

/// Seconds after which a request that was refused may come again.
const RETRY_AFTER: u32 = 1;

/// Counts the requests in work, and refuses what exceeds their number. Clones share the count.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    most: usize,
    at_work: AtomicUsize,
    refused: AtomicU64,
}

impl Admission {
    /// For so many at a time.
    pub fn new(most: usize) -> Admission {
        Admission(Arc::new(Counts { most, at_work: AtomicUsize::new(0), refused: AtomicU64::new(0) }))
    }

    /// How many requests were refused.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    /// Has a request answered, unless there are too many.
    ///
    /// # Errors
    /// 503 at once.
    pub async fn admit(&self, request: Request, next: Next) -> Result<Response> {
        let Some(place) = self.enter() else {
            self.0.refused.fetch_add(1, Relaxed);
            return Err(Error::from(Code::Unavailable).retry_after(RETRY_AFTER));
        };
        if let Some(progress) = request.extensions().get::<Progress>() {
            progress.take_place(Arc::clone(&place.0));
        }
        // All that came with it are counted before any of them is worked at: the line before the processors is the longest.
        tokio::task::yield_now().await;
        Ok(next.run(request).await)
    }

    fn enter(&self) -> Option<Admitted> {
        let enter = |at_work| (at_work < self.0.most).then_some(at_work + 1);
        self.0.at_work.fetch_update(Relaxed, Relaxed, enter).ok()?;
        Some(Admitted(Arc::new(Place { counts: Arc::clone(&self.0), state: AtomicU8::new(AT_WORK) })))
    }
}

const AT_WORK: u8 = 0;
const WAITING: u8 = 1;
const LEFT: u8 = 2;

/// The place of a request that was admitted. Its body knows it too, and may outlive it.
#[derive(Debug)]
pub(super) struct Place {
    counts: Arc<Counts>,
    state: AtomicU8,
}

impl Place {
    /// The body is waited for.
    pub(super) fn wait(&self) {
        if self.state.compare_exchange(AT_WORK, WAITING, Relaxed, Relaxed).is_ok() {
            self.counts.at_work.fetch_sub(1, Relaxed);
        }
    }

    /// A piece of the body came. Whoever was admitted goes on, though there may be one too many then.
    pub(super) fn go_on(&self) {
        if self.state.compare_exchange(WAITING, AT_WORK, Relaxed, Relaxed).is_ok() {
            self.counts.at_work.fetch_add(1, Relaxed);
        }
    }
}

struct Admitted(Arc<Place>);

impl Drop for Admitted {
    fn drop(&mut self) {
        if self.0.state.swap(LEFT, Relaxed) == AT_WORK {
            self.0.counts.at_work.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(admission.0.at_work.load(Relaxed), 0);
    }
}

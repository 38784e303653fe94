//! The point in time until which a session has to be done.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

pub(crate) struct Deadline {
    at: Instant,
    /// Set when the session waits for the first time, and kept for all that it waits for: a timer for each statement
    /// costs more than looking at this one.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    pub(crate) fn new(at: Instant) -> Deadline {
        Deadline { at, alarm: None }
    }

    /// Does the work; `None` if the deadline passes before it is done.
    pub(crate) fn meet<F: Future>(&mut self, mut work: Pin<&mut F>) -> impl Future<Output = Option<F::Output>> {
        // What is ready at once would never meet the alarm.
        let passed = Instant::now() >= self.at;
        poll_fn(move |cx| {
            if passed {
                return Poll::Ready(None);
            }
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(self.at)));
            // Work that has used up its task's share of the worker must not keep the alarm from ringing.
            Pin::new(&mut unconstrained(alarm.as_mut())).poll(cx).map(|()| None)
        })
    }
}

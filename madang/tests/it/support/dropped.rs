//! Requests whose clients go away.

use std::{future::poll_fn, pin::pin, task::Poll};

use super::Answer;

/// Polls a request so often, then drops it. `None` if it had not ended by then.
pub(crate) async fn dropped_after(polls: usize, request: impl Future<Output = Answer>) -> Option<Answer> {
    let mut request = pin!(request);
    let mut left = polls;
    poll_fn(|cx| match request.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

//! A request to the bucket: with deadlines, tried again if that may help, and with errors that tell no secret.

use std::{
    hash::{BuildHasher, RandomState},
    io::{self, ErrorKind},
    time::Duration,
};

use object_store::client::{HttpError, HttpErrorKind};
use tokio::time::{sleep, timeout};

/// How long a connection may take to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(3);
/// How long an unused connection is kept.
pub(super) const IDLE: Duration = Duration::from_secs(20);
/// How long the next piece of an object may be awaited.
pub(super) const GAP: Duration = Duration::from_secs(10);
/// For requests with little to carry.
pub(super) const SHORT: Deadlines = Deadlines { attempt: Duration::from_secs(4), total: Duration::from_secs(9) };
/// For requests that carry a picture. The whole is less than a handler may stand still.
pub(super) const LONG: Deadlines = Deadlines { attempt: Duration::from_secs(12), total: Duration::from_secs(20) };

const ATTEMPTS: u32 = 3;
/// Doubles from attempt to attempt.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy)]
pub(super) struct Deadlines {
    attempt: Duration,
    /// With all attempts and the pauses between them.
    pub(super) total: Duration,
}

/// Makes a request that may be repeated.
///
/// # Errors
/// As [`failure`] and [`too_late`] tell.
pub(super) async fn call<T, F>(deadlines: Deadlines, request: impl Fn() -> F) -> io::Result<T>
where
    F: Future<Output = object_store::Result<T>>,
{
    let attempts = async {
        let mut attempt = 1;
        loop {
            let failed = match timeout(deadlines.attempt, request()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(e)) if attempt >= ATTEMPTS || !may_pass(&e) => return Err(failure(&e)),
                Ok(Err(e)) => failure(&e),
                Err(_) if attempt >= ATTEMPTS => return Err(too_late()),
                Err(_) => too_late(),
            };
            tracing::debug!(attempt, cause = %failed, "a request to the bucket is tried again");
            sleep(pause(attempt)).await;
            attempt += 1;
        }
    };
    timeout(deadlines.total, attempts).await.unwrap_or_else(|_| Err(too_late()))
}

/// Half of it by chance, so that requests which failed together do not come back together.
fn pause(attempt: u32) -> Duration {
    let chance = RandomState::new().hash_one(attempt) % 1_000;
    let half = PAUSE * (1 << (attempt - 1)) / 2;
    half + half * u32::try_from(chance).unwrap_or_default() / 1_000
}

/// Whether the same request may do better: after a fault of the network or the server, not after a refusal.
fn may_pass(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::Generic { .. })
        && status(&error.to_string()).is_none_or(|s| !s.starts_with('4'))
}

/// Whether the bucket has no such object.
pub(super) fn is_absent(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) && reason(&error.to_string()) != Some("NoSuchBucket")
}

/// The deadline passed.
pub(super) fn too_late() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the bucket did not answer in time")
}

/// The bucket took an object and has another, or none.
#[derive(Debug, thiserror::Error)]
#[error("the bucket does not have what it was sent")]
struct NotWhole;

/// A fault of the server, or of something before it.
pub(super) fn not_whole() -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: NotWhole.into() }
}

/// What went wrong, in words of our own: servers repeat what was sent to them, a session token for example.
pub(super) fn failure(error: &object_store::Error) -> io::Error {
    let text = error.to_string();
    let kind = if is_absent(error) { ErrorKind::NotFound } else { ErrorKind::Other };
    let told = match (status(&text), http_error(error)) {
        (Some(status), _) => match reason(&text) {
            Some(reason) => format!("the bucket answered {status} ({reason})"),
            None => format!("the bucket answered {status}"),
        },
        (None, Some(HttpErrorKind::Connect)) => "the bucket cannot be reached".to_owned(),
        (None, Some(HttpErrorKind::Timeout)) => return too_late(),
        (None, Some(_)) => "the connection to the bucket broke off".to_owned(),
        (None, None) if cause::<NotWhole>(error).is_some() => NotWhole.to_string(),
        (None, None) => "the bucket gave no usable answer, or there are no credentials for it".to_owned(),
    };
    io::Error::new(kind, told)
}

/// The three digits of the status that an error speaks of.
fn status(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3).filter(|status| status.bytes().all(|c| c.is_ascii_digit()))
}

/// The word by which S3 says why it refused a request.
fn reason(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    let (reason, _) = rest.split_once("</Code>")?;
    let is_word = reason.len() <= 64 && reason.bytes().all(|c| c.is_ascii_alphanumeric());
    is_word.then_some(reason)
}

fn http_error(error: &object_store::Error) -> Option<HttpErrorKind> {
    cause::<HttpError>(error).map(HttpError::kind)
}

fn cause<E: std::error::Error + 'static>(error: &object_store::Error) -> Option<&E> {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |error| error.source()).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const BODY: &str = "<Error><Code>InvalidToken</Code><Token-0>canary</Token-0></Error>";

    fn answered(status: u16) -> object_store::Error {
        let text = format!(
            "Error performing PUT http://x/y in 3ms - Server returned non-2xx status code: {status} Odd: {BODY}"
        );
        object_store::Error::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn s01_errors_repeat_nothing_that_was_sent() {
        assert_eq!(failure(&answered(400)).to_string(), "the bucket answered 400 (InvalidToken)");
        let odd = object_store::Error::Generic { store: "S3", source: "canary".into() };
        assert!(!failure(&odd).to_string().contains("canary"));
    }

    #[test]
    fn an_absent_bucket_is_no_absent_object() {
        let absent = |code: &str| {
            let text = format!("status code: 404 Not Found: <Code>{code}</Code>");
            object_store::Error::NotFound { path: String::new(), source: text.into() }
        };
        assert_eq!(failure(&absent("NoSuchKey")).kind(), ErrorKind::NotFound);
        assert_eq!(failure(&absent("NoSuchBucket")).kind(), ErrorKind::Other);
    }

    #[tokio::test(start_paused = true)]
    async fn only_faults_are_tried_again_and_not_for_ever() {
        for (status, attempts) in [(500, ATTEMPTS), (503, ATTEMPTS), (400, 1), (409, 1)] {
            let made = AtomicU32::new(0);
            let request = async || {
                made.fetch_add(1, Ordering::Relaxed);
                Err::<(), _>(answered(status))
            };
            call(SHORT, request).await.unwrap_err();
            assert_eq!(made.into_inner(), attempts, "{status}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_in_time() {
        for deadlines in [SHORT, LONG] {
            let began = tokio::time::Instant::now();
            let silent = call(deadlines, std::future::pending::<object_store::Result<()>>).await.unwrap_err();
            assert_eq!(silent.kind(), ErrorKind::TimedOut);
            assert!(began.elapsed() <= deadlines.total + Duration::from_millis(10), "{:?}", began.elapsed());
        }
    }
}

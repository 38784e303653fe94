//! Request bodies: what is refused before reading, how long reading may take, and how it fails.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, Sleep, sleep_until};

use super::admission::Place;
use crate::error::{Code, Error, Result};

/// Refuses, before a byte is read, a compressed body and one whose `Content-Length` is over `limit` bytes.
///
/// # Errors
/// `UnsupportedEncoding` or `BodyTooLarge`.
pub fn admit(headers: &HeaderMap, limit: u64) -> Result<()> {
    let plain = |value: &header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(plain) {
        return Err(Code::UnsupportedEncoding.into());
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Code::BodyTooLarge.into());
    }
    Ok(())
}

/// The next piece of the body, `None` at its end. Trailers are skipped. Safe to cancel.
///
/// # Errors
/// `RequestTimeout` past a deadline, `BrokenBody` if the client went away or broke the transfer coding.
pub async fn next_piece(body: &mut Body) -> Result<Option<Bytes>> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::from(code_of(&error)).caused_by(error))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Memory that bodies in flight share, in bytes; each has its first [`OWN_BYTES`] beside it. Without this, connections
/// that each hold back the last byte of a large body would add up to gigabytes.
const SHARED_BYTES: usize = 64 * 1024 * 1024;
const OWN_BYTES: usize = 16 * 1024;
/// What is taken from the shared memory at a time.
const UNIT: usize = 16 * 1024;

static SHARED: Semaphore = Semaphore::const_new(SHARED_BYTES / UNIT);

/// What one body holds in memory; given back when dropped.
#[derive(Debug, Default)]
pub struct Reservation {
    bytes: usize,
    units: Option<SemaphorePermit<'static>>,
}

impl Reservation {
    /// Accounts for more bytes before they are kept.
    ///
    /// # Errors
    /// `Unavailable` if other bodies hold all there is.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        self.grow_within(&SHARED, bytes)
    }

    fn grow_within(&mut self, shared: &'static Semaphore, bytes: usize) -> Result<()> {
        self.bytes += bytes;
        let needed = self.bytes.saturating_sub(OWN_BYTES).div_ceil(UNIT);
        let missing = needed.saturating_sub(self.units.as_ref().map_or(0, SemaphorePermit::num_permits));
        if missing > 0 {
            let missing = u32::try_from(missing).unwrap_or(u32::MAX);
            let more = shared.try_acquire_many(missing).map_err(|_| Code::Unavailable)?;
            match &mut self.units {
                Some(units) => units.merge(more),
                None => self.units = Some(more),
            }
        }
        Ok(())
    }
}

/// Reads a whole body of at most `limit` bytes into memory that `reservation` accounts for.
///
/// # Errors
/// Those of [`admit`], [`next_piece`] and [`Reservation::grow`]; `BodyTooLarge` as soon as the limit is passed.
pub async fn read_all(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
    reservation: &mut Reservation,
) -> Result<Vec<u8>> {
    admit(headers, limit as u64)?;
    let mut whole = Vec::new();
    while let Some(piece) = next_piece(&mut body).await? {
        if piece.len() > limit - whole.len() {
            return Err(Code::BodyTooLarge.into());
        }
        reservation.grow(piece.len())?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

fn code_of(error: &axum::Error) -> Code {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(Abuse::Slow) = error.downcast_ref() {
            return Code::RequestTimeout;
        }
        next = error.source();
    }
    Code::BrokenBody
}

/// When a request last made progress, as seen by the deadline of its handler: a piece of its body came, or the handler
/// says so of work that is long by nature. An extractor.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Steps>);

#[derive(Debug)]
struct Steps {
    last: Mutex<Instant>,
    /// Of a request that was admitted.
    place: OnceLock<Arc<Place>>,
}

impl Progress {
    /// For work that no request waits for.
    pub(crate) fn unwatched() -> Progress {
        Progress::new(Instant::now())
    }

    pub(super) fn new(now: Instant) -> Progress {
        Progress(Arc::new(Steps { last: Mutex::new(now), place: OnceLock::new() }))
    }

    /// The request is in work here while its body is not waited for.
    pub(super) fn take_place(&self, place: Arc<Place>) {
        let _ = self.0.place.set(place);
    }

    /// Waits for what others have to do first; meanwhile the request is not in work.
    pub(crate) async fn pause<T>(&self, waiting: impl Future<Output = T>) -> T {
        let Some(place) = self.0.place.get() else { return waiting.await };
        place.wait();
        let came = waiting.await;
        place.go_on();
        came
    }

    /// The deadline counts from now on.
    pub fn mark(&self) {
        self.mark_at(Instant::now());
    }

    pub(super) fn last(&self) -> Instant {
        *self.0.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn mark_at(&self, now: Instant) {
        *self.0.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = now;
    }
}

impl<S: Sync> FromRequestParts<S> for Progress {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        let progress = parts.extensions.get::<Progress>().cloned();
        progress.ok_or_else(|| Error::internal("the layer of deadlines is missing"))
    }
}

/// Frames that a body may have whatever its size; beyond them each must bring [`FRAME_BYTES`] on average. A chunk of one
/// byte costs as much work as one of 10,000.
const FREE_FRAMES: u64 = 10_000;
const FRAME_BYTES: u64 = 64;

/// A request body that fails when it takes longer than `total`, delivers nothing for `idle` while it is awaited, or
/// comes in crumbs.
pub(super) struct Metered {
    body: Body,
    ends: Instant,
    idle: Duration,
    /// When the wait for the next frame began.
    waiting: Option<Instant>,
    /// Fires at a deadline or before; it is moved only then, since moving it costs more than many a frame.
    timer: Option<Pin<Box<Sleep>>>,
    frames: u64,
    bytes: u64,
    progress: Progress,
}

impl Metered {
    pub(super) fn new(body: Body, total: Duration, idle: Duration) -> (Self, Progress) {
        let now = Instant::now();
        let progress = Progress::new(now);
        let ends = now + total;
        let metered =
            Self { body, ends, idle, waiting: None, timer: None, frames: 0, bytes: 0, progress: progress.clone() };
        (metered, progress)
    }

    /// Counts a frame in.
    fn count(&mut self, frame: &Frame<Bytes>) -> std::result::Result<(), Abuse> {
        let now = Instant::now();
        self.waiting = None;
        self.progress.mark_at(now);
        self.frames += 1;
        self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        // A body that always has another byte ready must not outrun its deadline.
        if now >= self.ends {
            return Err(Abuse::Slow);
        }
        if self.frames > FREE_FRAMES + self.bytes / FRAME_BYTES { Err(Abuse::Crumbs) } else { Ok(()) }
    }

    /// Ready when the wait has been too long.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let began = *self.waiting.get_or_insert_with(Instant::now);
        let deadline = self.ends.min(began + self.idle);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(place) = self.progress.0.place.get() {
            if polled.is_pending() { place.wait() } else { place.go_on() }
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(self.count(&frame).map(|()| frame).map_err(Into::into))),
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => self.poll_deadline(cx).map(|()| Some(Err(Abuse::Slow.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[derive(Debug)]
enum Abuse {
    Slow,
    Crumbs,
}

impl fmt::Display for Abuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Abuse::Slow => "the request body came too slowly",
            Abuse::Crumbs => "the request body came in crumbs",
        })
    }
}

impl std::error::Error for Abuse {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_bodies_are_admitted_when_large_ones_hold_everything() {
        static SHARED: Semaphore = Semaphore::const_new(10);
        let mut large = Reservation::default();
        large.grow_within(&SHARED, OWN_BYTES + 8 * UNIT).unwrap();
        let mut next = Reservation::default();
        assert_eq!(next.grow_within(&SHARED, OWN_BYTES + 2 * UNIT + 1).unwrap_err().code(), Code::Unavailable);
        Reservation::default().grow_within(&SHARED, OWN_BYTES).unwrap();
        drop(large);
        next.grow_within(&SHARED, 1).unwrap();
        assert_eq!(SHARED.available_permits(), 7);
    }

    #[tokio::test]
    async fn a_body_in_crumbs_is_refused() {
        let crumbs = |count, size: usize| {
            let frames = (0..count).map(move |_| Ok::<_, std::io::Error>(Bytes::from(vec![0; size])));
            let body = Body::from_stream(futures_util::stream::iter(frames));
            let (metered, _) = Metered::new(body, Duration::from_secs(60), Duration::from_secs(60));
            async move { read_all(&HeaderMap::new(), Body::new(metered), 1 << 20, &mut Reservation::default()).await }
        };
        assert_eq!(crumbs(10_000, 1).await.unwrap().len(), 10_000);
        assert_eq!(crumbs(16_000, 64).await.unwrap().len(), 1_024_000);
        assert_eq!(crumbs(20_000, 1).await.unwrap_err().code(), Code::BrokenBody);
    }
}

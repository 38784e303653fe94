//! A TCP stream that closes so that its peer sees the last answer, and that does not wait for ever to be read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// What is discarded at most after the last answer.
const DISCARD_BYTES: usize = 1024 * 1024;
/// For how long it is discarded.
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// Closing a socket with unread bytes makes the kernel reset the connection, and the reset may overtake an answer that
/// was given before the request was read whole. So shutting down sends FIN, then reads on and discards, at most 1 MB or
/// 1 s. A write fails when the peer takes nothing for so long, or too little for longer: see [`Patience`].
pub(super) struct Linger {
    stream: TcpStream,
    patience: Patience,
    closing: Option<Closing>,
}

/// How long the peer may still be waited for. Waiting uses it up, and bytes that are taken earn it, so that nobody keeps his
/// connection by a byte now and then.
struct Patience {
    most: Duration,
    left: Duration,
    /// Bytes that earn a second.
    rate: u64,
    /// Since when a write waits, and what ends that.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Patience {
    /// Passes on what a write said, failing one that has been pending for too long.
    fn watch(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = write {
            if let Some((since, _)) = self.waiting.take() {
                self.left = self.left.saturating_sub(since.elapsed());
            }
            let taken = *written.as_ref().unwrap_or(&0) as u64;
            let earned = Duration::from_micros(taken.saturating_mul(1_000_000) / self.rate.max(1));
            self.left = self.left.saturating_add(earned).min(self.most);
            return Poll::Ready(written);
        }
        let end = || {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + self.left)))
        };
        let (_, timer) = self.waiting.get_or_insert_with(end);
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

struct Closing {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl Linger {
    /// `stall` is how long the peer may take nothing, `rate` how many bytes a second it has to take where it takes some.
    pub(super) fn new(stream: TcpStream, stall: Duration, rate: u64) -> Self {
        Self { stream, patience: Patience { most: stall, left: stall, rate, waiting: None }, closing: None }
    }
}

impl AsyncRead for Linger {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Linger {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.patience.watch(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.patience.watch(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let closing = this.closing.get_or_insert_with(|| Closing {
            until: Box::pin(sleep_until(Instant::now() + DISCARD_TIME)),
            left: DISCARD_BYTES,
        });
        let mut scratch = [0; 8 * 1024];
        while closing.left > 0 && closing.until.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => closing.left = closing.left.saturating_sub(buf.filled().len()),
                // The peer closed, or is gone.
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

//! The accept loop: how many connections there may be, and what each of them may cost.
//!
//! `axum::serve` installs no timer, so that a connection that sends nothing would stay for ever.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use super::client::Network;
use super::linger::Linger;
use super::shares::{Share, Shares};

/// What connections may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time. Further ones wait in the kernel's backlog until one ends. The timeouts below end those that
    /// ask for nothing or take nothing; a client that keeps asking keeps its connection.
    pub connections: usize,
    /// Connections of one network at a time; further ones are closed at once.
    pub of_a_network: usize,
    /// Networks without that bound: proxies speak for many.
    pub unbounded: Vec<Network>,
    /// For the whole head of a request: from the accept, or from the end of the answer before it.
    pub head_time: Duration,
    /// Bytes of a request's head, and of the buffer through which a body passes; so times `connections` is what clients
    /// can make the server hold. At least 8,192.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// For how long a client may take nothing of an answer.
    pub write_stall: Duration,
    /// Bytes of answers that a client has to take in a second, on the average of the time in which it is waited for.
    pub write_rate: u64,
    /// For requests in flight, and for connections to close, after the shutdown began.
    pub grace: Duration,
}

impl Default for Limits {
    /// 4,096 connections, 512 of a network unless it is this machine; heads within 15 s, of 32 KB and 100 headers; 30 s of
    /// stall, 4 KiB a second; 20 s of grace.
    fn default() -> Self {
        Self {
            connections: 4_096,
            of_a_network: 512,
            unbounded: Network::of_this_machine().into(),
            head_time: Duration::from_secs(15),
            head_bytes: 32 * 1024,
            headers: 100,
            write_stall: Duration::from_secs(30),
            write_rate: 4 * 1024,
            grace: Duration::from_secs(20),
        }
    }
}

/// Serves `router` on `listener` until `shutdown` ends: then nothing is accepted any more, idle connections close,
/// requests in flight are answered with `Connection: close`, and what is left after the grace period is dropped.
///
/// Handlers find the peer as an extension, `ConnectInfo<SocketAddr>`. When a client goes away, its handler is dropped at
/// the next await.
///
/// Dropping the future ends everything at once, handlers included; that is what a second signal should do.
///
/// # Errors
/// None once the loop runs: a failing accept is logged and tried again. Fails if the listener has no address.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.local_addr()?;
    let slots = Arc::new(Semaphore::new(limits.connections));
    // Connections drain when the value turns true, and are dropped when the sender is.
    let (draining, observer) = watch::channel(false);
    let http = protocol(&limits);
    let shares = Shares::new(limits.of_a_network, &limits.unbounded);

    let accepting = async {
        loop {
            let (stream, peer, slot) = accept(&listener, &slots).await;
            let Some(share) = shares.take(peer.ip()) else {
                tracing::debug!(%peer, "its network has all the connections that it may have");
                continue;
            };
            let stream = Linger::new(stream, limits.write_stall, limits.write_rate);
            let connection = Connection { stream, peer, router: router.clone() };
            tokio::spawn(connection.run(http.clone(), observer.clone(), (slot, share)));
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => {}
    }

    drop(listener);
    draining.send_replace(true);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if timeout(limits.grace, slots.acquire_many(all)).await.is_err() {
        tracing::warn!(left = limits.connections - slots.available_permits(), "the grace period is over");
    }
    drop(draining);
    // Nobody waits any more, so this takes no longer than dropping the handlers.
    let _ = slots.acquire_many(all).await;
    Ok(())
}

/// Raises the soft limit of open files to the hard one, and returns it. Call once at the start.
///
/// # Errors
/// The limit cannot be read or set; the server then runs with what it has.
pub fn raise_file_limit() -> io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

fn protocol(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // With a timer set, the head's timeout runs whenever hyper waits for a head: on silent and on idle connections too.
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_headers(limits.headers)
        .max_buf_size(limits.head_bytes);
    http
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    /// When there are no file descriptors left, accepting again at once would only burn the processor.
    const BACK_OFF: Duration = Duration::from_millis(250);
    #[allow(clippy::expect_used)] // the semaphore is never closed
    let slot = Arc::clone(slots).acquire_owned().await.expect("open semaphore");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // An answer is written in one piece; waiting to merge it with another only delays it.
                let _ = stream.set_nodelay(true);
                return (stream, peer, slot);
            }
            Err(error) if is_of_one_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                sleep(BACK_OFF).await;
            }
        }
    }
}

fn is_of_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct Connection {
    stream: Linger,
    peer: SocketAddr,
    router: Router,
}

impl Connection {
    /// `_places` are given up at its end.
    async fn run(
        self,
        http: http1::Builder,
        mut draining: watch::Receiver<bool>,
        _places: (OwnedSemaphorePermit, Share),
    ) {
        let Self { stream, peer, router } = self;
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let router = router.clone();
            async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
        });
        let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, %error, "connection ended");
                    }
                    return;
                }
                change = draining.changed() => match change {
                    Ok(()) => connection.as_mut().graceful_shutdown(),
                    Err(_) => return,
                },
            }
        }
    }
}

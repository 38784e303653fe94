//! Stands between greenlit and a server, and spoils the wire.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a [`Proxy`] does to the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Wire {
    /// Passes everything on.
    Plain,
    /// Passes the server's answers on one to three bytes at a time.
    ByteByByte,
    /// Passes the next COMMIT on, swallows its answer and breaks the connection; then plain.
    LoseAnswerOfCommit,
    /// Passes the next COMMIT on and is silent from then on, without an end; other connections are plain.
    SilentAfterCommit,
    /// Swallows the next COMMIT and breaks the connection; then plain.
    LoseCommit,
    /// Makes the next COMMIT a ROLLBACK, and its answer MariaDB's deadlock, as a cluster does; then plain.
    RefuseCommit,
    /// Turns a bit around at the end of the server's next answer; then plain.
    Garble,
}

/// Stands between greenlit and a server.
pub(crate) struct Proxy {
    pub(crate) url: String,
    wire: Arc<AtomicU8>,
    /// Connections made before this number was raised break when they are used.
    generation: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(url: &str) -> Proxy {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let (user, server) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
        let at = if user.is_empty() { "" } else { "@" };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Arc::new(AtomicU8::new(Wire::Plain as u8));
        let generation = Arc::new(AtomicU32::new(0));
        let (server, spoils, current) = (server.to_owned(), wire.clone(), generation.clone());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, wire, current) = (server.clone(), spoils.clone(), current.clone());
                tokio::spawn(async move { drop(pass_on(client, &server, &wire, &current).await) });
            }
        });
        Proxy { url: format!("{scheme}://{user}{at}127.0.0.1:{port}/{path}"), wire, generation, task }
    }

    pub(crate) fn set(&self, wire: Wire) {
        self.wire.store(wire as u8, SeqCst);
    }

    /// Lets every connection that there is break when it is used next, as after a restart that nobody has noticed yet.
    pub(crate) fn break_all(&self) {
        self.generation.fetch_add(1, SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether this is PostgreSQL's message, or MariaDB's packet, that asks for a COMMIT.
fn is_commit(question: &[u8]) -> bool {
    question.ends_with(b"COMMIT\0") || question.ends_with(b"\x03COMMIT")
}

/// Both directions of one connection, until either side ends it.
async fn pass_on(mut client: TcpStream, server: &str, wire: &AtomicU8, current: &AtomicU32) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    let generation = current.load(SeqCst);
    let (mut question, mut answer) = ([0; 16 * 1024], [0; 16 * 1024]);
    loop {
        tokio::select! {
            n = client.read(&mut question) => {
                let question = &question[..n?];
                if question.is_empty() || current.load(SeqCst) != generation {
                    return Ok(());
                }
                let lose = |wire_now| {
                    let plain = Wire::Plain as u8;
                    is_commit(question) && wire.compare_exchange(wire_now as u8, plain, SeqCst, SeqCst).is_ok()
                };
                if lose(Wire::LoseCommit) {
                    return Ok(());
                }
                if lose(Wire::RefuseCommit) {
                    server.write_all(b"\x09\0\0\0\x03ROLLBACK").await?;
                    let _swallowed = server.read(&mut answer).await?;
                    // An error packet: 1213.
                    client.write_all(b"\x13\0\0\x01\xff\xbd\x04#40001in the way").await?;
                    continue;
                }
                server.write_all(question).await?;
                if lose(Wire::SilentAfterCommit) {
                    while client.read(&mut answer).await? > 0 {}
                    return Ok(());
                }
                if lose(Wire::LoseAnswerOfCommit) {
                    let _swallowed = server.read(&mut answer).await?;
                    return Ok(());
                }
            }
            n = server.read(&mut answer) => {
                let answer = &mut answer[..n?];
                let Some(last) = answer.last_mut() else { return Ok(()) };
                let garble = wire.compare_exchange(Wire::Garble as u8, Wire::Plain as u8, SeqCst, SeqCst).is_ok();
                *last ^= u8::from(garble);
                if wire.load(SeqCst) != Wire::ByteByByte as u8 {
                    client.write_all(answer).await?;
                    continue;
                }
                for (at, bytes) in answer.chunks(1 + answer.len() % 3).enumerate() {
                    client.write_all(bytes).await?;
                    tokio::task::yield_now().await;
                    if at % 16 == 0 {
                        tokio::time::sleep(Duration::from_micros(50)).await;
                    }
                }
            }
        }
    }
}

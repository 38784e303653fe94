//! Stands between greenlit and a server, and spoils the wire.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst},
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
    /// Passes nothing on and ends nothing, until the wire is another.
    Silent,
    /// Passes the next COMMIT on, swallows its answer and breaks the connection; then plain.
    LoseAnswerOfCommit,
    /// Passes the next COMMIT on and is silent from then on, without an end; other connections are plain.
    SilentAfterCommit,
    /// Swallows the next COMMIT and breaks the connection; then plain.
    LoseCommit,
    /// Breaks the client's connection at the next COMMIT, which the server gets a while later; then plain.
    LateCommit,
    /// Swallows the next COMMIT and breaks the client's connection, of which the server hears a while later; then plain.
    LateLoss,
    /// Makes the next COMMIT a ROLLBACK, and its answer a conflict with another transaction, as serializable transactions
    /// and clusters meet it; then plain.
    RefuseCommit,
    /// Makes MariaDB's next SAVEPOINT a COMMIT, of which nobody else hears; then plain.
    EndAtSavepoint,
    /// The same, with an error behind it.
    EndAndFailAtSavepoint,
    /// Turns a bit around at the end of the server's next answer; then plain.
    Garble,
}

/// How long what comes late is late.
const LATE: Duration = Duration::from_millis(700);

struct Spoils {
    wire: AtomicU8,
    /// How many milliseconds a message waits on its way to the server, and to the client.
    delays: [AtomicU64; 2],
    /// How many bytes still pass, in both directions together, before the connection breaks on which they do; all if
    /// negative.
    left: AtomicI64,
    /// Connections made before this number was raised break when they are used.
    generation: AtomicU32,
    /// Connections made before the number was this are silent for good.
    mute: AtomicU32,
    /// How often the server was told to stop something.
    kills: AtomicU32,
}

/// Stands between greenlit and a server.
pub(crate) struct Proxy {
    pub(crate) url: String,
    spoils: Arc<Spoils>,
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
        let spoils = Arc::new(Spoils {
            wire: AtomicU8::new(Wire::Plain as u8),
            delays: Default::default(),
            left: AtomicI64::new(-1),
            generation: AtomicU32::new(0),
            mute: AtomicU32::new(0),
            kills: AtomicU32::new(0),
        });
        let (server, shared) = (server.to_owned(), spoils.clone());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, spoils) = (server.clone(), shared.clone());
                tokio::spawn(async move { drop(pass_on(client, &server, &spoils).await) });
            }
        });
        Proxy { url: format!("{scheme}://{user}{at}127.0.0.1:{port}/{path}"), spoils, task }
    }

    pub(crate) fn set(&self, wire: Wire) {
        self.spoils.wire.store(wire as u8, SeqCst);
    }

    /// Lets every connection that there is break when it is used next, as after a restart that nobody has noticed yet.
    pub(crate) fn break_all(&self) {
        self.spoils.generation.fetch_add(1, SeqCst);
    }

    /// Silences every connection that there is for good, without an end.
    pub(crate) fn mute_all(&self) {
        self.spoils.mute.store(self.spoils.generation.fetch_add(1, SeqCst) + 1, SeqCst);
    }

    /// Lets each message wait so many milliseconds on its way to the server, and to the client.
    pub(crate) fn delay(&self, to_server: u64, to_client: u64) {
        self.spoils.delays[0].store(to_server, SeqCst);
        self.spoils.delays[1].store(to_client, SeqCst);
    }

    /// Lets the connection break on which the last of the next so many bytes passes; those behind it are lost. `None`
    /// takes it back.
    pub(crate) fn cut_after(&self, bytes: Option<u64>) {
        self.spoils.left.store(bytes.map_or(-1, |bytes| bytes as i64), SeqCst);
    }

    /// How often the server was told to stop something.
    pub(crate) fn kills(&self) -> u32 {
        self.spoils.kills.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Spoils {
    fn is(&self, wire: Wire) -> bool {
        self.wire.load(SeqCst) == wire as u8
    }

    /// Whether the wire was this; then it is plain.
    fn take(&self, wire: Wire) -> bool {
        self.wire.compare_exchange(wire as u8, Wire::Plain as u8, SeqCst, SeqCst).is_ok()
    }

    /// Waits as long as a message is held up on its way.
    async fn hold(&self, direction: usize, generation: u32) {
        tokio::time::sleep(Duration::from_millis(self.delays[direction].load(SeqCst))).await;
        while self.is(Wire::Silent) || self.mute.load(SeqCst) > generation {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Passes the bytes on, or those before the cut.
    async fn send(&self, to: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        let cut = self.left.fetch_update(SeqCst, SeqCst, |left| match left {
            0.. if left <= bytes.len() as i64 => Some(-1),
            0.. => Some(left - bytes.len() as i64),
            _ => None,
        });
        match cut {
            Ok(left) if left <= bytes.len() as i64 => {
                to.write_all(&bytes[..left as usize]).await?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            _ => to.write_all(bytes).await,
        }
    }
}

/// Whether this is PostgreSQL's message, or MariaDB's packet, that asks for a COMMIT.
fn is_commit(question: &[u8]) -> bool {
    question.ends_with(b"\x03COMMIT") || question.windows(7).any(|part| part == b"COMMIT\0")
}

/// Whether it asks to stop a statement: PostgreSQL's has a number in the place of the protocol's version.
fn is_kill(question: &[u8]) -> bool {
    question.get(4..8) == Some(&80_877_102_u32.to_be_bytes()) || question.get(4..10) == Some(b"\x03KILL ")
}

/// Both directions of one connection, until either side ends it.
async fn pass_on(mut client: TcpStream, server: &str, spoils: &Spoils) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    let generation = spoils.generation.load(SeqCst);
    let (mut question, mut answer) = ([0; 16 * 1024], [0; 16 * 1024]);
    loop {
        tokio::select! {
            n = client.read(&mut question) => {
                let question = &question[..n?];
                if question.is_empty() {
                    return Ok(());
                }
                spoils.kills.fetch_add(is_kill(question).into(), SeqCst);
                spoils.hold(0, generation).await;
                if spoils.generation.load(SeqCst) != generation {
                    return Ok(());
                }
                if is_commit(question) {
                    if spoils.take(Wire::RefuseCommit) {
                        refuse(&mut client, &mut server, question[0] == 7).await?;
                        continue;
                    }
                    if spoil_commit(&mut client, &mut server, question, spoils).await? {
                        return Ok(());
                    }
                }
                let question = if question.ends_with(b"\x03SAVEPOINT s1") { ended(spoils, question) } else { question };
                spoils.send(&mut server, question).await?;
            }
            n = server.read(&mut answer) => {
                let answer = &mut answer[..n?];
                let Some(last) = answer.last_mut() else { return Ok(()) };
                *last ^= u8::from(spoils.take(Wire::Garble));
                spoils.hold(1, generation).await;
                if !spoils.is(Wire::ByteByByte) {
                    spoils.send(&mut client, answer).await?;
                    continue;
                }
                for (at, bytes) in answer.chunks(1 + answer.len() % 3).enumerate() {
                    spoils.send(&mut client, bytes).await?;
                    tokio::task::yield_now().await;
                    if at % 16 == 0 {
                        tokio::time::sleep(Duration::from_micros(50)).await;
                    }
                }
            }
        }
    }
}

/// What the server hears instead of a SAVEPOINT.
fn ended<'a>(spoils: &Spoils, savepoint: &'a [u8]) -> &'a [u8] {
    if spoils.take(Wire::EndAtSavepoint) {
        b"\x07\0\0\0\x03COMMIT"
    } else if spoils.take(Wire::EndAndFailAtSavepoint) {
        b"\x0a\0\0\0\x03COMMIT; x"
    } else {
        savepoint
    }
}

/// Does to a COMMIT what the wire wants; tells whether the connection is at its end then.
async fn spoil_commit(
    client: &mut TcpStream,
    server: &mut TcpStream,
    commit: &[u8],
    spoils: &Spoils,
) -> io::Result<bool> {
    let mut swallowed = [0; 1024];
    if spoils.take(Wire::LateCommit) {
        client.shutdown().await?;
        tokio::time::sleep(LATE).await;
    } else if spoils.take(Wire::LateLoss) {
        client.shutdown().await?;
        tokio::time::sleep(LATE).await;
        return Ok(true);
    } else if spoils.take(Wire::LoseCommit) {
        return Ok(true);
    } else if spoils.take(Wire::SilentAfterCommit) {
        server.write_all(commit).await?;
        while client.read(&mut swallowed).await? > 0 {}
        return Ok(true);
    } else if !spoils.take(Wire::LoseAnswerOfCommit) {
        return Ok(false);
    }
    server.write_all(commit).await?;
    let _swallowed = server.read(&mut swallowed).await?;
    Ok(true)
}

/// Rolls back instead, and answers as if COMMIT had met a conflict: MariaDB's 1213, or PostgreSQL's 40001 and that no
/// transaction is open.
async fn refuse(client: &mut TcpStream, server: &mut TcpStream, mariadb: bool) -> io::Result<()> {
    let (rollback, refusal): (&[u8], &[u8]) = match mariadb {
        true => (b"\x09\0\0\0\x03ROLLBACK", b"\x13\0\0\x01\xff\xbd\x04#40001in the way"),
        false => (b"Q\0\0\0\x0dROLLBACK\0", b"E\0\0\0\x26SERROR\0VERROR\0C40001\0Min the way\0\0Z\0\0\0\x05I"),
    };
    server.write_all(rollback).await?;
    let mut swallowed = [0; 1024];
    loop {
        let n = server.read(&mut swallowed).await?;
        if n == 0 || mariadb || swallowed[..n].ends_with(b"Z\0\0\0\x05I") {
            break;
        }
    }
    client.write_all(refusal).await
}

//! As little HTTP as the load needs, so that it leaves the processors to the board.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::ReadHalf},
    time::timeout,
};

/// After so long without an answer there is none.
const PATIENCE: Duration = Duration::from_secs(60);
/// The board ends connections that are idle for 15 s.
const FRESH: Duration = Duration::from_secs(10);
/// What is sent in one piece before the answer is looked for.
const PIECE: usize = 16 * 1024;

/// A connection that is kept.
pub struct Connection {
    stream: TcpStream,
    used: Instant,
}

/// A whole answer.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    closes: bool,
}

impl Connection {
    pub async fn new(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, used: Instant::now() })
    }

    /// Whether the board still keeps it, too.
    pub fn is_fresh(&self) -> bool {
        self.used.elapsed() < FRESH
    }

    /// Asks; the connection comes back if it may be used again.
    pub async fn ask(mut self, request: &[u8]) -> io::Result<(Answer, Option<Connection>)> {
        let answer = timeout(PATIENCE, self.exchange(request)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        self.used = Instant::now();
        let kept = (!answer.closes).then_some(self);
        Ok((answer, kept))
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        let (mut reader, mut writer) = self.stream.split();
        if request.len() <= PIECE {
            writer.write_all(request).await?;
            return read(&mut reader).await;
        }
        // A refusal may come before all is sent, and the board takes no more then.
        let answer = read(&mut reader);
        tokio::pin!(answer);
        let sent = tokio::select! {
            biased;
            sent = writer.write_all(request) => sent,
            answer = &mut answer => return answer.map(|answer| Answer { closes: true, ..answer }),
        };
        match answer.await {
            Ok(answer) => Ok(Answer { closes: answer.closes || sent.is_err(), ..answer }),
            Err(error) => Err(sent.err().unwrap_or(error)),
        }
    }
}

async fn read(reader: &mut ReadHalf<'_>) -> io::Result<Answer> {
    let mut bytes = Vec::with_capacity(8 * 1024);
    let head = loop {
        if reader.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let field = |name: &str| text.split("\r\n").find_map(|line| line.strip_prefix(name)).map(str::trim);
    let status = text.get(9..12).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let length: usize = field("content-length:").map_or(Ok(0), str::parse).map_err(|_| io::ErrorKind::InvalidData)?;
    let closes = field("connection:") == Some("close");
    // What every answer of the board has, refusals too.
    if field("x-request-id:").is_none() || (status == 503 && field("retry-after:").is_none()) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    while bytes.len() < head + length {
        if reader.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Answer { status, body: bytes.split_off(head), closes })
}

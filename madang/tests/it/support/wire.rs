//! A client on a raw socket, which can do what no library allows: stop in the middle, or never begin.

use std::{io, net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::form::FormData;

/// After so long without an end, something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody who speaks to a server at this address, over a new connection each time.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    pub(crate) token: Option<String>,
}

impl Wire {
    pub(crate) fn new(address: SocketAddr) -> Wire {
        Wire { address, token: None }
    }

    /// The bytes of a request that asks to close the connection after it.
    pub(crate) fn request(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
        let token = self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: board.test\r\nConnection: close\r\n{token}\
             Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    }

    pub(crate) fn create_feed(&self, title: &str, pictures: &[Vec<u8>]) -> Vec<u8> {
        let form = FormData::new().text("title", title).text("content", "content").files("images", pictures);
        let content_type = form.content_type();
        self.request("POST", "/api/feed/create", &content_type, &form.into_bytes())
    }

    pub(crate) async fn get(&self, path: &str) -> io::Result<Reply> {
        self.send(&self.request("GET", path, "text/plain", b"")).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> io::Result<Reply> {
        self.send(&self.request("POST", path, "application/json", body.to_string().as_bytes())).await
    }

    /// Sends the bytes while it reads what comes back, until the server closes.
    pub(crate) async fn send(&self, request: &[u8]) -> io::Result<Reply> {
        let exchange = async {
            let (mut reader, mut writer) = TcpStream::connect(self.address).await?.into_split();
            let mut answer = Vec::new();
            // The server may answer, and close, before it took everything.
            let (_, read) = tokio::join!(writer.write_all(request), reader.read_to_end(&mut answer));
            // A reset after a whole answer is as good as a close.
            Reply::parse(&answer).ok_or_else(|| read.err().unwrap_or(io::ErrorKind::UnexpectedEof.into()))
        };
        timeout(PATIENCE, exchange).await?
    }
}

/// The same request under this `Idempotency-Key`.
pub(crate) fn with_key(request: &[u8], key: &str) -> Vec<u8> {
    with_header(request, "Idempotency-Key", key)
}

/// The same request with one header more.
pub(crate) fn with_header(request: &[u8], name: &str, value: &str) -> Vec<u8> {
    let line = request.windows(2).position(|window| window == b"\r\n").unwrap() + 2;
    [&request[..line], format!("{name}: {value}\r\n").as_bytes(), &request[line..]].concat()
}

/// One whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In small letters.
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn parse(answer: &[u8]) -> Option<Reply> {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&answer[..end]).ok()?.to_ascii_lowercase();
        let status = head.get(9..12)?.parse().ok()?;
        let length: usize = head.split("content-length: ").nth(1)?.lines().next()?.trim().parse().ok()?;
        let body = answer[end + 4..].to_vec();
        (body.len() == length).then_some(Reply { status, head, body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The stable code of an error, or nothing.
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

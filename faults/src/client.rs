//! What goes over the wire: requests that can be repeated as they were, and answers.

use std::{net::SocketAddr, time::Duration};

use reqwest::Method;
use serde_json::Value;

use crate::Failure;

/// After so long without an answer there is none.
const PATIENCE: Duration = Duration::from_secs(30);
const BOUNDARY: &str = "----faults-boundary-5d1c";

/// Somebody who speaks to a board.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    address: SocketAddr,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    path: String,
    content_type: String,
    body: Vec<u8>,
    token: Option<String>,
    key: Option<String>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Whether it says that the write was done before.
    pub replayed: bool,
    /// Its body.
    pub body: Vec<u8>,
}

impl Client {
    /// Speaks to the board at this address, over connections that are kept.
    ///
    /// # Errors
    /// The machine has no randomness or no certificates.
    pub fn new(address: SocketAddr) -> Result<Client, Failure> {
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().retry(reqwest::retry::never()).build()?;
        Ok(Client { http, address })
    }

    /// Sends the request; `None` if no whole answer came.
    pub async fn send(&self, request: &Request) -> Option<Answer> {
        let url = format!("http://{}{}", self.address, request.path);
        let mut sent = self.http.request(request.method.clone(), url).body(request.body.clone());
        sent = sent.header("content-type", &request.content_type);
        if let Some(token) = &request.token {
            sent = sent.bearer_auth(token);
        }
        if let Some(key) = &request.key {
            sent = sent.header("idempotency-key", key);
        }
        let response = sent.send().await.ok()?;
        let (status, replayed) = (response.status().as_u16(), response.headers().contains_key("idempotent-replayed"));
        Some(Answer { status, replayed, body: response.bytes().await.ok()?.to_vec() })
    }

    /// Reads a path; `None` if no whole answer came.
    pub async fn get(&self, path: &str) -> Option<Answer> {
        self.send(&Request::new(Method::GET, path)).await
    }
}

impl Request {
    /// A request without a body.
    pub fn new(method: Method, path: impl Into<String>) -> Request {
        let (path, content_type) = (path.into(), "application/json".to_owned());
        Request { method, path, content_type, body: Vec::new(), token: None, key: None }
    }

    /// The same with this body.
    #[must_use]
    pub fn json(self, body: &Value) -> Request {
        Request { body: body.to_string().into_bytes(), ..self }
    }

    /// The same with a form as its body: texts, then files.
    #[must_use]
    pub fn form(self, texts: &[(&str, &str)], files: &[(&str, Vec<u8>)]) -> Request {
        let mut body = Vec::new();
        let mut part = |disposition: String, bytes: &[u8]| {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
            body.extend_from_slice(&[head.as_bytes(), bytes, b"\r\n"].concat());
        };
        for (name, text) in texts {
            part(format!("name=\"{name}\""), text.as_bytes());
        }
        for (name, bytes) in files {
            part(format!("name=\"{name}\"; filename=\"picture\""), bytes);
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        Request { body, content_type: format!("multipart/form-data; boundary={BOUNDARY}"), ..self }
    }

    /// The same by this user.
    #[must_use]
    pub fn by(self, token: &str) -> Request {
        Request { token: Some(token.to_owned()), ..self }
    }

    /// The same as a write that takes effect once.
    #[must_use]
    pub fn once(self, key: &str) -> Request {
        Request { key: Some(key.to_owned()), ..self }
    }
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether it leaves open what became of the write.
    pub fn is_unknown(&self) -> bool {
        self.status == 503 && self.json()["code"] == "outcome_unknown"
    }
}

/// The path of an address that the board gave to an image.
pub fn path_of(url: &str) -> &str {
    url.find("/images/").map_or(url, |at| &url[at..])
}

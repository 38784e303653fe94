//! Requests and answers, before and after hyper.

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::{content::Endless, mint};

/// A request that has arrived as a whole.
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn new(head: &hyper::http::request::Parts, body: Bytes) -> Self {
        Self {
            id: mint::uuid("request"),
            method: head.method.to_string(),
            path: head.uri.path().into(),
            headers: head.headers.clone(),
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON, or the refusal of what is none. Half a surrogate pair is none.
    pub(crate) fn json(&self) -> Result<Value, Answer> {
        let kind = self.header("content-type").unwrap_or("");
        if !kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json") {
            return Err(Answer::error(415, format!("The content type, {kind}, is not supported")));
        }
        serde_json::from_slice(&self.body).map_err(|e| {
            let (line, column) = (e.line(), e.column());
            let text = format!("The request body could not be parsed as JSON (line: {line}, column: {column})");
            Answer::error(400, text)
        })
    }
}

/// What an answer carries.
pub(crate) enum Payload {
    Whole(Bytes),
    /// Something that does not end.
    Endless(Endless),
}

/// What a request is answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) payload: Payload,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, "application/json", body.to_string().into_bytes())
    }

    pub(crate) fn bytes(status: u16, content_type: &str, bytes: Vec<u8>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, headers, payload: Payload::Whole(bytes.into()) }
    }

    pub(crate) fn error(status: u16, message: impl Into<String>) -> Self {
        Self::json(status, &json!({"message": message.into()}))
    }

    /// The refusal of a body, with each fault as (message, property).
    pub(crate) fn faults(faults: &[(String, String)]) -> Self {
        let details: Vec<_> =
            faults.iter().map(|(message, property)| json!({"message": message, "property": property})).collect();
        let message = format!("The request body has {} error(s)", faults.len());
        Self::json(400, &json!({"message": message, "details": details}))
    }

    pub(crate) fn not_found() -> Self {
        Self::error(404, "Not found")
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

//! What comes back from a board.

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
};
use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }

    /// Asserts an error's status and stable code, and that its body has the one shape of errors.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["code", "detail", "request_id"].iter().collect::<Vec<_>>(), "{body}");
        assert_eq!(body["request_id"], self.header("x-request-id"));
        body
    }

    /// The types and places of a 422's entries, as `body.title: missing`.
    #[track_caller]
    pub(crate) fn problems(&self) -> Vec<String> {
        let body = self.refused(422, "invalid_input");
        let step = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
        let place = |loc: &Value| loc.as_array().unwrap().iter().map(step).collect::<Vec<_>>().join(".");
        let entries = body["detail"].as_array().unwrap().iter();
        entries.map(|e| format!("{}: {}", place(&e["loc"]), e["type"].as_str().unwrap())).collect()
    }

    /// Status and body as text, with what differs from run to run replaced: for inline snapshots.
    pub(crate) fn snapshot(&self) -> String {
        let mut body = self.json();
        redact(&mut body);
        format!("{}\n{}", self.status.as_u16(), serde_json::to_string_pretty(&body).unwrap())
    }
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match key.as_str() {
                    "create_dt" | "update_dt" | "request_id" | "access_token" | "refresh_token" => {
                        *value = format!("[{key}]").into()
                    }
                    _ => redact(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::String(text) if text.starts_with("http://board.test/images/") => {
            let extension = text.rsplit('.').next().unwrap_or_default();
            *text = format!("http://board.test/images/[key].{extension}");
        }
        _ => {}
    }
}

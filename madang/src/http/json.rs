//! JSON bodies.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use super::body::{Reservation, admit, read_all};
use super::input::{Document, Fields, Source};
use crate::error::{Error, Problem, Result, Step};

/// Answers with JSON. As axum's, but written in one piece into room for most answers, and not piece by piece into room that grows.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        const MOST: usize = 1_024;
        let mut text = Vec::with_capacity(MOST);
        match serde_json::to_writer(&mut text, &self.0) {
            Ok(()) => ([(header::CONTENT_TYPE, JSON)], text).into_response(),
            Err(e) => Error::internal(e).into_response(),
        }
    }
}

/// A JSON body may have this many bytes.
pub const JSON_LIMIT: usize = 1024 * 1024;

/// A JSON body may have this many lists, objects, keys and commas. Parsed, a value takes many times its bytes.
const JSON_PIECES: usize = 1_000;

/// Extracts a JSON body that is right by syntax; its fields are judged later, by [`JsonBody::fields`], so that a handler
/// can authenticate in between.
///
/// A body without a content type is read as JSON. One of another type is not read at all; it counts as "not an object".
/// Of a repeated key the last counts, unknown keys are ignored.
///
/// # Rejections
/// 413, 415 and 408 as [`read_all`]; 422 `json_invalid` for anything that is not one JSON text in UTF-8, nested at
/// most 127 deep and of few pieces, with numbers that a double can hold.
#[derive(Debug, Clone)]
pub struct JsonBody(pub Document);

impl JsonBody {
    /// Starts checking the fields.
    pub fn fields(&self) -> Fields<'_> {
        self.0.fields()
    }
}

impl<S: Sync> FromRequest<S> for JsonBody {
    type Rejection = Error;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            admit(&parts.headers, JSON_LIMIT as u64)?;
            return Ok(Self(Document::not_an_object()));
        }
        let mut reservation = Reservation::default();
        parse(&read_all(&parts.headers, body, JSON_LIMIT, &mut reservation).await?).map(Self)
    }
}

/// Like [`JsonBody`], for a route whose every field may be missing: no body at all counts as an empty object.
#[derive(Debug, Clone)]
pub struct OptionalJsonBody(pub Document);

impl<S: Sync> FromRequest<S> for OptionalJsonBody {
    type Rejection = Error;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self> {
        if http_body::Body::is_end_stream(request.body()) {
            return Ok(Self(Document::new(Source::Json, Vec::new())));
        }
        JsonBody::from_request(request, state).await.map(|body| Self(body.0))
    }
}

/// True for no content type at all, `application/json` and `application/*+json`; in no charset but UTF-8.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(first) = types.next() else { return true };
    let Ok(first) = first.to_str() else { return false };
    if types.next().is_some() {
        return false;
    }
    let lower = first.to_ascii_lowercase();
    let mut pieces = lower.split(';').map(str::trim);
    let subtype = pieces.next().and_then(|essence| essence.strip_prefix("application/")).unwrap_or_default();
    let charset = |piece: &str| piece.strip_prefix("charset=").map(|charset| charset.trim_matches('"') == "utf-8");
    (subtype == "json" || subtype.ends_with("+json")) && pieces.filter_map(charset).all(|utf8| utf8)
}

fn parse(bytes: &[u8]) -> Result<Document> {
    let refuse = |offset, msg: &str| {
        Err(Error::invalid(vec![Problem {
            kind: "json_invalid",
            loc: vec![Step::Name("body"), Step::Index(offset)],
            msg: msg.to_owned(),
            input: Value::Object(serde_json::Map::new()),
        }]))
    };
    if let Some(offset) = pieces(bytes).nth(JSON_PIECES) {
        return refuse(offset, "JSON has too many values");
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => Ok(Document::new(Source::Json, fields.into_iter().collect())),
        Ok(_) => Ok(Document::not_an_object()),
        Err(error) => refuse(offset(bytes, &error), "JSON decode error"),
    }
}

/// Where a list, an object, a key's value or a next item begins: the punctuation outside of strings.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let (mut in_string, mut escaped) = (false, false);
    let outside = bytes.iter().enumerate().filter(move |(_, byte)| {
        let quote = **byte == b'"' && !escaped;
        escaped = in_string && **byte == b'\\' && !escaped;
        in_string ^= quote;
        !in_string
    });
    outside.filter(|(_, byte)| b"[{:,".contains(byte)).map(|(offset, _)| offset)
}

/// Where parsing stopped, in bytes from the start.
fn offset(bytes: &[u8], error: &serde_json::Error) -> usize {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    let start: usize = lines.map(<[u8]>::len).sum();
    (start + error.column().saturating_sub(1)).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn kind(bytes: &[u8]) -> &'static str {
        match parse(bytes) {
            Err(error) => error.problems()[0].kind,
            Ok(document) => document.fields().finish("object").unwrap_or_else(|error| error.problems()[0].kind),
        }
    }

    #[test]
    fn i04_i05_what_is_not_json_is_json_invalid() {
        let bad: [&[u8]; 14] = [
            b"",
            b" ",
            b"{",
            b"{}x",
            b"{} {}",
            b"{\"a\":NaN}",
            b"{\"a\":1e400}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":01}",
            b"{\"a\":\"\\udc00\\ud800\"}",
            b"{\"a\":\"\xff\"}",
            b"\xef\xbb\xbf{}",
            b"{'a':1}",
            b"{\"a\":\"\n\"}",
        ];
        for bytes in bad {
            assert_eq!(kind(bytes), "json_invalid", "{:?}", String::from_utf8_lossy(bytes));
        }
        for other in ["null", "1", "[]", "\"x\"", "true", " [{}] "] {
            assert_eq!(kind(other.as_bytes()), "model_attributes_type");
        }
        assert_eq!(kind(b" {\"a\":\"\\u0001\"} \r\n"), "object");
    }

    #[test]
    fn i05_the_last_of_repeated_keys_counts() {
        let document = parse(br#"{"a":"1","a":"2"}"#).unwrap();
        assert_eq!(document.fields().text("a", 1..=1), "2");
    }

    #[test]
    fn i05_a_hundred_thousand_keys_are_refused() {
        let keys = |n: usize| format!("{{{}}}", (0..n).map(|n| format!("\"{n}\":0")).collect::<Vec<_>>().join(","));
        assert_eq!(kind(keys(100_000).as_bytes()), "json_invalid");
        assert_eq!(kind(keys(500).as_bytes()), "object");
        let commas = format!(r#"{{"content":"{}\\","a":"\"{}"}}"#, ",[{:".repeat(10_000), ",".repeat(10_000));
        assert_eq!(kind(commas.as_bytes()), "object");
    }

    #[test]
    fn i06_deep_nesting_is_refused() {
        assert_eq!(kind(&b"[".repeat(10_000)), "json_invalid");
        assert_eq!(kind("{\"a\":".repeat(10_000).as_bytes()), "json_invalid");
        assert_eq!(kind(format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100)).as_bytes()), "object");
    }

    #[test]
    fn the_offset_counts_from_the_start() {
        for (text, at) in [("{", 0), ("x", 0), ("{\n \"a\": ?}", 8), ("{}x", 2), ("", 0)] {
            let error = serde_json::from_str::<Value>(text).unwrap_err();
            assert_eq!(offset(text.as_bytes(), &error), at, "{text:?} {error}");
        }
    }

    #[test]
    fn i07_content_types() {
        let json = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]);
            is_json(&headers)
        };
        assert!(is_json(&HeaderMap::new()));
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/vnd.api+json", "application/json;"]
        {
            assert!(json(good), "{good}");
        }
        for bad in [
            "text/plain",
            "text/json",
            "application/json; charset=utf-7",
            "",
            "application/x-www-form-urlencoded",
            "json",
        ] {
            assert!(!json(bad), "{bad}");
        }
    }
}

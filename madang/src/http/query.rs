//! Path placeholders and query strings.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use percent_encoding::percent_decode;
use serde_json::Value;

use super::input::{Document, Fields, Source};
use crate::error::{Code, Error, Result};

/// Extracts the placeholders of the matched route. 400 if one is not UTF-8 after percent-decoding.
#[derive(Debug, Clone)]
pub struct PathFields(pub Document);

impl PathFields {
    /// Starts checking.
    pub fn fields(&self) -> Fields<'_> {
        self.0.fields()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathFields {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|rejection| Error::from(Code::InvalidUtf8).caused_by(rejection))?;
        let entries = params.iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
        Ok(Self(Document::new(Source::Path, entries.collect())))
    }
}

/// A query may have this many parameters.
const QUERY_LIMIT: usize = 100;

/// Extracts the query string. 413 `TooManyFields` past 100 parameters, 400 if a name or value is not UTF-8 after percent-decoding.
#[derive(Debug, Clone)]
pub struct QueryFields(pub Document);

impl QueryFields {
    /// Starts checking.
    pub fn fields(&self) -> Fields<'_> {
        self.0.fields()
    }
}

impl<S: Sync> FromRequestParts<S> for QueryFields {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default();
        let entries: Option<Vec<_>> = urlencoded(query.as_bytes()).take(QUERY_LIMIT + 1).collect();
        let entries = entries.ok_or(Code::InvalidUtf8)?;
        if entries.len() > QUERY_LIMIT {
            return Err(Code::TooManyFields.into());
        }
        Ok(Self(Document::new(Source::Query, entries)))
    }
}

/// The pairs of `application/x-www-form-urlencoded` text, as a document's entries. A pair that is not UTF-8 is `None`.
pub(super) fn urlencoded(text: &[u8]) -> impl Iterator<Item = Option<(String, Value)>> + '_ {
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(halves.next().unwrap_or_default())?;
        let value = decode(halves.next().unwrap_or_default())?;
        Some((name, Value::String(value)))
    })
}

fn decode(text: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    String::from_utf8(percent_decode(&spaced).collect()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i16_pairs_are_decoded_in_order() {
        let pairs: Vec<_> = urlencoded(b"a=1&&b=%ED%95%9C+x&a=2&c&d=%zz&=e").map(|pair| pair.unwrap()).collect();
        let expected = [("a", "1"), ("b", "한 x"), ("a", "2"), ("c", ""), ("d", "%zz"), ("", "e")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), Value::from(value))));
    }

    #[test]
    fn i04_invalid_utf8_is_refused() {
        for text in ["a=%ff", "%c0%af=1", "a=%ed%a0%80"] {
            assert!(urlencoded(text.as_bytes()).any(|pair| pair.is_none()), "{text}");
        }
    }
}

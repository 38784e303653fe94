//! Which sites' scripts may use the board from a browser: those that were named, letter by letter, and no others.

use std::{fmt, str::FromStr, time::Duration};

use axum::http::{HeaderName, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};
use tower_http::cors::CorsLayer;

/// How long a browser may remember what it was allowed.
const REMEMBER: Duration = Duration::from_secs(3_600);

/// A site as browsers name it: scheme, host, and a port unless it is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

crate::config::as_text!(Origin);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Origin, String> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        // A browser writes it in lower case and without a path: anything else would never match.
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-:[]".contains(&c);
        match host {
            Some(host) if !host.is_empty() && host.bytes().all(plain) => Ok(Origin(text.to_owned())),
            _ => Err("it must be like https://app.example.org, in lower case and without a path".to_owned()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lets scripts of these sites in. Browsers send them no credentials of their own accord: a script has its token.
pub fn layer(origins: &[Origin]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(&origin.0).ok());
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            header::RANGE,
            HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers([
            header::LINK,
            header::RETRY_AFTER,
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("idempotent-replayed"),
        ])
        .max_age(REMEMBER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w10_only_exact_origins_can_be_configured() {
        for good in ["https://a.example", "http://localhost:3000", "https://[::1]:8443"] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "a.example",
            "https://",
            "https://a.example/",
            "https://*.example",
            "https://A.example",
            "https://a.example,https://b.example",
            "https://u@a.example",
            "ftp://a.example",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}

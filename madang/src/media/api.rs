//! Serving images.

use std::io;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_range_header::parse_range_header;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::store::{CACHE_CONTROL, Name};
use crate::{
    app::App,
    error::{Code, Error, Result},
    http::query::PathFields,
    openapi::Problem,
};

const CROSS_ORIGIN: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Whether an image is asked for by this path.
pub(crate) fn is_image(path: &str) -> bool {
    path.starts_with("/images/")
}

pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(read_image))
}

/// Read an image
///
/// Images never change: an address that was once served may be cached for ever.
#[utoipa::path(
    get, path = "/images/{name}", tag = "images",
    params(("name" = String, Path, description = "As in `image_urls`")),
    responses(
        (status = 200, description = "The image", content_type = "image/*"),
        (status = 206, description = "The part that `Range` asks for", content_type = "image/*"),
        (status = 307, description = "Where the image is, if the operator serves images elsewhere"),
        (status = 304, description = "Not changed: `If-None-Match` holds its tag"),
        (status = 404, description = "`not_found`", body = Problem),
        (status = 416, description = "`range_not_satisfiable`: more than one range, or one outside of the image", body = Problem),
        (status = 503, description = "`unavailable`: try again", body = Problem),
    ),
)]
async fn read_image(State(app): State<App>, method: Method, path: PathFields, request: HeaderMap) -> Result<Response> {
    let mut fields = path.fields();
    let name = Name::parse(&fields.text("name", 1..=100)).ok_or(Code::NotFound)?;
    let store = &app.media.store;
    if let Some(url) = store.public_url(&name) {
        return Ok(elsewhere(&url));
    }
    // A bucket is asked once for a whole image; where less may be wanted, first how long it is.
    let asks_for_less = [header::RANGE, header::IF_NONE_MATCH].iter().any(|name| request.contains_key(name));
    let whole = match method == Method::HEAD || asks_for_less {
        true => None,
        false => Some(store.open(&name, None).await.map_err(missing)?),
    };
    let length = match &whole {
        Some(object) => object.length,
        None => store.head(&name).await.map_err(missing)?.length,
    };
    if length == 0 {
        return Err(Code::NotFound.into()); // no picture is empty: damage
    }

    let tag = format!("\"{name}\"");
    let mut headers = headers(name.format().content_type(), &tag);
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| matches!(one.trim(), "*") || one.trim().ends_with(&tag))) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let Some((first, last)) = wanted(&request, length) else {
        let mut refused = Code::RangeNotSatisfiable.into_response();
        refused.headers_mut().insert(header::CONTENT_RANGE, value(&format!("bytes */{length}")));
        return Ok(refused);
    };
    let size = last + 1 - first;
    let mut status = StatusCode::OK;
    if size < length {
        headers.insert(header::CONTENT_RANGE, value(&format!("bytes {first}-{last}/{length}")));
        status = StatusCode::PARTIAL_CONTENT;
    }
    headers.insert(header::CONTENT_LENGTH, size.into());
    let body = match whole {
        _ if method == Method::HEAD => Body::empty(),
        Some(object) => Body::from_stream(object.pieces),
        None => Body::from_stream(store.open(&name, Some(first..last + 1)).await.map_err(missing)?.pieces),
    };
    Ok((status, headers, body).into_response())
}

fn missing(e: io::Error) -> Error {
    match e.kind() {
        io::ErrorKind::NotFound => Code::NotFound.into(),
        _ => Error::from(Code::Unavailable).caused_by(e),
    }
}

/// Where the bucket itself serves the image. Remembered briefly: the operator may move it.
fn elsewhere(url: &str) -> Response {
    let headers = [
        (header::LOCATION, value(url)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60")),
        (CROSS_ORIGIN, HeaderValue::from_static("cross-origin")),
    ];
    (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
}

/// The first and last byte that are wanted; `None` if that cannot be had. A picture is asked for in one piece or not at
/// all: many ranges in one request serve only to make the server work.
fn wanted(request: &HeaderMap, length: u64) -> Option<(u64, u64)> {
    let whole = (0, length.saturating_sub(1));
    let Some(range) = request.get(header::RANGE) else { return Some(whole) };
    let Ok(text) = range.to_str() else { return Some(whole) };
    if !text.starts_with("bytes=") {
        return Some(whole); // a unit that we do not know is ignored: RFC 9110, section 14.2
    }
    let ranges = parse_range_header(text).ok()?.validate(length).ok()?;
    match ranges.as_slice() {
        [one] => Some((*one.start(), *one.end())),
        _ => None,
    }
}

fn headers(content_type: &'static str, tag: &str) -> HeaderMap {
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(CACHE_CONTROL)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("inline")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        // Clients on other sites show the images: that is what they are for.
        (CROSS_ORIGIN, HeaderValue::from_static("cross-origin")),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (header::ETAG, value(tag)),
    ])
}

/// Only for text of our own, which is visible ASCII.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

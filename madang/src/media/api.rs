//! Serving images.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_range_header::parse_range_header;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::store::parse_name;
use crate::{
    app::App,
    error::{Code, Error, Result},
    http::query::PathFields,
    openapi::Problem,
};

/// Bytes that are read and sent at a time.
const PIECE: usize = 64 * 1024;

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
        (status = 304, description = "Not changed: `If-None-Match` holds its tag"),
        (status = 404, description = "`not_found`", body = Problem),
        (status = 416, description = "`range_not_satisfiable`: more than one range, or one outside of the image", body = Problem),
    ),
)]
async fn read_image(State(app): State<App>, path: PathFields, request: HeaderMap) -> Result<Response> {
    let mut fields = path.fields();
    let name = fields.text("name", 1..=100);
    let (key, format) = parse_name(&name).ok_or(Code::NotFound)?;
    let mut file = app.media.store.open(key, format).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Code::NotFound.into(),
        _ => Error::from(Code::Unavailable).caused_by(e),
    })?;
    let length = file.metadata().await.map_err(Error::internal)?.len();
    if length == 0 {
        return Err(Code::NotFound.into()); // no picture is empty: damage
    }

    let tag = format!("\"{key}\"");
    let mut headers = headers(format.content_type(), &tag);
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
    let status = if size < length {
        headers.insert(header::CONTENT_RANGE, value(&format!("bytes {first}-{last}/{length}")));
        file.seek(std::io::SeekFrom::Start(first)).await.map_err(Error::internal)?;
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    headers.insert(header::CONTENT_LENGTH, size.into());
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(size), PIECE));
    Ok((status, headers, body).into_response())
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
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("inline")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        // Clients on other sites show the images: that is what they are for.
        (header::HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (header::ETAG, value(tag)),
    ])
}

/// Only for text of our own, which is visible ASCII.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

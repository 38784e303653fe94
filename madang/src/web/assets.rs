//! Scripts, styles and icons, which are in the binary. Their address changes with them, so that browsers keep them for ever.

use std::{io::Write, sync::LazyLock};

use aws_lc_rs::digest;
use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use crate::{
    error::{Code, Result},
    secret::hex,
};

/// The route.
pub const PATTERN: &str = "/static/{version}/{name}";

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal $content_type:expr;)*) => {
        const ASSETS: &[Asset] = &[$(Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("static/", $name)),
        }),*];
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

assets! {
    "board.css" "text/css; charset=utf-8";
    "board.js" SCRIPT;
    "inplace.js" SCRIPT;
    "forms.js" SCRIPT;
    "confirm.js" SCRIPT;
    "times.js" SCRIPT;
    "news.js" SCRIPT;
    "compose.js" SCRIPT;
    "photos.js" SCRIPT;
    "drafts.js" SCRIPT;
    "sending.js" SCRIPT;
    "progress.js" SCRIPT;
    "icon.svg" "image/svg+xml";
}

/// `/static/` and what their contents make of it.
static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let mut all = digest::Context::new(&digest::SHA256);
    for asset in ASSETS {
        all.update(asset.bytes);
    }
    format!("/static/{}", &hex(all.finish().as_ref())[..12])
});

/// Each of them compressed, in the same order.
static COMPRESSED: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let compress = |asset: &Asset| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Into memory.
        let _ = encoder.write_all(asset.bytes);
        encoder.finish().unwrap_or_default().into()
    };
    ASSETS.iter().map(compress).collect()
});

/// What the addresses of all of them begin with, behind the site's base.
pub fn folder() -> &'static str {
    &FOLDER
}

/// Serves one. A page that was made by another version gets today's, and nobody keeps it.
pub async fn serve(Path((version, name)): Path<(String, String)>, request: HeaderMap) -> Result<Response> {
    let at = ASSETS.iter().position(|asset| asset.name == name).ok_or(Code::NotFound)?;
    let Asset { content_type, bytes, .. } = ASSETS[at];
    let current = folder().ends_with(&format!("/{version}"));
    let cache = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::VARY, HeaderValue::from_static("Accept-Encoding")),
    ];
    let accepted = request.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepted.contains("gzip") {
        let encoding = [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
        return Ok((headers, encoding, COMPRESSED[at].clone()).into_response());
    }
    Ok((headers, bytes).into_response())
}

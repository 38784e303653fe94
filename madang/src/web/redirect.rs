//! Where a browser goes next: only to places of the board.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// Characters of a place to return to; longer ones are not ours.
const LONGEST: usize = 1_000;

/// A place of the board that a client names, such as `next=/feed/5?cursor=x`; anything else is the first page. What a browser
/// would take for another site (`//x`, `/\x`, `x:`), or what breaks a header, is no place of the board.
pub fn local(next: Option<&str>) -> &str {
    let ours = |next: &&str| {
        let path = next.split(['?', '#']).next().unwrap_or_default();
        next.len() <= LONGEST
            && next.starts_with('/')
            && !path.starts_with("//")
            // Decoded once more by a proxy, these become slashes too.
            && !path.to_ascii_lowercase().contains("%2f")
            && !path.to_ascii_lowercase().contains("%5c")
            && next.bytes().all(|c| c.is_ascii_graphic() && c != b'\\')
    };
    next.filter(ours).unwrap_or("/")
}

/// 303: the browser asks for that page, by GET. `path` is of our own making or [`local`].
pub fn see_other(base: &str, path: &str) -> Response {
    let location = HeaderValue::try_from(format!("{base}{path}")).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w07_only_places_of_the_board() {
        for good in ["/", "/feed/5", "/feed/5?cursor=a//b#c", "/user/3/followers"] {
            assert_eq!(local(Some(good)), good);
        }
        let long = format!("/{}", "x".repeat(LONGEST));
        for bad in [
            "",
            "//evil",
            "///evil",
            "/\\evil",
            "\\\\evil",
            "https:evil",
            "https://evil",
            "javascript:alert(1)",
            "/%2f%2fevil",
            "/%2Fevil",
            "%2f%2fevil",
            "/%5cevil",
            "/a\r\nSet-Cookie: x",
            "/a b",
            "/\tevil",
            "evil",
            "/한글",
            long.as_str(),
        ] {
            assert_eq!(local(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(local(None), "/");
    }
}

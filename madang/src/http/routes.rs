//! What no route answers: 404, 405, and a path that misses a route only by its trailing slash.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::error::Code;

/// The routes as they were declared, to be found by a path before the router is asked: what is counted by routes stands around it.
#[derive(Debug, Default)]
pub struct Routes(matchit::Router<Arc<str>>);

impl Routes {
    /// Of these patterns, such as `/api/feed/read/{feed_id}`.
    pub fn of<'p>(patterns: impl Iterator<Item = &'p str>) -> Routes {
        let mut routes = matchit::Router::new();
        for pattern in patterns {
            // Said twice it is there once.
            let _ = routes.insert(pattern, Arc::from(pattern));
        }
        Routes(routes)
    }

    /// The pattern that a path is of.
    pub fn find(&self, path: &str) -> Option<Arc<str>> {
        self.0.at(path).ok().map(|found| Arc::clone(found.value))
    }
}

/// Adds the answers to `router`. `patterns` are its routes as they were declared, such as `/api/feed/read/{feed_id}`:
/// a path that would match one of them with a slash more or less at its end is redirected there (307, so that method
/// and body are kept), behind `base`, the path that a proxy has taken off. Call this on the finished router, before any layer.
pub fn with_fallbacks<S>(router: Router<S>, patterns: Vec<String>, base: &str) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let (patterns, base): (Arc<[String]>, Arc<str>) = (patterns.into(), base.into());
    router
        .fallback(move |request: Request| async move { no_route(request.uri(), &patterns, &base) })
        .method_not_allowed_fallback(|| async { Code::MethodNotAllowed })
}

fn no_route(uri: &Uri, patterns: &[String], base: &str) -> Response {
    match other_spelling(uri.path(), patterns) {
        Some(other) => {
            let mut location = format!("{base}{other}");
            if let Some(query) = uri.query() {
                location.push('?');
                location.push_str(query);
            }
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
        }
        None => Code::NotFound.into_response(),
    }
}

/// The path with its trailing slash added or removed, if that is a route.
fn other_spelling(path: &str, patterns: &[String]) -> Option<String> {
    // `//host` and `/\host` in a Location would lead to another site.
    if !path.starts_with('/') || path.starts_with("//") || path.contains('\\') {
        return None;
    }
    let other = match path.strip_suffix('/') {
        Some(shorter) => shorter.to_owned(),
        None => format!("{path}/"),
    };
    patterns.iter().any(|pattern| matches(pattern, &other)).then_some(other)
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(expected), Some(given)) if expected.starts_with('{') => {
                if given.is_empty() || expected.starts_with("{*") {
                    return false;
                }
            }
            (Some(expected), Some(given)) if expected == given => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w07_only_known_routes_are_redirected_to() {
        let routes = ["/", "/api/like/", "/api/feed/read/{feed_id}", "/{page}", "/static/{*path}"].map(str::to_owned);
        let to = |path| other_spelling(path, &routes);
        assert_eq!(to("/api/like").as_deref(), Some("/api/like/"));
        assert_eq!(to("/api/feed/read/5/").as_deref(), Some("/api/feed/read/5"));
        assert_eq!(to("/about/").as_deref(), Some("/about"));
        for path in ["//evil/", "//evil", "/\\evil/", "/x//", "/api/feed/read//", "/api/feed/", "*", "", "/static/a/"] {
            assert_eq!(to(path), None, "{path}");
        }
    }
}

//! What every page passes through: no forms from other sites, no unknown hosts, and the headers that pages have.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tower_http::csrf::CsrfLayer;

use super::frame::Site;
use crate::error::Code;

/// Wraps the pages of the board at this site. Call it before routes of other kinds are merged.
pub fn wrap<S: Clone + Send + Sync + 'static>(pages: Router<S>, site: &Arc<Site>) -> Router<S> {
    let refuse = |_| Code::CrossSite.into_response();
    // Also when a proxy gives the request another host.
    let csrf = CsrfLayer::new().add_trusted_origin(&site.origin).unwrap_or_default().with_rejection_response(refuse);
    pages
        .layer(csrf)
        .layer(from_fn_with_state(site.clone(), refuse_unknown_hosts))
        .layer(from_fn_with_state(site.clone(), add_headers))
}

/// Pages are for whoever asked, unless they say otherwise.
async fn add_headers(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    add_page_headers(&site, &mut response);
    response
}

/// What every page says of itself, unless it said something else.
pub fn add_page_headers(site: &Site, response: &mut Response) {
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert_with(|| site.policy.clone());
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
    headers.entry(header::VARY).or_insert(HeaderValue::from_static("Cookie, Accept-Language, Accept"));
}

/// A name that an attacker has made lead here could otherwise read what this browser may: only the board's own is answered,
/// and addresses, which nobody can make lead elsewhere. A board that was not told its name takes any.
async fn refuse_unknown_hosts(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    if !is_for_us(&site, &request) {
        return Code::UnknownHost.into_response();
    }
    next.run(request).await
}

/// Whether a request is for this board, as far as the board knows its name.
pub fn is_for_us(site: &Site, request: &Request) -> bool {
    !site.known || is_ours(site, request.headers(), request.uri().authority().map(|host| host.as_str()))
}

fn is_ours(site: &Site, headers: &HeaderMap, target: Option<&str>) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().map(|host| host.to_str().unwrap_or_default());
    if hosts.next().is_some() {
        return false;
    }
    // Without one, as from HTTP/1.0, there is nothing to be deceived by.
    let Some(host) = target.or(host) else { return true };
    let name = without_port(host);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok();
    name.eq_ignore_ascii_case(without_port(site.host())) || address || name.eq_ignore_ascii_case("localhost")
}

/// A host's name: whoever has that has all of its ports, and a proxy may leave the port out.
fn without_port(host: &str) -> &str {
    let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|c| c.is_ascii_digit()));
    port.map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w08_hosts() {
        let site = Site::new("https://board.example:8443/sub", true, None);
        let ours = |host: &str| {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            is_ours(&site, &headers, None)
        };
        for good in [
            "board.example:8443",
            "BOARD.example:8443",
            "127.0.0.1",
            "127.0.0.1:80",
            "[::1]:80",
            "localhost:3",
            "board.example",
        ] {
            assert!(ours(good), "{good}");
        }
        for bad in ["evil.example", "board.example:8443.evil", "evil.example:8443", "", "127.0.0.1.evil"] {
            assert!(!ours(bad), "{bad}");
        }
        assert!(is_ours(&site, &HeaderMap::new(), None));
        assert!(!is_ours(&site, &HeaderMap::new(), Some("evil.example")), "an absolute target");
    }
}

//! The quota of networks, which stands before everything that costs.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Limits, UPLOAD};
use crate::http::client::ClientAddress;

/// Which paths are not counted before their handlers: they count themselves.
pub type Exempt = fn(&str) -> bool;

/// Refuses writes of a network that exceeds its quota, before their bodies are read. Reads are not counted.
pub async fn limit(
    State((limits, exempt)): State<(Limits, Exempt)>,
    client: ClientAddress,
    request: Request,
    next: Next,
) -> Response {
    let cost = cost(request.method(), request.headers()).filter(|_| !exempt(request.uri().path()));
    match cost.map_or(Ok(()), |cost| limits.network(client, cost)) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

/// What a request costs, unless it is a read.
pub(super) fn cost(method: &Method, headers: &HeaderMap) -> Option<u32> {
    let is_form = |value: &[u8]| value.len() >= 10 && value[..10].eq_ignore_ascii_case(b"multipart/");
    let has_files = headers.get(header::CONTENT_TYPE).is_some_and(|value| is_form(value.as_bytes()));
    (!method.is_safe()).then_some(if has_files { UPLOAD } else { 1 })
}

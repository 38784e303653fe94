//! The quota of networks, which stands before everything that costs.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, header},
};

use super::{Limits, UPLOAD};
use crate::{error::Result, http::client::ClientAddress};

impl Limits {
    /// Counts a write of a network, before its body is read. Reads are not counted.
    ///
    /// # Errors
    /// 429.
    pub fn pass(&self, client: ClientAddress, request: &Request) -> Result<()> {
        cost(request.method(), request.headers()).map_or(Ok(()), |cost| self.network(client, cost))
    }
}

/// What a request costs, unless it is a read.
pub(super) fn cost(method: &Method, headers: &HeaderMap) -> Option<u32> {
    let is_form = |value: &[u8]| value.len() >= 10 && value[..10].eq_ignore_ascii_case(b"multipart/");
    let has_files = headers.get(header::CONTENT_TYPE).is_some_and(|value| is_form(value.as_bytes()));
    (!method.is_safe()).then_some(if has_files { UPLOAD } else { 1 })
}

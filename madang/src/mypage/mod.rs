//! My page: what a user sees of himself.

mod api;

pub(crate) use api::api;

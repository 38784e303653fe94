//! Likes of feeds and comments.
//!
//! Invariants: a user likes something once or not at all, and it counts its likes in the transaction that writes or deletes
//! one. The liked thing's row is locked before anybody looks whether he likes it, so that likes are exact under any
//! concurrency.

mod api;
mod events;
mod model;
mod pages;
pub(crate) mod queries;
mod service;

pub(crate) use api::api;
pub(crate) use events::{GIVEN, Given};
pub(crate) use pages::pages;

//! Follows: who reads whom; the timeline that comes of it; and what a user's page shows to all.
//!
//! Invariants: a user follows another once or not at all, and never himself. Both count it in the transaction that writes
//! or deletes it, and both rows are locked before it looks, the lower id first.

mod api;
mod events;
mod model;
mod pages;
pub(crate) mod queries;
mod service;
mod timeline;

use crate::{app::App, web::Pages};

use utoipa_axum::router::OpenApiRouter;

pub(crate) use events::{BEGUN, Begun};
pub(crate) use model::Person;
pub(crate) use queries::{followers, followings};

pub(crate) fn pages() -> Pages<App> {
    pages::pages()
}

pub(crate) fn api() -> OpenApiRouter<App> {
    api::api().merge(timeline::api())
}

//! Notifications: what a user hears of what others do - who commented on his feed, replied where he had commented, liked
//! something of his, or follows him.
//!
//! Invariants: nobody hears of what he did himself. What happened is told once, however often its job runs: a cause is unique,
//! and goes with the comment, like or follow that it tells of, by the database's own foreign keys. Causes of one kind about one
//! thing are one notification until it is read; what happens then begins another. Whatever is told, or read, holds the row of its
//! inbox and gives it the next version: by that lists are ordered and streams go on. What goes with its cause is gone at once, and
//! streams count it no more from the next version on.

mod api;
pub(crate) mod jobs;
mod live;
mod model;
mod pages;
pub(crate) mod queries;
mod service;
mod view;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(crate) use live::Live;
pub(crate) use pages::{pages, place, sentence};
pub(crate) use service::{OUTSIDE, Outside, call_after, called, carry_outside, forget, settings};
pub(crate) use view::{Notification, newest, outside};

pub(crate) fn api() -> OpenApiRouter<App> {
    api::api().merge(live::api())
}

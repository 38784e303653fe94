//! My page: what a user sees of himself.

pub(crate) mod erase;
pub(crate) mod export;
mod lists;
mod pages;
mod profile;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(crate) use pages::pages;

pub(crate) fn api() -> OpenApiRouter<App> {
    profile::api().merge(export::api()).merge(lists::api())
}

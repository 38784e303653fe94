//! My page: what a user sees of himself.

mod api;
mod lists;

use crate::app::App;

use utoipa_axum::router::OpenApiRouter;

pub(crate) fn api() -> OpenApiRouter<App> {
    api::api().merge(lists::api())
}

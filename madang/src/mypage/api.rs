//! One's own profile.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    account::{Actor, Email, Nickname, UserId},
    app::App,
    clock::Timestamp,
    openapi::Problem,
};

pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(read_profile))
}

#[derive(Serialize, ToSchema)]
struct Profile {
    email: Email,
    nickname: Nickname,
    id: UserId,
    create_dt: Timestamp,
}

/// Read one's own profile
#[utoipa::path(
    get, path = "/api/mypage/profile", tag = "mypage", security(("bearer" = [])),
    responses(
        (status = 200, description = "The profile", body = Profile),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = Problem),
    ),
)]
async fn read_profile(actor: Actor) -> Json<Profile> {
    Json(Profile { email: actor.email, nickname: actor.nickname, id: actor.id, create_dt: actor.create_dt })
}

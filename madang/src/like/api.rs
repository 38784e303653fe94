//! The likes' routes.

use axum::extract::State;
use greenlit::Tx;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{Likes, Target},
    service,
};
use crate::{
    account::Actor,
    app::App,
    error::Result,
    http::query::QueryFields,
    idempotency::{IdempotencyKey, Written},
    openapi::{InvalidInput, Message, Problem, Unauthorized},
};

pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(toggle_like, like, unlike))
}

/// What is liked: exactly one of both. This is its description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct TargetParams {
    #[param(minimum = 1)]
    feed_id: Option<i64>,
    #[param(minimum = 1)]
    comment_id: Option<i64>,
}

/// Whether one likes it now, and how many do.
#[derive(Serialize, ToSchema)]
#[schema(as = Liked)]
struct LikedView {
    liked: bool,
    like_count: i64,
}

/// Like or unlike
///
/// Likes what one does not like yet, and takes the like back otherwise. To repeat a request safely, use PUT and DELETE.
#[utoipa::path(
    patch, path = "/api/like/", tag = "like", security(("bearer" = [])), params(TargetParams),
    responses(
        (status = 200, description = "Done", body = Message),
        (status = 400, description = "`like_target_missing`: neither or both are given", body = Problem),
        (status = 404, description = "`feed_not_found`, `comment_not_found`", body = Problem),
        Unauthorized, InvalidInput,
    ),
)]
async fn toggle_like(State(app): State<App>, actor: Actor, key: IdempotencyKey, query: QueryFields) -> Result<Written> {
    write(app, actor, key, &query, None, |_| Message { message: "Like toggled successfully" }).await
}

/// Like
#[utoipa::path(
    put, path = "/api/like/", tag = "like", security(("bearer" = [])), params(TargetParams),
    responses(
        (status = 200, description = "One likes it", body = LikedView),
        (status = 400, description = "`like_target_missing`: neither or both are given", body = Problem),
        (status = 404, description = "`feed_not_found`, `comment_not_found`", body = Problem),
        Unauthorized, InvalidInput,
    ),
)]
async fn like(State(app): State<App>, actor: Actor, key: IdempotencyKey, query: QueryFields) -> Result<Written> {
    write(app, actor, key, &query, Some(true), view).await
}

/// Take a like back
#[utoipa::path(
    delete, path = "/api/like/", tag = "like", security(("bearer" = [])), params(TargetParams),
    responses(
        (status = 200, description = "One does not like it", body = LikedView),
        (status = 400, description = "`like_target_missing`: neither or both are given", body = Problem),
        (status = 404, description = "`feed_not_found`, `comment_not_found`", body = Problem),
        Unauthorized, InvalidInput,
    ),
)]
async fn unlike(State(app): State<App>, actor: Actor, key: IdempotencyKey, query: QueryFields) -> Result<Written> {
    write(app, actor, key, &query, Some(false), view).await
}

fn view(Likes { liked, like_count }: Likes) -> LikedView {
    LikedView { liked, like_count }
}

async fn write<V: Serialize + Send>(
    app: App,
    actor: Actor,
    key: IdempotencyKey,
    query: &QueryFields,
    wanted: Option<bool>,
    view: fn(Likes) -> V,
) -> Result<Written> {
    let target = Target::parse(query)?;
    let set = async |tx: &mut Tx| service::set(&app, tx, target, actor.id, wanted).await.map(view);
    key.of(actor.id)?.run(&app, set).await
}

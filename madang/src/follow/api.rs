//! The routes of follows and of users' public pages.

use axum::extract::State;
use greenlit::Tx;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{Followers, User, user_in},
    queries, service,
};
use crate::{
    account::{Actor, MaybeActor},
    app::App,
    error::{Code, Result},
    http::{json::Json, query::PathFields},
    idempotency::{IdempotencyKey, Written},
    openapi::{InvalidInput, Problem, Unauthorized},
};

pub(super) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(toggle_follow, follow, unfollow)).routes(routes!(read_user))
}

/// What a toggle has done.
#[derive(Serialize, ToSchema)]
struct FollowAction {
    #[schema(inline)]
    action: Action,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Action {
    Followed,
    Unfollowed,
}

/// Whether one follows him now, and how many do.
#[derive(Serialize, ToSchema)]
#[schema(as = Followed)]
struct FollowedView {
    followed: bool,
    follower_count: i64,
}

/// Follow or unfollow
///
/// Follows whom one does not follow yet, and ends it otherwise. To repeat a request safely, use PUT and DELETE.
#[utoipa::path(
    patch, path = "/api/follow/{following_id}", tag = "follow", security(("bearer" = [])),
    params(("following_id" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "Done", body = FollowAction),
        (status = 400, description = "`own_follow`", body = Problem),
        (status = 404, description = "`user_not_found`", body = Problem),
        Unauthorized, InvalidInput,
    ),
)]
async fn toggle_follow(State(app): State<App>, actor: Actor, key: IdempotencyKey, path: PathFields) -> Result<Written> {
    let action =
        |now: Followers| FollowAction { action: if now.followed { Action::Followed } else { Action::Unfollowed } };
    write(app, actor, key, &path, None, action).await
}

/// Follow
#[utoipa::path(
    put, path = "/api/follow/{following_id}", tag = "follow", security(("bearer" = [])),
    params(("following_id" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "One follows him", body = FollowedView),
        (status = 400, description = "`own_follow`", body = Problem),
        (status = 404, description = "`user_not_found`", body = Problem),
        Unauthorized, InvalidInput,
    ),
)]
async fn follow(State(app): State<App>, actor: Actor, key: IdempotencyKey, path: PathFields) -> Result<Written> {
    write(app, actor, key, &path, Some(true), view).await
}

/// Unfollow
#[utoipa::path(
    delete, path = "/api/follow/{following_id}", tag = "follow", security(("bearer" = [])),
    params(("following_id" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "One does not follow him", body = FollowedView),
        (status = 400, description = "`own_follow`", body = Problem),
        (status = 404, description = "`user_not_found`", body = Problem),
        Unauthorized, InvalidInput,
    ),
)]
async fn unfollow(State(app): State<App>, actor: Actor, key: IdempotencyKey, path: PathFields) -> Result<Written> {
    write(app, actor, key, &path, Some(false), view).await
}

fn view(Followers { followed, follower_count }: Followers) -> FollowedView {
    FollowedView { followed, follower_count }
}

async fn write<V: Serialize + Send>(
    app: App,
    actor: Actor,
    key: IdempotencyKey,
    path: &PathFields,
    wanted: Option<bool>,
    view: fn(Followers) -> V,
) -> Result<Written> {
    let following = user_in(path, "following_id")?;
    let set = async |tx: &mut Tx| service::set(&app, tx, actor.id, following, wanted).await.map(view);
    key.of(actor.id)?.run(&app, set).await
}

/// Read what everybody may know of a user
#[utoipa::path(
    get, path = "/api/user/{id}", tag = "user", security((), ("bearer" = [])),
    params(("id" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "The user", body = User),
        (status = 404, description = "`user_not_found`", body = Problem),
        InvalidInput,
    ),
)]
async fn read_user(State(app): State<App>, path: PathFields, viewer: MaybeActor) -> Result<Json<User>> {
    let id = user_in(&path, "id")?;
    let found = queries::user(&mut app.db.single(), id, viewer.id()).await?;
    Ok(Json(found.ok_or(Code::UserNotFound)?))
}

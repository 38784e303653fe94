//! Shutting users out, for administrators.

use axum::extract::State;
use greenlit::{Opts, Tx};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    account::{Actor, UserId, service},
    app::App,
    error::{Code, Result},
    http::{json::Json, query::PathFields},
    idempotency::{IdempotencyKey, Written},
    openapi::{Message, Problem, Problems},
};

pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(suspend, lift))
}

/// Suspend a user
///
/// For administrators. He is refused everywhere at once and his log-ins end; what he wrote stays.
#[utoipa::path(
    put, path = "/api/user/{id}/suspension", tag = "user", security(("bearer" = [])),
    params(("id" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "Suspended", body = Message),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = Problem),
        (status = 403, description = "`permission_denied`: not an administrator, or oneself", body = Problem),
        (status = 404, description = "`user_not_found`", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
    ),
)]
async fn suspend(State(app): State<App>, actor: Actor, path: PathFields) -> Result<Json<Message>> {
    let (user, now) = (allowed(&actor, &path)?, app.clock.now());
    let suspend = async |tx: &mut Tx| found(service::suspend(tx, user, now).await?);
    app.db.tx(Opts::default(), suspend).await?;
    tracing::info!(administrator = actor.id.0, user = user.0, "a user is suspended");
    Ok(Json(Message { message: "User Suspended" }))
}

/// Lift a user's suspension
#[utoipa::path(
    delete, path = "/api/user/{id}/suspension", tag = "user", security(("bearer" = [])),
    params(("id" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "He may log in again", body = Message),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = Problem),
        (status = 403, description = "`permission_denied`: not an administrator, or oneself", body = Problem),
        (status = 404, description = "`user_not_found`", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
    ),
)]
async fn lift(State(app): State<App>, actor: Actor, key: IdempotencyKey, path: PathFields) -> Result<Written> {
    let user = allowed(&actor, &path)?;
    let lift = async |tx: &mut Tx| {
        found(service::lift(tx, user).await?)?;
        Ok(Message { message: "Suspension Lifted" })
    };
    let written = key.of(actor.id)?.run(&app, lift).await?;
    tracing::info!(administrator = actor.id.0, user = user.0, "a suspension is lifted");
    Ok(written)
}

/// Whom an administrator may suspend: anybody but himself, so that one is always left.
fn allowed(actor: &Actor, path: &PathFields) -> Result<UserId> {
    let mut fields = path.fields();
    let user = UserId(fields.id("id"));
    let user = fields.finish(user)?;
    if actor.is_admin && user != actor.id { Ok(user) } else { Err(Code::PermissionDenied.into()) }
}

fn found(found: bool) -> Result<()> {
    if found { Ok(()) } else { Err(Code::UserNotFound.into()) }
}

//! One's own profile.

use axum::extract::State;
use greenlit::Tx;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::erase;
use crate::{
    account::{Actor, Email, Nickname, ProfileChange, Signed, UserId, service},
    app::App,
    clock::Timestamp,
    error::Result,
    fault::{self, Point},
    http::{
        client::ClientAddress,
        input::{Document, Source},
        json::Json,
    },
    idempotency::{IdempotencyKey, Written},
    openapi::{Message, Problem, Problems},
};

pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(read_profile, change_profile, delete_profile))
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

/// What changes a profile. What is missing stays as it is.
#[derive(ToSchema)]
#[allow(dead_code)]
struct ChangeProfile {
    /// 1 to 30 characters, unique among all names that look alike.
    #[schema(min_length = 1, max_length = 30)]
    nickname: Option<String>,
    /// At most 254 characters, unique without regard to case. It needs the password.
    #[schema(format = Email, max_length = 254)]
    email: Option<String>,
    #[schema(format = Password)]
    password: Option<String>,
}

/// Change one's own profile
#[utoipa::path(
    patch, path = "/api/mypage/profile", tag = "mypage", security(("bearer" = [])), request_body = ChangeProfile,
    responses(
        (status = 200, description = "The profile as it is now", body = Profile),
        (status = 400, description = "`email_already_registered`, `nickname_already_registered`", body = Problem),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = Problem),
        (status = 403, description = "`permission_denied`: the password is wrong", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
        (status = 503, description = "`unavailable`: too many log-ins at once", body = Problem),
    ),
)]
async fn change_profile(
    State(app): State<App>,
    client: ClientAddress,
    key: IdempotencyKey,
    signed: Signed,
) -> Result<Written> {
    let Signed { actor, body } = signed;
    let ProfileChange { nickname, email } = ProfileChange::parse(&body.0)?;
    let write = key.of(actor.id)?.with(&without_password(&body.0));
    let email = match email {
        Some((email, password)) => Some((email, service::verified(&app, client, &actor, password).await?)),
        None => None,
    };
    let change = async |tx: &mut Tx| {
        let mut changed = actor.clone();
        if let Some(nickname) = nickname {
            service::rename(tx, &actor, &nickname).await?;
            changed.nickname = nickname;
        }
        if let Some((email, verified)) = email {
            service::readdress(tx, &actor, &verified, &email).await?;
            changed.email = email;
        }
        Ok(read_profile(changed).await.0)
    };
    write.run(&app, change).await
}

/// What a deletion needs.
#[derive(ToSchema)]
#[allow(dead_code)]
struct DeleteProfile {
    #[schema(format = Password)]
    password: String,
}

/// Delete one's own account
///
/// It ends at once, and its address and nickname are free again. What it holds is removed within moments: feeds with their
/// images, comments, likes and follows.
#[utoipa::path(
    delete, path = "/api/mypage/profile", tag = "mypage", security(("bearer" = [])), request_body = DeleteProfile,
    responses(
        (status = 200, description = "Deleted", body = Message),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = Problem),
        (status = 403, description = "`permission_denied`: the password is wrong", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
        (status = 503, description = "`unavailable`: too many log-ins at once", body = Problem),
    ),
)]
async fn delete_profile(
    State(app): State<App>,
    client: ClientAddress,
    key: IdempotencyKey,
    signed: Signed,
) -> Result<Written> {
    let Signed { actor, body } = signed;
    erase_account(&app, client, key, &actor, &body.0).await
}

/// Makes the user nobody, if the field `password` is his.
///
/// # Errors
/// 403 if it is not; 422; 429; 503.
pub(super) async fn erase_account(
    app: &App,
    client: ClientAddress,
    key: IdempotencyKey,
    actor: &Actor,
    body: &Document,
) -> Result<Written> {
    let mut fields = body.fields();
    let password = fields.secret("password");
    let password = fields.finish(password)?;
    let write = key.of(actor.id)?.with(&without_password(body));
    let verified = service::verified(app, client, actor, password).await?;
    let now = app.clock.now();
    let erase = async |tx: &mut Tx| {
        service::erase(tx, actor, &verified, now).await?;
        erase::begin(app, tx, actor.id).await?;
        fault::point(Point::ErasureEnding);
        Ok(Message { message: "Account Deleted" })
    };
    let erased = write.run(app, erase).await?;
    fault::point(Point::ErasureCommitted);
    Ok(erased)
}

/// The fields that tell two requests apart. A password has been checked before; its fingerprint would be kept for a day, and
/// could be guessed from.
fn without_password(body: &Document) -> Document {
    let open = body.entries().iter().filter(|(name, _)| name != "password");
    Document::new(Source::Json, open.cloned().collect())
}

//! Going on with a log-in, ending it, and changing the password that began it.

use axum::extract::State;
use greenlit::{Opts, Tx};
use utoipa::ToSchema;

use crate::{
    account::{
        Signed,
        logins::{self, TokenPair},
        model::PasswordChange,
        queries, service,
    },
    app::App,
    error::Result,
    http::{
        client::ClientAddress,
        json::{Json, JsonBody, OptionalJsonBody},
    },
    openapi::{Message, Problem, Problems},
};

/// What goes on with a log-in.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct Refresh {
    /// The newest that the log-in gave.
    #[schema(format = Password)]
    refresh_token: String,
}

/// Go on with a log-in
///
/// A refresh token is good once. Sent again within 10 seconds, as after a lost answer, it gives the same successor; sent
/// again later, it ends its log-in.
#[utoipa::path(
    post, path = "/api/auth/refresh", tag = "auth", request_body = Refresh,
    responses(
        (status = 200, description = "The next pair of tokens", body = TokenPair),
        (status = 401, description = "`invalid_token`", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
    ),
)]
pub(super) async fn refresh(State(app): State<App>, client: ClientAddress, body: JsonBody) -> Result<Json<TokenPair>> {
    let mut fields = body.fields();
    let token = fields.secret("refresh_token");
    let token = fields.finish(token)?;
    app.limits.refresh(client)?;
    logins::refresh(&app, &token).await.map(Json)
}

/// What ends a log-in.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct Logout {
    /// Ends the log-in of this token too.
    #[schema(format = Password)]
    refresh_token: Option<String>,
    /// Ends one's log-ins on all devices.
    #[schema(default = false)]
    everywhere: Option<bool>,
}

/// Log out
///
/// Ends the log-in that the access token came from. The body may be missing.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "auth", security(("bearer" = [])), request_body = Option<Logout>,
    responses(
        (status = 200, description = "Logged out", body = Message),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
    ),
)]
pub(super) async fn logout(State(app): State<App>, signed: Signed<OptionalJsonBody>) -> Result<Json<Message>> {
    let Signed { actor, body } = signed;
    let mut fields = body.0.fields();
    let (token, everywhere) = (fields.optional_secret("refresh_token"), fields.flag("everywhere"));
    let (token, everywhere) = fields.finish((token, everywhere))?;
    let place = token.and_then(|token| app.tokens.refresh.read(&token));
    let end = async |tx: &mut Tx| {
        if everywhere {
            return service::end_everywhere(tx, actor.id).await;
        }
        if let Some(place) = place {
            queries::end_family(tx, &place.family_hash(), actor.id).await?;
        }
        queries::end(tx, actor.login).await
    };
    app.db.tx(Opts::default(), end).await?;
    Ok(Json(Message { message: "Logged Out" }))
}

/// What changes a password.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct ChangePassword {
    /// The old one.
    #[schema(format = Password)]
    password: String,
    /// 8 to 128 characters; the most used passwords are refused.
    #[schema(format = Password, min_length = 8, max_length = 128)]
    new_password: String,
}

/// Change one's password
///
/// All other log-ins end; the present one goes on.
#[utoipa::path(
    patch, path = "/api/auth/password", tag = "auth", security(("bearer" = [])), request_body = ChangePassword,
    responses(
        (status = 200, description = "Changed", body = Message),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = Problem),
        (status = 403, description = "`permission_denied`: the old password is wrong", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
        (status = 503, description = "`unavailable`: too many log-ins at once", body = Problem),
    ),
)]
pub(super) async fn change_password(
    State(app): State<App>,
    client: ClientAddress,
    signed: Signed,
) -> Result<Json<Message>> {
    let Signed { actor, body } = signed;
    let change = PasswordChange::parse(&body.0, &actor.email, &actor.nickname)?;
    service::change_password(&app, client, &actor, change).await?;
    Ok(Json(Message { message: "Password Changed" }))
}

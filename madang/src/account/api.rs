//! Sign-up and log-in.

mod sessions;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    logins::{self, TokenPair},
    model::{Credentials, Email, NewUser, Nickname},
    service,
};
use crate::{
    app::App,
    clock::Timestamp,
    error::Result,
    http::{
        client::ClientAddress,
        json::{Json, JsonBody},
    },
    openapi::{Problem, Problems},
};

pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(signup))
        .routes(routes!(login))
        .routes(routes!(sessions::refresh))
        .routes(routes!(sessions::logout))
        .routes(routes!(sessions::change_password))
}

/// What a sign-up sends. It is read field by field, so that every wrong one is told; this is its description.
#[derive(ToSchema)]
#[allow(dead_code)]
struct Signup {
    /// At most 254 characters, unique without regard to case.
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// 8 to 128 characters; the most used passwords are refused.
    #[schema(format = Password, min_length = 8, max_length = 128)]
    password: String,
    /// 1 to 30 characters, unique among all names that look alike.
    #[schema(min_length = 1, max_length = 30)]
    nickname: String,
}

#[derive(Serialize, ToSchema)]
struct SignedUp {
    email: Email,
    nickname: Nickname,
    create_dt: Timestamp,
}

/// Sign up
#[utoipa::path(
    post, path = "/api/auth/signup", tag = "auth", request_body = Signup,
    responses(
        (status = 200, description = "The account was made", body = SignedUp),
        (status = 400, description = "`email_already_registered`, `nickname_already_registered`", body = Problem),
        (status = 403, description = "`signup_closed`: the operator makes the accounts", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
    ),
)]
async fn signup(State(app): State<App>, client: ClientAddress, body: JsonBody) -> Result<Json<SignedUp>> {
    let new = NewUser::parse(&body.0)?;
    let (email, nickname) = (new.email.clone(), new.nickname.clone());
    let create_dt = service::sign_up(&app, client, new).await?;
    Ok(Json(SignedUp { email, nickname, create_dt }))
}

/// What a log-in sends.
#[derive(ToSchema)]
#[allow(dead_code)]
struct Login {
    #[schema(format = Email)]
    email: String,
    #[schema(format = Password)]
    password: String,
}

#[derive(Serialize, ToSchema)]
struct LoggedIn {
    email: Email,
    nickname: Nickname,
    /// For the `Authorization: Bearer` header; lasts one day.
    access_token: String,
    /// Good once, for the next pair of tokens, within 30 days.
    refresh_token: String,
    /// How long the access token lasts, in seconds.
    expires_in: u64,
}

/// Log in
#[utoipa::path(
    post, path = "/api/auth/login", tag = "auth", request_body = Login,
    responses(
        (status = 200, description = "Logged in", body = LoggedIn),
        (status = 401, description = "`invalid_credentials`", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
        (status = 503, description = "`unavailable`: too many log-ins at once", body = Problem),
    ),
)]
async fn login(State(app): State<App>, client: ClientAddress, body: JsonBody) -> Result<Json<LoggedIn>> {
    let credentials = Credentials::parse(&body.0)?;
    let attempt = app.limits.log_in(client, &credentials.email.key())?;
    let (user, tokens) = logins::log_in(&app, &credentials).await?;
    attempt.succeeded();
    let TokenPair { access_token, refresh_token, expires_in } = tokens;
    Ok(Json(LoggedIn { email: user.email, nickname: user.nickname, access_token, refresh_token, expires_in }))
}

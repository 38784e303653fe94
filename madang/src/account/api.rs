//! Sign-up and log-in.

use axum::{Json, extract::State};
use greenlit::Opts;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{Credentials, Email, NewUser, Nickname},
    queries,
    token::Bearer,
};
use crate::{
    app::App,
    clock::Timestamp,
    error::{Code, Result},
    http::{client::ClientAddress, json::JsonBody},
    openapi::{Problem, Problems},
};

pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(signup)).routes(routes!(login))
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
        (status = 422, description = "`invalid_input`", body = Problems),
    ),
)]
async fn signup(State(app): State<App>, client: ClientAddress, body: JsonBody) -> Result<Json<SignedUp>> {
    let new = NewUser::parse(&body.0)?;
    app.limits.sign_up(client)?;
    let (email, nickname, now) = (new.email, new.nickname, app.clock.now());
    // Before the transaction: hashing takes tens of milliseconds.
    let hash = app.passwords.hash(new.password).await?;
    app.db.tx(Opts::default(), async |tx| queries::insert(tx, &email, &nickname, &hash, now).await).await?;
    Ok(Json(SignedUp { email, nickname, create_dt: now }))
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
    /// How long the token lasts, in seconds.
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
    let found = queries::by_email(&mut app.db.single(), &credentials.email).await?;
    let hash = found.as_ref().map(|login| login.password_hash.clone());
    let verified = app.passwords.verify(credentials.password, hash).await?;
    let user = found.filter(|_| verified).ok_or(Code::InvalidCredentials)?.user;
    attempt.succeeded();
    let access_token = app.tokens.make(Bearer { user: user.id, epoch: user.token_epoch })?;
    let expires_in = super::token::LIFETIME.as_secs();
    Ok(Json(LoggedIn { email: user.email, nickname: user.nickname, access_token, expires_in }))
}

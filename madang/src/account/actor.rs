//! Who asks: extractors that stand in a handler's signature.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};

use greenlit::Reader;

use super::{
    UserId,
    model::{Email, LoginId, Nickname, User},
    queries,
};
use crate::{
    app::App,
    clock::Timestamp,
    error::{Code, Error, Result},
    http::json::JsonBody,
};

/// The authenticated user who makes the request. One statement looks whether he is still there, and his log-in and token are
/// still good.
///
/// # Rejections
/// 401 "Not Authenticated" without a token, 401 "Invalid Token" with anything but a good one, 429 if he writes too often.
#[derive(Clone, Debug)]
pub struct Actor {
    /// His id.
    pub id: UserId,
    /// His address: his own to see.
    pub email: Email,
    /// His nickname.
    pub nickname: Nickname,
    /// Whether he may delete what others wrote, and suspend them.
    pub is_admin: bool,
    /// When he signed up.
    pub create_dt: Timestamp,
    /// The log-in that his token came from.
    pub login: LoginId,
}

impl FromRequestParts<App> for Actor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let token = bearer_token(&parts.headers)?;
        let bearer = app.tokens.check(token).ok_or(Code::InvalidToken)?;
        let user = queries::by_login(&mut app.db.single(), bearer.user, bearer.login).await?;
        match user {
            Some(user) if user.token_epoch == bearer.epoch => {
                app.limits.user(user.id.0, parts)?;
                Ok(Actor::new(user, bearer.login))
            }
            _ => Err(Code::InvalidToken.into()),
        }
    }
}

/// The user as he acts by no log-in of the board, if he may use it: in a chat that is his. There he is nobody's administrator.
pub(crate) async fn acting(r: &mut impl Reader, id: UserId) -> greenlit::Result<Option<Actor>> {
    let user = queries::by_id(r, id).await?;
    Ok(user.map(|user| Actor { is_admin: false, ..Actor::new(user, LoginId(0)) }))
}

impl Actor {
    pub(super) fn new(user: User, login: LoginId) -> Actor {
        let User { id, email, nickname, is_admin, create_dt, .. } = user;
        Actor { id, email, nickname, is_admin, create_dt, login }
    }
}

/// The user who makes the request, if he says who he is. On a route that is open to all, a token that is no longer good
/// makes him anonymous, as it did for clients of the board before.
///
/// # Rejections
/// Only when the database fails.
#[derive(Clone, Debug)]
pub struct MaybeActor(pub Option<Actor>);

impl MaybeActor {
    /// Whether the request comes from this user.
    pub fn is(&self, user: UserId) -> bool {
        self.0.as_ref().is_some_and(|actor| actor.id == user)
    }

    /// His id for a statement; that of nobody if he is anonymous.
    pub fn id(&self) -> UserId {
        self.0.as_ref().map_or(UserId(0), |actor| actor.id)
    }

    /// Whether he may see this user's address: it is his own, or he sees all.
    pub fn sees_email_of(&self, app: &App, user: UserId) -> bool {
        self.is(user) || self.sees_emails(app)
    }

    /// Whether he may see everybody's address: he is an administrator, or the operator lets everybody.
    pub fn sees_emails(&self, app: &App) -> bool {
        app.config.public_emails || self.0.as_ref().is_some_and(|actor| actor.is_admin)
    }
}

impl FromRequestParts<App> for MaybeActor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(MaybeActor(None));
        }
        match Actor::from_request_parts(parts, app).await {
            Ok(actor) => Ok(MaybeActor(Some(actor))),
            Err(e) if e.code().status().is_server_error() => Err(e),
            Err(_) => Ok(MaybeActor(None)),
        }
    }
}

/// The authenticated user who makes the request, and its JSON body, whose syntax is judged first.
///
/// # Rejections
/// Those of the body, [`JsonBody`] unless another is named, then those of [`Actor`].
#[derive(Clone, Debug)]
pub struct Signed<B = JsonBody> {
    /// Who asks.
    pub actor: Actor,
    /// What he sent; its fields are yet to be judged.
    pub body: B,
}

impl<B: FromRequest<App, Rejection = Error> + Send> FromRequest<App> for Signed<B> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let body = B::from_request(Request::from_parts(parts.clone(), body), app).await?;
        let actor = Actor::from_request_parts(&mut parts, app).await?;
        Ok(Signed { actor, body })
    }
}

/// The token of the Authorization header; two of them are none.
fn bearer_token(headers: &HeaderMap) -> Result<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().filter(|value| !value.is_empty()).ok_or(Code::NotAuthenticated)?;
    let text = value.to_str().map_err(|_| Code::InvalidToken)?;
    let (scheme, token) = text.split_once(' ').ok_or(Code::InvalidToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") || values.next().is_some() {
        return Err(Code::InvalidToken.into());
    }
    Ok(token)
}

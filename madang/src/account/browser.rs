//! Browsers: the log-in that a cookie stands for, and who looks at a page.
//!
//! The cookie is a random secret; the database knows its hash, in a row of `logins` like any other's. Whoever ends that row
//! ends the log-in, and the row alone says how long it lasts: the cookie is kept as long as browsers keep any.

use aws_lc_rs::digest;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use greenlit::{Opts, Tx};
use std::time::Duration;

use super::{
    Actor, MaybeActor,
    logins::{self, LIFETIME},
    model::Credentials,
    queries,
};
use crate::{
    app::App,
    error::{Code, Error, Result},
    http::input::Document,
    secret::{self, hex},
    web::{Frame, Me, cookie::SESSION, error::Looker, frame::log_in_url},
};

/// How often a log-in that is used is made to last on.
const PROLONG_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Keeps these hashes apart from those of refresh tokens: neither secret is good for the other.
const PURPOSE: &[u8] = b"madang:browser:";

/// The secret of a browser's log-in.
pub(super) struct Secret([u8; 32]);

impl Secret {
    /// Of a log-in that is about to begin: there is no going on with one that a browser brings along (ASVS 7.2.4).
    pub(super) fn new() -> Secret {
        Secret(secret::random())
    }

    fn of(request: &HeaderMap, app: &App) -> Option<Secret> {
        SESSION.read(request, app.site.secure).and_then(Secret::read)
    }

    fn read(text: &str) -> Option<Secret> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Secret)
    }

    /// What the database knows it by.
    pub(super) fn hash(&self) -> String {
        hex(digest::digest(&digest::SHA256, &[PURPOSE, &self.0].concat()).as_ref())
    }

    /// The header that gives it to the browser.
    pub(super) fn cookie(&self, secure: bool) -> HeaderValue {
        SESSION.set(&URL_SAFE_NO_PAD.encode(self.0), secure)
    }
}

/// Begins a log-in of a browser, and ends the one that it had.
///
/// # Errors
/// 401, whatever is wrong, and after the same work.
pub(super) async fn log_in(app: &App, credentials: &Credentials, request: &HeaderMap) -> Result<Secret> {
    let secret = Secret::new();
    logins::begin(app, credentials, &secret.hash()).await?;
    if let Some(before) = Secret::of(request, app) {
        let hash = before.hash();
        app.db.tx(Opts::default(), async |tx: &mut Tx| queries::end_browser(tx, &hash).await).await?;
    }
    Ok(secret)
}

/// Whoever looks at a page: an extractor.
///
/// # Rejections
/// 503 if the database does not answer; 429 if a user writes too often.
pub(crate) struct Visitor {
    pub(crate) actor: MaybeActor,
    pub(crate) frame: Frame,
}

impl Visitor {
    /// His id for a statement; that of nobody if he is not logged in.
    pub(crate) fn id(&self) -> super::UserId {
        self.actor.id()
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Ok(frame) = Frame::from_request_parts(parts, app).await;
        let Some(secret) = Secret::of(&parts.headers, app) else {
            return Ok(Visitor { actor: MaybeActor(None), frame });
        };
        let now = app.clock.now();
        let Some(found) = queries::by_cookie(&mut app.db.single(), &secret.hash(), now).await? else {
            return Ok(Visitor { actor: MaybeActor(None), frame });
        };
        app.limits.user(found.user.id.0, parts)?;
        if now > found.rotate_dt.after(PROLONG_EVERY) {
            let prolong = async |tx: &mut Tx| queries::prolong(tx, found.login_id, now, now.after(LIFETIME)).await;
            // It lasts a while yet: no reason to keep somebody from reading.
            if let Err(e) = app.db.tx(Opts::default(), prolong).await {
                tracing::warn!(cause = %e, "a log-in could not be made to last on");
            }
        }
        let actor = Actor::new(found.user, found.login_id);
        let me = Me { id: actor.id.0, nickname: actor.nickname.as_str().to_owned() };
        if let Some(looker) = parts.extensions.get::<Looker>() {
            looker.is(me.clone());
        }
        Ok(Visitor { actor: MaybeActor(Some(actor)), frame: frame.seen_by(Some(me)) })
    }
}

/// A user who is logged in by his browser: an extractor.
///
/// # Rejections
/// Whoever is not is led to the log-in, and back from there; a script gets 401.
pub(crate) struct Member {
    pub(crate) actor: Actor,
    pub(crate) frame: Frame,
}

impl Member {
    /// Makes sure that a form was filled in by this user: another may have logged in meanwhile, in another tab.
    ///
    /// # Errors
    /// 403 if it names somebody else.
    pub(crate) fn filled_in(actor: &Actor, form: &Document) -> Result<()> {
        let user = form.typed("user");
        let his = user.is_empty() || user == actor.id.0.to_string();
        if his { Ok(()) } else { Err(Code::AnotherUser.into()) }
    }
}

impl FromRequestParts<App> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, app).await.map_err(IntoResponse::into_response)?;
        let frame = visitor.frame;
        match visitor.actor.0 {
            Some(actor) => Ok(Member { actor, frame }),
            None if frame.json => Err(Code::NotAuthenticated.into_response()),
            // Only forms are sent there, so one comes back to the page where the form stands.
            None if !parts.method.is_safe() => {
                Err(found(&log_in_url(frame.base(), frame.from.as_deref().unwrap_or("/"))))
            }
            None => Err(found(&frame.log_in_url())),
        }
    }
}

fn found(location: &str) -> Response {
    crate::web::redirect::see_other("", location)
}

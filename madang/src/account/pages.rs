//! The pages of those who come in or go: sign-up, log-in, log-out.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::Response,
    routing::{get, post},
};
use greenlit::{Opts, Tx};

use super::{
    browser::{self, Member, Secret, Visitor},
    model::{Credentials, Email, NewUser},
    queries, service,
};
use crate::{
    app::App,
    config::Signup,
    error::{Code, Error, Result},
    http::{client::ClientAddress, form::TextForm, input::Document, query::QueryFields},
    web::{
        Answer, Frame, Pages, again,
        cookie::SESSION,
        frame::log_in_url,
        html, look,
        parts::Wrong,
        redirect::{local, see_other},
    },
};

pub(crate) fn pages() -> Pages<App> {
    Pages::new()
        .at("/signup", get(show_signup).post(sign_up))
        .at("/login", get(show_login).post(log_in))
        .at("/logout", post(log_out))
        .at("/look", get(show_look).post(look::change))
}

#[derive(Template)]
#[template(path = "account/pages/signup.html")]
struct SignupPage<'a> {
    frame: &'a Frame,
    closed: bool,
    typed: &'a Typed,
    wrong: Wrong,
}

#[derive(Template)]
#[template(path = "account/pages/login.html")]
struct LoginPage<'a> {
    frame: &'a Frame,
    typed: &'a Typed,
    wrong: Wrong,
}

/// What comes back into a form that is shown again: never a password.
#[derive(Default)]
struct Typed {
    email: String,
    nickname: String,
    next: String,
}

impl Typed {
    fn read(form: &Document) -> Typed {
        let text = |name| form.typed(name).to_owned();
        Typed { email: text("email"), nickname: text("nickname"), next: local(Some(form.typed("next"))).to_owned() }
    }
}

async fn show_look(visitor: Visitor) -> Result<Response> {
    look::page(&visitor.frame)
}

async fn show_signup(State(app): State<App>, visitor: Visitor, query: QueryFields) -> Result<Response> {
    let (frame, typed) = (visitor.frame, Typed::read(&query.0));
    if frame.me.is_some() {
        return Ok(Answer::go(typed.next).to(&frame));
    }
    html(&SignupPage { frame: &frame, closed: is_closed(&app), typed: &typed, wrong: Wrong::default() })
}

/// Makes an account, and logs in at once.
async fn sign_up(
    State(app): State<App>,
    client: ClientAddress,
    frame: Frame,
    headers: HeaderMap,
    form: TextForm,
) -> Result<Response> {
    let typed = Typed::read(&form.0);
    match make_account(&app, client, &form.0).await {
        Ok(credentials) => match browser::log_in(&app, &credentials, &headers).await {
            Ok(secret) => Ok(come_in(&app, &frame, &typed.next, &secret)),
            // The account is there: the form would only be refused.
            Err(_) => Ok(see_other("", &log_in_url(frame.base(), &typed.next))),
        },
        Err(e) => again(&frame, e, |wrong| SignupPage { frame: &frame, closed: is_closed(&app), typed: &typed, wrong }),
    }
}

async fn make_account(app: &App, client: ClientAddress, form: &Document) -> Result<Credentials> {
    let new = NewUser::parse(form)?;
    let credentials = Credentials { email: new.email.clone(), password: new.password.clone() };
    service::sign_up(app, client, new).await?;
    Ok(credentials)
}

fn is_closed(app: &App) -> bool {
    app.config.signup == Signup::Closed
}

async fn show_login(visitor: Visitor, query: QueryFields) -> Result<Response> {
    let (frame, typed) = (visitor.frame, Typed::read(&query.0));
    if frame.me.is_some() {
        return Ok(Answer::go(typed.next).to(&frame));
    }
    html(&LoginPage { frame: &frame, typed: &typed, wrong: Wrong::default() })
}

async fn log_in(
    State(app): State<App>,
    client: ClientAddress,
    frame: Frame,
    headers: HeaderMap,
    form: TextForm,
) -> Result<Response> {
    let typed = Typed::read(&form.0);
    match check_and_log_in(&app, client, &form.0, &headers).await {
        Ok(secret) => Ok(come_in(&app, &frame, &typed.next, &secret)),
        Err(e) => again(&frame, e, |wrong| LoginPage { frame: &frame, typed: &typed, wrong }),
    }
}

async fn check_and_log_in(app: &App, client: ClientAddress, form: &Document, request: &HeaderMap) -> Result<Secret> {
    let credentials = Credentials::parse(form)?;
    let attempt = app.limits.log_in(client, &Email::key(&credentials.email))?;
    let secret = browser::log_in(app, &credentials, request).await?;
    attempt.succeeded();
    Ok(secret)
}

fn come_in(app: &App, frame: &Frame, next: &str, secret: &Secret) -> Response {
    let mut response = Answer::go(next).to(frame);
    response.headers_mut().append(header::SET_COOKIE, secret.cookie(app.site.secure));
    response
}

/// Ends this browser's log-in.
async fn log_out(State(app): State<App>, member: Member) -> Result<Response> {
    let login = member.actor.login;
    app.db.tx(Opts::default(), async |tx: &mut Tx| queries::end(tx, login).await).await?;
    Ok(gone(&app, &member.frame))
}

/// The first page, for a browser that is logged in no more.
pub(crate) fn gone(app: &App, frame: &Frame) -> Response {
    let mut response = Answer::go("/").to(frame);
    response.headers_mut().append(header::SET_COOKIE, SESSION.remove(app.site.secure));
    response
}

/// What the API calls denied is a wrong password on pages.
pub(crate) fn wrong_password(error: Error) -> Error {
    if error.code() == Code::PermissionDenied { Code::WrongPassword.into() } else { error }
}

//! Errors as people see them: a page in their language, or the same words for our scripts.

use std::sync::{Arc, OnceLock};

use askama::Template;
use axum::{
    extract::Request,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    answer,
    frame::{Frame, Me, Site, accepts, log_in_url},
    lang::Lang,
    parts::Wrong,
};
use crate::{
    clock::Clock,
    error::{Code, Error, Problem, Step},
    http::{json::Json, layers::ErrorShape},
};

/// What is never a page, whatever a client accepts.
const NO_PAGES: [&str; 6] = ["/api/", "/images/", "/docs", "/openapi.json", "/healthz", "/readyz"];

#[derive(Template)]
#[template(path = "web/error.html")]
struct ErrorPage<'a> {
    frame: &'a Frame,
    status: u16,
    title: String,
    message: String,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Told<'a> {
    message: String,
    code: &'static str,
    problems: Vec<ToldField>,
    location: Option<String>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct ToldField {
    field: String,
    message: String,
}

/// Who looks at a page, once somebody has found out: an extension of every request for one, for the page of its error.
#[derive(Clone, Debug, Default)]
pub struct Looker(Arc<OnceLock<Me>>);

impl Looker {
    /// It is this user.
    pub fn is(&self, me: Me) {
        let _ = self.0.set(me);
    }
}

/// How an error of this request is told, unless it is the API's.
pub fn shape(site: &Arc<Site>, clock: &Clock, request: &mut Request) -> Option<ErrorShape> {
    let path = request.uri().path();
    if NO_PAGES.iter().any(|prefix| path.starts_with(prefix)) {
        return None;
    }
    let (page, json) = (accepts(request.headers(), "text/html"), accepts(request.headers(), "application/json"));
    if !page && !json {
        return None;
    }
    let frame = Frame::new(site.clone(), request.method(), request.headers(), request.uri(), clock.now());
    let looker = Looker::default();
    request.extensions_mut().insert(looker.clone());
    Some(Box::new(move |error, id| {
        let frame = frame.seen_by(looker.0.get().cloned());
        if page { as_page(&frame, error, id) } else { as_json(&frame, error, id) }
    }))
}

fn as_page(frame: &Frame, error: &Error, request_id: &str) -> Response {
    let status = error.code().status().as_u16();
    let (title, message) = (title(frame.lang, status), message(frame.lang, error));
    let page = ErrorPage { frame, status, title, message, request_id };
    let text = page.render().unwrap_or_else(|_| frame.t("error-internal").into_owned());
    let mut response = answer::text(text);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, frame.site.policy.clone());
    response
}

fn as_json(frame: &Frame, error: &Error, request_id: &str) -> Response {
    let problems = fields(frame.lang, error);
    let location = (error.code() == Code::NotAuthenticated)
        .then(|| log_in_url(frame.base(), frame.from.as_deref().unwrap_or("/")));
    Json(Told {
        message: message(frame.lang, error),
        code: error.code().as_str(),
        problems: problems.into_iter().map(|(field, message)| ToldField { field, message }).collect(),
        location,
        request_id,
    })
    .into_response()
}

/// A form is shown again with what is wrong about it.
pub fn wrong(lang: Lang, error: &Error) -> Wrong {
    let mut fields = fields(lang, error);
    // What a unique index refuses has a field too.
    let unique = match error.code() {
        Code::EmailAlreadyRegistered => Some("email"),
        Code::NicknameAlreadyRegistered => Some("nickname"),
        _ => None,
    };
    fields.extend(unique.map(|field| (field.to_owned(), message(lang, error))));
    let whole = unique.is_none().then(|| message(lang, error));
    Wrong::new(whole, fields)
}

fn title(lang: Lang, status: u16) -> String {
    let key = match status {
        403 => "error-title-403",
        404 => "error-title-404",
        429 => "error-title-429",
        503 => "error-title-503",
        500.. => "error-title-500",
        _ => "error-title",
    };
    lang.t(key).into_owned()
}

/// What an error says, in this language.
pub fn message(lang: Lang, error: &Error) -> String {
    let key = format!("error-{}", error.code().as_str().replace('_', "-"));
    lang.t(&key).into_owned()
}

/// Each wrong field with its message.
fn fields(lang: Lang, error: &Error) -> Vec<(String, String)> {
    let name = |problem: &Problem| match problem.loc.get(1) {
        Some(Step::Name(name)) => (*name).to_owned(),
        _ => String::new(),
    };
    error.problems().iter().map(|problem| (name(problem), told(lang, problem))).collect()
}

fn told(lang: Lang, problem: &Problem) -> String {
    // The API's words name the bound; there is one number in them.
    let bound = problem.msg.split(' ').find_map(|word| word.parse().ok()).unwrap_or_default();
    match (problem.kind, problem.msg.trim_start_matches("Value error, ")) {
        ("missing", _) => lang.t("problem-missing").into_owned(),
        ("string_too_short", _) if bound <= 1 => lang.t("problem-missing").into_owned(),
        ("string_too_short", _) => lang.n("problem-too-short", bound).into_owned(),
        ("string_too_long", _) => lang.n("problem-too-long", bound).into_owned(),
        (_, "Invalid Email Format") => lang.t("problem-email").into_owned(),
        (_, "Invalid Nickname") => lang.t("problem-nickname").into_owned(),
        (_, "This password is too easy to guess") => lang.t("problem-easy-password").into_owned(),
        _ => lang.t("problem-other").into_owned(),
    }
}

//! The language and the colours of the pages, for everybody: two cookies.

use askama::Template;
use axum::{
    http::{HeaderValue, header},
    response::Response,
    routing::get,
};

use super::{
    Answer, Frame, Lang, Pages,
    answer::html,
    cookie::{Cookie, LANGUAGE, THEME},
    frame::Theme,
    redirect::local,
};
use crate::{app::App, error::Result, http::form::TextForm};

/// The routes.
pub fn pages() -> Pages<App> {
    Pages::new().at("/look", get(show).post(change))
}

#[derive(Template)]
#[template(path = "web/look.html")]
struct Look<'a> {
    frame: &'a Frame,
}

async fn show(frame: Frame) -> Result<Response> {
    html(&Look { frame: &frame })
}

/// What is not sent stays as it is; what is none of ours is as the browser has it.
async fn change(frame: Frame, form: TextForm) -> Result<Response> {
    let mut fields = form.0.fields();
    let text = |name| fields.optional_text(name, 0..=20);
    let (language, theme) = ["language", "theme"].map(text).into();
    let next = fields.optional_text("next", 0..=2_000);
    let (language, theme, next) = fields.finish((language, theme, next))?;
    let mut response = Answer::go(local(next.as_deref())).to(&frame);
    let mut set = |cookie: Cookie, value: Option<&str>| {
        let secure = frame.site.secure;
        let header: HeaderValue = value.map_or_else(|| cookie.remove(secure), |value| cookie.set(value, secure));
        response.headers_mut().append(header::SET_COOKIE, header);
    };
    if let Some(code) = language {
        set(LANGUAGE, Lang::parse(&code).map(Lang::code));
    }
    if let Some(code) = theme {
        set(THEME, Theme::parse(&code).filter(|theme| *theme != Theme::Auto).map(Theme::code));
    }
    Ok(response)
}

//! The language and the colours of the pages, for everybody: two cookies. Who looks, which its frame shows, a feature finds out.

use askama::Template;
use axum::{
    http::{HeaderValue, header},
    response::Response,
};

use super::{
    Answer, Frame, Lang,
    answer::html,
    cookie::{Cookie, LANGUAGE, THEME},
    frame::Theme,
    redirect::local,
};
use crate::{error::Result, http::form::TextForm};

#[derive(Template)]
#[template(path = "web/look.html")]
struct Look<'a> {
    frame: &'a Frame,
}

/// The page, for whoever looks.
///
/// # Errors
/// See [`html`].
pub fn page(frame: &Frame) -> Result<Response> {
    html(&Look { frame })
}

/// What its form does. What is not sent stays as it is; what is none of ours is as the browser has it.
///
/// # Errors
/// 422 for what is too long.
pub async fn change(frame: Frame, form: TextForm) -> Result<Response> {
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

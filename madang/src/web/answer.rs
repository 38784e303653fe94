//! What a page answers: HTML; and to a form either the next page or, for our own scripts, what changed.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{error::wrong, frame::Frame, parts::Wrong, redirect::see_other};
use crate::{
    error::{Error, Result},
    http::{json::Json, layers::Told},
};

/// A page.
///
/// # Errors
/// 500 if a template fails, which it does only out of memory.
pub fn html(page: &impl Template) -> Result<Response> {
    part(page).map(text)
}

/// A page that was made.
pub fn text(page: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], page).into_response()
}

/// The form again, with what is wrong about it and what was typed; a script is told what is wrong alone.
///
/// # Errors
/// The error itself for a script.
pub fn again<T: Template>(frame: &Frame, error: Error, form: impl FnOnce(Wrong) -> T) -> Result<Response> {
    if frame.json {
        return Err(error);
    }
    let mut response = html(&form(wrong(frame.lang, &error)))?;
    response.extensions_mut().insert(Told);
    response.extensions_mut().insert(Arc::new(error));
    Ok(response)
}

/// A part of a page as text.
///
/// # Errors
/// See [`html`].
pub fn part(part: &impl Template) -> Result<String> {
    part.render().map_err(Error::internal)
}

/// A part of the page that changes in place.
#[derive(Debug, Serialize)]
pub struct Swap {
    /// Which element: a selector.
    target: String,
    how: How,
    html: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum How {
    Replace,
    Append,
    Remove,
}

impl Swap {
    /// This instead of the element.
    pub fn replace(target: impl Into<String>, html: String) -> Swap {
        Swap { target: target.into(), how: How::Replace, html }
    }

    /// This as its last child.
    pub fn append(target: impl Into<String>, html: String) -> Swap {
        Swap { target: target.into(), how: How::Append, html }
    }

    /// Nothing instead of it.
    pub fn remove(target: impl Into<String>) -> Swap {
        Swap { target: target.into(), how: How::Remove, html: String::new() }
    }
}

/// The answer to a form that was taken.
#[derive(Debug)]
#[must_use]
pub struct Answer {
    /// The page that a browser without scripts goes to.
    page: String,
    /// Whether scripts go there too.
    leave: bool,
    swaps: Vec<Swap>,
    notice: Option<String>,
}

#[derive(Serialize)]
struct Changed {
    location: Option<String>,
    swaps: Vec<Swap>,
    notice: Option<String>,
}

impl Answer {
    /// Another page, given by its path.
    pub fn go(page: impl Into<String>) -> Answer {
        Answer { page: page.into(), leave: true, swaps: Vec::new(), notice: None }
    }

    /// The page that the form stands on, with changes; without scripts too, or this one if the browser does not tell which.
    pub fn stay(page: impl Into<String>, swaps: Vec<Swap>, notice: impl Into<String>) -> Answer {
        Answer { page: page.into(), leave: false, swaps, notice: Some(notice.into()) }
    }

    /// As whoever asks wants it.
    pub fn to(self, frame: &Frame) -> Response {
        if !frame.json {
            // Where something changed in place one stays on the page that the form stands on, which browsers tell.
            let page = frame.from.as_ref().filter(|_| !self.leave).unwrap_or(&self.page);
            return see_other(frame.base(), page);
        }
        let location = self.leave.then(|| format!("{}{}", frame.base(), self.page));
        Json(Changed { location, swaps: self.swaps, notice: self.notice }).into_response()
    }
}

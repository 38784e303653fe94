//! Answers that are ready before anybody asks: what all who are not logged in see. They are found before a request costs
//! anything; the routes make them, and answer whoever comes before they are there.

use std::sync::LazyLock;

use axum::{
    extract::Request,
    http::{Method, header},
    response::Response,
};

use utoipa::Path;

use super::{api::__path_list_feeds, model::Order};
use crate::{
    app::App,
    paging::{DEFAULT_LIMIT, Start, Window},
    web::{
        cache::Key,
        cookie::SESSION,
        frame::variant,
        layers::{add_page_headers, is_for_us},
    },
};

pub(super) const HOME: &str = "/";
static LIST: LazyLock<String> = LazyLock::new(__path_list_feeds::path);

/// The answer to a request if it is ready, and the route that it is of.
pub(crate) fn ready(app: &App, request: &Request) -> Option<(&'static str, Response)> {
    let uri = request.uri();
    if *request.method() != Method::GET || uri.query().is_some() {
        return None;
    }
    match uri.path() {
        HOME => home(app, request).map(|page| (HOME, page)),
        path if path == *LIST => list(app, request).map(|page| (LIST.as_str(), page)),
        _ => None,
    }
}

fn home(app: &App, request: &Request) -> Option<Response> {
    let (site, headers) = (&app.site, request.headers());
    if SESSION.read(headers, site.secure).is_some() || !is_for_us(site, request) {
        return None;
    }
    let mut page = found(app, Key::Home(variant(headers, site.secure)), request)?;
    add_page_headers(site, &mut page);
    Some(page)
}

fn list(app: &App, request: &Request) -> Option<Response> {
    if request.headers().contains_key(header::AUTHORIZATION) {
        return None;
    }
    found(app, Key::Feeds, request)
}

/// Whether this is the list as it is asked for without a query. Others are read each time: to keep them all would take as much
/// memory as somebody's longest feeds, a hundred times.
pub(super) fn is_usual(order: Order, window: Window) -> bool {
    order == Order::CreateDesc && window == Window { limit: DEFAULT_LIMIT, start: Start::Skip(0) }
}

fn found(app: &App, key: Key, request: &Request) -> Option<Response> {
    app.pages.good(key, app.db.commits()).map(|page| page.answer(request.headers()))
}

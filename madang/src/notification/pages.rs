//! The pages of notifications: the list, what one hears of, and the stream for the bell.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use greenlit::{Opts, Read, Tx};

use super::{
    live,
    model::{Kind, Level, Reading, Settings},
    queries, service,
    view::{self, Notification},
};
use crate::{
    account::{Member, Visitor},
    app::App,
    error::Result,
    http::{form::TextForm, query::QueryFields},
    paging::{Start, Window},
    web::{Answer, Frame, Lang, Pages, Swap, again, html, part, parts::Wrong},
};

pub(crate) fn pages() -> Pages<App> {
    Pages::new()
        .at("/notifications", get(show_list))
        .at("/notifications/read", post(mark_read))
        .at("/notifications/settings", get(show_settings).post(change_settings))
        .at("/notifications/live", get(stream))
}

/// Notifications on a page.
const LIMIT: i64 = 30;

/// A notification in the list.
#[derive(Template)]
#[template(path = "notification/pages/item.html")]
struct Item<'a> {
    frame: &'a Frame,
    notification: Notification,
}

impl Item<'_> {
    /// Who did what: the last of them by name.
    fn sentence(&self) -> String {
        sentence(self.frame.lang, &self.notification)
    }

    /// Where it is to be seen.
    fn place(&self) -> String {
        place(&self.notification)
    }
}

/// Who did what, in one sentence, which names the last of them.
pub(crate) fn sentence(lang: Lang, notification: &Notification) -> String {
    let key = match notification.kind {
        Kind::Comment => "notification-comment",
        Kind::Reply => "notification-reply",
        Kind::Like if notification.is_of_comment() => "notification-like-comment",
        Kind::Like => "notification-like-feed",
        Kind::Follow => "notification-follow",
    };
    lang.counted(key, notification.actor.nickname.as_str(), notification.people - 1).into_owned()
}

/// The path of the page where it is to be seen.
pub(crate) fn place(notification: &Notification) -> String {
    match (notification.comment_id, notification.feed_id) {
        (Some(comment), _) => format!("/comment/{}", comment.0),
        (None, Some(feed)) => format!("/feed/{}", feed.0),
        (None, None) => format!("/user/{}", notification.actor.id.0),
    }
}

#[derive(Template)]
#[template(path = "notification/pages/list.html")]
struct ListPage<'a> {
    frame: &'a Frame,
    items: Vec<Item<'a>>,
    unread: i64,
    /// Whether it is the first of its pages.
    first: bool,
    /// The highest version on the page; 0 if there is none.
    until: i64,
    next: Option<String>,
}

async fn show_list(State(app): State<App>, member: Member, query: QueryFields) -> Result<Response> {
    let Member { actor, frame } = member;
    let list = format!("notifications of {}", actor.id.0);
    let mut fields = query.fields();
    let window = Window { limit: LIMIT, ..Window::parse_cursor(&mut fields, &list) };
    let window = fields.finish(window)?;
    let page = async |r: &mut Read| {
        let (notifications, next) = view::page(r, actor.id, window, &list).await?;
        Ok::<_, greenlit::Error>((notifications, next, queries::unread(r, actor.id).await?))
    };
    let (notifications, next, unread) = app.db.read(Opts::default(), page).await?;
    let until = notifications.iter().map(|notification| notification.version).max().unwrap_or_default();
    let items = notifications.into_iter().map(|notification| Item { frame: &frame, notification }).collect();
    html(&ListPage { frame: &frame, items, unread, first: window.start == Start::Skip(0), until, next })
}

async fn mark_read(State(app): State<App>, member: Member, form: TextForm) -> Result<Response> {
    let Member { actor, frame } = member;
    Member::filled_in(&actor, &form.0)?;
    let reading = Reading::parse(&form.0)?;
    let read = async |tx: &mut Tx| service::read(&app, tx, actor.id, reading).await;
    app.db.tx(Opts::default(), read).await?;
    let Some(id) = reading.id else { return Ok(Answer::go("/notifications").to(&frame)) };
    let mut swaps = Vec::new();
    let find = async |r: &mut Read| view::one(r, actor.id, id).await;
    if let Some(notification) = app.db.read(Opts::default(), find).await? {
        let target = format!("#notification-{}", notification.number());
        swaps.push(Swap::replace(target, part(&Item { frame: &frame, notification })?));
    }
    Ok(Answer::stay("/notifications", swaps, frame.t("notice-read")).to(&frame))
}

#[derive(Template)]
#[template(path = "notification/pages/settings.html")]
struct SettingsPage<'a> {
    frame: &'a Frame,
    settings: Settings,
    wrong: Wrong,
    is_done: bool,
}

impl SettingsPage<'_> {
    fn is_at(&self, kind: &Kind, level: &Level) -> bool {
        self.settings.of(*kind) == *level
    }
}

async fn show_settings(State(app): State<App>, member: Member, query: QueryFields) -> Result<Response> {
    let Member { actor, frame } = member;
    let mut fields = query.fields();
    let done = fields.optional_text("done", 0..=20);
    let is_done = fields.finish(done)?.is_some();
    let settings = service::settings(&mut app.db.single(), actor.id).await?;
    html(&SettingsPage { frame: &frame, settings, wrong: Wrong::default(), is_done })
}

async fn change_settings(State(app): State<App>, member: Member, form: TextForm) -> Result<Response> {
    let Member { actor, frame } = member;
    let change = async {
        Member::filled_in(&actor, &form.0)?;
        let mut fields = form.0.fields();
        Settings::default().change(&mut fields);
        fields.finish(())?; // which is the same whatever the settings are now
        let set = async |tx: &mut Tx| {
            service::set(tx, actor.id, |settings: Settings| settings.change(&mut form.0.fields())).await
        };
        Ok(app.db.tx(Opts::default(), set).await?)
    };
    match change.await {
        Ok(_) => Ok(Answer::go("/notifications/settings?done=yes").to(&frame)),
        Err(e) => {
            let settings = service::settings(&mut app.db.single(), actor.id).await?;
            again(&frame, e, |wrong| SettingsPage { frame: &frame, settings, wrong, is_done: false })
        }
    }
}

/// Whoever is not logged in, or no more, gets nothing: by this status a browser does not ask again (HTML, server-sent events).
async fn stream(State(app): State<App>, visitor: Visitor, headers: HeaderMap) -> Result<Response> {
    match visitor.actor.0 {
        Some(actor) => live::open(&app, &actor, &headers),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

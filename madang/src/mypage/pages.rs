//! The pages of what is one's own: feeds, comments, and the account.

use askama::Template;
use axum::{
    extract::State,
    response::Response,
    routing::{get, post},
};
use greenlit::{Opts, Read, Tx};

use super::{export, profile};
use crate::{
    account::{self, Actor, Member, PasswordChange, ProfileChange, service, wrong_password},
    app::App,
    comment::{self, Item},
    error::{Error, Result},
    feed::{self, AuthorOrder, CardList, Order},
    http::{
        client::ClientAddress,
        form::TextForm,
        input::{Document, Source},
        query::QueryFields,
    },
    idempotency::IdempotencyKey,
    web::{Answer, Frame, Pages, again, html, parts::Wrong},
};

pub(crate) fn pages() -> Pages<App> {
    Pages::new()
        .at("/my", get(show_feeds))
        .at("/my/comments", get(show_comments))
        .at("/settings", get(show_settings))
        .at("/settings/nickname", get(lead_to_settings).post(change_nickname))
        .at("/settings/password", get(lead_to_settings).post(change_password))
        .at("/settings/delete", post(delete_account))
        .at("/settings/export", get(export))
}

#[derive(Template)]
#[template(path = "mypage/pages/feeds.html")]
struct FeedsPage<'a> {
    frame: &'a Frame,
    total: i64,
    list: CardList<'a>,
}

async fn show_feeds(State(app): State<App>, member: Member, query: QueryFields) -> Result<Response> {
    let Member { actor, frame } = member;
    let list = format!("own feeds of {} {:?}", actor.id.0, Order::CreateDesc);
    let window = feed::window(&query, &list)?;
    let page = async |r: &mut Read| feed::page_of(r, actor.id, AuthorOrder::CreateDesc, window, &list, actor.id).await;
    let (feeds, next, total) = app.db.read(Opts::default(), page).await?;
    html(&FeedsPage { frame: &frame, total, list: CardList::new(&app, &frame, "/my", feeds, next) })
}

#[derive(Template)]
#[template(path = "mypage/pages/comments.html")]
struct CommentsPage<'a> {
    frame: &'a Frame,
    total: i64,
    comments: Vec<Item<'a>>,
    next: Option<String>,
}

async fn show_comments(State(app): State<App>, member: Member, query: QueryFields) -> Result<Response> {
    let Member { actor, frame } = member;
    let order = Order::CreateDesc;
    let list = format!("own comments of {} {order:?}", actor.id.0);
    let window = feed::window(&query, &list)?;
    let page = async |r: &mut Read| comment::page_by(r, actor.id, order, window).await;
    let (mut comments, total) = app.db.read(Opts::default(), page).await?;
    let next = window.next_cursor(&mut comments, &list, |comment| comment::place(order, comment));
    let item = |comment| Item::alone(&frame, actor.is_admin, comment);
    html(&CommentsPage { frame: &frame, total, comments: comments.into_iter().map(item).collect(), next })
}

#[derive(Template)]
#[template(path = "mypage/pages/settings.html")]
struct SettingsPage<'a> {
    frame: &'a Frame,
    email: &'a str,
    nickname: &'a str,
    /// Which of the forms was refused, and why.
    form: &'static str,
    wrong: Wrong,
    /// What was done just now.
    done: Option<&'static str>,
    /// Whether the board has an account at LINE.
    has_line: bool,
}

impl SettingsPage<'_> {
    /// What is wrong with a field of this form.
    fn field(&self, form: &str, name: &str) -> Option<&str> {
        self.wrong.field(name).filter(|_| self.form == form)
    }

    /// What is wrong with this form.
    fn whole(&self, form: &str) -> Option<&str> {
        self.wrong.whole.as_deref().filter(|_| self.form == form)
    }
}

fn settings<'a>(app: &App, frame: &'a Frame, actor: &'a Actor) -> SettingsPage<'a> {
    let (email, nickname) = (actor.email.as_str(), actor.nickname.as_str());
    SettingsPage { frame, email, nickname, form: "", wrong: Wrong::default(), done: None, has_line: app.line.is_some() }
}

async fn show_settings(State(app): State<App>, member: Member, query: QueryFields) -> Result<Response> {
    let Member { actor, frame } = member;
    let mut fields = query.fields();
    let done = fields.optional_text("done", 0..=20);
    let done = match fields.finish(done)?.as_deref() {
        Some("nickname") => Some("notice-nickname-changed"),
        Some("password") => Some("notice-password-changed"),
        _ => None,
    };
    html(&SettingsPage { done, ..settings(&app, &frame, &actor) })
}

/// Where a form of theirs was refused a browser shows its address, and may ask for it.
async fn lead_to_settings(frame: Frame) -> Response {
    Answer::go("/settings").to(&frame)
}

async fn change_nickname(State(app): State<App>, member: Member, form: TextForm) -> Result<Response> {
    let Member { actor, frame } = member;
    let rename = async {
        Member::filled_in(&actor, &form.0)?;
        // The address stays what it is.
        let open = form.0.entries().iter().filter(|(name, _)| name == "nickname").cloned().collect();
        let change = ProfileChange::parse(&Document::new(Source::Form, open))?;
        let nickname = change.nickname.ok_or_else(|| Error::missing("nickname"))?;
        app.db.tx(Opts::default(), async |tx: &mut Tx| service::rename(tx, &actor, &nickname).await).await
    };
    match rename.await {
        Ok(()) => Ok(Answer::go("/settings?done=nickname").to(&frame)),
        Err(e) => {
            let nickname = form.0.typed("nickname");
            again(&frame, e, |wrong| SettingsPage {
                form: "nickname",
                nickname,
                wrong,
                ..settings(&app, &frame, &actor)
            })
        }
    }
}

async fn change_password(
    State(app): State<App>,
    client: ClientAddress,
    member: Member,
    form: TextForm,
) -> Result<Response> {
    let Member { actor, frame } = member;
    let change = async {
        Member::filled_in(&actor, &form.0)?;
        let change = PasswordChange::parse(&form.0, &actor.email, &actor.nickname)?;
        service::change_password(&app, client, &actor, change).await
    };
    match change.await {
        Ok(()) => Ok(Answer::go("/settings?done=password").to(&frame)),
        Err(e) => again(&frame, wrong_password(e), |wrong| SettingsPage {
            form: "password",
            wrong,
            ..settings(&app, &frame, &actor)
        }),
    }
}

async fn delete_account(
    State(app): State<App>,
    client: ClientAddress,
    member: Member,
    key: IdempotencyKey,
    form: TextForm,
) -> Result<Response> {
    let Member { actor, frame } = member;
    let erase = async {
        Member::filled_in(&actor, &form.0)?;
        profile::erase_account(&app, client, key, &actor, &form.0).await
    };
    match erase.await {
        Ok(_) => Ok(account::gone(&app, &frame)),
        Err(e) => again(&frame, wrong_password(e), |wrong| SettingsPage {
            form: "delete",
            wrong,
            ..settings(&app, &frame, &actor)
        }),
    }
}

async fn export(State(app): State<App>, member: Member) -> Response {
    export::archive_of(app, member.actor)
}

//! The pages of the chat in LINE: how to come there, and the step of linking that is done on the board.

use askama::Template;
use axum::{
    extract::State,
    response::Response,
    routing::{get, post},
};
use greenlit::{Opts, Tx};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{linking, queries};
use crate::{
    account::{Member, service, wrong_password},
    app::App,
    clock::Timestamp,
    error::{Code, Result},
    http::{client::ClientAddress, form::TextForm, query::QueryFields},
    web::{Answer, Frame, Pages, again, html, parts::Wrong},
};

pub(crate) fn pages() -> Pages<App> {
    Pages::new()
        .at("/line", get(show))
        .at("/line/unlink", post(unlink))
        .at(linking::PAGE, get(show_question).post(agree))
}

#[derive(Template)]
#[template(path = "line/pages/line.html")]
struct LinePage<'a> {
    frame: &'a Frame,
    /// Since when a chat is his.
    since: Option<Timestamp>,
    /// Where LINE makes the account a friend.
    friend: Option<String>,
    /// Where LINE opens the chat, with the word for linking typed already.
    chat: Option<String>,
    is_unlinked: bool,
}

/// # Errors
/// 404 if the board has no account at LINE.
async fn show(State(app): State<App>, member: Member, query: QueryFields) -> Result<Response> {
    let Member { actor, frame } = member;
    let line = app.line.as_ref().ok_or(Code::NotFound)?;
    let mut fields = query.fields();
    let done = fields.optional_text("done", 0..=20);
    let is_unlinked = fields.finish(done)?.is_some();
    let since = queries::link_of(&mut app.db.single(), actor.id).await?.map(|link| link.create_dt);
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let id = line.basic_id().map(encode);
    let friend = id.as_ref().map(|id| format!("https://line.me/R/ti/p/{id}"));
    let chat = id.map(|id| format!("https://line.me/R/oaMessage/{id}/?{}", encode(&frame.t("line-word-link"))));
    html(&LinePage { frame: &frame, since, friend, chat, is_unlinked })
}

async fn unlink(State(app): State<App>, member: Member, form: TextForm) -> Result<Response> {
    let Member { actor, frame } = member;
    Member::filled_in(&actor, &form.0)?;
    app.db.tx(Opts::default(), async |tx: &mut Tx| super::unlink(tx, actor.id).await).await?;
    Ok(Answer::go("/line?done=unlinked").to(&frame))
}

#[derive(Template)]
#[template(path = "line/pages/link.html")]
struct LinkPage<'a> {
    frame: &'a Frame,
    token: &'a str,
    /// What whoever asked is called at LINE.
    name: &'a str,
    email: &'a str,
    wrong: Wrong,
    /// Where it goes on, once he agreed.
    onward: Option<String>,
}

async fn show_question(State(app): State<App>, member: Member, query: QueryFields) -> Result<Response> {
    let Member { actor, frame } = member;
    // As LINE calls it.
    let token = query.0.typed("linkToken");
    let name = linking::asked_by(&app, token).await?;
    let email = actor.email.as_str();
    html(&LinkPage { frame: &frame, token, name: &name, email, wrong: Wrong::default(), onward: None })
}

/// Links nothing yet: that LINE does, when he who chats comes by the address that this page shows.
async fn agree(State(app): State<App>, client: ClientAddress, member: Member, form: TextForm) -> Result<Response> {
    let Member { actor, frame } = member;
    let token = form.0.typed("linkToken");
    let name = linking::asked_by(&app, token).await?;
    let email = actor.email.as_str();
    let agree = async {
        Member::filled_in(&actor, &form.0)?;
        let mut fields = form.0.fields();
        let password = fields.secret("password");
        let password = fields.finish(password)?;
        service::verified(&app, client, &actor, password).await.map_err(wrong_password)?;
        linking::agree(&app, &actor, token).await
    };
    let page = |wrong, onward| LinkPage { frame: &frame, token, name: &name, email, wrong, onward };
    match agree.await {
        Ok(onward) => html(&page(Wrong::default(), Some(onward))),
        Err(e) => again(&frame, e, |wrong| page(wrong, None)),
    }
}

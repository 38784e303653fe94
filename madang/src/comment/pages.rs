//! The page of a feed with what people say to it, and the forms of comments.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::State,
    response::Response,
    routing::{get, post},
};
use greenlit::{Opts, Read, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    model::{Comment, CommentId, FeedOrder, NewComment, parse_change},
    queries, service,
};
use crate::{
    account::{Actor, Member, UserId, Visitor},
    app::App,
    clock::Timestamp,
    error::{Code, Error, Result},
    feed::{self, Article, FeedId},
    http::{
        form::TextForm,
        input::{Document, Source},
        query::{PathFields, QueryFields},
    },
    idempotency::{self, IdempotencyKey},
    markdown,
    paging::{Position, Start, Window},
    secret,
    web::{Answer, Frame, Pages, Swap, again, html, part, parts::LikeButton, parts::Wrong, redirect},
};

pub(crate) fn pages() -> Pages<App> {
    Pages::new()
        .at("/feed/{feed_id}", get(show_feed))
        .at("/feed/{feed_id}/comment", get(lead_to_feed).post(create))
        .at("/comment/{comment_id}", get(lead_to_comment))
        .at("/comment/{comment_id}/edit", get(show_edit).post(update))
        .at("/comment/{comment_id}/delete", post(delete))
}

/// Comments on a page.
const LIMIT: i64 = 50;

#[derive(Template)]
#[template(path = "comment/pages/feed.html")]
struct FeedPage<'a> {
    frame: &'a Frame,
    article: Article<'a>,
    /// Whether these are the first comments.
    first: bool,
    count: Count<'a>,
    comments: Vec<Item<'a>>,
    next: Option<String>,
    form: NewForm<'a>,
}

/// A comment in its list.
#[derive(Template)]
#[template(path = "comment/pages/item.html")]
pub(crate) struct Item<'a> {
    frame: &'a Frame,
    id: i64,
    content: Arc<str>,
    author: i64,
    nickname: String,
    created: Timestamp,
    edited: bool,
    like: LikeButton<'a>,
    /// Whether whoever looks may change it, or delete it.
    mine: bool,
    deletable: bool,
    /// Where it leads, if it stands apart from its feed.
    place: Option<String>,
}

impl<'a> Item<'a> {
    pub(crate) fn new(frame: &'a Frame, is_admin: bool, comment: Comment) -> Item<'a> {
        let mine = frame.is(comment.author_id.0);
        let (id, liked, count) = (comment.id.0, comment.liked, comment.like_count);
        let place = None;
        Item {
            frame,
            id,
            content: markdown::render(&comment.content),
            author: comment.author_id.0,
            nickname: comment.author_nickname.as_str().to_owned(),
            created: comment.create_dt,
            edited: comment.update_dt > comment.create_dt,
            like: LikeButton { frame, kind: "comment", id, liked, count },
            mine,
            deletable: mine || is_admin,
            place,
        }
    }

    /// The same, apart from its feed.
    pub(crate) fn alone(frame: &'a Frame, is_admin: bool, comment: Comment) -> Item<'a> {
        let place = Some(format!("{}#comment-{}", beginning_with(&comment), comment.id.0));
        Item { place, ..Item::new(frame, is_admin, comment) }
    }
}

/// The form for a new comment.
#[derive(Template)]
#[template(path = "comment/pages/new.html")]
struct NewForm<'a> {
    frame: &'a Frame,
    feed: i64,
    key: String,
    content: &'a str,
    wrong: Wrong,
}

impl<'a> NewForm<'a> {
    fn new(frame: &'a Frame, feed: FeedId) -> NewForm<'a> {
        NewForm { frame, feed: feed.0, key: secret::random_name(), content: "", wrong: Wrong::default() }
    }
}

/// How many comments a feed has.
#[derive(Template)]
#[template(path = "comment/pages/count.html")]
struct Count<'a> {
    frame: &'a Frame,
    count: i64,
}

async fn show_feed(State(app): State<App>, visitor: Visitor, path: PathFields, query: QueryFields) -> Result<Response> {
    let id = feed::feed_id(&path)?;
    let list = list_of(id);
    let window = window(&query, &list)?;
    let form = NewForm::new(&visitor.frame, id);
    html(&feed_page(&app, &visitor.frame, visitor.actor.0.as_ref(), id, window, form).await?)
}

fn list_of(feed: FeedId) -> String {
    format!("comments of {} {:?}", feed.0, FeedOrder::CreateAsc)
}

fn window(query: &QueryFields, list: &str) -> Result<Window> {
    let mut fields = query.fields();
    let window = Window { limit: LIMIT, ..Window::parse_cursor(&mut fields, list) };
    fields.finish(window)
}

async fn feed_page<'a>(
    app: &App,
    frame: &'a Frame,
    actor: Option<&Actor>,
    id: FeedId,
    window: Window,
    form: NewForm<'a>,
) -> Result<FeedPage<'a>> {
    let (viewer, is_admin) = (actor.map_or(UserId(0), |actor| actor.id), actor.is_some_and(|actor| actor.is_admin));
    let list = list_of(id);
    let page = async |r: &mut Read| {
        let Some(found) = feed::by_id(r, id, viewer).await? else { return Ok(None) };
        let mut comments = queries::page_of(r, id, FeedOrder::CreateAsc, window, viewer).await?;
        let next = window.next_cursor(&mut comments, &list, |comment| (comment.create_dt.0, comment.id.0));
        Ok::<_, greenlit::Error>(Some((found, comments, next)))
    };
    let (found, comments, next) = app.db.read(Opts::default(), page).await?.ok_or(Code::FeedNotFound)?;
    let comments = comments.into_iter().map(|comment| Item::new(frame, is_admin, comment)).collect();
    let count = Count { frame, count: found.feed.comment_count };
    let article = Article::new(app, frame, is_admin, found);
    Ok(FeedPage { frame, article, first: window.start == Start::Skip(0), count, comments, next, form })
}

/// The comment that a form wrote.
#[derive(Serialize, Deserialize)]
struct Said {
    id: i64,
}

/// Where a comment was refused a browser shows this address, and may ask for it.
async fn lead_to_feed(frame: Frame, path: PathFields) -> Result<Response> {
    Ok(Answer::go(format!("/feed/{}", feed::feed_id(&path)?.0)).to(&frame))
}

async fn create(
    State(app): State<App>,
    member: Member,
    key: IdempotencyKey,
    path: PathFields,
    form: TextForm,
) -> Result<Response> {
    let Member { actor, frame } = member;
    let feed = feed::feed_id(&path)?;
    match say(&app, &actor, key, feed, &form.0).await {
        Ok(id) if frame.json => said(&app, &frame, &actor, feed, id).await,
        Ok(id) => Ok(Answer::go(place_of(&app, feed, id).await?).to(&frame)),
        Err(e) if frame.json => Err(e),
        Err(e) => {
            let window = Window { limit: LIMIT, start: Start::Skip(0) };
            let (key, content) = (idempotency::key_again(&e, &form.0), form.0.typed("content"));
            let form = NewForm { key, content, ..NewForm::new(&frame, feed) };
            let page = feed_page(&app, &frame, Some(&actor), feed, window, form).await?;
            again(&frame, e, |wrong| FeedPage { form: NewForm { wrong, ..page.form }, ..page })
        }
    }
}

async fn say(app: &App, actor: &Actor, key: IdempotencyKey, feed: FeedId, form: &Document) -> Result<CommentId> {
    Member::filled_in(actor, form)?;
    // The feed stands in the path; a comment's fields are the same for the API and for pages.
    let feed_id = ("feed_id".to_owned(), Value::from(feed.0));
    let document = Document::new(Source::Form, form.entries().iter().cloned().chain([feed_id]).collect());
    let new = NewComment::parse(&document)?;
    let write = key.or_field(form.typed("key")).of(actor.id)?.with(form);
    let create =
        async |tx: &mut Tx| service::create(app, tx, actor, &new).await.map(|comment| Said { id: comment.id.0 });
    write.run(app, create).await?.read::<Said>().map(|said| CommentId(said.id))
}

/// Leads to where the comment is to be seen.
async fn lead_to_comment(State(app): State<App>, frame: Frame, path: PathFields) -> Result<Response> {
    let id = comment_id(&path)?;
    let comment = queries::by_id(&mut app.db.single(), id, UserId(0)).await?.ok_or(Code::CommentNotFound)?;
    Ok(redirect::see_other(frame.base(), &place_of(&app, comment.feed_id, id).await?))
}

/// Where a comment is to be seen: on the first page of its feed, or at the top of one that begins with it.
async fn place_of(app: &App, feed: FeedId, id: CommentId) -> Result<String> {
    let read = async |r: &mut Read| {
        let count = feed::by_id(r, feed, UserId(0)).await?.map_or(0, |found| found.feed.comment_count);
        Ok::<_, greenlit::Error>((queries::by_id(r, id, UserId(0)).await?, count))
    };
    let place = match app.db.read(Opts::default(), read).await? {
        (Some(comment), count) if count > LIMIT => beginning_with(&comment),
        _ => format!("/feed/{}", feed.0),
    };
    Ok(format!("{place}#comment-{}", id.0))
}

/// The page of a feed that begins with this comment.
fn beginning_with(comment: &Comment) -> String {
    let before = Position { value: comment.create_dt.0, id: comment.id.0 - 1 };
    format!("/feed/{}?cursor={}", comment.feed_id.0, before.cursor(&list_of(comment.feed_id)))
}

/// The new comment in its place, for a script.
async fn said(app: &App, frame: &Frame, actor: &Actor, feed: FeedId, id: CommentId) -> Result<Response> {
    let read = async |r: &mut Read| {
        let count = feed::by_id(r, feed, actor.id).await?.map_or(0, |found| found.feed.comment_count);
        Ok::<_, greenlit::Error>((queries::by_id(r, id, actor.id).await?, count))
    };
    let (comment, count) = app.db.read(Opts::default(), read).await?;
    let item = Item::new(frame, actor.is_admin, comment.ok_or(Code::CommentNotFound)?);
    let swaps = vec![
        Swap::append("#comments", part(&item)?),
        Swap::replace("#comment-count", part(&Count { frame, count })?),
        Swap::replace("#new-comment", part(&NewForm::new(frame, feed))?),
    ];
    Ok(Answer::stay(format!("/feed/{}", feed.0), swaps, frame.t("notice-commented")).to(frame))
}

#[derive(Template)]
#[template(path = "comment/pages/edit.html")]
struct EditPage<'a> {
    frame: &'a Frame,
    id: i64,
    feed: i64,
    content: &'a str,
    wrong: Wrong,
}

async fn show_edit(State(app): State<App>, member: Member, path: PathFields) -> Result<Response> {
    let comment = owned(&app, &member.actor, comment_id(&path)?).await?;
    let Comment { id, feed_id, content, .. } = &comment;
    html(&EditPage { frame: &member.frame, id: id.0, feed: feed_id.0, content, wrong: Wrong::default() })
}

async fn owned(app: &App, actor: &Actor, id: CommentId) -> Result<Comment> {
    let found = queries::by_id(&mut app.db.single(), id, actor.id).await?.ok_or(Code::CommentNotFound)?;
    if found.author_id == actor.id { Ok(found) } else { Err(Code::PermissionDenied.into()) }
}

async fn update(State(app): State<App>, member: Member, path: PathFields, form: TextForm) -> Result<Response> {
    let Member { actor, frame } = member;
    let before = owned(&app, &actor, comment_id(&path)?).await?;
    let change = async {
        let (id, content) = parse_change(&path.0, &form.0)?;
        let now = app.clock.now();
        let update = async |tx: &mut Tx| service::update(tx, &actor, id, content.as_deref(), now).await;
        app.db.tx(Opts::default(), update).await
    };
    match change.await {
        Ok(comment) => Ok(Answer::go(place_of(&app, comment.feed_id, comment.id).await?).to(&frame)),
        Err(e) => {
            let (id, feed, content) = (before.id.0, before.feed_id.0, form.0.typed("content"));
            again(&frame, e, |wrong| EditPage { frame: &frame, id, feed, content, wrong })
        }
    }
}

async fn delete(State(app): State<App>, member: Member, path: PathFields) -> Result<Response> {
    let Member { actor, frame } = member;
    let id = comment_id(&path)?;
    let delete = async |tx: &mut Tx| {
        let comment = queries::by_id(tx, id, actor.id).await?.ok_or(Code::CommentNotFound)?;
        service::delete(tx, &actor, id).await?;
        let count = feed::by_id(tx, comment.feed_id, actor.id).await?.map_or(0, |found| found.feed.comment_count);
        Ok::<_, Error>((comment.feed_id, count))
    };
    let (feed, count) = app.db.tx(Opts::default(), delete).await?;
    let swaps = vec![
        Swap::remove(format!("#comment-{}", id.0)),
        Swap::replace("#comment-count", part(&Count { frame: &frame, count })?),
    ];
    Ok(Answer::stay(format!("/feed/{}", feed.0), swaps, frame.t("notice-comment-deleted")).to(&frame))
}

/// The comment that a page's path names.
///
/// # Errors
/// 404 if it names none.
pub(crate) fn comment_id(path: &PathFields) -> Result<CommentId> {
    let mut fields = path.fields();
    let id = CommentId(fields.id("comment_id"));
    fields.finish(id).map_err(|_| Code::CommentNotFound.into())
}

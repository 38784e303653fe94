//! The pages of feeds: the newest ones, and the forms that write, change and delete one.

mod parts;
mod syndication;

use askama::Template;
use axum::{
    body::Body,
    extract::State,
    http::HeaderMap,
    response::Response,
    routing::{get, post},
};
use greenlit::{Opts, Read, Tx};
use serde::{Deserialize, Serialize};

pub(crate) use self::parts::{Article, CardList, Photo};
use super::{
    model::{FeedId, Order},
    ready::HOME,
    service,
    view::FeedImages,
    writing,
};
use crate::{
    account::{Member, Visitor},
    app::App,
    error::{Code, Error, Result},
    http::{
        body::Progress,
        input::Document,
        query::{PathFields, QueryFields},
    },
    idempotency::{self, IdempotencyKey},
    media,
    paging::{Start, Window},
    secret,
    web::{
        Answer, Frame, Pages, again,
        cache::{Key, Page},
        html, part,
        parts::Wrong,
    },
};

pub(crate) fn pages() -> Pages<App> {
    Pages::new()
        .at(HOME, get(show_newest))
        .at("/write", get(show_compose).post(create))
        .at("/feed/{feed_id}/edit", get(show_edit).post(update))
        .at("/feed/{feed_id}/delete", post(delete))
        .and(syndication::pages())
}

/// How many feeds a page shows.
const LIMIT: i64 = 20;

/// The part of a list that a page shows: from its cursor on.
///
/// # Errors
/// 422 for a cursor that is not this list's.
pub(crate) fn window(query: &QueryFields, list: &str) -> Result<Window> {
    let mut fields = query.fields();
    let window = Window { limit: LIMIT, ..Window::parse_cursor(&mut fields, list) };
    fields.finish(window)
}

#[derive(Template)]
#[template(path = "feed/pages/home.html")]
struct HomePage<'a> {
    frame: &'a Frame,
    /// Whether it is the first of its pages.
    first: bool,
    list: CardList<'a>,
}

/// The newest feeds. The first page is made once for all who are not logged in.
async fn show_newest(
    State(app): State<App>,
    visitor: Visitor,
    query: QueryFields,
    headers: HeaderMap,
) -> Result<Response> {
    let list = format!("feeds {:?}", Order::CreateDesc);
    let window = window(&query, &list)?;
    if visitor.frame.me.is_some() || window.start != Start::Skip(0) {
        let text = newest(&app, &visitor, window, &list).await?;
        return Ok(crate::web::answer::text(text));
    }
    // What one visitor asked for besides must not stand in the page that others get.
    let frame = Frame { here: HOME.to_owned(), ..visitor.frame.clone() };
    let visitor = Visitor { frame, ..visitor };
    let Frame { lang, chosen, theme, .. } = visitor.frame;
    let make = async || newest(&app, &visitor, window, &list).await.map(Page::html);
    let page = app.pages.get(Key::Home((lang, chosen, theme)), || app.db.commits(), make).await?;
    Ok(page.answer(&headers))
}

async fn newest(app: &App, visitor: &Visitor, window: Window, list: &str) -> Result<String> {
    let viewer = visitor.id();
    let page = async |r: &mut Read| service::newest(r, window, list, viewer).await;
    let (feeds, next) = app.db.read(Opts::default(), page).await?;
    let frame = &visitor.frame;
    let first = window.start == Start::Skip(0);
    part(&HomePage { frame, first, list: CardList::new(app, frame, HOME, feeds, next) })
}

#[derive(Template)]
#[template(path = "feed/pages/compose.html")]
struct ComposePage<'a> {
    frame: &'a Frame,
    /// The feed that is changed, unless it is a new one.
    feed: Option<i64>,
    /// By which the form takes effect once.
    key: String,
    title: &'a str,
    content: &'a str,
    /// The images that it has.
    photos: Vec<Photo>,
    wrong: Wrong,
}

impl ComposePage<'_> {
    /// What the form is sent to.
    fn action(&self) -> String {
        self.feed.map_or("/write".to_owned(), |id| format!("/feed/{id}/edit"))
    }

    /// The name of its draft.
    fn draft(&self) -> String {
        self.feed.map_or("new".to_owned(), |id| format!("feed-{id}"))
    }

    /// How many images may be added.
    fn most(&self) -> usize {
        media::IMAGES_PER_FEED.saturating_sub(self.photos.len())
    }
}

async fn show_compose(member: Member) -> Result<Response> {
    let (key, photos, wrong) = (secret::random_name(), Vec::new(), Wrong::default());
    html(&ComposePage { frame: &member.frame, feed: None, key, title: "", content: "", photos, wrong })
}

/// The feed that a form wrote.
#[derive(Serialize, Deserialize)]
struct Wrote {
    id: i64,
}

impl From<FeedImages> for Wrote {
    fn from(found: FeedImages) -> Wrote {
        Wrote { id: found.feed.id.0 }
    }
}

async fn create(
    State(app): State<App>,
    member: Member,
    key: IdempotencyKey,
    headers: HeaderMap,
    progress: Progress,
    body: Body,
) -> Result<Response> {
    let Member { actor, frame } = member;
    let mut typed = None;
    let created = async {
        let form = writing::read_page_form(&app, &headers, body, "images", &mut typed).await?;
        Member::filled_in(&actor, &form.document)?;
        let key = key.or_field(form.document.typed("key"));
        writing::create(&app, &actor, key, form, &progress, Wrote::from).await?.read::<Wrote>()
    };
    match created.await {
        Ok(Wrote { id }) => Ok(Answer::go(format!("/feed/{id}")).to(&frame)),
        Err(e) => compose_again(&frame, e, None, typed.as_ref(), Vec::new()),
    }
}

/// The form with what was typed.
fn compose_again(
    frame: &Frame,
    error: Error,
    feed: Option<i64>,
    typed: Option<&Document>,
    photos: Vec<Photo>,
) -> Result<Response> {
    let text = |name| typed.map_or("", |typed| typed.typed(name));
    let key = typed.map_or_else(secret::random_name, |typed| idempotency::key_again(&error, typed));
    let (title, content) = (text("title"), text("content"));
    again(frame, error, |wrong| ComposePage { frame, feed, key, title, content, photos, wrong })
}

async fn show_edit(State(app): State<App>, member: Member, path: PathFields) -> Result<Response> {
    let found = service::owned(&mut app.db.single(), member.actor.id, feed_id(&path)?).await?;
    let photos = Photo::all(&app, &found);
    let FeedImages { feed, .. } = found;
    html(&ComposePage {
        frame: &member.frame,
        feed: Some(feed.id.0),
        key: secret::random_name(),
        title: &feed.title,
        content: &feed.content,
        photos,
        wrong: Wrong::default(),
    })
}

async fn update(
    State(app): State<App>,
    member: Member,
    key: IdempotencyKey,
    path: PathFields,
    headers: HeaderMap,
    progress: Progress,
    body: Body,
) -> Result<Response> {
    let Member { actor, frame } = member;
    let id = feed_id(&path)?;
    let mut typed = None;
    let updated = async {
        let form = writing::read_page_form(&app, &headers, body, "new_images", &mut typed).await?;
        Member::filled_in(&actor, &form.document)?;
        let key = key.or_field(form.document.typed("key"));
        writing::update(&app, &actor, key, &path, form, &progress, Wrote::from).await?.read::<Wrote>()
    };
    match updated.await {
        Ok(Wrote { id }) => Ok(Answer::go(format!("/feed/{id}")).to(&frame)),
        Err(e) => {
            // Also tells whether it is there, and his.
            let photos = Photo::all(&app, &service::owned(&mut app.db.single(), actor.id, id).await?);
            compose_again(&frame, e, Some(id.0), typed.as_ref(), photos)
        }
    }
}

async fn delete(State(app): State<App>, member: Member, path: PathFields) -> Result<Response> {
    let Member { actor, frame } = member;
    let id = feed_id(&path)?;
    app.db.tx(Opts::default(), async |tx: &mut Tx| service::delete(&app, tx, &actor, id).await).await?;
    Ok(Answer::go("/").to(&frame))
}

/// The feed that a page's path names.
///
/// # Errors
/// 404 if it names none.
pub(crate) fn feed_id(path: &PathFields) -> Result<FeedId> {
    let mut fields = path.fields();
    let id = FeedId(fields.id("feed_id"));
    fields.finish(id).map_err(|_| Code::FeedNotFound.into())
}

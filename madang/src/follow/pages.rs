//! The pages of people: a profile, who follows whom, and the timeline.

use askama::Template;
use axum::{
    extract::State,
    response::Response,
    routing::{get, post},
};
use greenlit::{Opts, Read, Tx};

use super::{
    model::{Followers, Person, User, user_in},
    queries, service, timeline,
};
use crate::{
    account::{Member, UserId, Visitor},
    app::App,
    error::{Code, Result},
    feed::{self, AuthorOrder, CardList},
    http::query::{PathFields, QueryFields},
    paging::{Start, Window},
    web::{Answer, Frame, Pages, Swap, html, part},
};

pub(super) fn pages() -> Pages<App> {
    Pages::new()
        .at("/user/{id}", get(show_profile))
        .at("/user/{id}/follow", post(follow))
        .at("/user/{id}/unfollow", post(unfollow))
        .at("/user/{id}/followers", get(show_followers))
        .at("/user/{id}/followings", get(show_followings))
        .at("/timeline", get(show_timeline))
}

/// People on a page.
const LIMIT: i64 = 50;

/// The button that follows somebody, or ends it.
#[derive(Template)]
#[template(path = "follow/pages/button.html")]
struct Button<'a> {
    frame: &'a Frame,
    id: i64,
    followed: bool,
}

/// How many follow somebody.
#[derive(Template)]
#[template(path = "follow/pages/count.html")]
struct Count<'a> {
    frame: &'a Frame,
    id: i64,
    count: i64,
}

#[derive(Template)]
#[template(path = "follow/pages/profile.html")]
struct ProfilePage<'a> {
    frame: &'a Frame,
    user: User,
    first: bool,
    followers: Count<'a>,
    button: Button<'a>,
    list: CardList<'a>,
}

async fn show_profile(
    State(app): State<App>,
    visitor: Visitor,
    path: PathFields,
    query: QueryFields,
) -> Result<Response> {
    let id = user(&path)?;
    let list = format!("feeds of one {:?}", AuthorOrder::CreateDesc);
    let window = feed::window(&query, &list)?;
    let viewer = visitor.id();
    let page = async |r: &mut Read| {
        let Some(user) = queries::user(r, id, viewer).await? else { return Ok(None) };
        let (feeds, next, _) = feed::page_of(r, id, AuthorOrder::CreateDesc, window, &list, viewer).await?;
        Ok::<_, greenlit::Error>(Some((user, feeds, next)))
    };
    let (user, feeds, next) = app.db.read(Opts::default(), page).await?.ok_or(Code::UserNotFound)?;
    let frame = &visitor.frame;
    html(&ProfilePage {
        frame,
        first: window.start == Start::Skip(0),
        followers: Count { frame, id: id.0, count: user.follower_count },
        button: Button { frame, id: id.0, followed: user.followed },
        list: CardList::new(&app, frame, format!("/user/{}", id.0), feeds, next),
        user,
    })
}

async fn follow(state: State<App>, member: Member, path: PathFields) -> Result<Response> {
    set(state, member, user(&path)?, true).await
}

async fn unfollow(state: State<App>, member: Member, path: PathFields) -> Result<Response> {
    set(state, member, user(&path)?, false).await
}

async fn set(State(app): State<App>, member: Member, id: UserId, wanted: bool) -> Result<Response> {
    let Member { actor, frame } = member;
    let set = async |tx: &mut Tx| service::set(&app, tx, actor.id, id, Some(wanted)).await;
    let Followers { follower_count, followed } = app.db.tx(Opts::default(), set).await?;
    let id = id.0;
    let swaps = vec![
        Swap::replace(format!("#follow-{id}"), part(&Button { frame: &frame, id, followed })?),
        Swap::replace("#follower-count", part(&Count { frame: &frame, id, count: follower_count })?),
    ];
    let notice = frame.t(if followed { "notice-followed" } else { "notice-unfollowed" });
    Ok(Answer::stay(format!("/user/{id}"), swaps, notice).to(&frame))
}

#[derive(Template)]
#[template(path = "follow/pages/people.html")]
struct PeoplePage<'a> {
    frame: &'a Frame,
    /// Whose followers, or whom he follows.
    id: i64,
    nickname: &'a str,
    /// The key of the page's title.
    kind: &'static str,
    people: Vec<Person>,
    path: String,
    next: Option<String>,
}

async fn show_followers(
    State(app): State<App>,
    visitor: Visitor,
    path: PathFields,
    query: QueryFields,
) -> Result<Response> {
    show_people(&app, &visitor, user(&path)?, &query, "followers").await
}

async fn show_followings(
    State(app): State<App>,
    visitor: Visitor,
    path: PathFields,
    query: QueryFields,
) -> Result<Response> {
    show_people(&app, &visitor, user(&path)?, &query, "followings").await
}

async fn show_people(
    app: &App,
    visitor: &Visitor,
    id: UserId,
    query: &QueryFields,
    kind: &'static str,
) -> Result<Response> {
    let list = format!("{kind} of {}", id.0);
    let mut fields = query.fields();
    let window = Window { limit: LIMIT, ..Window::parse_cursor(&mut fields, &list) };
    let window = fields.finish(window)?;
    let page = async |r: &mut Read| {
        let Some(user) = queries::user(r, id, UserId(0)).await? else { return Ok(None) };
        let (people, _) = match kind {
            "followers" => queries::followers(r, id, window).await?,
            _ => queries::followings(r, id, window).await?,
        };
        Ok::<_, greenlit::Error>(Some((user, people)))
    };
    let (user, mut people) = app.db.read(Opts::default(), page).await?.ok_or(Code::UserNotFound)?;
    let next = window.next_cursor(&mut people, &list, |person| (person.follow_id, person.follow_id));
    let (nickname, path) = (user.nickname.as_str(), format!("/user/{}/{kind}", id.0));
    html(&PeoplePage { frame: &visitor.frame, id: id.0, nickname, kind, people, path, next })
}

#[derive(Template)]
#[template(path = "follow/pages/timeline.html")]
struct TimelinePage<'a> {
    frame: &'a Frame,
    list: CardList<'a>,
}

async fn show_timeline(State(app): State<App>, member: Member, query: QueryFields) -> Result<Response> {
    let Member { actor, frame } = member;
    let list = format!("timeline of {}", actor.id.0);
    let window = feed::window(&query, &list)?;
    let page = async |r: &mut Read| timeline::page(r, actor.id, window, &list).await;
    let (feeds, next) = app.db.read(Opts::default(), page).await?;
    html(&TimelinePage { frame: &frame, list: CardList::new(&app, &frame, "/timeline", feeds, next) })
}

fn user(path: &PathFields) -> Result<UserId> {
    user_in(path, "id").map_err(|_| Code::UserNotFound.into())
}

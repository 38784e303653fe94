//! The lists of my page: one's feeds and comments, and whoever follows whom.

use axum::extract::State;
use greenlit::{Opts, Read};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    account::{Actor, Email, MaybeActor, Nickname, UserId},
    app::App,
    comment::{self, CommentView},
    error::Result,
    feed::{self, FeedPage, FeedView, Order},
    follow::{self, Person},
    http::{
        json::Json,
        query::{PathFields, QueryFields},
    },
    openapi::{InvalidInput, Unauthorized},
    paging::{PageParams, Pagination, Window},
};

pub(super) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list_own_feeds))
        .routes(routes!(list_own_comments))
        .routes(routes!(list_followers))
        .routes(routes!(list_followings))
}

/// List one's own feeds
#[utoipa::path(
    get, path = "/api/mypage/feeds", tag = "mypage", security(("bearer" = [])),
    params(PageParams, ("sort_by" = inline(Option<Order>), Query)),
    responses((status = 200, description = "A page of feeds", body = FeedPage), Unauthorized, InvalidInput),
)]
async fn list_own_feeds(State(app): State<App>, actor: Actor, query: QueryFields) -> Result<Json<FeedPage>> {
    let mut fields = query.fields();
    let order = fields.one_of("sort_by", Order::CreateDesc, Order::NAMES);
    let list = format!("own feeds of {} {order:?}", actor.id.0);
    let window = Window::parse(&mut fields, &list);
    let window = fields.finish(window)?;
    let page = async |r: &mut Read| feed::page_of(r, actor.id, order.into(), window, &list, actor.id).await;
    let (feeds, next, total) = app.db.read(Opts::default(), page).await?;
    let viewer = MaybeActor(Some(actor));
    let feeds = feeds.into_iter().map(|feed| FeedView::new(&app, &viewer, feed)).collect();
    Ok(Json(FeedPage { feeds, pagination: Pagination::new(window, total, next) }))
}

/// A page of comments.
#[derive(Serialize, ToSchema)]
struct CommentPage {
    comments: Vec<CommentView>,
    pagination: Pagination,
}

/// List one's own comments
#[utoipa::path(
    get, path = "/api/mypage/comments", tag = "mypage", security(("bearer" = [])),
    params(PageParams, ("sort_by" = inline(Option<Order>), Query)),
    responses((status = 200, description = "A page of comments", body = CommentPage), Unauthorized, InvalidInput),
)]
async fn list_own_comments(State(app): State<App>, actor: Actor, query: QueryFields) -> Result<Json<CommentPage>> {
    let mut fields = query.fields();
    let order = fields.one_of("sort_by", Order::CreateDesc, Order::NAMES);
    let list = format!("own comments of {} {order:?}", actor.id.0);
    let window = Window::parse(&mut fields, &list);
    let window = fields.finish(window)?;
    let page = async |r: &mut Read| comment::page_by(r, actor.id, order, window).await;
    let (mut comments, total) = app.db.read(Opts::default(), page).await?;
    let next = window.next_cursor(&mut comments, &list, |comment| comment::place(order, comment));
    let viewer = MaybeActor(Some(actor));
    let comments = comments.into_iter().map(|comment| CommentView::new(&app, &viewer, comment)).collect();
    Ok(Json(CommentPage { comments, pagination: Pagination::new(window, total, next) }))
}

/// Somebody who follows or is followed.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
struct PersonView {
    /// Null unless he himself or an administrator asks.
    #[schema(required)]
    email: Option<Email>,
    nickname: Nickname,
    id: UserId,
}

impl PersonView {
    fn all(app: &App, viewer: &MaybeActor, people: Vec<Person>) -> Vec<PersonView> {
        let view = |person: Person| PersonView {
            email: viewer.sees_email_of(app, person.id).then_some(person.email),
            nickname: person.nickname,
            id: person.id,
        };
        people.into_iter().map(view).collect()
    }
}

/// A page of those who follow somebody.
#[derive(Serialize, ToSchema)]
struct FollowerPage {
    followers: Vec<PersonView>,
    pagination: Pagination,
}

/// List who follows a user
///
/// The latest comes first. Nobody follows a user who is not there.
#[utoipa::path(
    get, path = "/api/mypage/{user_id}/followers", tag = "mypage", security((), ("bearer" = [])),
    params(("user_id" = i64, Path, minimum = 1), PageParams),
    responses((status = 200, description = "A page of users", body = FollowerPage), InvalidInput),
)]
async fn list_followers(
    State(app): State<App>,
    path: PathFields,
    query: QueryFields,
    viewer: MaybeActor,
) -> Result<Json<FollowerPage>> {
    let (user, window, list) = whose(&path, &query, "followers")?;
    let page = async |r: &mut Read| follow::followers(r, user, window).await;
    let (mut people, total) = app.db.read(Opts::default(), page).await?;
    let next = window.next_cursor(&mut people, &list, |person| (person.follow_id, person.follow_id));
    let followers = PersonView::all(&app, &viewer, people);
    Ok(Json(FollowerPage { followers, pagination: Pagination::new(window, total, next) }))
}

/// A page of those whom somebody follows.
#[derive(Serialize, ToSchema)]
struct FollowingPage {
    followings: Vec<PersonView>,
    pagination: Pagination,
}

/// List whom a user follows
///
/// The latest comes first. A user who is not there follows nobody.
#[utoipa::path(
    get, path = "/api/mypage/{user_id}/followings", tag = "mypage", security((), ("bearer" = [])),
    params(("user_id" = i64, Path, minimum = 1), PageParams),
    responses((status = 200, description = "A page of users", body = FollowingPage), InvalidInput),
)]
async fn list_followings(
    State(app): State<App>,
    path: PathFields,
    query: QueryFields,
    viewer: MaybeActor,
) -> Result<Json<FollowingPage>> {
    let (user, window, list) = whose(&path, &query, "followings")?;
    let page = async |r: &mut Read| follow::followings(r, user, window).await;
    let (mut people, total) = app.db.read(Opts::default(), page).await?;
    let next = window.next_cursor(&mut people, &list, |person| (person.follow_id, person.follow_id));
    let followings = PersonView::all(&app, &viewer, people);
    Ok(Json(FollowingPage { followings, pagination: Pagination::new(window, total, next) }))
}

/// Whose list is asked for, which part of it, and its name for cursors.
fn whose(path: &PathFields, query: &QueryFields, kind: &str) -> Result<(UserId, Window, String)> {
    let mut fields = path.fields();
    let user = UserId(fields.id("user_id"));
    let list = format!("{kind} of {}", user.0);
    let mut fields = fields.then(&query.0);
    let window = Window::parse(&mut fields, &list);
    fields.finish((user, window, list))
}

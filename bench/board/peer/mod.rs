//! What the peers of the board have in common: the routes that are measured, the JSON that they answer, and who asks. What is
//! the peers' own is how they come by the rows.
//!
//! A peer is started as `PEER DATABASE-URL`, and prints where it listens. Tokens are JWTs signed with `BENCH_KEY`.

#![allow(dead_code)] // each peer uses what it needs

pub mod sql;

use std::{fmt, sync::Arc, time::SystemTime};

use axum::{
    Form, Json, Router,
    extract::{FromRequestParts, Path, Query, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize, Serializer};

/// Connections of a peer's pool, as many as the board has by default.
pub const CONNECTIONS: usize = 10;
/// What begins the address of an image.
const IMAGES: &str = "http://127.0.0.1:8000/images/";

pub type Failure = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Failure>;

/// Where the rows come from.
pub trait Data: Send + Sync + 'static {
    /// The user who has this log-in, unless he is suspended or erased.
    fn user(&self, id: i64, login: i64) -> impl Future<Output = Result<Option<User>>> + Send;
    /// A feed with its images.
    fn read(&self, id: i64) -> impl Future<Output = Result<Option<Feed>>> + Send;
    /// So many of the newest feeds, with their images, and how many there are in all; in one snapshot.
    fn list(&self, start: Start, limit: i64) -> impl Future<Output = Result<(Vec<Feed>, i64)>> + Send;
    /// So many of a feed's newest comments.
    fn comments(&self, feed: i64, limit: i64) -> impl Future<Output = Result<Vec<Comment>>> + Send;
    /// So many of the newest feeds of those whom the user follows, with their images.
    fn timeline(&self, user: i64, limit: i64) -> impl Future<Output = Result<Vec<Feed>>> + Send;
    /// Writes a feed; answers with its id.
    fn create(&self, user: i64, title: &str, content: &str, now: i64) -> impl Future<Output = Result<i64>> + Send;
    /// Writes a comment; answers with its id, if there is such a feed.
    fn comment(
        &self,
        user: i64,
        feed: i64,
        content: &str,
        now: i64,
    ) -> impl Future<Output = Result<Option<i64>>> + Send;
    /// Likes the feed, or takes the like back; answers whether there is such a feed.
    fn like(&self, user: i64, feed: i64, now: i64) -> impl Future<Output = Result<bool>> + Send;
}

/// Where a page begins.
#[derive(Clone, Copy)]
pub enum Start {
    Skip(i64),
    /// Behind the feed of this time and id.
    After(i64, i64),
}

#[derive(Clone)]
pub struct User {
    pub id: i64,
    pub email: String,
    pub nickname: String,
    pub epoch: i64,
}

#[derive(Serialize)]
pub struct Feed {
    pub title: String,
    pub content: String,
    pub image_urls: Vec<String>,
    pub id: i64,
    pub author_email: Option<String>,
    pub author_nickname: String,
    pub create_dt: Time,
    pub update_dt: Time,
    pub author_id: i64,
    pub like_count: i64,
    pub comment_count: i64,
    pub liked: bool,
    pub images: Vec<Image>,
}

#[derive(Serialize)]
pub struct Image {
    pub url: String,
    pub thumb_url: String,
    pub width: i64,
    pub height: i64,
}

impl Feed {
    /// Adds an image by its row.
    pub fn add(&mut self, key: &str, extension: &str, width: i64, height: i64, thumb_width: Option<i64>) {
        let url = format!("{IMAGES}{key}.{extension}");
        let thumb_url = if thumb_width.is_some() { format!("{IMAGES}{key}_thumb.{extension}") } else { url.clone() };
        self.image_urls.push(url.clone());
        self.images.push(Image { url, thumb_url, width, height });
    }
}

#[derive(Serialize)]
pub struct Comment {
    pub content: String,
    pub feed_id: i64,
    pub id: i64,
    pub author_email: Option<String>,
    pub author_nickname: String,
    pub create_dt: Time,
    pub update_dt: Time,
    pub author_id: i64,
    pub like_count: i64,
    pub liked: bool,
}

/// Microseconds since 1970.
#[derive(Clone, Copy)]
pub struct Time(pub i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let time = jiff::Timestamp::from_microsecond(self.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&format_args!("{time:.6}"))
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_micros()).expect("a clock before the year 294,000")
}

struct Peer<D> {
    data: D,
    key: DecodingKey,
}

type App<D> = State<Arc<Peer<D>>>;

/// Serves on a free port, which it prints, until the process is killed.
pub async fn serve(data: impl Data) -> Result<()> {
    let key = std::env::var("BENCH_KEY").unwrap_or_default();
    let peer = Arc::new(Peer { data, key: DecodingKey::from_secret(key.as_bytes()) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, router(peer)).await?)
}

fn router<D: Data>(peer: Arc<Peer<D>>) -> Router {
    Router::new()
        .route("/api/feed/read/{id}", get(read::<D>))
        .route("/api/feed/list", get(list::<D>))
        .route("/api/feed/timeline", get(timeline::<D>))
        .route("/api/feed/create", post(create::<D>))
        .route("/api/comment/feed/{id}", get(comments::<D>))
        .route("/api/comment/create", post(comment::<D>))
        .route("/api/like/", patch(like::<D>))
        .with_state(peer)
}

async fn read<D: Data>(State(peer): App<D>, Path(id): Path<i64>) -> Answer<Feed> {
    peer.data.read(id).await?.map(Json).ok_or(Wrong::status(StatusCode::NOT_FOUND))
}

#[derive(Deserialize)]
struct Window {
    #[serde(default)]
    skip: i64,
    #[serde(default = "ten")]
    limit: i64,
    /// `TIME.ID`
    cursor: Option<String>,
}

fn ten() -> i64 {
    10
}

#[derive(Serialize)]
struct FeedPage {
    feeds: Vec<Feed>,
    pagination: Pagination,
}

#[derive(Serialize)]
struct Pagination {
    current_page: i64,
    total_pages: i64,
    is_last_page: bool,
    total_count: i64,
    next_cursor: Option<String>,
}

async fn list<D: Data>(State(peer): App<D>, Query(window): Query<Window>) -> Answer<FeedPage> {
    let start = match &window.cursor {
        None => Start::Skip(window.skip),
        Some(cursor) => {
            let (time, id) = cursor.split_once('.').ok_or(Wrong::status(StatusCode::UNPROCESSABLE_ENTITY))?;
            Start::After(time.parse()?, id.parse()?)
        }
    };
    let (mut feeds, total) = peer.data.list(start, window.limit + 1).await?;
    let next_cursor = cut(&mut feeds, window.limit);
    let pagination = Pagination {
        current_page: window.skip / window.limit + 1,
        total_pages: total / window.limit + i64::from(total % window.limit > 0),
        is_last_page: next_cursor.is_none(),
        total_count: total,
        next_cursor,
    };
    Ok(Json(FeedPage { feeds, pagination }))
}

/// Cuts off what was asked for beyond the page, and makes the cursor of the next one.
fn cut(feeds: &mut Vec<Feed>, limit: i64) -> Option<String> {
    if feeds.len() as i64 <= limit {
        return None;
    }
    feeds.truncate(limit as usize);
    feeds.last().map(|feed| format!("{}.{}", feed.create_dt.0, feed.id))
}

#[derive(Serialize)]
struct Timeline {
    feeds: Vec<Feed>,
    pagination: Next,
}

#[derive(Serialize)]
struct Next {
    next_cursor: Option<String>,
}

async fn timeline<D: Data>(State(peer): App<D>, user: User, Query(window): Query<Window>) -> Answer<Timeline> {
    let mut feeds = peer.data.timeline(user.id, window.limit + 1).await?;
    let next_cursor = cut(&mut feeds, window.limit);
    Ok(Json(Timeline { feeds, pagination: Next { next_cursor } }))
}

async fn comments<D: Data>(
    State(peer): App<D>,
    Path(feed): Path<i64>,
    Query(window): Query<Window>,
) -> Answer<Vec<Comment>> {
    let mut comments = peer.data.comments(feed, window.limit + 1).await?;
    comments.truncate(window.limit as usize);
    Ok(Json(comments))
}

#[derive(Deserialize)]
struct NewFeed {
    title: String,
    content: String,
}

async fn create<D: Data>(State(peer): App<D>, user: User, Form(new): Form<NewFeed>) -> Answer<Feed> {
    let now = now();
    let id = peer.data.create(user.id, &new.title, &new.content, now).await?;
    Ok(Json(Feed {
        title: new.title,
        content: new.content,
        image_urls: Vec::new(),
        id,
        author_email: Some(user.email),
        author_nickname: user.nickname,
        create_dt: Time(now),
        update_dt: Time(now),
        author_id: user.id,
        like_count: 0,
        comment_count: 0,
        liked: false,
        images: Vec::new(),
    }))
}

#[derive(Deserialize)]
struct NewComment {
    content: String,
    feed_id: i64,
}

async fn comment<D: Data>(State(peer): App<D>, user: User, Json(new): Json<NewComment>) -> Answer<Comment> {
    let now = now();
    let id = peer.data.comment(user.id, new.feed_id, &new.content, now).await?;
    Ok(Json(Comment {
        content: new.content,
        feed_id: new.feed_id,
        id: id.ok_or(Wrong::status(StatusCode::NOT_FOUND))?,
        author_email: Some(user.email),
        author_nickname: user.nickname,
        create_dt: Time(now),
        update_dt: Time(now),
        author_id: user.id,
        like_count: 0,
        liked: false,
    }))
}

#[derive(Deserialize)]
struct Liked {
    feed_id: i64,
}

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

async fn like<D: Data>(State(peer): App<D>, user: User, Query(liked): Query<Liked>) -> Answer<Message> {
    if !peer.data.like(user.id, liked.feed_id, now()).await? {
        return Err(Wrong::status(StatusCode::NOT_FOUND));
    }
    Ok(Json(Message { message: "Like toggled successfully" }))
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    epoch: i64,
    sid: i64,
}

impl<D: Data> FromRequestParts<Arc<Peer<D>>> for User {
    type Rejection = Wrong;

    async fn from_request_parts(parts: &mut Parts, peer: &Arc<Peer<D>>) -> std::result::Result<User, Wrong> {
        let nobody = || Wrong::status(StatusCode::UNAUTHORIZED);
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(nobody)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &peer.key, &validation).map_err(|_| nobody())?.claims;
        let id = claims.sub.parse().map_err(|_| nobody())?;
        let user = peer.data.user(id, claims.sid).await?;
        user.filter(|user| user.epoch == claims.epoch).ok_or_else(nobody)
    }
}

type Answer<T> = std::result::Result<Json<T>, Wrong>;

/// What went wrong, as the bench shall see it.
pub struct Wrong(StatusCode, String);

impl Wrong {
    fn status(status: StatusCode) -> Wrong {
        Wrong(status, String::new())
    }
}

impl<E: fmt::Display> From<E> for Wrong {
    fn from(error: E) -> Wrong {
        Wrong(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

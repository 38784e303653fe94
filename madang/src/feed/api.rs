//! The feeds' routes.

use axum::{
    body::Body,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use greenlit::{Opts, Read, Tx};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{AuthorOrder, FeedId, Order},
    queries, ready, service,
    view::{AuthorFeedPage, FeedPage, FeedView, join},
    writing,
};
use crate::{
    account::{self, Actor, Email, MaybeActor, Nickname, UserId},
    app::App,
    error::{Code, Result},
    http::{
        body::Progress,
        json::Json,
        query::{PathFields, QueryFields},
    },
    idempotency::{IdempotencyKey, Written},
    openapi::{Message, Problem, Problems, Refused},
    paging::{PageParams, Pagination, Window},
    web::cache::{Key, Page},
};

pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(create_feed))
        .routes(routes!(read_feed))
        .routes(routes!(list_feeds))
        .routes(routes!(list_feeds_by_user))
        .routes(routes!(update_feed))
        .routes(routes!(delete_feed))
}

/// What a new feed sends; `application/x-www-form-urlencoded` does for one without images.
#[derive(ToSchema)]
#[allow(dead_code)]
struct NewFeed {
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    #[schema(min_length = 1, max_length = 50_000)]
    content: String,
    /// At most 10 files: JPEG, PNG, GIF or WebP of at most 10 MB and 40 megapixels each.
    #[schema(value_type = Vec<String>, format = Binary, required = false)]
    images: Vec<String>,
}

/// Create a feed
///
/// Images are decoded and encoded anew, upright and without metadata. Of an animation the first frame is kept.
#[utoipa::path(
    post, path = "/api/feed/create", tag = "feed", security(("bearer" = [])),
    request_body(content = NewFeed, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "The feed", body = FeedView),
        (status = 400, description = "`broken_body`", body = Problem),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = Problem),
        (status = 413, description = "`body_too_large`, `too_many_fields`, `image_too_large`", body = Problem),
        (status = 415, description = "`unsupported_image_type`", body = Problem),
        (status = 422, description = "`invalid_input`, `broken_image`, `too_many_images`", body = Refused),
        (status = 429, description = "`too_many_uploads`: too many that were broken off", body = Problem),
        (status = 503, description = "`unavailable`: try again", body = Problem),
    ),
)]
async fn create_feed(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    headers: HeaderMap,
    progress: Progress,
    body: Body,
) -> Result<Written> {
    let form = writing::read_form(&app, &headers, body, "images").await?;
    let viewer = MaybeActor(Some(actor.clone()));
    writing::create(&app, &actor, key, form, &progress, |feed| FeedView::new(&app, &viewer, feed)).await
}

/// Read a feed
#[utoipa::path(
    get, path = "/api/feed/read/{feed_id}", tag = "feed", security((), ("bearer" = [])),
    params(("feed_id" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "The feed", body = FeedView),
        (status = 404, description = "`feed_not_found`", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
    ),
)]
async fn read_feed(State(app): State<App>, path: PathFields, viewer: MaybeActor) -> Result<Json<FeedView>> {
    let id = feed_id(&path)?;
    let found = queries::by_id(&mut app.db.single(), id, viewer.id()).await?.ok_or(Code::FeedNotFoundOnRead)?;
    Ok(Json(FeedView::new(&app, &viewer, found)))
}

/// List feeds
///
/// Without a token and parameters it may be a second old where several servers share a database.
#[utoipa::path(
    get, path = "/api/feed/list", tag = "feed", security((), ("bearer" = [])),
    params(PageParams, ("sort_by" = inline(Option<Order>), Query)),
    responses(
        (status = 200, description = "A page of feeds", body = FeedPage),
        (status = 422, description = "`invalid_input`", body = Problems),
    ),
)]
async fn list_feeds(
    State(app): State<App>,
    query: QueryFields,
    viewer: MaybeActor,
    headers: HeaderMap,
) -> Result<Response> {
    let mut fields = query.fields();
    let order = fields.one_of("sort_by", Order::CreateDesc, Order::NAMES);
    let list = format!("feeds {order:?}");
    let window = Window::parse(&mut fields, &list);
    let window = fields.finish(window)?;
    let page = async || page(&app, &viewer, order, window, &list).await;
    if viewer.0.is_some() || !ready::is_usual(order, window) {
        return Ok(Json(page().await?).into_response());
    }
    let make = async || Page::json(&page().await?);
    let page = app.pages.get(Key::Feeds, || app.db.commits(), make).await?;
    Ok(page.answer(&headers))
}

async fn page(app: &App, viewer: &MaybeActor, order: Order, window: Window, list: &str) -> Result<FeedPage> {
    let page = async |r: &mut Read| {
        let mut feeds = queries::page(r, order, window, viewer.id()).await?;
        let next = window.next_cursor(&mut feeds, list, |feed| (order.value(feed), feed.id.0));
        let (total, images) = queries::total_and_images(r, &feeds).await?;
        Ok::<_, greenlit::Error>((join(feeds, images), next, total))
    };
    let (feeds, next, total) = app.db.read(Opts::default(), page).await?;
    let feeds = feeds.into_iter().map(|feed| FeedView::new(app, viewer, feed)).collect();
    Ok(FeedPage { feeds, pagination: Pagination::new(window, total, next) })
}

/// List the feeds of one user
///
/// The user is named by the first of `user_id`, `nickname` and `email` that is given. By `email` only the user himself and
/// administrators find his feeds; for anybody else, and for a user who is not there, the list is empty.
#[utoipa::path(
    get, path = "/api/feed/list-by-user", tag = "feed", security((), ("bearer" = [])),
    params(
        ("user_id" = Option<i64>, Query, minimum = 1),
        ("nickname" = Option<String>, Query),
        ("email" = Option<String>, Query),
        PageParams,
        ("sort_by" = inline(Option<AuthorOrder>), Query),
    ),
    responses(
        (status = 200, description = "A page of the user's feeds", body = AuthorFeedPage),
        (status = 400, description = "`user_criterion_missing`", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
    ),
)]
async fn list_feeds_by_user(
    State(app): State<App>,
    query: QueryFields,
    viewer: MaybeActor,
) -> Result<Json<AuthorFeedPage>> {
    let mut fields = query.fields();
    let criterion = Criterion {
        id: fields.optional_id("user_id").map(UserId),
        nickname: fields.optional_text("nickname", 0..=1_000),
        email: fields.optional_text("email", 0..=1_000),
    };
    let order = fields.one_of("sort_by", AuthorOrder::IdDesc, AuthorOrder::NAMES);
    let list = format!("feeds of one {order:?}");
    let window = Window::parse(&mut fields, &list);
    let window = fields.finish(window)?;
    if !criterion.is_given() {
        return Err(Code::UserCriterionMissing.into());
    }
    let page = async |r: &mut Read| {
        let Some(author) = criterion.find(&app, r, &viewer).await? else { return Ok((Vec::new(), None, 0)) };
        service::page_of(r, author, order, window, &list, viewer.id()).await
    };
    let (feeds, next_cursor, total_count) = app.db.read(Opts::default(), page).await?;
    let feeds = feeds.into_iter().map(|feed| FeedView::new(&app, &viewer, feed)).collect();
    Ok(Json(AuthorFeedPage { total_count, feeds, next_cursor }))
}

/// What a change of a feed sends.
#[derive(ToSchema)]
#[allow(dead_code)]
struct ChangedFeed {
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    #[schema(min_length = 1, max_length = 50_000)]
    content: String,
    /// Files to append. A feed has 10 images at most.
    #[schema(value_type = Vec<String>, format = Binary, required = false)]
    new_images: Vec<String>,
    /// Addresses of images of this feed to remove.
    #[schema(required = false)]
    target_image_urls: Vec<String>,
}

/// Change a feed
///
/// Images keep their order; new ones are appended. Those removed answer 404 within seconds.
#[utoipa::path(
    patch, path = "/api/feed/update/{feed_id}", tag = "feed", security(("bearer" = [])),
    params(("feed_id" = i64, Path, minimum = 1)),
    request_body(content = ChangedFeed, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "The feed", body = FeedView),
        (status = 400, description = "`broken_body`", body = Problem),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = Problem),
        (status = 403, description = "`permission_denied`: another's feed", body = Problem),
        (status = 404, description = "`feed_not_found`", body = Problem),
        (status = 413, description = "`body_too_large`, `too_many_fields`, `image_too_large`", body = Problem),
        (status = 415, description = "`unsupported_image_type`", body = Problem),
        (status = 422, description = "`invalid_input`, `broken_image`, `too_many_images`", body = Refused),
        (status = 429, description = "`too_many_uploads`: too many that were broken off", body = Problem),
        (status = 503, description = "`unavailable`: try again", body = Problem),
    ),
)]
async fn update_feed(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    path: PathFields,
    headers: HeaderMap,
    progress: Progress,
    body: Body,
) -> Result<Written> {
    let form = writing::read_form(&app, &headers, body, "new_images").await?;
    let viewer = MaybeActor(Some(actor.clone()));
    writing::update(&app, &actor, key, &path, form, &progress, |feed| FeedView::new(&app, &viewer, feed)).await
}

/// Delete a feed
///
/// Its images go with it.
#[utoipa::path(
    delete, path = "/api/feed/delete/{feed_id}", tag = "feed", security(("bearer" = [])),
    params(("feed_id" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "Deleted", body = Message),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = Problem),
        (status = 403, description = "`permission_denied`: another's feed", body = Problem),
        (status = 404, description = "`feed_not_found`", body = Problem),
        (status = 422, description = "`invalid_input`", body = Problems),
    ),
)]
async fn delete_feed(State(app): State<App>, actor: Actor, key: IdempotencyKey, path: PathFields) -> Result<Written> {
    let id = feed_id(&path)?;
    let delete = async |tx: &mut Tx| {
        service::delete(&app, tx, &actor, id).await?;
        Ok(Message { message: "Feed Deleted" })
    };
    key.of(actor.id)?.run(&app, delete).await
}

/// Whose feeds are asked for.
#[derive(Clone)]
struct Criterion {
    id: Option<UserId>,
    nickname: Option<String>,
    email: Option<String>,
}

impl Criterion {
    fn is_given(&self) -> bool {
        self.id.is_some() || self.nickname.is_some() || self.email.is_some()
    }

    /// The user, by the first criterion given. An address must tell nobody who has it but those who see it anyway.
    async fn find(&self, app: &App, r: &mut Read, viewer: &MaybeActor) -> greenlit::Result<Option<UserId>> {
        if let Some(id) = self.id {
            return Ok(Some(id));
        }
        if let Some(nickname) = &self.nickname {
            return match Nickname::parse(nickname) {
                Some(nickname) => account::id_by_nickname(r, &nickname).await,
                None => Ok(None),
            };
        }
        let Some(email) = self.email.as_deref().and_then(Email::parse) else { return Ok(None) };
        if viewer.sees_emails(app) {
            return account::id_by_email(r, &email).await;
        }
        Ok(viewer.0.as_ref().filter(|actor| actor.email.key() == email.key()).map(|actor| actor.id))
    }
}

fn feed_id(path: &PathFields) -> Result<FeedId> {
    let mut fields = path.fields();
    let id = FeedId(fields.id("feed_id"));
    fields.finish(id)
}

//! The comments' routes.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{AppendHeaders, IntoResponse},
};
use greenlit::Tx;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{CommentId, FeedOrder, NewComment, parse_change},
    queries, service,
    view::CommentView,
};
use crate::{
    account::{Actor, MaybeActor, Signed},
    app::App,
    error::Result,
    feed::FeedId,
    http::{
        json::Json,
        query::{PathFields, QueryFields},
    },
    idempotency::{IdempotencyKey, Written},
    openapi::{InvalidInput, Message, Problem, Unauthorized},
    paging::{PageParams, Window},
};

pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(create_comment))
        .routes(routes!(list_comments))
        .routes(routes!(update_comment))
        .routes(routes!(delete_comment))
}

/// What a new comment sends. It is read field by field, so that every wrong one is told; this is its description.
#[derive(ToSchema)]
#[schema(as = NewComment)]
#[allow(dead_code)]
struct NewCommentBody {
    #[schema(min_length = 1, max_length = 5_000)]
    content: String,
    #[schema(minimum = 1)]
    feed_id: i64,
}

/// Comment on a feed
#[utoipa::path(
    post, path = "/api/comment/create", tag = "comment", security(("bearer" = [])), request_body = NewCommentBody,
    responses(
        (status = 200, description = "The comment", body = CommentView),
        (status = 404, description = "`feed_not_found`", body = Problem),
        Unauthorized, InvalidInput,
    ),
)]
async fn create_comment(
    State(app): State<App>,
    key: IdempotencyKey,
    Signed { actor, body }: Signed,
) -> Result<Written> {
    let new = NewComment::parse(&body.0)?;
    let viewer = MaybeActor(Some(actor.clone()));
    let create = async |tx: &mut Tx| {
        let comment = service::create(&app, tx, &actor, &new).await?;
        Ok(CommentView::new(&app, &viewer, comment))
    };
    key.of(actor.id)?.with(&body.0).run(&app, create).await
}

/// List a feed's comments
///
/// A feed that is not there has none.
#[utoipa::path(
    get, path = "/api/comment/feed/{feed_id}", tag = "comment", security((), ("bearer" = [])),
    params(
        ("feed_id" = i64, Path, minimum = 1),
        PageParams,
        ("sort_by" = inline(Option<FeedOrder>), Query),
    ),
    responses(
        (status = 200, description = "A page of comments", body = Vec<CommentView>, headers(
            ("Link" = String, description = "`<...>; rel=\"next\"`: the next page, relative to this one; absent on the last"),
        )),
        InvalidInput,
    ),
)]
async fn list_comments(
    State(app): State<App>,
    path: PathFields,
    query: QueryFields,
    viewer: MaybeActor,
) -> Result<impl IntoResponse> {
    let mut fields = path.fields();
    let feed = FeedId(fields.id("feed_id"));
    let mut fields = fields.then(&query.0);
    let order = fields.one_of("sort_by", FeedOrder::CreateDesc, FeedOrder::NAMES);
    let list = format!("comments of {} {order:?}", feed.0);
    let window = Window::parse(&mut fields, &list);
    let window = fields.finish(window)?;
    let mut comments = queries::page_of(&mut app.db.single(), feed, order, window, viewer.id()).await?;
    let next = window.next_cursor(&mut comments, &list, |comment| (comment.create_dt.0, comment.id.0));
    let link = next.and_then(|cursor| link_to(order, window, &cursor));
    let comments: Vec<_> = comments.into_iter().map(|comment| CommentView::new(&app, &viewer, comment)).collect();
    Ok((AppendHeaders(link.map(|link| (header::LINK, link))), Json(comments)))
}

/// The next page, as a reference that is resolved against the address that was asked for (RFC 8288, 3.1), whatever stands
/// before the board.
fn link_to(order: FeedOrder, window: Window, cursor: &str) -> Option<HeaderValue> {
    let (name, _) = FeedOrder::NAMES.iter().find(|(_, named)| *named == order)?;
    let limit = window.limit;
    HeaderValue::try_from(format!("<?limit={limit}&sort_by={name}&cursor={cursor}>; rel=\"next\"")).ok()
}

/// What a change of a comment sends.
#[derive(ToSchema)]
#[allow(dead_code)]
struct ChangedComment {
    /// Null or an empty text keeps the old one.
    #[schema(required, max_length = 5_000)]
    content: Option<String>,
}

/// Change a comment
#[utoipa::path(
    patch, path = "/api/comment/update/{comment_id}", tag = "comment", security(("bearer" = [])),
    params(("comment_id" = i64, Path, minimum = 1)), request_body = ChangedComment,
    responses(
        (status = 200, description = "The comment", body = CommentView),
        (status = 403, description = "`permission_denied`: another's comment", body = Problem),
        (status = 404, description = "`comment_not_found`", body = Problem),
        Unauthorized, InvalidInput,
    ),
)]
async fn update_comment(
    State(app): State<App>,
    key: IdempotencyKey,
    path: PathFields,
    Signed { actor, body }: Signed,
) -> Result<Written> {
    let (id, content) = parse_change(&path.0, &body.0)?;
    let (viewer, now) = (MaybeActor(Some(actor.clone())), app.clock.now());
    let update = async |tx: &mut Tx| {
        let comment = service::update(tx, &actor, id, content.as_deref(), now).await?;
        Ok(CommentView::new(&app, &viewer, comment))
    };
    key.of(actor.id)?.with(&body.0).run(&app, update).await
}

/// Delete a comment
///
/// Its likes go with it.
#[utoipa::path(
    delete, path = "/api/comment/delete/{comment_id}", tag = "comment", security(("bearer" = [])),
    params(("comment_id" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "Deleted", body = Message),
        (status = 403, description = "`permission_denied`: another's comment", body = Problem),
        (status = 404, description = "`comment_not_found`", body = Problem),
        Unauthorized, InvalidInput,
    ),
)]
async fn delete_comment(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    path: PathFields,
) -> Result<Written> {
    let mut fields = path.fields();
    let id = CommentId(fields.id("comment_id"));
    let id = fields.finish(id)?;
    let delete = async |tx: &mut Tx| {
        service::delete(tx, &actor, id).await?;
        Ok(Message { message: "Comment Deleted" })
    };
    key.of(actor.id)?.run(&app, delete).await
}

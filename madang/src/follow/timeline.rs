//! The timeline: the feeds of those whom one follows.

use axum::extract::State;
use greenlit::{Opts, Read};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::queries;
use crate::{
    account::{Actor, MaybeActor, UserId},
    app::App,
    error::Result,
    feed::{FeedImages, FeedView, join},
    http::{json::Json, query::QueryFields},
    media,
    openapi::{InvalidInput, Unauthorized},
    paging::{CursorParams, Window},
};

pub(super) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(read_timeline))
}

/// A page of the timeline.
#[derive(Serialize, ToSchema)]
struct TimelinePage {
    feeds: Vec<FeedView>,
    #[schema(inline)]
    pagination: Next,
}

#[derive(Serialize, ToSchema)]
struct Next {
    /// For the parameter `cursor`; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Read one's timeline
///
/// The feeds of those whom one follows, the newest first.
#[utoipa::path(
    get, path = "/api/feed/timeline", tag = "feed", security(("bearer" = [])),
    params(CursorParams),
    responses((status = 200, description = "A page of feeds", body = TimelinePage), Unauthorized, InvalidInput),
)]
async fn read_timeline(State(app): State<App>, actor: Actor, query: QueryFields) -> Result<Json<TimelinePage>> {
    let list = format!("timeline of {}", actor.id.0);
    let mut fields = query.fields();
    let window = Window::parse_cursor(&mut fields, &list);
    let window = fields.finish(window)?;
    let (feeds, next_cursor) = app.db.read(Opts::default(), async |r| page(r, actor.id, window, &list).await).await?;
    let viewer = MaybeActor(Some(actor));
    let feeds = feeds.into_iter().map(|feed| FeedView::new(&app, &viewer, feed)).collect();
    Ok(Json(TimelinePage { feeds, pagination: Next { next_cursor } }))
}

/// A page of a user's timeline with its images, and the cursor of the next one.
pub(super) async fn page(
    r: &mut Read,
    user: UserId,
    window: Window,
    list: &str,
) -> greenlit::Result<(Vec<FeedImages>, Option<String>)> {
    let mut feeds = queries::timeline(r, user, window).await?;
    let next = window.next_cursor(&mut feeds, list, |feed| (feed.id.0, feed.id.0));
    let ids: Vec<i64> = feeds.iter().map(|feed| feed.id.0).collect();
    let images = media::of_feeds(r, &ids).await?;
    Ok((join(feeds, images), next))
}

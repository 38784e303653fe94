//! The notifications' routes.

use axum::extract::State;
use greenlit::{Opts, Read, Tx};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{Level, Reading, Settings},
    queries, service,
    view::{self, Notification},
};
use crate::{
    account::{Actor, Signed},
    app::App,
    error::Result,
    http::{json::Json, json::OptionalJsonBody, query::QueryFields},
    idempotency::{IdempotencyKey, Written},
    openapi::{InvalidInput, Unauthorized},
    paging::{CursorParams, Window},
};

pub(super) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list_notifications))
        .routes(routes!(count_unread))
        .routes(routes!(read_notifications))
        .routes(routes!(get_settings, change_settings))
}

/// A page of notifications.
#[derive(Serialize, ToSchema)]
struct NotificationPage {
    notifications: Vec<Notification>,
    /// How many of all are unread, counted up to a hundred.
    unread: i64,
    /// For the parameter `cursor`; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List one's notifications
///
/// The latest comes first. They are kept for 90 days, and go with what they tell of.
#[utoipa::path(
    get, path = "/api/notification/list", tag = "notification", security(("bearer" = [])), params(CursorParams),
    responses(
        (status = 200, description = "A page of notifications", body = NotificationPage),
        Unauthorized, InvalidInput,
    ),
)]
async fn list_notifications(
    State(app): State<App>,
    actor: Actor,
    query: QueryFields,
) -> Result<Json<NotificationPage>> {
    let list = format!("notifications of {}", actor.id.0);
    let mut fields = query.fields();
    let window = Window::parse_cursor(&mut fields, &list);
    let window = fields.finish(window)?;
    let page = async |r: &mut Read| {
        let (notifications, next_cursor) = view::page(r, actor.id, window, &list).await?;
        let unread = queries::unread(r, actor.id).await?;
        Ok::<_, greenlit::Error>(NotificationPage { notifications, unread, next_cursor })
    };
    Ok(Json(app.db.read(Opts::default(), page).await?))
}

/// How many notifications are unread.
#[derive(Serialize, ToSchema)]
struct Unread {
    /// Counted up to a hundred.
    unread: i64,
}

/// Count one's unread notifications
#[utoipa::path(
    get, path = "/api/notification/unread", tag = "notification", security(("bearer" = [])),
    responses((status = 200, description = "How many there are", body = Unread), Unauthorized),
)]
async fn count_unread(State(app): State<App>, actor: Actor) -> Result<Json<Unread>> {
    let unread = queries::unread(&mut app.db.single(), actor.id).await?;
    Ok(Json(Unread { unread }))
}

/// What was read. Without either field it is everything.
#[derive(ToSchema)]
#[schema(as = ReadNotifications)]
#[allow(dead_code)]
struct ReadingBody {
    /// One notification; all of them if it is missing.
    #[schema(minimum = 1)]
    id: Option<i64>,
    /// The highest `version` that one has seen: what is later, and what somebody has joined since, stays unread.
    #[schema(minimum = 1)]
    until: Option<i64>,
}

/// Mark notifications as read
///
/// Of another's, or one that is gone, nothing is marked.
#[utoipa::path(
    patch, path = "/api/notification/read", tag = "notification", security(("bearer" = [])),
    request_body = Option<ReadingBody>,
    responses((status = 200, description = "How many are unread now", body = Unread), Unauthorized, InvalidInput),
)]
async fn read_notifications(
    State(app): State<App>,
    key: IdempotencyKey,
    Signed { actor, body }: Signed<OptionalJsonBody>,
) -> Result<Written> {
    let reading = Reading::parse(&body.0)?;
    let read = async |tx: &mut Tx| {
        let unread = service::read(&app, tx, actor.id, reading).await?;
        Ok(Unread { unread })
    };
    key.of(actor.id)?.with(&body.0).run(&app, read).await
}

/// Tell what one hears of
#[utoipa::path(
    get, path = "/api/notification/settings", tag = "notification", security(("bearer" = [])),
    responses((status = 200, description = "The settings", body = Settings), Unauthorized),
)]
async fn get_settings(State(app): State<App>, actor: Actor) -> Result<Json<Settings>> {
    Ok(Json(service::settings(&mut app.db.single(), actor.id).await?))
}

/// Changes of what one hears of. A kind that is missing stays as it is.
#[derive(ToSchema)]
#[schema(as = ChangeNotificationSettings)]
#[allow(dead_code)]
struct ChangedSettings {
    /// Comments on one's feeds: `all` on the board and wherever else one has oneself told, `board` there alone, `off` nowhere.
    #[schema(inline)]
    comment: Option<Level>,
    /// Comments on feeds on which one has commented.
    #[schema(inline)]
    reply: Option<Level>,
    /// Likes of one's feeds and comments.
    #[schema(inline)]
    like: Option<Level>,
    /// New followers.
    #[schema(inline)]
    follow: Option<Level>,
}

/// Change what one hears of
///
/// It is for what happens from now on.
#[utoipa::path(
    patch, path = "/api/notification/settings", tag = "notification", security(("bearer" = [])),
    request_body = ChangedSettings,
    responses((status = 200, description = "The settings as they are now", body = Settings), Unauthorized, InvalidInput),
)]
async fn change_settings(
    State(app): State<App>,
    key: IdempotencyKey,
    Signed { actor, body }: Signed,
) -> Result<Written> {
    let mut fields = body.fields();
    Settings::default().change(&mut fields);
    fields.finish(())?; // which is the same whatever the settings are now
    let set = async |tx: &mut Tx| {
        let change = |settings: Settings| settings.change(&mut body.fields());
        Ok(service::set(tx, actor.id, change).await?)
    };
    key.of(actor.id)?.with(&body.0).run(&app, set).await
}

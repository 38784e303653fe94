//! How a notification looks from outside.

use std::collections::HashMap;

use greenlit::{Reader, Result};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    model::{Kind, Level, NotificationId},
    queries::{self, Newest, Row},
    service,
};
use crate::{
    account::{Nickname, UserId},
    clock::Timestamp,
    comment::CommentId,
    feed::FeedId,
    markdown::excerpt,
    paging::Window,
};

/// Characters of a comment that a notification quotes.
const QUOTED: usize = 120;

/// What others did to one thing, since one read of it last.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Notification {
    id: NotificationId,
    #[schema(inline)]
    pub(crate) kind: Kind,
    /// How many people did it, a hundred at most.
    pub(crate) people: i64,
    /// The last of them.
    pub(crate) actor: Somebody,
    /// On which feed; null for a follow.
    #[schema(required)]
    pub(crate) feed_id: Option<FeedId>,
    #[schema(required)]
    pub(crate) feed_title: Option<String>,
    /// The last comment that was written, or the comment that is liked; null if the feed is liked, and for a follow.
    #[schema(required)]
    pub(crate) comment_id: Option<CommentId>,
    /// The beginning of that comment, without its markup.
    #[schema(required)]
    pub(crate) excerpt: Option<String>,
    pub(crate) read: bool,
    /// Its place among one's notifications: the higher, the later. It grows when somebody joins in.
    pub(crate) version: i64,
    pub(crate) create_dt: Timestamp,
    pub(crate) update_dt: Timestamp,
}

/// Somebody by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Somebody {
    pub(crate) id: UserId,
    pub(crate) nickname: Nickname,
}

impl Notification {
    fn new(row: Row, people: i64, newest: Newest) -> Option<Notification> {
        let kind = Kind::parse(&row.kind)?;
        let (comment_id, content) = match kind {
            Kind::Comment | Kind::Reply => (newest.comment_id, newest.comment_content),
            Kind::Like | Kind::Follow => (row.comment_id, row.comment_content),
        };
        Some(Notification {
            id: row.id,
            kind,
            people,
            actor: Somebody { id: newest.actor_id, nickname: newest.actor_nickname },
            feed_id: row.feed_id,
            feed_title: row.feed_title,
            comment_id,
            excerpt: content.map(|content| excerpt(&content, QUOTED)),
            read: !row.unread,
            version: row.version,
            create_dt: row.create_dt,
            update_dt: row.update_dt,
        })
    }

    /// Its id as a number.
    pub(super) fn number(&self) -> i64 {
        self.id.0
    }

    /// Whether a comment is liked, and not a feed.
    pub(crate) fn is_of_comment(&self) -> bool {
        self.comment_id.is_some()
    }
}

/// A page of the user's notifications, and the cursor of the next one.
pub(super) async fn page(
    r: &mut impl Reader,
    user: UserId,
    window: Window,
    list: &str,
) -> Result<(Vec<Notification>, Option<String>)> {
    let mut rows = queries::page(r, user, window).await?;
    let next = window.next_cursor(&mut rows, list, |row| (row.version, row.id.0));
    Ok((with_causes(r, rows).await?, next))
}

/// One of the user's notifications.
pub(super) async fn one(r: &mut impl Reader, user: UserId, id: NotificationId) -> Result<Option<Notification>> {
    let row = queries::one(r, user, id).await?;
    Ok(with_causes(r, row.into_iter().collect()).await?.pop())
}

/// What is unread of what came after one version, up to another: the latest, so many at most, the latest first.
pub(super) async fn since(
    r: &mut impl Reader,
    user: UserId,
    seen: i64,
    until: i64,
    most: i64,
) -> Result<Vec<Notification>> {
    let rows = queries::since(r, user, &Kind::ALL, (seen, until), most).await?;
    with_causes(r, rows).await
}

/// The user's latest notifications, read or not.
pub(crate) async fn newest(r: &mut impl Reader, user: UserId, limit: i64) -> Result<Vec<Notification>> {
    let window = Window { limit, start: crate::paging::Start::Skip(0) };
    page(r, user, window, "newest").await.map(|(notifications, _)| notifications)
}

/// What is to be carried outside of what came after one version, up to another: what is unread, and wanted there; the latest,
/// so many at most.
pub(crate) async fn outside(
    r: &mut impl Reader,
    user: UserId,
    told: i64,
    until: i64,
    most: i64,
) -> Result<Vec<Notification>> {
    let settings = service::settings(r, user).await?;
    let wanted: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| settings.of(*kind) == Level::All).collect();
    let rows = queries::since(r, user, &wanted, (told, until), most).await?;
    with_causes(r, rows).await
}

async fn with_causes(r: &mut impl Reader, rows: Vec<Row>) -> Result<Vec<Notification>> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id.0).collect();
    let (people, newest) = queries::causes(r, &ids).await?;
    let people: HashMap<i64, i64> = people.into_iter().collect();
    let mut newest: HashMap<i64, Newest> =
        newest.into_iter().map(|newest| (newest.notification_id.0, newest)).collect();
    // One whose last cause went meanwhile, where statements do not see the same, is left out.
    let whole = |row: Row| {
        let (id, newest) = (row.id.0, newest.remove(&row.id.0)?);
        Notification::new(row, people.get(&id).copied().unwrap_or(1), newest)
    };
    Ok(rows.into_iter().filter_map(whole).collect())
}

//! All SQL of notifications.

use greenlit::{Reader, Result, Tx, args, list};

use super::model::{Cause, Inbox, Kind, News, NotificationId, Reading, Settings};
use crate::{
    account::{LoginId, Nickname, UserId},
    clock::Timestamp,
    comment::CommentId,
    feed::FeedId,
    paging::{Position, Window},
};

/// How many causes a notification has at most; what happens then is not told until it is read.
pub(super) const MOST_CAUSES: i64 = 100;
/// How many unread notifications are counted.
pub(super) const MOST_COUNTED: i64 = 100;

macro_rules! inbox {
    () => {
        "select version, on_comment, on_reply, on_like, on_follow, outside from notification_inboxes where user_id = ?"
    };
}

// One whose last cause is gone is no more than a place for the next.
macro_rules! select_notifications {
    ($rest:expr) => {
        concat!(
            "select n.id, n.kind, n.feed_id, n.comment_id, n.version, n.create_dt, n.update_dt, \
             n.unread_as is not null as unread, f.title as feed_title, m.content as comment_content \
             from notifications n left join feeds f on f.id = n.feed_id left join comments m on m.id = n.comment_id \
             where exists (select 1 from notification_causes c where c.notification_id = n.id) and n.user_id = ? and ",
            $rest
        )
    };
}

crate::statements! {
    INBOX = inbox!();
    LOCK = "update notification_inboxes set version = version where user_id = ?";
    CREATE = "insert into notification_inboxes (user_id, version) \
              select u.id, 0 from users u where u.id = ? and u.erased_dt is null";
    BUMP = "update notification_inboxes set version = ? where user_id = ?";
    SET_OUTSIDE = "update notification_inboxes set outside = ? where user_id = ?";
    SET_SETTINGS = "update notification_inboxes set version = version + 1, \
                    on_comment = ?, on_reply = ?, on_like = ?, on_follow = ? where user_id = ?";

    TOLD_OF_COMMENT = "select id from notification_causes where comment_id = ? and user_id = ?";
    TOLD_OF_FEED_LIKE = "select id from notification_causes where liked_feed_id = ? and actor_id = ?";
    TOLD_OF_COMMENT_LIKE = "select id from notification_causes where liked_comment_id = ? and actor_id = ?";
    TOLD_OF_FOLLOW = "select id from notification_causes where follow_id = ?";
    UNREAD_OF = "select n.id, (select count(*) from notification_causes c where c.notification_id = n.id) as causes \
                 from notifications n where n.user_id = ? and n.unread_as = ?";
    INSERT = "insert into notifications (user_id, kind, feed_id, comment_id, unread_as, version, create_dt, update_dt) \
              values (?, ?, ?, ?, ?, ?, ?, ?)";
    RENEW = "update notifications set version = ?, update_dt = ? where id = ?";
    INSERT_CAUSE = "insert into notification_causes \
                    (notification_id, user_id, actor_id, comment_id, liked_feed_id, liked_comment_id, follow_id) \
                    values (?, ?, ?, ?, ?, ?, ?)";

    READ_ONE = "update notifications set unread_as = null where user_id = ? and version <= ? and unread_as is not null and id = ?";
    READ_ALL = "update notifications set unread_as = null where user_id = ? and version <= ? and unread_as is not null";
    UNREAD = "select count(*) from (select n.id from notifications n where n.user_id = ? and n.unread_as is not null \
              and exists (select 1 from notification_causes c where c.notification_id = n.id) limit ?) unread";

    PAGE = select_notifications!("n.version < ? order by n.version desc limit ? offset ?");
    ONE = select_notifications!("n.id = ?");
    SINCE = select_notifications!("n.version > ? and n.version <= ? and n.unread_as is not null and n.kind in (?*) order by n.version desc limit ?");
    // Of each its people and the newest cause; the rest of that by another, since a page has few.
    CAUSES = "select c.notification_id, count(distinct c.actor_id) as people, max(c.id) as newest \
              from notification_causes c where c.notification_id in (?*) group by c.notification_id";
    NEWEST = "select c.notification_id, c.actor_id, u.nickname as actor_nickname, c.comment_id, m.content as comment_content \
              from notification_causes c join users u on u.id = c.actor_id left join comments m on m.id = c.comment_id \
              where c.id in (?*)";

    COMMENTED = "select c.feed_id, c.author_id, f.author_id as owner_id, c.create_dt \
                 from comments c join feeds f on f.id = c.feed_id where c.id = ?";
    // Whoever is among the last five hundred who spoke before.
    SPEAKERS = "select distinct s.author_id from (select c.author_id from comments c \
                where c.feed_id = ? and c.create_dt <= ? and (c.create_dt < ? or c.id < ?) \
                order by c.create_dt desc, c.id desc limit 500) s \
                where s.author_id > ? and s.author_id <> ? and s.author_id <> ? order by s.author_id limit ?";
    LIKED_FEED = "select f.author_id from feed_likes l join feeds f on f.id = l.feed_id where l.feed_id = ? and l.user_id = ?";
    LIKED_COMMENT = "select c.author_id, c.feed_id from comment_likes l join comments c on c.id = l.comment_id \
                     where l.comment_id = ? and l.user_id = ?";
    FOLLOWED = "select id from follows where follower_id = ? and following_id = ?";

    // Those of the log-ins that have not ended, of users who may use them.
    VERSIONS = "select l.id, coalesce(i.version, 0) as version from logins l join users u on u.id = l.user_id \
                left join notification_inboxes i on i.user_id = l.user_id \
                where l.id in (?*) and l.expire_dt > ? and u.suspended_dt is null and u.erased_dt is null";

    DELETE_INBOX = "delete from notification_inboxes where user_id = ?";
    SOME_OF = "select id from notifications where user_id = ? order by version limit ?";
    DELETE = "delete from notifications where id in (?*)";

    OLD = "select id from notifications where update_dt < ? order by update_dt limit ?";
    DELETE_OLD = "delete from notifications where id in (?*) and update_dt < ?";
}

/// The user's inbox as it is, if he has one.
pub(super) async fn inbox(r: &mut impl Reader, user: UserId) -> Result<Option<Inbox>> {
    r.fetch_optional(INBOX, args![user]).await
}

/// The user's inbox, locked from here on, and made if he has none. `None` if there is no such user.
pub(super) async fn open_inbox(tx: &mut Tx, user: UserId) -> Result<Option<Inbox>> {
    if tx.exec(LOCK, args![user]).await? == 0 {
        // Somebody else may make it at the same time: then it is there.
        let create = async |tx: &mut Tx| tx.exec(CREATE, args![user]).await;
        match tx.savepoint(create).await {
            Err(e) if e.unique().is_none() => return Err(e),
            _ => tx.exec(LOCK, args![user]).await?,
        };
    }
    inbox(tx, user).await
}

/// Gives a locked inbox this version.
pub(super) async fn set_version(tx: &mut Tx, user: UserId, version: i64) -> Result<()> {
    tx.exec(BUMP, args![version, user]).await.map(drop)
}

pub(super) async fn set_outside(tx: &mut Tx, user: UserId, outside: i64) -> Result<()> {
    tx.exec(SET_OUTSIDE, args![outside, user]).await.map(drop)
}

pub(super) async fn set_settings(tx: &mut Tx, user: UserId, settings: Settings) -> Result<()> {
    use super::model::Kind::{Comment, Follow, Like, Reply};
    let [comment, reply, like, follow] = [Comment, Reply, Like, Follow].map(|kind| settings.of(kind).number());
    tx.exec(SET_SETTINGS, args![comment, reply, like, follow, user]).await.map(drop)
}

/// Whether the user has been told of it.
pub(super) async fn is_told(r: &mut impl Reader, news: &News) -> Result<bool> {
    let (sql, args) = match news.cause {
        Cause::Comment { comment, .. } | Cause::Reply { comment, .. } => (TOLD_OF_COMMENT, args![comment, news.user]),
        Cause::LikeOfFeed { feed } => (TOLD_OF_FEED_LIKE, args![feed, news.actor]),
        Cause::LikeOfComment { comment, .. } => (TOLD_OF_COMMENT_LIKE, args![comment, news.actor]),
        Cause::Follow { id } => (TOLD_OF_FOLLOW, args![id]),
    };
    Ok(r.fetch_optional::<(i64,)>(sql, args).await?.is_some())
}

/// The unread notification that such news joins, and how many causes it has.
pub(super) async fn unread_of(r: &mut impl Reader, news: &News) -> Result<Option<(i64, i64)>> {
    r.fetch_optional(UNREAD_OF, args![news.user, news.cause.unread_as()]).await
}

pub(super) async fn insert(tx: &mut Tx, news: &News, version: i64, now: Timestamp) -> Result<i64> {
    let ((feed, comment), kind) = (news.cause.subject(), news.cause.kind().name());
    tx.insert(INSERT, args![news.user, kind, feed, comment, news.cause.unread_as(), version, now, now]).await
}

pub(super) async fn renew(tx: &mut Tx, id: i64, version: i64, now: Timestamp) -> Result<()> {
    tx.exec(RENEW, args![version, now, id]).await.map(drop)
}

pub(super) async fn insert_cause(tx: &mut Tx, notification: i64, news: &News) -> Result<()> {
    let none = None::<i64>;
    let (comment, liked_feed, liked_comment, follow) = match news.cause {
        Cause::Comment { comment, .. } | Cause::Reply { comment, .. } => (Some(comment.0), none, none, none),
        Cause::LikeOfFeed { feed } => (none, Some(feed.0), none, none),
        Cause::LikeOfComment { comment, .. } => (none, none, Some(comment.0), none),
        Cause::Follow { id } => (none, none, none, Some(id)),
    };
    let args = args![notification, news.user, news.actor, comment, liked_feed, liked_comment, follow];
    tx.exec(INSERT_CAUSE, args).await.map(drop)
}

/// Marks what was read; returns how many that are.
pub(super) async fn read(tx: &mut Tx, user: UserId, reading: Reading) -> Result<u64> {
    match reading.id {
        Some(id) => tx.exec(READ_ONE, args![user, reading.until, id]).await,
        None => tx.exec(READ_ALL, args![user, reading.until]).await,
    }
}

/// How many notifications the user has not read, counted up to a hundred.
pub(super) async fn unread(r: &mut impl Reader, user: UserId) -> Result<i64> {
    r.fetch_one::<(i64,)>(UNREAD, args![user, MOST_COUNTED]).await.map(|(count,)| count)
}

/// A notification without its causes.
#[derive(Clone, Debug, greenlit::FromRow)]
pub(super) struct Row {
    pub(super) id: NotificationId,
    pub(super) kind: String,
    pub(super) feed_id: Option<FeedId>,
    /// The comment that is liked.
    pub(super) comment_id: Option<CommentId>,
    pub(super) version: i64,
    pub(super) create_dt: Timestamp,
    pub(super) update_dt: Timestamp,
    pub(super) unread: bool,
    pub(super) feed_title: Option<String>,
    pub(super) comment_content: Option<String>,
}

/// A notification's newest cause.
#[derive(Clone, Debug, greenlit::FromRow)]
pub(super) struct Newest {
    pub(super) notification_id: NotificationId,
    pub(super) actor_id: UserId,
    pub(super) actor_nickname: Nickname,
    /// What he wrote, if he wrote something.
    pub(super) comment_id: Option<CommentId>,
    pub(super) comment_content: Option<String>,
}

/// A page of the user's notifications, the latest first, and one more if there is a next page.
pub(super) async fn page(r: &mut impl Reader, user: UserId, window: Window) -> Result<Vec<Row>> {
    let (before, skip) = window.begin(Position::TOP);
    r.fetch(PAGE, args![user, before.value, window.probe(), skip]).await
}

pub(super) async fn one(r: &mut impl Reader, user: UserId, id: NotificationId) -> Result<Option<Row>> {
    r.fetch_optional(ONE, args![user, id]).await
}

/// What is unread of these kinds that came after one version, up to another: the latest, so many at most.
pub(super) async fn since(
    r: &mut impl Reader,
    user: UserId,
    kinds: &[Kind],
    (seen, until): (i64, i64),
    most: i64,
) -> Result<Vec<Row>> {
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    r.fetch(SINCE, args![user, seen, until, list(&kinds), most]).await
}

/// How many people each of these notifications is about, and its newest cause.
pub(super) async fn causes(r: &mut impl Reader, ids: &[i64]) -> Result<(Vec<(i64, i64)>, Vec<Newest>)> {
    if ids.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let causes: Vec<(i64, i64, i64)> = r.fetch(CAUSES, args![list(ids)]).await?;
    let newest: Vec<i64> = causes.iter().map(|(_, _, newest)| *newest).collect();
    if newest.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let people = causes.into_iter().map(|(id, people, _)| (id, people)).collect();
    Ok((people, r.fetch(NEWEST, args![list(&newest)]).await?))
}

/// A comment as its job needs it.
#[derive(Clone, Copy, Debug, greenlit::FromRow)]
pub(super) struct Commented {
    pub(super) feed_id: FeedId,
    pub(super) author_id: UserId,
    pub(super) owner_id: UserId,
    pub(super) create_dt: Timestamp,
}

pub(super) async fn commented(r: &mut impl Reader, comment: CommentId) -> Result<Option<Commented>> {
    r.fetch_optional(COMMENTED, args![comment]).await
}

/// Who has commented on the feed before, but for author and owner, in the order of their ids behind one; so many at most.
pub(super) async fn speakers(
    r: &mut impl Reader,
    id: CommentId,
    comment: &Commented,
    after: UserId,
    most: i64,
) -> Result<Vec<UserId>> {
    let Commented { feed_id, author_id, owner_id, create_dt } = *comment;
    let args = args![feed_id, create_dt, create_dt, id, after, author_id, owner_id, most];
    let rows: Vec<(UserId,)> = r.fetch(SPEAKERS, args).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// Whose feed it is that the user likes, if he does.
pub(super) async fn liked_feed(r: &mut impl Reader, feed: FeedId, by: UserId) -> Result<Option<UserId>> {
    Ok(r.fetch_optional::<(UserId,)>(LIKED_FEED, args![feed, by]).await?.map(|(owner,)| owner))
}

/// Whose comment it is that the user likes, if he does, and on which feed.
pub(super) async fn liked_comment(
    r: &mut impl Reader,
    comment: CommentId,
    by: UserId,
) -> Result<Option<(UserId, FeedId)>> {
    r.fetch_optional(LIKED_COMMENT, args![comment, by]).await
}

/// The follow, if it is there.
pub(super) async fn followed(r: &mut impl Reader, follower: UserId, following: UserId) -> Result<Option<i64>> {
    Ok(r.fetch_optional::<(i64,)>(FOLLOWED, args![follower, following]).await?.map(|(id,)| id))
}

/// The versions of the inboxes of those whose log-ins these are; of log-ins that have ended none.
pub(super) async fn versions(r: &mut impl Reader, logins: &[i64], now: Timestamp) -> Result<Vec<(LoginId, i64)>> {
    r.fetch(VERSIONS, args![list(logins), now]).await
}

/// Tells how many there were: one or none.
pub(super) async fn delete_inbox(tx: &mut Tx, user: UserId) -> Result<usize> {
    tx.exec(DELETE_INBOX, args![user]).await.map(|rows| usize::from(rows > 0))
}

/// Deletes the user's oldest notifications with their causes, so many at most; returns how many there were.
pub(super) async fn delete_some_of(tx: &mut Tx, user: UserId, limit: i64) -> Result<usize> {
    let rows: Vec<(i64,)> = tx.fetch(SOME_OF, args![user, limit]).await?;
    let ids: Vec<i64> = rows.into_iter().map(|(id,)| id).collect();
    if !ids.is_empty() {
        tx.exec(DELETE, args![list(&ids)]).await?;
    }
    Ok(ids.len())
}

/// Notifications that have not changed since, the oldest first.
pub(super) async fn old(r: &mut impl Reader, before: Timestamp, limit: i64) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = r.fetch(OLD, args![before, limit]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub(super) async fn delete_old(tx: &mut Tx, ids: &[i64], before: Timestamp) -> Result<u64> {
    tx.exec(DELETE_OLD, args![list(ids), before]).await
}

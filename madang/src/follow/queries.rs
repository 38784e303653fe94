//! All SQL of follows.

use greenlit::{Reader, Result, Tx, args};

use super::model::{Followers, Person, User};
use crate::{
    account::UserId,
    clock::Timestamp,
    feed::{Feed, feed_columns, select_feeds},
    paging::{Position, Window},
};

crate::statements! {
    LOCK = "update users set follower_count = follower_count where id = ?";
    OF = "select u.follower_count, \
          exists (select 1 from follows x where x.follower_id = ? and x.following_id = u.id) as followed \
          from users u where u.id = ? and u.erased_dt is null";
    INSERT = "insert into follows (follower_id, following_id, create_dt) values (?, ?, ?)";
    DELETE = "delete from follows where follower_id = ? and following_id = ?";
    COUNT = "update users set follower_count = follower_count + case when id = ? then ? else 0 end, \
             following_count = following_count + case when id = ? then ? else 0 end where id in (?, ?)";
    USER = "select u.id, u.nickname, u.create_dt, u.feed_count, u.follower_count, u.following_count, \
            exists (select 1 from follows x where x.follower_id = ? and x.following_id = u.id) as followed \
            from users u where u.id = ? and u.erased_dt is null";
    FOLLOWERS = "select x.id as follow_id, u.id, u.email, u.nickname \
                 from follows x join users u on u.id = x.follower_id \
                 where x.following_id = ? and x.id < ? order by x.id desc limit ? offset ?";
    FOLLOWINGS = "select x.id as follow_id, u.id, u.email, u.nickname \
                  from follows x join users u on u.id = x.following_id \
                  where x.follower_id = ? and x.id < ? order by x.id desc limit ? offset ?";
    FOLLOWER_COUNT = "select follower_count from users where id = ? and erased_dt is null";
    FOLLOWING_COUNT = "select following_count from users where id = ? and erased_dt is null";
    // From the inside outwards: of each followed author his newest feed, by one step in an index; of these authors no more
    // than a page is long, those whose newest is newest, since each author on a page has his newest on it; of each of them
    // no more feeds than a page is long, by a threshold, for want of lateral joins. So the cost depends neither on how many
    // feeds there are nor on how many of them are followed. Ids stand for time, and have no ties. Of two indexes that cost it
    // the same MariaDB alone, which alone reads such comments, would take the one that it has to sort.
    TIMELINE = select_feeds!(
        "join (select n.id from (\
             select x.following_id as author_id, coalesce((\
                 select g.id from feeds g /*M! force index (ix_feeds__author) */ \
                 where g.author_id = x.following_id and g.id < ? order by g.id desc limit 1), 0) as newest \
             from follows x where x.follower_id = ? order by newest desc limit ?\
         ) a join feeds n /*M! force index (ix_feeds__author) */ \
         on n.author_id = a.author_id and n.id < ? and n.id >= coalesce((\
             select g.id from feeds g /*M! force index (ix_feeds__author) */ \
             where g.author_id = a.author_id and g.id < ? order by g.id desc limit 1 offset ?), 0) \
         order by n.id desc limit ?) t on t.id = f.id order by f.id desc"
    );
}

/// Locks the user's row against whoever else would change it.
pub(super) async fn lock(tx: &mut Tx, user: UserId) -> Result<()> {
    tx.exec(LOCK, args![user]).await.map(drop)
}

/// How many follow the user, and whether this follower does. `None` if there is no such user.
pub(super) async fn of(r: &mut impl Reader, follower: UserId, following: UserId) -> Result<Option<Followers>> {
    r.fetch_optional(OF, args![follower, following]).await
}

pub(super) async fn insert(tx: &mut Tx, follower: UserId, following: UserId, now: Timestamp) -> Result<()> {
    tx.exec(INSERT, args![follower, following, now]).await.map(drop)
}

pub(super) async fn delete(tx: &mut Tx, follower: UserId, following: UserId) -> Result<()> {
    tx.exec(DELETE, args![follower, following]).await.map(drop)
}

/// Counts a follow that this transaction adds, or takes away, on both sides. Their rows are locked.
pub(super) async fn count(tx: &mut Tx, follower: UserId, following: UserId, delta: i64) -> Result<()> {
    tx.exec(COUNT, args![following, delta, follower, delta, follower, following]).await.map(drop)
}

/// What everybody may know of a user.
pub(super) async fn user(r: &mut impl Reader, id: UserId, viewer: UserId) -> Result<Option<User>> {
    r.fetch_optional(USER, args![viewer, id]).await
}

/// A page of those who follow the user, the latest first, and one more if there is a next page; and how many do.
pub(crate) async fn followers(r: &mut impl Reader, user: UserId, window: Window) -> Result<(Vec<Person>, i64)> {
    people(r, FOLLOWERS, FOLLOWER_COUNT, user, window).await
}

/// A page of those whom the user follows, the latest first, and one more if there is a next page; and how many he does.
pub(crate) async fn followings(r: &mut impl Reader, user: UserId, window: Window) -> Result<(Vec<Person>, i64)> {
    people(r, FOLLOWINGS, FOLLOWING_COUNT, user, window).await
}

async fn people(
    r: &mut impl Reader,
    page: &str,
    count: &str,
    user: UserId,
    window: Window,
) -> Result<(Vec<Person>, i64)> {
    let Some((total,)) = r.fetch_optional(count, args![user]).await? else { return Ok((Vec::new(), 0)) };
    let (before, skip) = window.begin(Position::TOP);
    let people = r.fetch(page, args![user, before.id, window.probe(), skip]).await?;
    Ok((people, total))
}

/// A page of the feeds of those whom the user follows, the newest first, and one feed more if there is a next page.
pub(super) async fn timeline(r: &mut impl Reader, user: UserId, window: Window) -> Result<Vec<Feed>> {
    let (before, _) = window.begin(Position::TOP);
    let (before, probe) = (before.id, window.probe());
    let args = args![user, before, user, probe, before, before, window.limit, probe];
    r.fetch(TIMELINE, args).await
}

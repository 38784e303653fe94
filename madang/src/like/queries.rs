//! All SQL of likes.

use greenlit::{Reader, Result, Tx, args};

use super::model::{Likes, Target};
use crate::{account::UserId, clock::Timestamp, comment::CommentId, feed::FeedId};

crate::statements! {
    OF_FEED = "select f.like_count, \
               exists (select 1 from feed_likes l where l.feed_id = f.id and l.user_id = ?) as liked \
               from feeds f where f.id = ?";
    OF_COMMENT = "select c.like_count, \
                  exists (select 1 from comment_likes l where l.comment_id = c.id and l.user_id = ?) as liked \
                  from comments c where c.id = ?";
    FEED_OF = "select feed_id from comments where id = ?";
    INSERT_OF_FEED = "insert into feed_likes (feed_id, user_id, create_dt) values (?, ?, ?)";
    INSERT_OF_COMMENT = "insert into comment_likes (comment_id, user_id, create_dt) values (?, ?, ?)";
    DELETE_OF_FEED = "delete from feed_likes where feed_id = ? and user_id = ?";
    DELETE_OF_COMMENT = "delete from comment_likes where comment_id = ? and user_id = ?";
}

/// The feed that a comment is on, which is there.
pub(super) async fn feed_of(r: &mut impl Reader, comment: CommentId) -> Result<FeedId> {
    r.fetch_one::<(FeedId,)>(FEED_OF, args![comment]).await.map(|(id,)| id)
}

/// How many likes the target has, and whether this user's is among them; of a locked target.
pub(super) async fn of(r: &mut impl Reader, target: Target, user: UserId) -> Result<Likes> {
    match target {
        Target::Feed(id) => r.fetch_one(OF_FEED, args![user, id]).await,
        Target::Comment(id) => r.fetch_one(OF_COMMENT, args![user, id]).await,
    }
}

pub(super) async fn insert(tx: &mut Tx, target: Target, user: UserId, now: Timestamp) -> Result<()> {
    match target {
        Target::Feed(id) => tx.exec(INSERT_OF_FEED, args![id, user, now]).await.map(drop),
        Target::Comment(id) => tx.exec(INSERT_OF_COMMENT, args![id, user, now]).await.map(drop),
    }
}

pub(super) async fn delete(tx: &mut Tx, target: Target, user: UserId) -> Result<()> {
    match target {
        Target::Feed(id) => tx.exec(DELETE_OF_FEED, args![id, user]).await.map(drop),
        Target::Comment(id) => tx.exec(DELETE_OF_COMMENT, args![id, user]).await.map(drop),
    }
}

//! All SQL that removes what an erased user leaves behind.
//!
//! What counts the rows is locked and corrected before they go. A row that somebody else removed in between was counted by
//! him, so that the whole batch is given up and done again.

use greenlit::{Doom, Error, Reader, Result, Tx, args, list};

use crate::account::UserId;

crate::statements! {
    FEED_LIKES = "select feed_id from feed_likes where user_id = ? order by feed_id limit ?";
    UNCOUNT_FEED_LIKES = "update feeds set like_count = like_count - 1 where id in (?*)";
    DELETE_FEED_LIKES = "delete from feed_likes where user_id = ? and feed_id in (?*)";

    COMMENT_LIKES = "select comment_id from comment_likes where user_id = ? order by comment_id limit ?";
    UNCOUNT_COMMENT_LIKES = "update comments set like_count = like_count - 1 where id in (?*)";
    DELETE_COMMENT_LIKES = "delete from comment_likes where user_id = ? and comment_id in (?*)";

    FOLLOWINGS = "select following_id from follows where follower_id = ? order by id limit ?";
    UNCOUNT_FOLLOWERS = "update users set follower_count = follower_count - 1 where id in (?*)";
    DELETE_FOLLOWINGS = "delete from follows where follower_id = ? and following_id in (?*)";
    COUNT_FOLLOWINGS = "update users set following_count = following_count - ? where id = ?";

    FOLLOWERS = "select follower_id from follows where following_id = ? order by id limit ?";
    UNCOUNT_FOLLOWINGS = "update users set following_count = following_count - 1 where id in (?*)";
    DELETE_FOLLOWERS = "delete from follows where following_id = ? and follower_id in (?*)";
    COUNT_FOLLOWERS = "update users set follower_count = follower_count - ? where id = ?";

    COMMENTS = "select id, feed_id from comments where author_id = ? order by id limit ?";
    UNCOUNT_COMMENTS = "update feeds set comment_count = comment_count - \
                        (select count(*) from comments c where c.feed_id = feeds.id and c.id in (?*)) where id in (?*)";
    DELETE_COMMENTS = "delete from comments where author_id = ? and id in (?*)";
    COUNT_COMMENTS = "update users set comment_count = comment_count - ? where id = ?";
}

pub(super) async fn unlike_feeds(tx: &mut Tx, user: UserId, limit: i64) -> Result<usize> {
    remove(tx, user, limit, [FEED_LIKES, UNCOUNT_FEED_LIKES, DELETE_FEED_LIKES]).await
}

pub(super) async fn unlike_comments(tx: &mut Tx, user: UserId, limit: i64) -> Result<usize> {
    remove(tx, user, limit, [COMMENT_LIKES, UNCOUNT_COMMENT_LIKES, DELETE_COMMENT_LIKES]).await
}

pub(super) async fn unfollow(tx: &mut Tx, user: UserId, limit: i64) -> Result<usize> {
    let removed = remove(tx, user, limit, [FOLLOWINGS, UNCOUNT_FOLLOWERS, DELETE_FOLLOWINGS]).await?;
    count(tx, COUNT_FOLLOWINGS, user, removed).await
}

pub(super) async fn drop_followers(tx: &mut Tx, user: UserId, limit: i64) -> Result<usize> {
    let removed = remove(tx, user, limit, [FOLLOWERS, UNCOUNT_FOLLOWINGS, DELETE_FOLLOWERS]).await?;
    count(tx, COUNT_FOLLOWERS, user, removed).await
}

pub(super) async fn delete_comments(tx: &mut Tx, user: UserId, limit: i64) -> Result<usize> {
    let comments: Vec<(i64, i64)> = tx.fetch(COMMENTS, args![user, limit]).await?;
    if comments.is_empty() {
        return Ok(0);
    }
    let (ids, feeds): (Vec<i64>, Vec<i64>) = comments.into_iter().unzip();
    tx.exec(UNCOUNT_COMMENTS, args![list(&ids), list(&feeds)]).await?;
    let deleted = tx.exec(DELETE_COMMENTS, args![user, list(&ids)]).await?;
    count(tx, COUNT_COMMENTS, user, all(deleted, ids.len())?).await
}

/// Removes a user's rows by three statements: which things they belong to, the count of those, and the rows.
async fn remove(tx: &mut Tx, user: UserId, limit: i64, [find, uncount, delete]: [&'static str; 3]) -> Result<usize> {
    let found: Vec<(i64,)> = tx.fetch(find, args![user, limit]).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let ids: Vec<i64> = found.into_iter().map(|(id,)| id).collect();
    tx.exec(uncount, args![list(&ids)]).await?;
    let deleted = tx.exec(delete, args![user, list(&ids)]).await?;
    all(deleted, ids.len())
}

/// Corrects the erased user's own count, which others may still see.
async fn count(tx: &mut Tx, sql: &str, user: UserId, removed: usize) -> Result<usize> {
    if removed > 0 {
        tx.exec(sql, args![i64::try_from(removed).unwrap_or(i64::MAX), user]).await?;
    }
    Ok(removed)
}

fn all(deleted: u64, found: usize) -> Result<usize> {
    if deleted < found as u64 { Err(Error::RolledBack(Doom::GivenUp)) } else { Ok(found) }
}

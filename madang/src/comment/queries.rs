//! All SQL of comments.

use greenlit::{Reader, Result, Tx, Value, args};

use super::model::{Comment, CommentId, FeedOrder, NewComment};
use crate::{
    account::UserId,
    clock::Timestamp,
    feed::{FeedId, Order},
    paging::{Position, Window},
};

macro_rules! select_comments {
    ($rest:expr) => {
        concat!(
            "select c.id, c.feed_id, c.content, c.author_id, u.email as author_email, u.nickname as author_nickname, \
             c.create_dt, c.update_dt, c.like_count, \
             (select count(*) from comment_likes l where l.comment_id = c.id and l.user_id = ?) > 0 as liked \
             from comments c join users u on u.id = c.author_id where ",
            $rest
        )
    };
}

// The part of a list behind a position, down or up, with ties broken by the id. One comparison of pairs would say the same,
// but MariaDB finds no range of an index by it.
macro_rules! down {
    ($of:literal, $by:literal) => {
        concat!(
            $of,
            " and ",
            $by,
            " <= ? and (",
            $by,
            " < ? or c.id < ?) order by ",
            $by,
            " desc, c.id desc limit ? offset ?"
        )
    };
}
macro_rules! up {
    ($of:literal, $by:literal) => {
        concat!($of, " and ", $by, " >= ? and (", $by, " > ? or c.id > ?) order by ", $by, ", c.id limit ? offset ?")
    };
}

crate::statements! {
    BY_ID = select_comments!("c.id = ?");
    INSERT = "insert into comments (feed_id, author_id, content, create_dt, update_dt) values (?, ?, ?, ?, ?)";
    UPDATE = "update comments set content = ?, update_dt = ? where id = ? and author_id = ?";
    DELETE = "delete from comments where id = ?";
    LOCK = "update comments set update_dt = update_dt where id = ?";
    COUNT_LIKES = "update comments set like_count = like_count + ? where id = ?";
    COUNT_BY_AUTHOR = "update users set comment_count = comment_count + ? where id = ?";
    TOTAL_BY_AUTHOR = "select comment_count from users where id = ?";

    // Each order has its index.
    OF_FEED_DESC = select_comments!(down!("c.feed_id = ?", "c.create_dt"));
    OF_FEED_ASC = select_comments!(up!("c.feed_id = ?", "c.create_dt"));
    BY_AUTHOR_CREATE_DESC = select_comments!(down!("c.author_id = ?", "c.create_dt"));
    BY_AUTHOR_CREATE_ASC = select_comments!(up!("c.author_id = ?", "c.create_dt"));
    BY_AUTHOR_UPDATE_DESC = select_comments!(down!("c.author_id = ?", "c.update_dt"));
    BY_AUTHOR_UPDATE_ASC = select_comments!(up!("c.author_id = ?", "c.update_dt"));
}

pub(super) async fn by_id(r: &mut impl Reader, id: CommentId, viewer: UserId) -> Result<Option<Comment>> {
    r.fetch_optional(BY_ID, args![viewer, id]).await
}

pub(super) async fn insert(tx: &mut Tx, author: UserId, new: &NewComment, now: Timestamp) -> Result<CommentId> {
    tx.insert(INSERT, args![new.feed_id, author, &new.content, now, now]).await.map(CommentId)
}

/// Changes the text if there is such a comment of this author.
pub(super) async fn update(tx: &mut Tx, id: CommentId, author: UserId, content: &str, now: Timestamp) -> Result<()> {
    tx.exec(UPDATE, args![content, now, id, author]).await.map(drop)
}

/// Deletes the comment and its likes. Tells whether there was one.
pub(super) async fn delete(tx: &mut Tx, id: CommentId) -> Result<bool> {
    tx.exec(DELETE, args![id]).await.map(|rows| rows > 0)
}

/// Locks the comment's row against whoever else would change or like it. Tells whether there is such a comment.
pub(crate) async fn lock(tx: &mut Tx, id: CommentId) -> Result<bool> {
    tx.exec(LOCK, args![id]).await.map(|rows| rows > 0)
}

/// Counts likes that this transaction adds to the comment, or takes away.
pub(crate) async fn count_likes(tx: &mut Tx, id: CommentId, delta: i64) -> Result<()> {
    tx.exec(COUNT_LIKES, args![delta, id]).await.map(drop)
}

/// Counts comments that this transaction inserts for the author, or deletes.
pub(super) async fn count_by_author(tx: &mut Tx, author: UserId, delta: i64) -> Result<()> {
    tx.exec(COUNT_BY_AUTHOR, args![delta, author]).await.map(drop)
}

/// A page of the feed's comments by the time they were written, and one comment more if there is a next page.
pub(super) async fn page_of(
    r: &mut impl Reader,
    feed: FeedId,
    order: FeedOrder,
    window: Window,
    viewer: UserId,
) -> Result<Vec<Comment>> {
    let (sql, edge) = match order {
        FeedOrder::CreateDesc => (OF_FEED_DESC, Position::TOP),
        FeedOrder::CreateAsc => (OF_FEED_ASC, Position::BOTTOM),
    };
    r.fetch(sql, page_args(viewer, feed.into(), window, edge)).await
}

/// A page of the author's comments, and one comment more if there is a next page; and how many he has.
pub(crate) async fn page_by(
    r: &mut impl Reader,
    author: UserId,
    order: Order,
    window: Window,
) -> Result<(Vec<Comment>, i64)> {
    let (sql, edge) = match order {
        Order::CreateDesc => (BY_AUTHOR_CREATE_DESC, Position::TOP),
        Order::CreateAsc => (BY_AUTHOR_CREATE_ASC, Position::BOTTOM),
        Order::UpdateDesc => (BY_AUTHOR_UPDATE_DESC, Position::TOP),
        Order::UpdateAsc => (BY_AUTHOR_UPDATE_ASC, Position::BOTTOM),
    };
    let comments = r.fetch(sql, page_args(author, author.into(), window, edge)).await?;
    let (total,) = r.fetch_one(TOTAL_BY_AUTHOR, args![author]).await?;
    Ok((comments, total))
}

fn page_args(viewer: UserId, of: Value, window: Window, edge: Position) -> Vec<Value> {
    let (after, skip) = window.begin(edge);
    args![viewer, of, after.value, after.value, after.id, window.probe(), skip]
}

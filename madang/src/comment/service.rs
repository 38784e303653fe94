//! What spans tables: comments with the counts of their feeds and authors. Takes the transaction, never commits.

use greenlit::Tx;

use super::{
    events::{WRITTEN, Written},
    model::{Comment, CommentId, NewComment},
    queries,
};
use crate::{
    account::Actor,
    app::App,
    clock::Timestamp,
    error::{Code, Result},
    feed,
};

/// Writes a comment.
///
/// # Errors
/// 404 if there is no such feed.
pub(super) async fn create(app: &App, tx: &mut Tx, author: &Actor, new: &NewComment) -> Result<Comment> {
    // Both counts first: they lock the rows that the comment refers to, in the order in which everybody does.
    if !feed::count_comments(tx, new.feed_id, 1).await? {
        return Err(Code::FeedNotFound.into());
    }
    queries::count_by_author(tx, author.id, 1).await?;
    // Not before the feed is locked: readers would see a comment appear before others that they have seen.
    let now = app.clock.now();
    let id = queries::insert(tx, author.id, new, now).await?;
    tx.outbox(WRITTEN, &Written { id: id.0 }).await?;
    tx.after_commit(app.wake_worker(WRITTEN));
    Ok(Comment::new(id, author, new, now))
}

/// Changes a comment's text, if there is a new one, for its author.
///
/// # Errors
/// 404 if there is none, 403 if it is another's.
pub(super) async fn update(
    tx: &mut Tx,
    author: &Actor,
    id: CommentId,
    content: Option<&str>,
    now: Timestamp,
) -> Result<Comment> {
    if let Some(content) = content {
        queries::update(tx, id, author.id, content, now).await?;
    }
    let comment = queries::by_id(tx, id, author.id).await?.ok_or(Code::CommentNotFound)?;
    if comment.author_id == author.id { Ok(comment) } else { Err(Code::PermissionDenied.into()) }
}

/// Deletes a comment with its likes, for its author or an administrator.
///
/// # Errors
/// 404 if there is none, 403 if it is another's.
pub(super) async fn delete(tx: &mut Tx, actor: &Actor, id: CommentId) -> Result<()> {
    let comment = queries::by_id(tx, id, actor.id).await?.ok_or(Code::CommentNotFound)?;
    if comment.author_id != actor.id && !actor.is_admin {
        return Err(Code::PermissionDenied.into());
    }
    // Its feed is locked before it. Whoever was faster deleted it since it was read.
    let counted = feed::count_comments(tx, comment.feed_id, -1).await?;
    if !counted || !queries::delete(tx, id).await? {
        return Err(Code::CommentNotFound.into());
    }
    queries::count_by_author(tx, comment.author_id, -1).await?;
    Ok(())
}

//! How a comment looks from outside.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::{Comment, CommentId};
use crate::{
    account::{Email, MaybeActor, Nickname, UserId},
    app::App,
    clock::Timestamp,
    feed::FeedId,
};

/// A comment as clients see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Comment)]
pub(crate) struct CommentView {
    content: String,
    feed_id: FeedId,
    id: CommentId,
    /// Null unless the author or an administrator asks.
    #[schema(required)]
    author_email: Option<Email>,
    author_nickname: Nickname,
    create_dt: Timestamp,
    update_dt: Timestamp,
    author_id: UserId,
    like_count: i64,
    /// Whether whoever asks likes it; false for anonymous.
    liked: bool,
}

impl CommentView {
    pub(crate) fn new(app: &App, viewer: &MaybeActor, comment: Comment) -> CommentView {
        CommentView {
            content: comment.content,
            feed_id: comment.feed_id,
            id: comment.id,
            author_email: viewer.sees_email_of(app, comment.author_id).then_some(comment.author_email),
            author_nickname: comment.author_nickname,
            create_dt: comment.create_dt,
            update_dt: comment.update_dt,
            author_id: comment.author_id,
            like_count: comment.like_count,
            liked: comment.liked,
        }
    }
}

//! What can be liked.

use crate::{
    comment::CommentId,
    error::{Code, Result},
    feed::FeedId,
    http::query::QueryFields,
};

/// A feed or a comment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Feed(FeedId),
    Comment(CommentId),
}

impl Target {
    /// # Errors
    /// 422 for an id that is none; 400 unless exactly one is given.
    pub(super) fn parse(query: &QueryFields) -> Result<Target> {
        let mut fields = query.fields();
        let ids = (fields.optional_id("feed_id"), fields.optional_id("comment_id"));
        match fields.finish(ids)? {
            (Some(id), None) => Ok(Target::Feed(FeedId(id))),
            (None, Some(id)) => Ok(Target::Comment(CommentId(id))),
            _ => Err(Code::LikeTargetMissing.into()),
        }
    }
}

/// Whether somebody likes something, and how many do.
#[derive(Clone, Copy, Debug, greenlit::FromRow)]
pub(super) struct Likes {
    pub(super) like_count: i64,
    pub(super) liked: bool,
}

//! The values of a comment.

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    account::{Actor, Email, Nickname, UserId},
    clock::Timestamp,
    error::Result,
    feed::{FeedId, Order},
    http::input::Document,
    openapi::one_of,
};

const MAX_LENGTH: usize = 5_000;

/// Identifies a comment. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema, greenlit::Value)]
#[serde(transparent)]
pub(crate) struct CommentId(pub(crate) i64);

/// A comment with what a reader wants to know of its author.
#[derive(Clone, Debug, greenlit::FromRow)]
pub(crate) struct Comment {
    pub(crate) id: CommentId,
    pub(crate) feed_id: FeedId,
    pub(crate) content: String,
    pub(crate) author_id: UserId,
    pub(crate) author_email: Email,
    pub(crate) author_nickname: Nickname,
    pub(crate) create_dt: Timestamp,
    pub(crate) update_dt: Timestamp,
    pub(crate) like_count: i64,
    /// By whoever looks at it.
    pub(crate) liked: bool,
}

impl Comment {
    /// A comment that its author writes now.
    pub(super) fn new(id: CommentId, author: &Actor, new: &NewComment, now: Timestamp) -> Comment {
        Comment {
            id,
            feed_id: new.feed_id,
            content: new.content.clone(),
            author_id: author.id,
            author_email: author.email.clone(),
            author_nickname: author.nickname.clone(),
            create_dt: now,
            update_dt: now,
            like_count: 0,
            liked: false,
        }
    }
}

/// What a new comment says, and to which feed.
#[derive(Clone, Debug)]
pub(crate) struct NewComment {
    pub(crate) content: String,
    pub(crate) feed_id: FeedId,
}

impl NewComment {
    /// # Errors
    /// 422 with every wrong field.
    pub(crate) fn parse(body: &Document) -> Result<NewComment> {
        let mut fields = body.fields();
        let new = NewComment { content: fields.text("content", 1..=MAX_LENGTH), feed_id: FeedId(fields.id("feed_id")) };
        fields.finish(new)
    }
}

/// Which comment shall say what from now on; nothing keeps the old text, as null and an empty text always did.
///
/// # Errors
/// 422 with every wrong field of path and body.
pub(super) fn parse_change(path: &Document, body: &Document) -> Result<(CommentId, Option<String>)> {
    let mut fields = path.fields();
    let id = CommentId(fields.id("comment_id"));
    let mut fields = fields.then(body);
    let content = fields.nullable_text("content", 0..=MAX_LENGTH).filter(|text| !text.is_empty());
    fields.finish((id, content))
}

/// The orders of a feed's comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FeedOrder {
    CreateDesc,
    CreateAsc,
}

impl PartialSchema for FeedOrder {
    fn schema() -> RefOr<Schema> {
        one_of(FeedOrder::NAMES)
    }
}

impl ToSchema for FeedOrder {}

impl FeedOrder {
    /// As clients call them; the first is the default.
    pub(super) const NAMES: &[(&str, FeedOrder)] =
        &[("create_dt_desc", FeedOrder::CreateDesc), ("create_dt_asc", FeedOrder::CreateAsc)];
}

/// A comment's place in one of the orders that it shares with feeds: what it is sorted by, and its id.
pub(crate) fn place(order: Order, comment: &Comment) -> (i64, i64) {
    let value = match order {
        Order::CreateDesc | Order::CreateAsc => comment.create_dt,
        Order::UpdateDesc | Order::UpdateAsc => comment.update_dt,
    };
    (value.0, comment.id.0)
}

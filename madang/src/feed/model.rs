//! The values of a feed.

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    account::{Actor, Email, Nickname, UserId},
    clock::Timestamp,
    error::Result,
    http::input::{Document, Fields},
    openapi::one_of,
};

/// Characters of the longest title.
pub(crate) const LONGEST_TITLE: usize = 200;
const TITLE_LENGTH: std::ops::RangeInclusive<usize> = 1..=LONGEST_TITLE;
const CONTENT_LENGTH: std::ops::RangeInclusive<usize> = 1..=50_000;
/// Characters of an image's address; longer ones cannot be ours.
const URL_LENGTH: std::ops::RangeInclusive<usize> = 1..=2_048;

/// Identifies a feed. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema, greenlit::Value)]
#[serde(transparent)]
pub(crate) struct FeedId(pub(crate) i64);

/// A feed with what a reader wants to know of its author.
#[derive(Clone, Debug, greenlit::FromRow)]
pub(crate) struct Feed {
    pub(crate) id: FeedId,
    pub(crate) title: String,
    pub(crate) content: String,
    pub(crate) author_id: UserId,
    pub(crate) author_email: Email,
    pub(crate) author_nickname: Nickname,
    pub(crate) create_dt: Timestamp,
    pub(crate) update_dt: Timestamp,
    pub(crate) like_count: i64,
    pub(crate) comment_count: i64,
    /// By whoever looks at it.
    pub(crate) liked: bool,
}

impl Feed {
    /// A feed that its author writes now.
    pub(super) fn new(id: FeedId, author: &Actor, text: &Text, now: Timestamp) -> Feed {
        Feed {
            id,
            title: text.title.clone(),
            content: text.content.clone(),
            author_id: author.id,
            author_email: author.email.clone(),
            author_nickname: author.nickname.clone(),
            create_dt: now,
            update_dt: now,
            like_count: 0,
            comment_count: 0,
            liked: false,
        }
    }
}

/// The text of a new or changed feed.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) title: String,
    pub(crate) content: String,
}

impl Text {
    /// # Errors
    /// 422 with every wrong field.
    pub(crate) fn parse(form: &Document) -> Result<Text> {
        let mut fields = form.fields();
        let text = Text::read(&mut fields);
        fields.finish(text)
    }

    fn read(fields: &mut Fields<'_>) -> Text {
        Text { title: fields.text("title", TITLE_LENGTH), content: fields.text("content", CONTENT_LENGTH) }
    }
}

/// What an update asks for, beside the images that it adds.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) text: Text,
    /// Addresses of images to remove.
    pub(crate) targets: Vec<String>,
}

impl Change {
    /// Reads the id of the feed from the path, and what to change from the form.
    ///
    /// # Errors
    /// 422 with every wrong field of both.
    pub(crate) fn parse(path: &Document, form: &Document) -> Result<(FeedId, Change)> {
        let mut fields = path.fields();
        let id = FeedId(fields.id("feed_id"));
        let mut fields = fields.then(form);
        let text = Text::read(&mut fields);
        let targets = fields.texts("target_image_urls", URL_LENGTH);
        fields.finish((id, Change { text, targets }))
    }
}

/// The orders of the list of all feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    CreateDesc,
    CreateAsc,
    UpdateDesc,
    UpdateAsc,
}

impl PartialSchema for Order {
    fn schema() -> RefOr<Schema> {
        one_of(Order::NAMES)
    }
}

impl ToSchema for Order {}

impl Order {
    /// As clients call them; the first is the default.
    pub(crate) const NAMES: &[(&str, Order)] = &[
        ("create_dt_desc", Order::CreateDesc),
        ("create_dt_asc", Order::CreateAsc),
        ("update_dt_desc", Order::UpdateDesc),
        ("update_dt_asc", Order::UpdateAsc),
    ];

    /// What a feed is sorted by.
    pub(crate) fn value(self, feed: &Feed) -> i64 {
        match self {
            Order::CreateDesc | Order::CreateAsc => feed.create_dt.0,
            Order::UpdateDesc | Order::UpdateAsc => feed.update_dt.0,
        }
    }
}

/// The orders of the lists of one author's feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthorOrder {
    IdDesc,
    IdAsc,
    CreateDesc,
    CreateAsc,
    UpdateDesc,
    UpdateAsc,
}

impl PartialSchema for AuthorOrder {
    fn schema() -> RefOr<Schema> {
        one_of(AuthorOrder::NAMES)
    }
}

impl ToSchema for AuthorOrder {}

impl AuthorOrder {
    /// As clients call them where a user is named; the first is the default.
    pub(crate) const NAMES: &[(&str, AuthorOrder)] = &[
        ("id_desc", AuthorOrder::IdDesc),
        ("id_asc", AuthorOrder::IdAsc),
        ("create_dt_desc", AuthorOrder::CreateDesc),
        ("create_dt_asc", AuthorOrder::CreateAsc),
    ];

    /// What a feed is sorted by.
    pub(crate) fn value(self, feed: &Feed) -> i64 {
        match self {
            AuthorOrder::IdDesc | AuthorOrder::IdAsc => feed.id.0,
            AuthorOrder::CreateDesc | AuthorOrder::CreateAsc => feed.create_dt.0,
            AuthorOrder::UpdateDesc | AuthorOrder::UpdateAsc => feed.update_dt.0,
        }
    }
}

impl From<Order> for AuthorOrder {
    fn from(order: Order) -> AuthorOrder {
        match order {
            Order::CreateDesc => AuthorOrder::CreateDesc,
            Order::CreateAsc => AuthorOrder::CreateAsc,
            Order::UpdateDesc => AuthorOrder::UpdateDesc,
            Order::UpdateAsc => AuthorOrder::UpdateAsc,
        }
    }
}

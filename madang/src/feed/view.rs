//! How a feed looks from outside.

use greenlit::by_key;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{Feed, FeedId};
use crate::{
    account::{Email, MaybeActor, Nickname, UserId},
    app::App,
    clock::Timestamp,
    media::Image,
    paging::Pagination,
};

/// A feed with its images in order.
pub(crate) struct FeedImages {
    pub(crate) feed: Feed,
    pub(crate) images: Vec<Image>,
}

/// Gives each feed its images.
pub(crate) fn join(feeds: Vec<Feed>, images: Vec<Image>) -> Vec<FeedImages> {
    let mut images = by_key(images, |image| image.feed_id);
    let with = |feed: Feed| FeedImages { images: images.remove(&feed.id.0).unwrap_or_default(), feed };
    feeds.into_iter().map(with).collect()
}

/// A feed as clients see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Feed)]
pub(crate) struct FeedView {
    title: String,
    content: String,
    image_urls: Vec<String>,
    id: FeedId,
    /// Null unless the author or an administrator asks.
    #[schema(required)]
    author_email: Option<Email>,
    author_nickname: Nickname,
    create_dt: Timestamp,
    update_dt: Timestamp,
    author_id: UserId,
    like_count: i64,
    comment_count: i64,
    /// Whether whoever asks likes it; false for anonymous.
    liked: bool,
    images: Vec<ImageView>,
}

/// An image of a feed. Its size is known before it is loaded.
#[derive(Serialize, ToSchema)]
#[schema(as = Image)]
pub(super) struct ImageView {
    url: String,
    /// The image at a width of 640 pixels at most; the same as `url` if it is no wider, and until it is made.
    thumb_url: String,
    /// In pixels.
    width: i64,
    /// In pixels.
    height: i64,
}

impl FeedView {
    pub(crate) fn new(app: &App, viewer: &MaybeActor, FeedImages { feed, images }: FeedImages) -> FeedView {
        let view = |image: &Image| ImageView {
            url: app.media.url(image),
            thumb_url: app.media.thumb_url(image),
            width: image.width,
            height: image.height,
        };
        let images: Vec<ImageView> = images.iter().map(view).collect();
        FeedView {
            title: feed.title,
            content: feed.content,
            image_urls: images.iter().map(|image| image.url.clone()).collect(),
            id: feed.id,
            author_email: viewer.sees_email_of(app, feed.author_id).then_some(feed.author_email),
            author_nickname: feed.author_nickname,
            create_dt: feed.create_dt,
            update_dt: feed.update_dt,
            author_id: feed.author_id,
            like_count: feed.like_count,
            comment_count: feed.comment_count,
            liked: feed.liked,
            images,
        }
    }
}

/// A page of feeds.
#[derive(Serialize, ToSchema)]
pub(crate) struct FeedPage {
    pub(crate) feeds: Vec<FeedView>,
    pub(crate) pagination: Pagination,
}

/// A page of one author's feeds.
#[derive(Serialize, ToSchema)]
pub(super) struct AuthorFeedPage {
    /// How many feeds the author has.
    pub(super) total_count: i64,
    pub(super) feeds: Vec<FeedView>,
    /// For the parameter `cursor`; null on the last page.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
}

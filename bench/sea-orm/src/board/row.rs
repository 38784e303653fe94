//! What the queries select, and what is answered of it.

use sea_orm::{DerivePartialModel, FromQueryResult};

use super::{
    entity::{comment, feed, image, user},
    peer::{Comment, Feed, Time, User},
};

#[derive(DerivePartialModel)]
#[sea_orm(entity = "user::Entity")]
pub(crate) struct UserRow {
    id: i64,
    email: String,
    nickname: String,
    token_epoch: i64,
}

#[derive(FromQueryResult)]
pub(crate) struct FeedRow {
    #[sea_orm(nested)]
    pub(crate) feed: feed::Model,
    #[sea_orm(nested)]
    pub(crate) about: About,
}

/// What stands in other tables of a feed or a comment.
#[derive(FromQueryResult)]
pub(crate) struct About {
    author_email: String,
    author_nickname: String,
    liked: bool,
}

/// A feed with one of its images.
#[derive(FromQueryResult)]
pub(crate) struct ReadRow {
    #[sea_orm(nested)]
    pub(crate) feed: feed::Model,
    #[sea_orm(nested)]
    pub(crate) about: About,
    #[sea_orm(nested)]
    pub(crate) image: Option<ImageRow>,
}

#[derive(FromQueryResult)]
pub(crate) struct ImageRow {
    image_key: String,
    extension: String,
    width: i64,
    height: i64,
    thumb_width: Option<i64>,
}

#[derive(FromQueryResult)]
pub(crate) struct CommentRow {
    #[sea_orm(nested)]
    comment: comment::Model,
    #[sea_orm(nested)]
    about: About,
}

impl From<image::Model> for ImageRow {
    fn from(image: image::Model) -> ImageRow {
        let image::Model { image_key, extension, width, height, thumb_width, .. } = image;
        ImageRow { image_key, extension, width, height, thumb_width }
    }
}

impl From<UserRow> for User {
    fn from(UserRow { id, email, nickname, token_epoch }: UserRow) -> User {
        User { id, email, nickname, epoch: token_epoch }
    }
}

/// For somebody who does not see the author's address.
pub(crate) fn feed(feed: feed::Model, about: About, images: impl IntoIterator<Item = ImageRow>) -> Feed {
    let _unseen = about.author_email;
    let mut feed = Feed {
        title: feed.title,
        content: feed.content,
        image_urls: Vec::new(),
        id: feed.id,
        author_email: None,
        author_nickname: about.author_nickname,
        create_dt: Time(feed.create_dt),
        update_dt: Time(feed.update_dt),
        author_id: feed.author_id,
        like_count: feed.like_count,
        comment_count: feed.comment_count,
        liked: about.liked,
        images: Vec::new(),
    };
    for image in images {
        feed.add(&image.image_key, &image.extension, image.width, image.height, image.thumb_width);
    }
    feed
}

/// For somebody who does not see the author's address.
impl From<CommentRow> for Comment {
    fn from(CommentRow { comment, about }: CommentRow) -> Comment {
        let _unseen = about.author_email;
        Comment {
            content: comment.content,
            feed_id: comment.feed_id,
            id: comment.id,
            author_email: None,
            author_nickname: about.author_nickname,
            create_dt: Time(comment.create_dt),
            update_dt: Time(comment.update_dt),
            author_id: comment.author_id,
            like_count: comment.like_count,
            liked: about.liked,
        }
    }
}

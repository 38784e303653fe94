//! Rows as sqlx reads them, and what is answered of them.

use sqlx::FromRow;

use super::peer::{Comment, Feed, Time, User};

#[derive(FromRow)]
pub struct UserRow {
    pub id: i64,
    pub email: String,
    pub nickname: String,
    pub token_epoch: i64,
}

#[derive(FromRow)]
pub struct FeedRow {
    pub id: i64,
    pub title: String,
    pub content: String,
    pub author_id: i64,
    pub author_email: String,
    pub author_nickname: String,
    pub create_dt: i64,
    pub update_dt: i64,
    pub like_count: i64,
    pub comment_count: i64,
    pub liked: bool,
}

/// Of nulls if a join found no image.
#[derive(FromRow)]
pub struct ImageRow {
    pub feed_id: Option<i64>,
    pub image_key: Option<String>,
    pub extension: Option<String>,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub thumb_width: Option<i64>,
}

#[derive(FromRow)]
pub struct ReadRow {
    #[sqlx(flatten)]
    pub feed: FeedRow,
    #[sqlx(flatten)]
    pub image: ImageRow,
}

#[derive(FromRow)]
pub struct TotalRow {
    pub total: i64,
    #[sqlx(flatten)]
    pub image: ImageRow,
}

#[derive(FromRow)]
pub struct CommentRow {
    pub id: i64,
    pub feed_id: i64,
    pub content: String,
    pub author_id: i64,
    pub author_email: String,
    pub author_nickname: String,
    pub create_dt: i64,
    pub update_dt: i64,
    pub like_count: i64,
    pub liked: bool,
}

impl From<UserRow> for User {
    fn from(UserRow { id, email, nickname, token_epoch }: UserRow) -> User {
        User { id, email, nickname, epoch: token_epoch }
    }
}

/// Without its images, for somebody who does not see the author's address.
impl From<FeedRow> for Feed {
    fn from(row: FeedRow) -> Feed {
        let _unseen = row.author_email;
        Feed {
            title: row.title,
            content: row.content,
            image_urls: Vec::new(),
            id: row.id,
            author_email: None,
            author_nickname: row.author_nickname,
            create_dt: Time(row.create_dt),
            update_dt: Time(row.update_dt),
            author_id: row.author_id,
            like_count: row.like_count,
            comment_count: row.comment_count,
            liked: row.liked,
            images: Vec::new(),
        }
    }
}

/// For somebody who does not see the author's address.
impl From<CommentRow> for Comment {
    fn from(row: CommentRow) -> Comment {
        let _unseen = row.author_email;
        Comment {
            content: row.content,
            feed_id: row.feed_id,
            id: row.id,
            author_email: None,
            author_nickname: row.author_nickname,
            create_dt: Time(row.create_dt),
            update_dt: Time(row.update_dt),
            author_id: row.author_id,
            like_count: row.like_count,
            liked: row.liked,
        }
    }
}

/// Gives feeds their images.
pub fn join(feeds: &mut [Feed], images: impl IntoIterator<Item = ImageRow>) {
    for image in images {
        if let Some(feed) = feeds.iter_mut().find(|feed| Some(feed.id) == image.feed_id) {
            add(feed, image);
        }
    }
}

pub fn add(feed: &mut Feed, image: ImageRow) {
    let ImageRow { image_key, extension, width, height, thumb_width, .. } = image;
    if let (Some(key), Some(extension), Some(width), Some(height)) = (image_key, extension, width, height) {
        feed.add(&key, &extension, width, height, thumb_width);
    }
}

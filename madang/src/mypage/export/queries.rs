//! All SQL of the export: a user's rows, by pages after a key, each a snapshot of its own.

use greenlit::{FromRow, Reader, Result, args};
use serde::Serialize;

use crate::{
    account::{Nickname, UserId},
    clock::Timestamp,
    media::Image,
};

crate::statements! {
    FEEDS = "select id, title, content, like_count, comment_count, create_dt, update_dt from feeds \
             where author_id = ? and id > ? order by id limit ?";
    COMMENTS = "select id, feed_id, content, like_count, create_dt, update_dt from comments \
                where author_id = ? and id > ? order by id limit ?";
    FEED_LIKES = "select feed_id as id, create_dt from feed_likes where user_id = ? and feed_id > ? order by feed_id limit ?";
    COMMENT_LIKES = "select comment_id as id, create_dt from comment_likes where user_id = ? and comment_id > ? \
                     order by comment_id limit ?";
    FOLLOWINGS = "select f.id as position, u.id, u.nickname, f.create_dt from follows f join users u on u.id = f.following_id \
                  where f.follower_id = ? and f.id > ? order by f.id limit ?";
    FOLLOWERS = "select f.id as position, u.id, u.nickname, f.create_dt from follows f join users u on u.id = f.follower_id \
                 where f.following_id = ? and f.id > ? order by f.id limit ?";
    IMAGES = "select id, feed_id, image_key, extension, position, width, height, thumb_width from images \
              where owner_id = ? and feed_id is not null and id > ? order by id limit ?";
}

/// How many rows a page has: few, since a feed's content may have 200 KB.
const PAGE: i64 = 20;

/// What is exported row by row.
#[derive(Clone, Copy)]
pub(super) enum List {
    Feeds,
    Comments,
    FeedLikes,
    CommentLikes,
    Followings,
    Followers,
    Images,
}

impl List {
    fn sql(self) -> &'static str {
        match self {
            List::Feeds => FEEDS,
            List::Comments => COMMENTS,
            List::FeedLikes => FEED_LIKES,
            List::CommentLikes => COMMENT_LIKES,
            List::Followings => FOLLOWINGS,
            List::Followers => FOLLOWERS,
            List::Images => IMAGES,
        }
    }
}

/// A row that knows the key after which the next page begins.
pub(super) trait Keyed: FromRow + Send {
    fn key(&self) -> i64;
}

#[derive(FromRow, Serialize)]
pub(super) struct Feed {
    id: i64,
    title: String,
    content: String,
    like_count: i64,
    comment_count: i64,
    create_dt: Timestamp,
    update_dt: Timestamp,
}

#[derive(FromRow, Serialize)]
pub(super) struct Comment {
    id: i64,
    feed_id: i64,
    content: String,
    like_count: i64,
    create_dt: Timestamp,
    update_dt: Timestamp,
}

/// A feed or comment that the user likes.
#[derive(FromRow, Serialize)]
pub(super) struct Like {
    id: i64,
    create_dt: Timestamp,
}

/// Somebody whom the user follows, or who follows him.
#[derive(FromRow, Serialize)]
pub(super) struct Follow {
    #[serde(skip)]
    position: i64,
    id: UserId,
    nickname: Nickname,
    create_dt: Timestamp,
}

#[derive(FromRow)]
pub(super) struct OwnImage {
    id: i64,
    #[row(flatten)]
    pub(super) image: Image,
}

impl Keyed for Feed {
    fn key(&self) -> i64 {
        self.id
    }
}

impl Keyed for Comment {
    fn key(&self) -> i64 {
        self.id
    }
}

impl Keyed for Like {
    fn key(&self) -> i64 {
        self.id
    }
}

impl Keyed for Follow {
    fn key(&self) -> i64 {
        self.position
    }
}

impl Keyed for OwnImage {
    fn key(&self) -> i64 {
        self.id
    }
}

/// The rows of a list that come after this key; none if it has ended.
pub(super) async fn page<R: Keyed>(r: &mut impl Reader, list: List, user: UserId, after: i64) -> Result<Vec<R>> {
    r.fetch(list.sql(), args![user, after, PAGE]).await
}

//! All SQL of images.

use greenlit::{Reader, Result, Tx, args, list};

use super::picture::THUMBNAIL_WIDTH;
use crate::{account::UserId, clock::Timestamp};

/// The columns of an image that is joined as `i`, for [`JoinedImage`].
macro_rules! image_columns {
    () => {
        "i.feed_id, i.image_key, i.extension, i.position, i.width, i.height, i.thumb_width"
    };
}
pub(crate) use image_columns;

crate::statements! {
    // Unless the owner has so many that nobody claimed. The table of one row is there for the databases that want one.
    INSERT = "insert into images (image_key, extension, owner_id, position, width, height, expire_dt) \
              select ?, ?, ?, ?, ?, ?, ? from (select 1 as one) row_of_one \
              where (select count(*) from images where owner_id = ? and expire_dt > ?) < ?";
    CLAIM = "update images set feed_id = ?, position = position + ?, expire_dt = null \
             where image_key in (?*) and owner_id = ? and feed_id is null and expire_dt > ?";
    OF_FEEDS = "select feed_id, image_key, extension, position, width, height, thumb_width from images \
                where feed_id in (?*) order by feed_id, position";
    DELETE = "delete from images where image_key in (?*)";
    DELETE_STAGED = "delete from images where image_key = ? and feed_id is null";
    CLAIMED = "select feed_id, image_key, extension, position, width, height, thumb_width from images \
               where image_key = ? and feed_id is not null";
    SET_THUMBNAIL = "update images set thumb_width = ?, thumb_height = ? where image_key = ?";
    EXPIRED = "select 0 as feed_id, image_key, extension, position, width, height, thumb_width from images \
               where expire_dt <= ? order by expire_dt limit ?";
}

/// An image of a feed.
#[derive(Clone, Debug, PartialEq, greenlit::FromRow)]
pub(crate) struct Image {
    pub(crate) feed_id: i64,
    pub(crate) image_key: String,
    pub(crate) extension: String,
    pub(crate) position: i64,
    pub(crate) width: i64,
    pub(crate) height: i64,
    /// Null as long as there is no thumbnail.
    pub(crate) thumb_width: Option<i64>,
}

impl Image {
    /// Whether it is too wide to be its own thumbnail.
    pub(crate) fn is_wide(&self) -> bool {
        self.width > i64::from(THUMBNAIL_WIDTH)
    }

    /// What its object is called.
    pub(crate) fn file_name(&self) -> String {
        format!("{}.{}", self.image_key, self.extension)
    }
}

/// An image, or nulls where a left join found none.
#[derive(Clone, Debug, greenlit::FromRow)]
pub(crate) struct JoinedImage {
    feed_id: Option<i64>,
    image_key: Option<String>,
    extension: Option<String>,
    position: Option<i64>,
    width: Option<i64>,
    height: Option<i64>,
    thumb_width: Option<i64>,
}

impl JoinedImage {
    /// The image, if there is one.
    pub(crate) fn found(self) -> Option<Image> {
        Some(Image {
            feed_id: self.feed_id?,
            image_key: self.image_key?,
            extension: self.extension?,
            position: self.position?,
            width: self.width?,
            height: self.height?,
            thumb_width: self.thumb_width,
        })
    }
}

/// The images of these feeds, those of a feed in their order.
pub(crate) async fn of_feeds(r: &mut impl Reader, feeds: &[i64]) -> Result<Vec<Image>> {
    r.fetch_in(OF_FEEDS, feeds).await
}

/// Stages an image, unless its owner has `most` staged that nobody claimed. Tells whether it was.
pub(super) async fn insert(
    tx: &mut Tx,
    image: &Image,
    owner: UserId,
    now: Timestamp,
    expires: Timestamp,
    most: i64,
) -> Result<bool> {
    let Image { image_key, extension, position, width, height, .. } = image;
    let args = args![image_key, extension, owner, *position, *width, *height, expires, owner, now, most];
    tx.exec(INSERT, args).await.map(|rows| rows > 0)
}

/// Makes images the feed's, behind its first `first`. Returns how many of them were staged by this owner, had not expired,
/// and so could be claimed.
pub(super) async fn claim(
    tx: &mut Tx,
    keys: &[&str],
    owner: UserId,
    feed: i64,
    first: i64,
    now: Timestamp,
) -> Result<u64> {
    tx.exec(CLAIM, args![feed, first, list(keys), owner, now]).await
}

/// Staged images whose time is over, the oldest first.
pub(super) async fn expired(r: &mut impl Reader, now: Timestamp, limit: i64) -> Result<Vec<Image>> {
    r.fetch(EXPIRED, args![now, limit]).await
}

/// Deletes a staged image, unless it was claimed or deleted meanwhile.
pub(super) async fn delete_staged(tx: &mut Tx, key: &str) -> Result<()> {
    tx.exec(DELETE_STAGED, args![key]).await.map(drop)
}

/// An image that is some feed's.
pub(super) async fn claimed(r: &mut impl Reader, key: &str) -> Result<Option<Image>> {
    r.fetch_optional(CLAIMED, args![key]).await
}

/// Tells of an image's thumbnail, if there still is such an image.
pub(super) async fn set_thumbnail(tx: &mut Tx, key: &str, width: u32, height: u32) -> Result<()> {
    tx.exec(SET_THUMBNAIL, args![i64::from(width), i64::from(height), key]).await.map(drop)
}

pub(super) async fn delete(tx: &mut Tx, keys: &[&str]) -> Result<()> {
    tx.exec(DELETE, args![list(keys)]).await.map(drop)
}

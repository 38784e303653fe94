//! All SQL of feeds.

use greenlit::{Reader, Result, Tx, args};

use super::{
    model::{AuthorOrder, Feed, FeedId, Order, Text},
    view::FeedImages,
};
use crate::{
    account::UserId,
    clock::Timestamp,
    media::Image,
    paging::{Start, Window},
};

/// The columns of a feed, with what readers want to know of its author.
macro_rules! feed_columns {
    () => {
        "f.id, f.title, f.content, f.author_id, u.email as author_email, u.nickname as author_nickname, \
         f.create_dt, f.update_dt"
    };
}

macro_rules! select_feeds {
    ($rest:literal) => {
        concat!("select ", feed_columns!(), " from feeds f join users u on u.id = f.author_id ", $rest)
    };
}

crate::statements! {
    // One statement, so that it is one snapshot and one round trip. The feed comes with each of its images.
    BY_ID = concat!(
        "select ", feed_columns!(), ", i.image_key, i.extension, i.position, i.width, i.height \
         from feeds f join users u on u.id = f.author_id left join images i on i.feed_id = f.id \
         where f.id = ? order by i.position"
    );
    INSERT = "insert into feeds (author_id, title, content, create_dt, update_dt) values (?, ?, ?, ?, ?)";
    UPDATE = "update feeds set title = ?, content = ?, update_dt = ? where id = ? and author_id = ?";
    LOCK = "update feeds set update_dt = update_dt where id = ?";
    DELETE = "delete from feeds where id = ?";
    COUNT = "select count(*) from feeds";
    COUNT_OF_AUTHOR = "select count(*) from feeds where author_id = ?";

    // Each order has its index. The id breaks ties, so that pages neither repeat nor skip.
    BY_CREATE_DESC = select_feeds!("order by f.create_dt desc, f.id desc limit ? offset ?");
    BY_CREATE_ASC = select_feeds!("order by f.create_dt, f.id limit ? offset ?");
    BY_UPDATE_DESC = select_feeds!("order by f.update_dt desc, f.id desc limit ? offset ?");
    BY_UPDATE_ASC = select_feeds!("order by f.update_dt, f.id limit ? offset ?");
    AFTER_CREATE_DESC = select_feeds!("where (f.create_dt, f.id) < (?, ?) order by f.create_dt desc, f.id desc limit ?");
    AFTER_CREATE_ASC = select_feeds!("where (f.create_dt, f.id) > (?, ?) order by f.create_dt, f.id limit ?");
    AFTER_UPDATE_DESC = select_feeds!("where (f.update_dt, f.id) < (?, ?) order by f.update_dt desc, f.id desc limit ?");
    AFTER_UPDATE_ASC = select_feeds!("where (f.update_dt, f.id) > (?, ?) order by f.update_dt, f.id limit ?");

    AUTHOR_BY_ID_DESC = select_feeds!("where f.author_id = ? order by f.id desc limit ? offset ?");
    AUTHOR_BY_ID_ASC = select_feeds!("where f.author_id = ? order by f.id limit ? offset ?");
    AUTHOR_BY_CREATE_DESC =
        select_feeds!("where f.author_id = ? order by f.create_dt desc, f.id desc limit ? offset ?");
    AUTHOR_BY_CREATE_ASC = select_feeds!("where f.author_id = ? order by f.create_dt, f.id limit ? offset ?");
    AUTHOR_AFTER_ID_DESC =
        select_feeds!("where f.author_id = ? and (f.id, f.id) < (?, ?) order by f.id desc limit ?");
    AUTHOR_AFTER_ID_ASC = select_feeds!("where f.author_id = ? and (f.id, f.id) > (?, ?) order by f.id limit ?");
    AUTHOR_AFTER_CREATE_DESC = select_feeds!(
        "where f.author_id = ? and (f.create_dt, f.id) < (?, ?) order by f.create_dt desc, f.id desc limit ?"
    );
    AUTHOR_AFTER_CREATE_ASC = select_feeds!(
        "where f.author_id = ? and (f.create_dt, f.id) > (?, ?) order by f.create_dt, f.id limit ?"
    );
}

/// A feed, and one of its images if it has any.
#[derive(greenlit::FromRow)]
struct Joined {
    #[row(flatten)]
    feed: Feed,
    image_key: Option<String>,
    extension: Option<String>,
    position: Option<i64>,
    width: Option<i64>,
    height: Option<i64>,
}

impl Joined {
    fn split(self) -> (Feed, Option<Image>) {
        let image = (|| {
            Some(Image {
                feed_id: self.feed.id.0,
                image_key: self.image_key?,
                extension: self.extension?,
                position: self.position?,
                width: self.width?,
                height: self.height?,
            })
        })();
        (self.feed, image)
    }
}

/// A feed with its images in order.
pub(super) async fn by_id(r: &mut impl Reader, id: FeedId) -> Result<Option<FeedImages>> {
    let mut rows = r.fetch::<Joined>(BY_ID, args![id]).await?.into_iter().map(Joined::split);
    let Some((feed, first)) = rows.next() else { return Ok(None) };
    let images = first.into_iter().chain(rows.filter_map(|(_, image)| image)).collect();
    Ok(Some(FeedImages { feed, images }))
}

pub(super) async fn insert(tx: &mut Tx, author: UserId, text: &Text, now: Timestamp) -> Result<FeedId> {
    tx.insert(INSERT, args![author, &text.title, &text.content, now, now]).await.map(FeedId)
}

/// Changes the text if there is such a feed of this author. Its row is locked from here on.
pub(super) async fn update(tx: &mut Tx, id: FeedId, author: UserId, text: &Text, now: Timestamp) -> Result<()> {
    tx.exec(UPDATE, args![&text.title, &text.content, now, id, author]).await.map(drop)
}

/// Locks the feed's row against whoever else would change the feed or its images; portable, unlike `for update`.
pub(super) async fn lock(tx: &mut Tx, id: FeedId) -> Result<()> {
    tx.exec(LOCK, args![id]).await.map(drop)
}

pub(super) async fn delete(tx: &mut Tx, id: FeedId) -> Result<()> {
    tx.exec(DELETE, args![id]).await.map(drop)
}

/// A page of all feeds, and one feed more if there is a next page.
pub(super) async fn page(r: &mut impl Reader, order: Order, window: Window) -> Result<Vec<Feed>> {
    match window.start {
        Start::Skip(skip) => {
            let sql = match order {
                Order::CreateDesc => BY_CREATE_DESC,
                Order::CreateAsc => BY_CREATE_ASC,
                Order::UpdateDesc => BY_UPDATE_DESC,
                Order::UpdateAsc => BY_UPDATE_ASC,
            };
            r.fetch(sql, args![window.probe(), skip]).await
        }
        Start::After(position) => {
            let sql = match order {
                Order::CreateDesc => AFTER_CREATE_DESC,
                Order::CreateAsc => AFTER_CREATE_ASC,
                Order::UpdateDesc => AFTER_UPDATE_DESC,
                Order::UpdateAsc => AFTER_UPDATE_ASC,
            };
            r.fetch(sql, args![position.value, position.id, window.probe()]).await
        }
    }
}

/// A page of one author's feeds, and one feed more if there is a next page.
pub(super) async fn page_of(
    r: &mut impl Reader,
    author: UserId,
    order: AuthorOrder,
    window: Window,
) -> Result<Vec<Feed>> {
    match window.start {
        Start::Skip(skip) => {
            let sql = match order {
                AuthorOrder::IdDesc => AUTHOR_BY_ID_DESC,
                AuthorOrder::IdAsc => AUTHOR_BY_ID_ASC,
                AuthorOrder::CreateDesc => AUTHOR_BY_CREATE_DESC,
                AuthorOrder::CreateAsc => AUTHOR_BY_CREATE_ASC,
            };
            r.fetch(sql, args![author, window.probe(), skip]).await
        }
        Start::After(position) => {
            let sql = match order {
                AuthorOrder::IdDesc => AUTHOR_AFTER_ID_DESC,
                AuthorOrder::IdAsc => AUTHOR_AFTER_ID_ASC,
                AuthorOrder::CreateDesc => AUTHOR_AFTER_CREATE_DESC,
                AuthorOrder::CreateAsc => AUTHOR_AFTER_CREATE_ASC,
            };
            r.fetch(sql, args![author, position.value, position.id, window.probe()]).await
        }
    }
}

pub(super) async fn count(r: &mut impl Reader, author: Option<UserId>) -> Result<i64> {
    let (count,) = match author {
        None => r.fetch_one::<(i64,)>(COUNT, args![]).await?,
        Some(author) => r.fetch_one(COUNT_OF_AUTHOR, args![author]).await?,
    };
    Ok(count)
}

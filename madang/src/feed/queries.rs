//! All SQL of feeds.

use greenlit::{Reader, Result, Tx, args, list};

use super::{
    model::{AuthorOrder, Feed, FeedId, Order, Text},
    view::FeedImages,
};
use crate::{
    account::UserId,
    clock::Timestamp,
    media::{Image, JoinedImage, image_columns},
    paging::{Start, Window},
    totals::{self, total},
};

/// The columns of a feed, with what readers want to know of its author. Whether somebody likes it is counted, at most one row by its
/// key: for `exists` PostgreSQL would rather read all likes of that user, however many they are.
macro_rules! feed_columns {
    () => {
        "f.id, f.title, f.content, f.author_id, u.email as author_email, u.nickname as author_nickname, \
         f.create_dt, f.update_dt, f.like_count, f.comment_count, \
         (select count(*) from feed_likes l where l.feed_id = f.id and l.user_id = ?) > 0 as liked"
    };
}
pub(crate) use feed_columns;

// Every feed has its author. It is a left join so that MariaDB begins with the feeds, in the order of their index.
macro_rules! select_feeds {
    ($rest:literal) => {
        concat!("select ", feed_columns!(), " from feeds f left join users u on u.id = f.author_id ", $rest)
    };
}
pub(crate) use select_feeds;

crate::statements! {
    // One statement, so that it is one snapshot and one round trip. The feed comes with each of its images.
    BY_ID = concat!(
        "select ", feed_columns!(), ", ", image_columns!(), " \
         from feeds f join users u on u.id = f.author_id left join images i on i.feed_id = f.id \
         where f.id = ? order by i.position"
    );
    INSERT = "insert into feeds (author_id, title, content, create_dt, update_dt) values (?, ?, ?, ?, ?)";
    UPDATE = "update feeds set title = ?, content = ?, update_dt = ? where id = ? and author_id = ?";
    LOCK = "update feeds set update_dt = update_dt where id = ?";
    DELETE = "delete from feeds where id = ?";
    COUNT_LIKES = "update feeds set like_count = like_count + ? where id = ?";
    COUNT_COMMENTS = "update feeds set comment_count = comment_count + ? where id = ?";
    // Before a feed goes, with its comments: whoever wrote them has fewer. By two statements, since MariaDB reads all users
    // to update those of a subquery.
    COMMENTERS = "select distinct author_id from comments where feed_id = ? order by author_id";
    UNCOUNT_COMMENTS = "update users set comment_count = comment_count - \
                        (select count(*) from comments c where c.feed_id = ? and c.author_id = users.id) \
                        where id in (?*)";
    NEWEST_PLACES = "select id, update_dt from feeds order by create_dt desc, id desc limit ?";
    OLDEST_OF = "select id from feeds where author_id = ? order by id limit ?";
    // A page's other half: the total, and the images of its feeds. There is a row even if there is no image.
    TOTAL_AND_IMAGES = concat!(
        "select t.total, ", image_columns!(), " from (select ", total!(), " as total) t left join images i on i.feed_id in (?*) order by i.feed_id, i.position"
    );
    COUNT_AND_IMAGES = concat!(
        "select u.feed_count as total, ", image_columns!(), " from users u left join images i on i.feed_id in (?*) \
         where u.id = ? order by i.feed_id, i.position"
    );

    // Each order has its index. The id breaks ties, so that pages neither repeat nor skip. MariaDB looks a place up in
    // an index by single columns only, so the first is said beside the pair.
    BY_CREATE_DESC = select_feeds!("order by f.create_dt desc, f.id desc limit ? offset ?");
    BY_CREATE_ASC = select_feeds!("order by f.create_dt, f.id limit ? offset ?");
    BY_UPDATE_DESC = select_feeds!("order by f.update_dt desc, f.id desc limit ? offset ?");
    BY_UPDATE_ASC = select_feeds!("order by f.update_dt, f.id limit ? offset ?");
    AFTER_CREATE_DESC = select_feeds!(
        "where f.create_dt <= ? and (f.create_dt, f.id) < (?, ?) \
         order by f.create_dt desc, f.id desc limit ?"
    );
    AFTER_CREATE_ASC = select_feeds!(
        "where f.create_dt >= ? and (f.create_dt, f.id) > (?, ?) \
         order by f.create_dt, f.id limit ?"
    );
    AFTER_UPDATE_DESC = select_feeds!(
        "where f.update_dt <= ? and (f.update_dt, f.id) < (?, ?) \
         order by f.update_dt desc, f.id desc limit ?"
    );
    AFTER_UPDATE_ASC = select_feeds!(
        "where f.update_dt >= ? and (f.update_dt, f.id) > (?, ?) \
         order by f.update_dt, f.id limit ?"
    );

    AUTHOR_BY_ID_DESC = select_feeds!("where f.author_id = ? order by f.id desc limit ? offset ?");
    AUTHOR_BY_ID_ASC = select_feeds!("where f.author_id = ? order by f.id limit ? offset ?");
    AUTHOR_BY_CREATE_DESC =
        select_feeds!("where f.author_id = ? order by f.create_dt desc, f.id desc limit ? offset ?");
    AUTHOR_BY_CREATE_ASC = select_feeds!("where f.author_id = ? order by f.create_dt, f.id limit ? offset ?");
    AUTHOR_AFTER_ID_DESC =
        select_feeds!("where f.author_id = ? and f.id <= ? and (f.id, f.id) < (?, ?) order by f.id desc limit ?");
    AUTHOR_AFTER_ID_ASC = select_feeds!(
        "where f.author_id = ? and f.id >= ? and (f.id, f.id) > (?, ?) \
         order by f.id limit ?"
    );
    AUTHOR_AFTER_CREATE_DESC = select_feeds!(
        "where f.author_id = ? and f.create_dt <= ? and (f.create_dt, f.id) < (?, ?) \
         order by f.create_dt desc, f.id desc limit ?"
    );
    AUTHOR_AFTER_CREATE_ASC = select_feeds!(
        "where f.author_id = ? and f.create_dt >= ? and (f.create_dt, f.id) > (?, ?) order by f.create_dt, f.id limit ?"
    );
    AUTHOR_BY_UPDATE_DESC =
        select_feeds!("where f.author_id = ? order by f.update_dt desc, f.id desc limit ? offset ?");
    AUTHOR_BY_UPDATE_ASC = select_feeds!("where f.author_id = ? order by f.update_dt, f.id limit ? offset ?");
    AUTHOR_AFTER_UPDATE_DESC = select_feeds!(
        "where f.author_id = ? and f.update_dt <= ? and (f.update_dt, f.id) < (?, ?) \
         order by f.update_dt desc, f.id desc limit ?"
    );
    AUTHOR_AFTER_UPDATE_ASC = select_feeds!(
        "where f.author_id = ? and f.update_dt >= ? and (f.update_dt, f.id) > (?, ?) \
         order by f.update_dt, f.id limit ?"
    );
}

/// How many users are named in one statement.
const COMMENTERS_AT_ONCE: usize = 500;

/// A feed, and one of its images if it has any.
#[derive(greenlit::FromRow)]
struct WithImage {
    #[row(flatten)]
    feed: Feed,
    #[row(flatten)]
    image: JoinedImage,
}

/// How many feeds a list has, and one of the images of a page of it.
#[derive(greenlit::FromRow)]
struct TotalWithImage {
    total: i64,
    #[row(flatten)]
    image: JoinedImage,
}

/// A feed with its images in order.
pub(crate) async fn by_id(r: &mut impl Reader, id: FeedId, viewer: UserId) -> Result<Option<FeedImages>> {
    let rows = r.fetch::<WithImage>(BY_ID, args![viewer, id]).await?;
    let (mut feed, mut images) = (None, Vec::new());
    for row in rows {
        feed = Some(row.feed);
        images.extend(row.image.found());
    }
    Ok(feed.map(|feed| FeedImages { feed, images }))
}

pub(super) async fn insert(tx: &mut Tx, author: UserId, text: &Text, now: Timestamp) -> Result<FeedId> {
    tx.insert(INSERT, args![author, &text.title, &text.content, now, now]).await.map(FeedId)
}

/// Changes the text if there is such a feed of this author. Its row is locked from here on.
pub(super) async fn update(tx: &mut Tx, id: FeedId, author: UserId, text: &Text, now: Timestamp) -> Result<()> {
    tx.exec(UPDATE, args![&text.title, &text.content, now, id, author]).await.map(drop)
}

/// Locks the feed's row against whoever else would change the feed, its images or its counts; portable, unlike
/// `for update`. Tells whether there is such a feed.
pub(crate) async fn lock(tx: &mut Tx, id: FeedId) -> Result<bool> {
    tx.exec(LOCK, args![id]).await.map(|rows| rows > 0)
}

/// Counts likes that this transaction adds to the feed, or takes away.
pub(crate) async fn count_likes(tx: &mut Tx, id: FeedId, delta: i64) -> Result<()> {
    tx.exec(COUNT_LIKES, args![delta, id]).await.map(drop)
}

/// Counts comments that this transaction adds to the feed, or takes away. Tells whether there is such a feed, whose row is
/// locked from here on.
pub(crate) async fn count_comments(tx: &mut Tx, id: FeedId, delta: i64) -> Result<bool> {
    tx.exec(COUNT_COMMENTS, args![delta, id]).await.map(|rows| rows > 0)
}

/// Deletes the feed, its comments and all their likes. Its row is locked, so that no comment comes in between.
pub(super) async fn delete(tx: &mut Tx, id: FeedId) -> Result<()> {
    let commenters: Vec<(i64,)> = tx.fetch(COMMENTERS, args![id]).await?;
    let commenters: Vec<i64> = commenters.into_iter().map(|(id,)| id).collect();
    for some in commenters.chunks(COMMENTERS_AT_ONCE) {
        tx.exec(UNCOUNT_COMMENTS, args![id, list(some)]).await?;
    }
    tx.exec(DELETE, args![id]).await.map(drop)
}

/// The newest feeds, and when each was last changed.
pub(super) async fn newest_places(r: &mut impl Reader, limit: i64) -> Result<Vec<(FeedId, Timestamp)>> {
    r.fetch(NEWEST_PLACES, args![limit]).await
}

/// The author's oldest feeds.
pub(super) async fn oldest_of(r: &mut impl Reader, author: UserId, limit: i64) -> Result<Vec<FeedId>> {
    let rows: Vec<(FeedId,)> = r.fetch(OLDEST_OF, args![author, limit]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// A page of all feeds, and one feed more if there is a next page.
pub(super) async fn page(r: &mut impl Reader, order: Order, window: Window, viewer: UserId) -> Result<Vec<Feed>> {
    match window.start {
        Start::Skip(skip) => {
            let sql = match order {
                Order::CreateDesc => BY_CREATE_DESC,
                Order::CreateAsc => BY_CREATE_ASC,
                Order::UpdateDesc => BY_UPDATE_DESC,
                Order::UpdateAsc => BY_UPDATE_ASC,
            };
            match of_length(sql, window).filter(|_| skip == 0) {
                Some(sql) => r.fetch(&sql, args![viewer]).await,
                None => r.fetch(sql, args![viewer, window.probe(), skip]).await,
            }
        }
        Start::After(position) => {
            let sql = match order {
                Order::CreateDesc => AFTER_CREATE_DESC,
                Order::CreateAsc => AFTER_CREATE_ASC,
                Order::UpdateDesc => AFTER_UPDATE_DESC,
                Order::UpdateAsc => AFTER_UPDATE_ASC,
            };
            let mut args = args![viewer, position.value, position.value, position.id];
            if let Some(sql) = of_length(sql, window) {
                return r.fetch(&sql, args).await;
            }
            args.push(window.probe().into());
            r.fetch(sql, args).await
        }
    }
}

/// The statement of a page that begins where its conditions say, with its length in it, if that is a usual one. PostgreSQL plans a
/// statement without knowing its arguments once for all, unless it expects to do better by planning it for each run: which is so if it
/// does not know how few rows are wanted. And one whose runs skipped many rows it plans for many, from then on. Other lengths are
/// arguments, since each makes a statement that all connections keep.
fn of_length(sql: &str, window: Window) -> Option<String> {
    const USUAL: [i64; 5] = [10, 20, 30, 50, 100];
    let rest = sql.rfind("limit ?").map(|at| &sql[..at]).filter(|_| USUAL.contains(&window.limit))?;
    Some(format!("{rest}limit {}", window.probe()))
}

/// A page of one author's feeds, and one feed more if there is a next page.
pub(super) async fn page_of(
    r: &mut impl Reader,
    author: UserId,
    order: AuthorOrder,
    window: Window,
    viewer: UserId,
) -> Result<Vec<Feed>> {
    match window.start {
        Start::Skip(skip) => {
            let sql = match order {
                AuthorOrder::IdDesc => AUTHOR_BY_ID_DESC,
                AuthorOrder::IdAsc => AUTHOR_BY_ID_ASC,
                AuthorOrder::CreateDesc => AUTHOR_BY_CREATE_DESC,
                AuthorOrder::CreateAsc => AUTHOR_BY_CREATE_ASC,
                AuthorOrder::UpdateDesc => AUTHOR_BY_UPDATE_DESC,
                AuthorOrder::UpdateAsc => AUTHOR_BY_UPDATE_ASC,
            };
            r.fetch(sql, args![viewer, author, window.probe(), skip]).await
        }
        Start::After(position) => {
            let sql = match order {
                AuthorOrder::IdDesc => AUTHOR_AFTER_ID_DESC,
                AuthorOrder::IdAsc => AUTHOR_AFTER_ID_ASC,
                AuthorOrder::CreateDesc => AUTHOR_AFTER_CREATE_DESC,
                AuthorOrder::CreateAsc => AUTHOR_AFTER_CREATE_ASC,
                AuthorOrder::UpdateDesc => AUTHOR_AFTER_UPDATE_DESC,
                AuthorOrder::UpdateAsc => AUTHOR_AFTER_UPDATE_ASC,
            };
            r.fetch(sql, args![viewer, author, position.value, position.value, position.id, window.probe()]).await
        }
    }
}

/// How many feeds there are, and the images of these.
pub(super) async fn total_and_images(r: &mut impl Reader, feeds: &[Feed]) -> Result<(i64, Vec<Image>)> {
    r.fetch(TOTAL_AND_IMAGES, args![totals::FEEDS, list(&ids(feeds))]).await.map(split)
}

/// How many feeds the author has, and the images of these.
pub(super) async fn count_and_images(r: &mut impl Reader, author: UserId, feeds: &[Feed]) -> Result<(i64, Vec<Image>)> {
    r.fetch(COUNT_AND_IMAGES, args![list(&ids(feeds)), author]).await.map(split)
}

fn ids(feeds: &[Feed]) -> Vec<i64> {
    feeds.iter().map(|feed| feed.id.0).collect()
}

fn split(rows: Vec<TotalWithImage>) -> (i64, Vec<Image>) {
    let total = rows.first().map_or(0, |row| row.total);
    (total, rows.into_iter().filter_map(|row| row.image.found()).collect())
}

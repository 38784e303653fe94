//! All SQL of the check.

use greenlit::{Reader, Result, Tx, args, list};

use crate::{
    media::{
        Image,
        jobs::{DELETE, THUMBNAIL},
    },
    totals::{self, total},
};

/// A number that is kept on a row, and how it is counted.
pub(super) struct Counter {
    /// Its table and column, as they are told to people.
    pub(super) name: &'static str,
    find: &'static str,
    lock: &'static str,
    recount: &'static str,
}

/// A total of a whole table.
pub(super) struct Total {
    pub(super) name: &'static str,
    find: &'static str,
}

/// One statement, and so one snapshot: a number and the rows that it counts are changed by the same transactions.
macro_rules! find {
    ($table:ident $column:ident $rows:literal) => {
        concat!(
            "select id, ",
            stringify!($column),
            ", (select count(*) from ",
            $rows,
            ") from ",
            stringify!($table),
            " where id > ? order by id limit ?"
        )
    };
}

/// Whoever would change the numbers of these rows waits from here on; portable, unlike `for update`.
macro_rules! lock {
    ($table:ident $column:ident) => {
        concat!(
            "update ",
            stringify!($table),
            " set ",
            stringify!($column),
            " = ",
            stringify!($column),
            " where id in (?*)"
        )
    };
}

macro_rules! recount {
    ($table:ident $column:ident $rows:literal) => {
        concat!(
            "update ",
            stringify!($table),
            " set ",
            stringify!($column),
            " = (select count(*) from ",
            $rows,
            ") where id in (?*)"
        )
    };
}

macro_rules! counters {
    ($($table:ident.$column:ident counts $rows:literal;)+) => {
        pub(super) const COUNTERS: &[Counter] = &[$(Counter {
            name: concat!(stringify!($table), ".", stringify!($column)),
            find: find!($table $column $rows),
            lock: lock!($table $column),
            recount: recount!($table $column $rows),
        }),+];

        const OF_COUNTERS: &[(&str, &str)] = &[$(
            (concat!("find ", stringify!($table), ".", stringify!($column)), find!($table $column $rows)),
            (concat!("lock ", stringify!($table), ".", stringify!($column)), lock!($table $column)),
            (concat!("recount ", stringify!($table), ".", stringify!($column)), recount!($table $column $rows)),
        )+];
    };
}

counters! {
    users.feed_count counts "feeds where feeds.author_id = users.id";
    users.comment_count counts "comments where comments.author_id = users.id";
    users.follower_count counts "follows where follows.following_id = users.id";
    users.following_count counts "follows where follows.follower_id = users.id";
    feeds.like_count counts "feed_likes where feed_likes.feed_id = feeds.id";
    feeds.comment_count counts "comments where comments.feed_id = feeds.id";
    comments.like_count counts "comment_likes where comment_likes.comment_id = comments.id";
}

crate::statements! {
    FIND_FEEDS = concat!("select ", total!(), ", (select count(*) from feeds)");
    LOCK_TOTAL = "update totals set delta = delta where name = ?";
    IMAGES = "select id, feed_id, image_key, extension, position, width, height, thumb_width from images \
              where id > ? and feed_id is not null order by id limit ?";
    IMAGES_OF = "select feed_id, image_key, extension, position, width, height, thumb_width from images \
                 where image_key in (?*) and feed_id is not null";
    FORGET_THUMBNAIL = "update images set thumb_width = null, thumb_height = null \
                        where image_key = ? and feed_id is not null";
    NAMES = "select image_key, extension from images where image_key in (?*)";
    JOBS = "select id, topic, payload from greenlit_outbox where id > ? and topic in (?*) order by id limit ?";
}

// Of SQLite alone: nobody else could prepare them.
const DAMAGES: &str = "select integrity_check from pragma_integrity_check where integrity_check <> 'ok'";
const DANGLING: &str = "select \"table\", coalesce(rowid, 0), parent from pragma_foreign_key_check limit 100";

pub(super) const TOTALS: &[Total] = &[Total { name: totals::FEEDS, find: FIND_FEEDS }];

/// Every statement of the check with its name.
pub(crate) fn statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    STATEMENTS.iter().chain(OF_COUNTERS)
}

/// Rows behind this one, in the order of their ids: the id, the number that is kept, and what it should be.
pub(super) async fn counts(
    r: &mut impl Reader,
    counter: &Counter,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, i64, i64)>> {
    r.fetch(counter.find, args![after, limit]).await
}

/// Counts anew for these rows. Exact while others write: they change a number only under the lock that is taken first, and
/// what they had written before is seen by the second statement.
pub(super) async fn recount(tx: &mut Tx, counter: &Counter, ids: &[i64]) -> Result<()> {
    tx.exec(counter.lock, args![list(ids)]).await?;
    tx.exec(counter.recount, args![list(ids)]).await.map(drop)
}

/// The total that is kept, and what it should be.
pub(super) async fn total(r: &mut impl Reader, total: &Total) -> Result<(i64, i64)> {
    r.fetch_one(total.find, args![total.name]).await
}

/// Counts anew. Writers are not in the way, since each adds to the total by a row of its own; another repair waits.
pub(super) async fn recount_total(tx: &mut Tx, of: &Total) -> Result<()> {
    tx.exec(LOCK_TOTAL, args![of.name]).await?;
    let (kept, counted) = total(tx, of).await?;
    if kept == counted { Ok(()) } else { totals::add(tx, of.name, counted - kept).await }
}

/// An image that is some feed's, with the id of its row.
#[derive(greenlit::FromRow)]
pub(super) struct Row {
    pub(super) id: i64,
    #[row(flatten)]
    pub(super) image: Image,
}

/// Images of feeds behind this row, in the order of their ids.
pub(super) async fn images(r: &mut impl Reader, after: i64, limit: i64) -> Result<Vec<Row>> {
    r.fetch(IMAGES, args![after, limit]).await
}

/// Those with these keys that are some feed's.
pub(super) async fn images_of(r: &mut impl Reader, keys: &[String]) -> Result<Vec<Image>> {
    r.fetch_in(IMAGES_OF, keys).await
}

/// Has a row tell of no thumbnail. Tells whether the image is there and some feed's.
pub(super) async fn forget_thumbnail(tx: &mut Tx, key: &str) -> Result<bool> {
    tx.exec(FORGET_THUMBNAIL, args![key]).await.map(|rows| rows > 0)
}

/// The keys and extensions of the images with these keys, staged ones too.
pub(super) async fn names(r: &mut impl Reader, keys: &[&str]) -> Result<Vec<(String, String)>> {
    r.fetch_in(NAMES, keys).await
}

/// Jobs of images behind this one: the id, the topic and the payload. Those that are being done and those that were given
/// up are among them.
pub(super) async fn jobs(r: &mut impl Reader, after: i64, limit: i64) -> Result<Vec<(i64, String, String)>> {
    r.fetch(JOBS, args![after, list(&[DELETE, THUMBNAIL]), limit]).await
}

/// What SQLite finds wrong in its file, in its own words.
pub(super) async fn damages(r: &mut impl Reader) -> Result<Vec<String>> {
    Ok(r.fetch::<(String,)>(DAMAGES, Vec::new()).await?.into_iter().map(|(told,)| told).collect())
}

/// Rows on SQLite that refer to rows which are not there: the table, the row, and the table that it refers to.
pub(super) async fn dangling(r: &mut impl Reader) -> Result<Vec<(String, i64, String)>> {
    r.fetch(DANGLING, Vec::new()).await
}

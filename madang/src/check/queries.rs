//! All SQL of the check.

use greenlit::{Reader, Result, Tx, args, list};

use crate::totals::{self, total};

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
}

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

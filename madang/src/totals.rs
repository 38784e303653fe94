//! How many rows whole tables have, without counting them and without a row that all writes would wait for.
//!
//! A write appends its delta in its own transaction; the total is the sum of the deltas, and so exact at every snapshot.
//! The worker folds many deltas into one.

use greenlit::{Opts, Reader, Result, Tx, args, list};

use crate::app::App;

crate::statements! {
    ADD = "insert into totals (name, delta) values (?, ?)";
    OLDEST = "select id, delta from totals where name = ? order by id limit ?";
    DELETE = "delete from totals where id in (?*)";
}

/// How many deltas are folded in one transaction.
const FOLD: i64 = 500;
/// Fewer are left alone: summing them costs nothing.
const FEW: usize = 50;

/// The totals that are kept.
const NAMES: [&str; 1] = [FEEDS];
/// The number of feeds.
pub(crate) const FEEDS: &str = "feeds";

/// The total of a name, its one argument, as a part of a larger statement. The cast, which all databases know, bounds it
/// to two billion.
macro_rules! total {
    () => {
        "(select cast(coalesce(sum(delta), 0) as integer) from totals where name = ?)"
    };
}
pub(crate) use total;

/// Counts rows that this transaction inserts, or deletes if `delta` is negative.
pub(crate) async fn add(tx: &mut Tx, name: &str, delta: i64) -> Result<()> {
    tx.exec(ADD, args![name, delta]).await.map(drop)
}

/// Folds what can be folded, some deltas at a time; returns how many there were.
pub(crate) async fn fold(app: &App) -> Result<usize> {
    let mut folded = 0;
    for name in NAMES {
        // Without a transaction, as long as there is nothing to do.
        let few = i64::try_from(FEW).unwrap_or(i64::MAX);
        let waiting: Vec<(i64, i64)> = app.db.single().fetch(OLDEST, args![name, few]).await?;
        if waiting.len() < FEW {
            continue;
        }
        folded += match app.db.tx(Opts::default(), async |tx| fold_one(tx, name).await).await {
            Err(Undone::ByAnotherNode) => 0,
            Err(Undone::Database(e)) => return Err(e),
            Ok(folded) => folded,
        };
    }
    Ok(folded)
}

/// Why nothing was folded.
enum Undone {
    /// Another node folded the same deltas between two statements: what was deleted here was counted there.
    ByAnotherNode,
    Database(greenlit::Error),
}

impl From<greenlit::Error> for Undone {
    fn from(e: greenlit::Error) -> Undone {
        Undone::Database(e)
    }
}

async fn fold_one(tx: &mut Tx, name: &str) -> Result<usize, Undone> {
    let rows: Vec<(i64, i64)> = tx.fetch(OLDEST, args![name, FOLD]).await?;
    if rows.len() < FEW {
        return Ok(0);
    }
    let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
    let deleted = tx.exec(DELETE, args![list(&ids)]).await?;
    if deleted < ids.len() as u64 {
        return Err(Undone::ByAnotherNode);
    }
    add(tx, name, rows.iter().map(|(_, delta)| delta).sum()).await?;
    Ok(rows.len())
}

//! Whether the numbers that are kept beside rows agree with the rows, and how they are made to.
//!
//! Both work while the board serves: no number is compared across snapshots, and repairs are short transactions.

pub(crate) mod queries;

use greenlit::{Db, Opts, Result};
use serde::Serialize;

/// How many rows are looked at, and repaired, at a time.
const BATCH: i64 = 500;

/// Something that does not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, such as `users.feed_count` or `totals.feeds`.
    pub what: String,
    /// The row, unless it is about a whole table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The number that is kept.
    pub kept: i64,
    /// What it should be.
    pub counted: i64,
}

/// Looks at everything and tells `found` of each thing that does not agree; repairs it if so asked. Returns how many there
/// were.
///
/// # Errors
/// What the database says. What was repaired before stays so.
pub async fn check(db: &Db, repair: bool, mut found: impl FnMut(&Finding) + Send) -> Result<u64> {
    let mut findings = 0;
    for counter in queries::COUNTERS {
        let mut after = 0;
        loop {
            let rows = queries::counts(&mut db.single(), counter, after, BATCH).await?;
            let Some((last, ..)) = rows.last() else { break };
            after = *last;
            let wrong: Vec<_> = rows.into_iter().filter(|(_, kept, counted)| kept != counted).collect();
            for (id, kept, counted) in &wrong {
                found(&Finding { what: counter.name.to_owned(), id: Some(*id), kept: *kept, counted: *counted });
            }
            findings += wrong.len() as u64;
            if repair && !wrong.is_empty() {
                let ids: Vec<i64> = wrong.iter().map(|(id, ..)| *id).collect();
                db.tx(Opts::default(), async |tx| queries::recount(tx, counter, &ids).await).await?;
            }
        }
    }
    for total in queries::TOTALS {
        let (kept, counted) = queries::total(&mut db.single(), total).await?;
        if kept == counted {
            continue;
        }
        found(&Finding { what: format!("totals.{}", total.name), id: None, kept, counted });
        findings += 1;
        if repair {
            db.tx(Opts::default(), async |tx| queries::recount_total(tx, total).await).await?;
        }
    }
    Ok(findings)
}

//! Kept numbers against the rows that they count.

use greenlit::{Db, Opts, Result};

use super::{BATCH, Finding, Report, queries};

pub(super) async fn check(db: &Db, report: &mut Report<'_>) -> Result<()> {
    for counter in queries::COUNTERS {
        report.begin(counter.name);
        let mut after = 0;
        loop {
            let rows = queries::counts(&mut db.single(), counter, after, BATCH).await?;
            let Some((last, ..)) = rows.last() else { break };
            after = *last;
            report.looked_at(rows.len());
            let wrong: Vec<_> = rows.into_iter().filter(|(_, kept, counted)| kept != counted).collect();
            if report.repair && !wrong.is_empty() {
                let ids: Vec<i64> = wrong.iter().map(|(id, ..)| *id).collect();
                db.tx(Opts::default(), async |tx| queries::recount(tx, counter, &ids).await).await?;
            }
            for (id, kept, counted) in wrong {
                let finding = Finding::Count { what: counter.name.to_owned(), id: Some(id), kept, counted };
                report.tell(&finding, report.repair);
            }
        }
    }
    for total in queries::TOTALS {
        let (kept, counted) = queries::total(&mut db.single(), total).await?;
        if kept == counted {
            continue;
        }
        if report.repair {
            db.tx(Opts::default(), async |tx| queries::recount_total(tx, total).await).await?;
        }
        let finding = Finding::Count { what: format!("totals.{}", total.name), id: None, kept, counted };
        report.tell(&finding, report.repair);
    }
    Ok(())
}

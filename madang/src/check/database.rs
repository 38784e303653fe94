//! What the database says of itself, and the jobs that it keeps for a person.

use std::time::Duration;

use greenlit::{Db, Dialect, Opts, Read, Result};

use super::{Finding, Report, queries};

/// All of the file is read.
const PATIENCE: Duration = Duration::from_secs(6 * 60 * 60);
/// Further parked jobs are not told of before these are dealt with.
const PARKED: u32 = 10_000;

pub(super) async fn check(db: &Db, report: &mut Report<'_>) -> Result<()> {
    report.begin("database");
    // The other databases have tools of their own for this, and no select that asks them.
    if db.dialect() == Dialect::Sqlite {
        check_file(db, report).await?;
    }
    for parked in db.outbox().parked(PARKED).await? {
        let last_error = parked.last_error.unwrap_or_default();
        let finding = Finding::Job { what: "outbox.parked", id: parked.job.id, topic: parked.job.topic, last_error };
        report.tell(&finding, false);
        report.looked_at(1);
    }
    Ok(())
}

async fn check_file(db: &Db, report: &mut Report<'_>) -> Result<()> {
    let opts = || Opts::default().within(PATIENCE).attempts(1);
    for told in db.read(opts(), async |r: &mut Read| queries::damages(r).await).await? {
        report.tell(&Finding::Database { what: "database.integrity", told }, false);
    }
    for (table, row, parent) in db.read(opts(), async |r: &mut Read| queries::dangling(r).await).await? {
        let told = format!("row {row} of {table} refers to a row of {parent} that is not there");
        report.tell(&Finding::Database { what: "database.foreign_key", told }, false);
    }
    Ok(())
}

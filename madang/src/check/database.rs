//! What the database says of itself, and the jobs that it keeps for a person.

use std::time::Duration;

use greenlit::{DatabaseError, Db, Dialect, Error, Opts, Read, Result};

use super::{Finding, Report, queries};

/// All of the file is read.
const PATIENCE: Duration = Duration::from_secs(6 * 60 * 60);
/// Further parked jobs are not told of before these are dealt with.
const PARKED: u32 = 10_000;

/// Whether it makes sense to look further.
pub(super) async fn check(db: &Db, report: &mut Report<'_>) -> Result<bool> {
    report.begin("database");
    // The other databases have tools of their own for this, and no select that asks them.
    if db.dialect() == Dialect::Sqlite && !check_file(db, report).await? {
        return Ok(false);
    }
    for parked in db.outbox().parked(PARKED).await? {
        let last_error = parked.last_error.unwrap_or_default();
        let finding = Finding::Job { what: "outbox.parked", id: parked.job.id, topic: parked.job.topic, last_error };
        report.tell(&finding, false);
        report.looked_at(1);
    }
    Ok(true)
}

async fn check_file(db: &Db, report: &mut Report<'_>) -> Result<bool> {
    let opts = || Opts::default().within(PATIENCE).attempts(1);
    let damages = match db.read(opts(), async |r: &mut Read| queries::damages(r).await).await {
        Err(Error::Database(e)) if is_damage(&e) => {
            // Not even its damages can be read, so nothing that it says of rows is worth a finding.
            let told = e.message;
            report.tell(&Finding::Database { what: "database.integrity", told }, false);
            return Ok(false);
        }
        damages => damages?,
    };
    for told in damages {
        report.tell(&Finding::Database { what: "database.integrity", told }, false);
    }
    for (table, row, parent) in db.read(opts(), async |r: &mut Read| queries::dangling(r).await).await? {
        let told = format!("row {row} of {table} refers to a row of {parent} that is not there");
        report.tell(&Finding::Database { what: "database.foreign_key", told }, false);
    }
    Ok(true)
}

/// Whether SQLite says CORRUPT or NOTADB, with their extended codes.
fn is_damage(e: &DatabaseError) -> bool {
    let code: Option<i32> = e.code.as_ref().and_then(|code| code.parse().ok());
    code.is_some_and(|code| matches!(code & 0xff, 11 | 26))
}

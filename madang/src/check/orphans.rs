//! Objects against the rows that should name them.
//!
//! Three looks, in this order. An object is listed; its row was committed before it was stored, so that a row which is not
//! there any more was deleted, and a job committed with that; a job ends after the object is gone. So an object is an orphan if
//! it was listed, then had no row, then no job, and then is still there. A thumbnail may also be stored after its image is
//! gone: then the job that makes it is there until it has left another to delete it, with a higher number, and jobs are read
//! by their numbers.

use std::{
    collections::{HashMap, HashSet},
    io::ErrorKind,
    time::Duration,
};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use greenlit::{Db, Opts, Reader, Result, Tx};

use super::{BATCH, Board, Failure, Fault, Finding, PIECE, Report, SUSPECTS, images::AT_ONCE, queries};
use crate::{
    clock::Timestamp,
    media::{
        jobs,
        store::{Name, Store},
    },
};

/// Orphans are deleted when they are older: a request to a bucket that broke off may yet arrive there, after a deletion.
const YOUTH: Duration = Duration::from_secs(60 * 60);

pub(super) async fn check(board: &Board, report: &mut Report<'_>) -> Result<(), Failure> {
    report.begin("objects");
    let mut listed = board.store.list().try_chunks(PIECE);
    let mut suspects = Vec::new();
    while let Some(names) = listed.try_next().await.map_err(|e| e.1)? {
        report.looked_at(names.len());
        suspects.extend(without_row(&mut board.db.single(), names).await?);
        if suspects.len() >= SUSPECTS {
            tell(board, std::mem::take(&mut suspects), report).await?;
        }
    }
    tell(board, suspects, report).await
}

/// Those of the names that are neither a row's image nor its thumbnail. A thumbnail may be there before the row tells of it.
async fn without_row(r: &mut impl Reader, mut names: Vec<Name>) -> Result<Vec<Name>> {
    let keys: Vec<&str> = names.iter().map(Name::key).collect();
    let rows: HashMap<String, String> = queries::names(r, &keys).await?.into_iter().collect();
    names.retain(|name| rows.get(name.key()).is_none_or(|extension| extension != name.format().extension()));
    Ok(names)
}

/// Takes out of these names what a job will delete, or is making.
pub(super) async fn forget_those_of_jobs(db: &Db, names: &mut HashSet<String>) -> Result<()> {
    let mut after = 0;
    while !names.is_empty() {
        let found = queries::jobs(&mut db.single(), after, BATCH).await?;
        let Some((last, ..)) = found.last() else { break };
        after = *last;
        for name in found.iter().flat_map(|(_, topic, payload)| jobs::names(topic, payload)) {
            names.remove(&name);
        }
    }
    Ok(())
}

async fn tell(board: &Board, suspects: Vec<Name>, report: &mut Report<'_>) -> Result<(), Failure> {
    let mut without_job = suspects.iter().map(Name::to_string).collect();
    forget_those_of_jobs(&board.db, &mut without_job).await?;
    let suspects: Vec<Name> = suspects.into_iter().filter(|name| without_job.contains(&name.to_string())).collect();
    let long_ago = board.clock.now().before(YOUTH);
    for suspects in suspects.chunks(PIECE) {
        let looks = suspects.iter().map(|name| stored(&board.store, name));
        let seen: Vec<Option<(Name, Timestamp)>> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        let (old, young): (Vec<_>, Vec<_>) = seen.into_iter().flatten().partition(|(_, stored)| *stored < long_ago);
        let names: Vec<Name> = old.iter().map(|(name, _)| name.clone()).collect();
        if report.repair && !names.is_empty() {
            board.db.tx(Opts::default(), async |tx| delete(tx, &names).await).await?;
        }
        for (names, repaired) in [(old, report.repair), (young, false)] {
            for (name, _) in names {
                report.tell(&Finding::Object { what: Fault::Orphan, name: name.to_string(), feed_id: None }, repaired);
            }
        }
    }
    Ok(())
}

/// The object and when it was stored, if it is there.
async fn stored(store: &Store, name: &Name) -> std::io::Result<Option<(Name, Timestamp)>> {
    match store.head(name).await {
        Ok(object) => Ok(Some((name.clone(), object.modified))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Has objects deleted as the board itself does it, and only if they still have no row.
async fn delete(tx: &mut Tx, names: &[Name]) -> Result<()> {
    let names = without_row(tx, names.to_vec()).await?;
    let names: Vec<String> = names.iter().map(Name::to_string).collect();
    jobs::delete_names(tx, &names).await
}

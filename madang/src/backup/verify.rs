//! Whether a snapshot could be restored: it is tried.

use greenlit::Db;
use indicatif::ProgressBar;

use super::{Failure, Manifest, OBJECTS, Object, Place, ROWS, copy, intact, lines::LineReader, load};
use crate::{
    check::{self, Board, Finding},
    clock::Clock,
    media::store::Name,
    migration::HISTORY,
};

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many objects were read, and have the bytes that were backed up.
    pub objects: u64,
    /// How many things are wrong.
    pub wrong: u64,
}

/// Restores the rows of a snapshot into a database of its own that is gone afterwards, checks it as `madang check` does, and
/// reads every object of the snapshot. `wrong` is told of each thing that is not as it should be.
///
/// # Errors
/// See [`Failure`]; a file of the snapshot that is damaged as a whole is one too.
pub async fn verify(
    place: &Place,
    (snapshot, manifest): (&str, &Manifest),
    bar: &ProgressBar,
    mut wrong: impl FnMut(&str) + Send,
) -> Result<Verdict, Failure> {
    let rows = intact(place, snapshot, ROWS, &manifest.rows_file).await?;
    let objects = intact(place, snapshot, OBJECTS, &manifest.objects_file).await?;
    let scratch = tempfile::tempdir().map_err(Failure::Place)?;
    let db = Db::open(&format!("sqlite:{}", scratch.path().join("madang.db").display())).await?;
    let history = usize::try_from(manifest.schema).ok().and_then(|schema| HISTORY.get(..schema)).unwrap_or(HISTORY);
    db.migrate(history).await?;
    db.tx(greenlit::Opts::default(), async |tx| tx.exec("delete from totals", Vec::new()).await).await?;
    bar.set_message("rows");
    bar.set_position(0);
    load::load(&db, rows, bar).await?;
    db.migrate(HISTORY).await?;

    let mut verdict = Verdict::default();
    let board = Board { db, store: place.images.clone(), clock: Clock::default() };
    let found = |finding: &Finding| match finding {
        // That a job was given up is true of the board, and no fault of its backup.
        Finding::Job { .. } => {}
        finding => {
            verdict.wrong += 1;
            wrong(&serde_json::to_string(finding).unwrap_or_default());
        }
    };
    check::check_copy(&board, bar, found).await.map_err(|e| match e {
        check::Failure::Database(e) => Failure::Database(e),
        check::Failure::Store(e) => Failure::Place(e),
    })?;
    bar.set_message("objects");
    bar.set_position(0);
    read_objects(place, LineReader::begin(objects), bar, &mut verdict, &mut wrong).await?;
    Ok(verdict)
}

async fn read_objects(
    place: &Place,
    mut list: LineReader,
    bar: &ProgressBar,
    verdict: &mut Verdict,
    wrong: &mut (impl FnMut(&str) + Send),
) -> Result<(), Failure> {
    loop {
        let objects = copy::listed(&mut list).await.map_err(Failure::Place)?;
        if objects.is_empty() {
            return Ok(());
        }
        bar.inc(objects.len() as u64);
        for object in &objects {
            match read(place, object).await {
                Ok(()) => verdict.objects += 1,
                Err(Failure::Refused(why)) => {
                    verdict.wrong += 1;
                    wrong(&why);
                }
                Err(e) => return Err(e),
            }
        }
    }
}

async fn read(place: &Place, object: &Object) -> Result<(), Failure> {
    let name = Name::parse(&object.1).ok_or_else(|| Failure::Refused(format!("{} names no image", object.1)))?;
    load::fetch(place, &name, object).await.map(drop)
}

//! Backups: what they consist of, how they are made while the board serves, proved, and brought back.
//!
//! A place of backups, a folder or a bucket, holds snapshots of the rows and one pool of images that all of them share:
//!
//! ```text
//! images/ab/ab....jpg                   as the board itself keeps them; an image never changes, so it is copied once
//! snapshots/20261127T031500000Z/
//!     rows.jsonl.gz                     every table in one snapshot of the database, the same whichever database it was
//!     objects.jsonl.gz                  every object that those rows name, with its length and SHA-256
//!     manifest.json                     written last: without it there is no snapshot
//! ```
//!
//! The rows come first, then the objects: no feed of the snapshot lacks one, since what is deleted meanwhile stays until the
//! backup has ended (see `hold`). Rows are portable, so a backup of one database is restored into any other.

mod copy;
mod dump;
pub(crate) mod hold;
mod lines;
mod load;
mod place;
mod prune;
mod tables;
mod verify;

use std::{collections::BTreeMap, fmt, fs::File, io};

use greenlit::Db;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, media::store::Store, migration};
use copy::Copied;
use dump::Dumped;

pub use load::{Target, restore};
pub use place::Place;
pub use prune::{Pruned, prune};
pub use tables::{SCHEMA, statements};
pub use verify::{Verdict, verify};

/// What this version writes, and the newest that it reads.
const FORMAT: u32 = 1;

const ROWS: &str = "rows.jsonl.gz";
const OBJECTS: &str = "objects.jsonl.gz";
const MANIFEST: &str = "manifest.json";

/// What a snapshot consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The layout of its files.
    pub format: u32,
    /// The version that made it.
    pub madang: String,
    /// How many migrations the database had.
    pub schema: i64,
    /// When it was begun, in RFC 3339.
    pub taken: String,
    /// How many rows each table has.
    pub rows: BTreeMap<String, u64>,
    /// The file of the rows.
    pub rows_file: Summed,
    /// How many objects the rows name, without those that are missing.
    pub objects: u64,
    /// The number of all their bytes.
    pub object_bytes: u64,
    /// How many objects were found nowhere, though a row names them.
    pub missing: u64,
    /// The file with the list of objects.
    pub objects_file: Summed,
}

/// A file of a snapshot, so that a damaged one is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summed {
    /// The number of its bytes.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// An object of a snapshot: the id of its image's row, its name, length, and SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Object(i64, String, u64, String);

/// The board that is backed up, which may be serving meanwhile.
#[derive(Debug)]
pub struct Source {
    /// Its database.
    pub db: Db,
    /// Its images.
    pub store: Store,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The snapshot's name.
    pub snapshot: String,
    /// What it consists of.
    pub manifest: Manifest,
    /// How many objects were copied; the others were there.
    pub copied: u64,
}

/// Why a backup or a restore did not come to its end.
#[derive(Debug)]
pub enum Failure {
    /// The database does not serve.
    Database(greenlit::Error),
    /// The board's images cannot be read or written.
    Images(io::Error),
    /// The place of the backups cannot be read or written.
    Place(io::Error),
    /// Something is not as it should be: one sentence for the operator.
    Refused(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Database(e) => write!(f, "the database does not serve: {e}"),
            Failure::Images(e) => write!(f, "the board's images cannot be used: {e}"),
            Failure::Place(e) => write!(f, "the place of the backups cannot be used: {e}"),
            Failure::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

impl From<greenlit::Error> for Failure {
    fn from(e: greenlit::Error) -> Failure {
        Failure::Database(e)
    }
}

/// Makes a backup of what the database holds at one moment from now on, and of all objects that it names. `missing` is told of
/// the objects that are nowhere. Memory is bounded, however large the board is.
///
/// Cancelled or killed, it leaves objects, which the next backup copies anew, and no snapshot. The deletions that it holds up go
/// on within a minute.
///
/// # Errors
/// See [`Failure`].
pub async fn back_up(
    source: &Source,
    place: &Place,
    now: Timestamp,
    bar: &ProgressBar,
    missing: impl FnMut(&str) + Send,
) -> Result<Made, Failure> {
    if place.is_within(&source.store).await.map_err(Failure::Place)? {
        return Err(Failure::Refused(format!("{place} holds the board's own images: name another place")));
    }
    let snapshot = place::name(now);
    let previous = place.snapshots().await.map_err(Failure::Place)?.pop();
    if let Some(newest) = previous.as_ref().filter(|newest| **newest >= snapshot) {
        return Err(Failure::Refused(format!(
            "{newest} in {place} is of a later time than now: set the clock, or remove it"
        )));
    }
    let hold = hold::Hold::begin(&source.db).await?;
    let work = read_and_copy(source, place, previous.as_deref(), bar, missing);
    let read = tokio::select! {
        read = work => read,
        lost = hold.keep() => Err(lost),
    };
    let held = hold.end().await;
    let (dumped, copied) = read?;
    // Else something may have been deleted before it was copied.
    held?;
    let manifest = Manifest {
        format: FORMAT,
        madang: env!("CARGO_PKG_VERSION").to_owned(),
        schema: migration::HISTORY.len() as i64,
        taken: now.to_string(),
        rows: dumped.rows,
        rows_file: dumped.file.summed(),
        objects: copied.objects,
        object_bytes: copied.bytes,
        missing: copied.missing,
        objects_file: copied.file.summed(),
    };
    place.save(&snapshot, ROWS, dumped.file.file).await.map_err(Failure::Place)?;
    place.save(&snapshot, OBJECTS, copied.file.file).await.map_err(Failure::Place)?;
    place.save(&snapshot, MANIFEST, file_of(&manifest).map_err(Failure::Place)?).await.map_err(Failure::Place)?;
    Ok(Made { snapshot, manifest, copied: copied.copied })
}

/// The rows first, then the objects that they name.
async fn read_and_copy(
    source: &Source,
    place: &Place,
    previous: Option<&str>,
    bar: &ProgressBar,
    missing: impl FnMut(&str) + Send,
) -> Result<(Dumped, Copied), Failure> {
    let previous = match previous {
        Some(snapshot) => Some(place.read(snapshot, OBJECTS).await.map_err(Failure::Place)?),
        None => None,
    };
    bar.set_message("rows");
    let dumped = dump::dump(&source.db, bar).await?;
    bar.set_message("objects");
    bar.set_position(0);
    let copied = copy::copy(&source.store, place, &dumped.names, previous, bar, missing).await?;
    Ok((dumped, copied))
}

fn file_of(manifest: &Manifest) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    serde_json::to_writer_pretty(&mut file, manifest)?;
    io::Seek::rewind(&mut file)?;
    Ok(file)
}

/// The snapshot of this name, or the newest one, with its manifest.
///
/// # Errors
/// [`Failure::Refused`] if it is not there, or of a newer version.
pub async fn find(place: &Place, snapshot: Option<&str>) -> Result<(String, Manifest), Failure> {
    let mut all = place.snapshots().await.map_err(Failure::Place)?;
    let found = match snapshot {
        None => all.pop().ok_or_else(|| Failure::Refused(format!("there is no backup in {place}")))?,
        Some(name) if all.iter().any(|known| known == name) => name.to_owned(),
        Some(name) => {
            let known = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
            return Err(Failure::Refused(format!("there is no snapshot {name} in {place}; there are: {known}")));
        }
    };
    let manifest = place.read(&found, MANIFEST).await.map_err(Failure::Place)?;
    let manifest: Manifest = serde_json::from_reader(manifest)
        .map_err(|_| Failure::Refused(format!("the manifest of {found} is damaged: take another snapshot")))?;
    if manifest.format > FORMAT || manifest.schema > migration::HISTORY.len() as i64 {
        let version = &manifest.madang;
        return Err(Failure::Refused(format!(
            "{found} was made by madang {version}: restore it by that version or later"
        )));
    }
    Ok((found, manifest))
}

/// A file of a snapshot, if its bytes are those that were written.
async fn intact(place: &Place, snapshot: &str, name: &str, summed: &Summed) -> Result<File, Failure> {
    let file = place.read(snapshot, name).await.map_err(Failure::Place)?;
    let (file, found) = lines::sum(file).await.map_err(Failure::Place)?;
    if found == *summed {
        return Ok(file);
    }
    Err(Failure::Refused(format!("{name} of {snapshot} is damaged: take another snapshot")))
}

//! Whether all is there and agrees: the numbers that are kept beside rows, images and their objects, jobs, and the database
//! itself; and how what does not is made right.
//!
//! It works while the board serves. No number is compared across snapshots; what the store has is compared with rows in an
//! order in which nothing that is on its way looks lost (see `images` and `orphans`); and repairs are short transactions, which
//! leave objects to the board's own jobs.

mod database;
pub(crate) mod images;
mod numbers;
mod orphans;
pub(crate) mod queries;

use std::{fmt, io};

use greenlit::{Db, Result};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::{clock::Clock, media::store::Store};

/// How many rows or objects are looked at, and repaired, at a time.
const BATCH: i64 = 500;
/// The same, as lengths are told.
const PIECE: usize = BATCH as usize;
/// How many things that look wrong are gathered before the outbox is read through for them.
const SUSPECTS: usize = 10_000;

/// The board that is checked, which may be serving meanwhile.
pub struct Board {
    /// Its database.
    pub db: Db,
    /// Its images.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Finding {
    /// A number does not agree with the rows that it counts.
    Count {
        /// What was looked at, such as `users.feed_count` or `totals.feeds`.
        what: String,
        /// The row, unless it is about a whole table.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<i64>,
        /// The number that is kept.
        kept: i64,
        /// What it should be.
        counted: i64,
    },
    /// A row and an object do not name each other.
    Object {
        /// What is wrong.
        what: Fault,
        /// The object, which may not be there.
        name: String,
        /// The feed that it belongs to, if it belongs to one.
        #[serde(skip_serializing_if = "Option::is_none")]
        feed_id: Option<i64>,
    },
    /// A job was given up, and waits for a person.
    Job {
        /// `outbox.parked`.
        what: &'static str,
        /// The job.
        id: i64,
        /// What kind of job it is.
        topic: String,
        /// Why it was given up.
        last_error: String,
    },
    /// The database contradicts itself.
    Database {
        /// `database.integrity` or `database.foreign_key`.
        what: &'static str,
        /// What the database says of it.
        told: String,
    },
}

/// What is wrong with an image, a thumbnail, or an object of no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Fault {
    /// A feed has an image whose object is not there.
    #[serde(rename = "images.missing")]
    ImageMissing,
    /// Its object has no bytes.
    #[serde(rename = "images.empty")]
    ImageEmpty,
    /// Its object ends before the picture does.
    #[serde(rename = "images.cut")]
    ImageCut,
    /// An image has a thumbnail whose object is not there.
    #[serde(rename = "thumbnails.missing")]
    ThumbnailMissing,
    /// Its object has no bytes.
    #[serde(rename = "thumbnails.empty")]
    ThumbnailEmpty,
    /// Its object ends before the picture does.
    #[serde(rename = "thumbnails.cut")]
    ThumbnailCut,
    /// An image needs a thumbnail, has none, and no job will make it.
    #[serde(rename = "thumbnails.unmade")]
    ThumbnailUnmade,
    /// An object is there that has no row, and that no job will delete.
    #[serde(rename = "objects.orphan")]
    Orphan,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many findings there were.
    pub found: u64,
    /// How many of them were not repaired.
    pub left: u64,
}

/// Why a check could not go on.
#[derive(Debug)]
pub enum Failure {
    /// The database does not serve.
    Database(greenlit::Error),
    /// The images cannot be looked at.
    Store(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Database(e) => write!(f, "the database does not serve: {e}"),
            Failure::Store(e) => write!(f, "the images cannot be looked at: {e}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<greenlit::Error> for Failure {
    fn from(e: greenlit::Error) -> Failure {
        Failure::Database(e)
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Failure {
        Failure::Store(e)
    }
}

/// Gathers what is found.
struct Report<'a> {
    found: &'a mut (dyn FnMut(&Finding, bool) + Send),
    repair: bool,
    bar: &'a ProgressBar,
    outcome: Outcome,
}

impl Report<'_> {
    fn tell(&mut self, finding: &Finding, repaired: bool) {
        self.outcome.found += 1;
        self.outcome.left += u64::from(!repaired);
        (self.found)(finding, repaired);
    }

    /// What is looked at from here on.
    fn begin(&self, what: &'static str) {
        self.bar.set_position(0);
        self.bar.set_message(what);
    }

    /// So many more were looked at.
    fn looked_at(&self, count: usize) {
        self.bar.inc(count as u64);
    }
}

/// Looks at everything and tells `found` of each thing that is wrong, and whether it was repaired, which is tried if so asked.
/// The bar counts what was looked at. Memory is bounded, however large the board is.
///
/// Cancellation: what was repaired stays so.
///
/// # Errors
/// What the database or the store says. What was repaired before stays so.
pub async fn check(
    board: &Board,
    repair: bool,
    bar: &ProgressBar,
    mut found: impl FnMut(&Finding, bool) + Send,
) -> Result<Outcome, Failure> {
    let mut report = Report { found: &mut found, repair, bar, outcome: Outcome::default() };
    if database::check(&board.db, &mut report).await? {
        numbers::check(&board.db, &mut report).await?;
        images::check(board, &mut report).await?;
        orphans::check(board, &mut report).await?;
    }
    Ok(report.outcome)
}

/// Looks at a board whose objects are in a place that it shares with other copies of itself: what it does not name there is no
/// finding. Nothing is repaired.
///
/// # Errors
/// As [`check`].
pub(crate) async fn check_copy(
    board: &Board,
    bar: &ProgressBar,
    mut found: impl FnMut(&Finding) + Send,
) -> Result<Outcome, Failure> {
    let mut tell = |finding: &Finding, _| found(finding);
    let mut report = Report { found: &mut tell, repair: false, bar, outcome: Outcome::default() };
    database::check(&board.db, &mut report).await?;
    numbers::check(&board.db, &mut report).await?;
    images::check(board, &mut report).await?;
    Ok(report.outcome)
}

/// Makes the numbers alone right.
///
/// # Errors
/// What the database says.
pub(crate) async fn recount(db: &Db) -> Result<()> {
    let bar = ProgressBar::hidden();
    let mut report = Report { found: &mut |_, _| {}, repair: true, bar: &bar, outcome: Outcome::default() };
    numbers::check(db, &mut report).await
}

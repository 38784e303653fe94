//! Failpoints: places at which a test has the board die, panic or wait, to see what becomes of its data.
//!
//! Without the feature `faults`, which no release has, passing a point compiles to nothing. With it, `MADANG_FAULT` says what
//! happens where: `POINT=ACTION@N`, several of them with `;` between, does ACTION at the N-th passage of POINT. An action is
//! `kill` (SIGKILL, as a crash would), `panic`, or `sleep:MS`, which holds up its thread as a disk that hangs does.

#[cfg(all(feature = "faults", not(debug_assertions)))]
compile_error!("the feature `faults` is for tests: a release must not have it");

macro_rules! points {
    ($($(#[$doc:meta])+ $point:ident = $name:literal,)+) => {
        /// A place where something may go wrong. An enum, so that none is passed that the tests do not know of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point { $($(#[$doc])+ $point,)+ }

        #[cfg(feature = "faults")]
        impl Point {
            /// Every point.
            pub const ALL: &[Point] = &[$(Point::$point),+];

            /// What `MADANG_FAULT` calls it.
            pub fn name(self) -> &'static str {
                match self { $(Point::$point => $name),+ }
            }
        }
    };
}

points! {
    /// The form of a feed was read to its end.
    FormRead = "form.read",
    /// All of a request's pictures were decoded and encoded anew.
    PicturesEncoded = "pictures.encoded",
    /// The rows of staged images were written, and are not committed.
    StagedWritten = "staged.written",
    /// They were committed; no object is stored yet.
    StagedCommitted = "staged.committed",

    /// An object's temporary file was written.
    FileWritten = "file.written",
    /// It was synced.
    FileSynced = "file.synced",
    /// It got its name.
    FileRenamed = "file.renamed",
    /// Its folder was synced.
    FolderSynced = "folder.synced",
    /// A file was removed, and its folder is not synced.
    FileRemoved = "file.removed",
    /// An object is about to be sent to the bucket.
    BucketPut = "bucket.put",
    /// The bucket said that it has it.
    BucketStored = "bucket.stored",
    /// An object is about to be deleted from the bucket.
    BucketDelete = "bucket.delete",

    /// The row of a new feed was written.
    FeedInserted = "feed.inserted",
    /// The text of a feed was changed.
    FeedUpdated = "feed.updated",
    /// The row of a feed was deleted.
    FeedDeleted = "feed.deleted",
    /// Staged images were made a feed's.
    ImagesClaimed = "images.claimed",
    /// The rows of images were deleted, and no job is written that deletes the objects.
    ImagesRemoved = "images.removed",
    /// The jobs of claimed or removed images were written.
    JobsPushed = "jobs.pushed",
    /// A write with all that belongs to it is done, and COMMIT comes next.
    WriteEnding = "write.ending",
    /// A write was committed.
    WriteCommitted = "write.committed",
    /// The answer to a write is about to leave.
    AnswerLeaving = "answer.leaving",

    /// An account was erased, and COMMIT comes next.
    ErasureEnding = "erasure.ending",
    /// An account's erasure was committed.
    ErasureCommitted = "erasure.committed",
    /// A batch of what an erased user left was removed, and COMMIT comes next.
    BatchEnding = "batch.ending",
    /// It was committed.
    BatchCommitted = "batch.committed",

    /// A job that deletes objects was claimed.
    DeletionClaimed = "deletion.claimed",
    /// One of its objects is gone.
    ObjectDeleted = "object.deleted",
    /// All are, and the job is not acknowledged.
    DeletionDone = "deletion.done",
    /// It was acknowledged.
    DeletionAcknowledged = "deletion.acknowledged",
    /// A job that makes a thumbnail was claimed.
    ThumbnailClaimed = "thumbnail.claimed",
    /// It read the image.
    ThumbnailRead = "thumbnail.read",
    /// It stored the thumbnail.
    ThumbnailStored = "thumbnail.stored",
    /// It told the row of it, and COMMIT comes next.
    ThumbnailRecorded = "thumbnail.recorded",
    /// That was committed, and the job is not acknowledged.
    ThumbnailDone = "thumbnail.done",
    /// It was acknowledged.
    ThumbnailAcknowledged = "thumbnail.acknowledged",
    /// A job that removes what an erased user left was claimed.
    EraseClaimed = "erase.claimed",
    /// It has done its batch, and is not acknowledged.
    EraseDone = "erase.done",
    /// It was acknowledged.
    EraseAcknowledged = "erase.acknowledged",

    /// The sweeper found staged images that nobody claimed.
    SweepFound = "sweep.found",
    /// The rows of staged images were deleted, and their objects' job was written; COMMIT comes next.
    SweepEnding = "sweep.ending",
    /// That was committed.
    SweepCommitted = "sweep.committed",
}

#[cfg(feature = "faults")]
pub(crate) use armed::{arm, point};

/// Does what `MADANG_FAULT` wants to happen here.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) fn point(_: Point) {}

/// Reads `MADANG_FAULT`.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) fn arm() -> Result<(), String> {
    Ok(())
}

#[cfg(feature = "faults")]
mod armed {
    use std::{
        sync::{
            OnceLock,
            atomic::{AtomicU32, Ordering::Relaxed},
        },
        time::Duration,
    };

    use super::Point;

    /// One for the process: what passes a point, on whatever thread, knows of nothing but the point.
    static ARMED: OnceLock<Vec<Fault>> = OnceLock::new();

    pub(super) struct Fault {
        point: Point,
        action: Action,
        passage: u32,
        passed: AtomicU32,
    }

    #[derive(Clone, Copy)]
    enum Action {
        Kill,
        Panic,
        Sleep(Duration),
    }

    pub(crate) fn arm() -> Result<(), String> {
        let Ok(text) = std::env::var("MADANG_FAULT") else { return Ok(()) };
        let faults: Option<Vec<Fault>> = text.split(';').map(parse).collect();
        let faults = faults.ok_or_else(|| format!("MADANG_FAULT cannot be read: {text:?}"))?;
        ARMED.set(faults).map_err(|_| "MADANG_FAULT was read before".to_owned())
    }

    pub(super) fn parse(text: &str) -> Option<Fault> {
        let (name, rest) = text.split_once('=')?;
        let (action, passage) = rest.split_once('@')?;
        let action = match action.split_once(':') {
            None if action == "kill" => Action::Kill,
            None if action == "panic" => Action::Panic,
            Some(("sleep", ms)) => Action::Sleep(Duration::from_millis(ms.parse().ok()?)),
            _ => return None,
        };
        let point = Point::ALL.iter().copied().find(|point| point.name() == name)?;
        let passage = passage.parse().ok().filter(|passage| *passage > 0)?;
        Some(Fault { point, action, passage, passed: AtomicU32::new(0) })
    }

    pub(crate) fn point(point: Point) {
        for fault in ARMED.get().into_iter().flatten().filter(|fault| fault.point == point) {
            if fault.passed.fetch_add(1, Relaxed) + 1 == fault.passage {
                tracing::warn!(point = point.name(), "a planned fault");
                act(fault.action);
            }
        }
    }

    fn act(action: Action) {
        match action {
            Action::Kill => {
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            }
            Action::Panic => panic!("a planned fault"),
            #[allow(clippy::disallowed_methods)] // it shall stop the thread
            Action::Sleep(time) => std::thread::sleep(time),
        }
    }
}

#[cfg(all(test, feature = "faults"))]
mod tests {
    use super::*;

    #[test]
    fn points_have_names_of_their_own() {
        let mut names: Vec<&str> = Point::ALL.iter().map(|point| point.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Point::ALL.len());
    }

    #[test]
    fn f01_a_fault_that_cannot_be_read_is_refused() {
        for good in ["form.read=kill@1", "file.synced=panic@20", "sweep.found=sleep:250@3"] {
            assert!(armed::parse(good).is_some(), "{good}");
        }
        for bad in ["", "form.read", "form.read=kill", "form.read=kill@0", "form.red=kill@1", "form.read=sleep@1"] {
            assert!(armed::parse(bad).is_none(), "{bad}");
        }
    }
}

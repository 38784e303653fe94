//! While a backup copies objects, none is deleted.
//!
//! The hold is a row of `installation` beside a job of the outbox, which the backup has claimed. The job's lease is what ends
//! the hold of a backup that was killed: the worker then gets the job, and removes both. Deletions look for the row after they
//! were claimed. Who found none was claimed, and so lost its row, before the snapshot that the backup takes after it: nothing
//! of the snapshot is deleted.

use std::time::Duration;

use greenlit::{Db, Job, Opts, Reader, Result, Tx, args};

use super::Failure;

crate::statements! {
    // The names are `hold:` and the number of the job; a semicolon follows the colon.
    ANY = "select name from installation where name >= 'hold:' and name < 'hold;' limit 1";
    ADD = "insert into installation (name, value) values (?, 'a backup is being made')";
    REMOVE = "delete from installation where name = ?";
}

/// The topic of the jobs whose leases are holds.
pub(crate) const TOPIC: &str = "backup.hold";
/// How long a hold outlives its backup.
const LEASE: Duration = Duration::from_secs(60);
const EXTEND_EVERY: Duration = Duration::from_secs(15);
/// How often in a row that may fail, with up to 10 s each time, before the hold would end.
const FAILURES: u32 = 1;
/// How often a job is made before giving up: the worker may be faster than its maker.
const TRIES: u32 = 10;

/// Whether a backup copies objects.
pub(crate) async fn is_held(r: &mut impl Reader) -> Result<bool> {
    Ok(r.fetch_optional::<(String,)>(ANY, Vec::new()).await?.is_some())
}

/// Ends the hold of a backup that did not end it itself. Its job is the caller's, who ends that.
pub(crate) async fn release(db: &Db, job: &Job) -> Result<()> {
    db.tx(Opts::default(), async |tx| tx.exec(REMOVE, args![name(job.id)]).await).await?;
    tracing::warn!("a backup did not come to its end; deletions go on");
    Ok(())
}

/// Keeps objects from being deleted.
pub(super) struct Hold {
    db: Db,
    job: Job,
}

impl Hold {
    pub(super) async fn begin(db: &Db) -> Result<Hold, Failure> {
        for _ in 0..TRIES {
            let begin = async |tx: &mut Tx| {
                let id = tx.outbox(TOPIC, &()).await?;
                tx.exec(ADD, args![name(id)]).await?;
                Ok::<_, greenlit::Error>(id)
            };
            let id = db.tx(Opts::default(), begin).await?;
            let mut ours = None;
            for job in db.outbox().claim(&[TOPIC], 100, LEASE).await? {
                // Those of backups that were killed end with this.
                if job.id == id { ours = Some(job) } else { end(db, &job).await? }
            }
            if let Some(job) = ours {
                return Ok(Hold { db: db.clone(), job });
            }
        }
        Err(Failure::Refused("the deletion of images could not be held up: try again".to_owned()))
    }

    /// Prolongs the hold for ever. Returns why it could not.
    pub(super) async fn keep(&self) -> Failure {
        let mut failures = 0;
        loop {
            tokio::time::sleep(EXTEND_EVERY).await;
            match self.db.outbox().extend(&self.job, LEASE).await {
                Ok(()) => failures = 0,
                Err(greenlit::Error::Stale) => return stood_still(),
                Err(e) if failures == FAILURES => return e.into(),
                // There is time for more.
                Err(_) => failures += 1,
            }
        }
    }

    /// # Errors
    /// If the hold had ended before, so that something may be missing in what was copied.
    pub(super) async fn end(&self) -> Result<(), Failure> {
        match end(&self.db, &self.job).await {
            Err(greenlit::Error::Stale) => Err(stood_still()),
            ended => Ok(ended?),
        }
    }
}

async fn end(db: &Db, job: &Job) -> Result<()> {
    let end = async |tx: &mut Tx| {
        tx.acknowledge(job).await?;
        tx.exec(REMOVE, args![name(job.id)]).await.map(drop)
    };
    db.tx(Opts::default(), end).await
}

fn name(job: i64) -> String {
    format!("hold:{job}")
}

fn stood_still() -> Failure {
    Failure::Refused(
        "the backup stood still for too long, and images may have been deleted meanwhile: make it again".to_owned(),
    )
}

//! The outbox: jobs that commit with their cause and are delivered at least once.
//!
//! greenlit owns the table, the claim, the lease and the acknowledgement. What a topic means, how often a job is tried
//! and how long to wait in between is the application's.
//!
//! A claim moves a job's due time to the end of the lease and raises its attempt number. The number is the fence: every
//! later word about the job must quote it, so a worker that slept past its lease is not heard any more. Times are taken
//! from the database's clock alone, so that nodes whose clocks differ agree on who holds a lease.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{Db, Dialect, Error, FromRow, Opts, Reader, Result, Tx, Value, args, list};

pub(crate) const ACKNOWLEDGE: &str = "delete from greenlit_outbox where id = ? and attempts = ?";
const PARKED: &str = "select id, topic, payload, attempts as attempt, last_error from greenlit_outbox \
     where due = ? order by id limit ?";

/// A job that is parked is due at the end of time.
const NEVER: i64 = i64::MAX;

/// A job that this worker has claimed.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct Job {
    /// The job's id: the same in every attempt, for receivers that remember what they have seen.
    pub id: i64,
    /// What kind of job it is.
    pub topic: String,
    /// The payload, as JSON.
    pub payload: String,
    /// Which attempt this is, from 1.
    pub attempt: i64,
}

impl Job {
    /// The payload, read into `T`.
    ///
    /// # Errors
    /// [`Error::Decode`] if it does not fit.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.payload).map_err(|e| Error::Decode(format!("payload of {}: {e}", self.topic)))
    }
}

/// A job that was given up.
#[derive(Clone, Debug, PartialEq, FromRow)]
#[non_exhaustive]
pub struct ParkedJob {
    /// The job, with the number of its last attempt.
    #[row(flatten)]
    pub job: Job,
    /// Why it was parked.
    pub last_error: Option<String>,
}

/// The worker's side of the outbox; see [`Db::outbox`].
///
/// ```
/// # use std::time::Duration;
/// # async fn f(db: greenlit::Db) -> greenlit::Result<()> {
/// for job in db.outbox().claim(&["image.delete"], 10, Duration::from_secs(30)).await? {
///     let keys: Vec<String> = job.payload()?;
///     // ... delete them ...
///     db.outbox().acknowledge(&job).await?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Outbox {
    db: Db,
}

/// How much the workers have before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backlog {
    /// Jobs that could be claimed now.
    pub due: u32,
    /// Jobs that were given up.
    pub parked: u32,
}

impl Outbox {
    pub(crate) fn new(db: Db) -> Outbox {
        Outbox { db }
    }

    /// Claims up to `limit` due jobs of these topics, the longest due first, for the time of `lease`. No transaction
    /// stays open: if the worker dies, the jobs are due again when the lease ends. Where there is none nothing is written.
    ///
    /// Cancellation: either nothing is claimed, or the jobs wait for their lease to end.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Deadline`].
    pub async fn claim(&self, topics: &[&str], limit: u32, lease: Duration) -> Result<Vec<Job>> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let dialect = self.db.dialect();
        let (now, lock) = (now(dialect), skip_locked(dialect));
        // Mostly there is none, and finding that out is no write.
        let any = format!("select id from greenlit_outbox where topic in (?*) and due <= {now} limit 1");
        let mut single = self.db.single();
        if single.fetch_optional::<(i64,)>(&any, args![list(topics)]).await?.is_none() {
            return Ok(Vec::new());
        }
        let due = format!(
            "select id, topic, payload, attempts + 1 as attempt from greenlit_outbox \
             where due <= {now} and topic in (?*) order by due, id limit ?{lock}"
        );
        let args = args![list(topics), limit];
        let lease = micros(lease);
        let claim = async move |tx: &mut Tx| {
            let jobs: Vec<Job> = tx.fetch(&due, args).await?;
            if jobs.is_empty() {
                return Ok(jobs);
            }
            let claim = format!("update greenlit_outbox set due = {now} + ?, attempts = attempts + 1 where id in (?*)");
            let ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
            tx.exec(&claim, args![lease, list(&ids)]).await?;
            Ok(jobs)
        };
        self.db.tx(Opts::default(), claim).await
    }

    /// Tells that the job is done. To end it together with what its handler writes, use [`Tx::acknowledge`].
    ///
    /// # Errors
    /// [`Error::Stale`] if the job is no longer this worker's.
    pub async fn acknowledge(&self, job: &Job) -> Result<()> {
        self.say(ACKNOWLEDGE.to_owned(), args![job.id, job.attempt]).await
    }

    /// Tells that the attempt failed, and when the job shall be tried again.
    ///
    /// # Errors
    /// [`Error::Stale`] if the job is no longer this worker's.
    pub async fn retry(&self, job: &Job, after: Duration, error: &str) -> Result<()> {
        let now = now(self.db.dialect());
        let sql = format!(
            "update greenlit_outbox set due = {now} + ?, last_error = ? where id = ? and attempts = ? and due <> ?"
        );
        self.say(sql, args![micros(after), error, job.id, job.attempt, NEVER]).await
    }

    /// Prolongs the lease of a job that takes longer than expected.
    ///
    /// # Errors
    /// [`Error::Stale`] if the job is no longer this worker's.
    pub async fn extend(&self, job: &Job, lease: Duration) -> Result<()> {
        let now = now(self.db.dialect());
        let sql = format!("update greenlit_outbox set due = {now} + ? where id = ? and attempts = ? and due <> ?");
        self.say(sql, args![micros(lease), job.id, job.attempt, NEVER]).await
    }

    /// Gives the job up: it stays in the table, is not tried again, and is listed by [`parked`](Outbox::parked).
    ///
    /// # Errors
    /// [`Error::Stale`] if the job is no longer this worker's.
    pub async fn park(&self, job: &Job, error: &str) -> Result<()> {
        let sql = "update greenlit_outbox set due = ?, last_error = ? where id = ? and attempts = ?";
        self.say(sql.to_owned(), args![NEVER, error, job.id, job.attempt]).await
    }

    /// The jobs that were given up, oldest first.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn parked(&self, limit: u32) -> Result<Vec<ParkedJob>> {
        self.db.fetch(PARKED, args![NEVER, limit]).await
    }

    /// How many jobs are due and how many were given up, each counted up to `limit`.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn backlog(&self, limit: u32) -> Result<Backlog> {
        let now = now(self.db.dialect());
        let count = |which: &str, name: &str| {
            format!("(select count(*) from (select id from greenlit_outbox where {which} limit ?) as {name})")
        };
        let sql =
            format!("select {}, {}", count(&format!("due <= {now}"), "due_jobs"), count("due = ?", "parked_jobs"));
        let (due, parked) = self.db.fetch_one::<(i64, i64)>(&sql, args![limit, NEVER, limit]).await?;
        let bounded = |count: i64| u32::try_from(count).unwrap_or(limit);
        Ok(Backlog { due: bounded(due), parked: bounded(parked) })
    }

    /// Makes a parked job due again, at once.
    ///
    /// # Errors
    /// [`Error::Stale`] if no such job is parked.
    pub async fn release(&self, id: i64) -> Result<()> {
        let now = now(self.db.dialect());
        self.say(format!("update greenlit_outbox set due = {now} where id = ? and due = ?"), args![id, NEVER]).await
    }

    /// Runs a statement that must find exactly the row that the worker believes to hold.
    async fn say(&self, sql: String, args: Vec<Value>) -> Result<()> {
        let said = self.db.tx(Opts::default(), async move |tx: &mut Tx| tx.exec(&sql, args).await).await?;
        if said == 0 { Err(Error::Stale) } else { Ok(()) }
    }
}

/// The database's clock in microseconds since 1970, as an expression.
pub(crate) fn now(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "cast(unixepoch('subsec') * 1000000 as integer)",
        Dialect::Postgres => "cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)",
        Dialect::MariaDb => "timestampdiff(microsecond, timestamp '1970-01-01 00:00:00', utc_timestamp(6))",
    }
}

/// Two workers that claim at once shall take different jobs; SQLite has one writer anyway.
fn skip_locked(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "",
        Dialect::Postgres | Dialect::MariaDb => " for update skip locked",
    }
}

pub(crate) fn micros(duration: Duration) -> i64 {
    // Millennia are long enough, and leave room for adding the present.
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

//! The worker: runs the outbox's jobs and sweeps, woken by commits and by time.
//!
//! Each lane runs one job at a time, so that quick jobs do not wait behind slow ones.
//!
//! A job that fails is tried again with growing pauses, and parked when it has failed too often. What a node does not know
//! it does not claim, so that an older node leaves a newer one's jobs alone.

use std::{fmt, hash::BuildHasher, panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt, future::join_all};
use greenlit::Job;
use tokio::{sync::watch, time::Instant};

use crate::{
    account,
    app::App,
    backup::hold,
    fault::{self, Point},
    idempotency, line, media, mypage, notification, totals,
};

/// How long the worker rests when nothing wakes it: also how late another node's jobs may be found.
const REST: Duration = Duration::from_secs(1);
/// How often what expired is swept.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Pauses double from here to there; with them the last attempt is two to four hours after the first.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A job that has failed so often is parked.
const ATTEMPTS: i64 = 55;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a handler failed, and what becomes of its job. Any error becomes [`Again`](Failure::Again) by `?`.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is tried again, after pauses that grow, and parked in the end.
    Again(Cause),
    /// It is tried again after this time, however often: its handler knows when that is to end.
    Later { after: Duration, why: String },
    /// It is parked: it would fail for ever.
    GiveUp(String),
}

/// How a handler ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Its job is to be acknowledged.
    Now,
    /// Its job was acknowledged by the transaction of what it did, so that this is never done twice.
    Acknowledged,
}

impl Failure {
    /// It is tried again, for a reason that is no error.
    pub(crate) fn because(why: &str) -> Failure {
        Failure::Again(why.into())
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Again(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Again(cause) => cause.fmt(f),
            Failure::Later { why, .. } | Failure::GiveUp(why) => f.write_str(why),
        }
    }
}

/// Jobs of some topics, which wait for each other and for no others.
struct Lane {
    topics: &'static [&'static str],
    /// How many jobs are claimed at a time.
    at_a_time: u32,
    /// How long a claimed job is this worker's; a job whose worker was killed waits for that to end.
    lease: Duration,
    /// How long a handler may take, so that what it does and the end of its job fit into the lease.
    handler: Duration,
    /// What is passed when a job was claimed, when it is done, and when that was acknowledged.
    points: Option<[Point; 3]>,
}

impl Lane {
    fn passes(&self, step: usize) {
        if let Some(points) = self.points {
            fault::point(points[step]);
        }
    }
}

/// What the worker can do.
const LANES: [Lane; 12] = [
    // Removed images shall be gone within ten seconds, even if the worker is killed meanwhile.
    Lane {
        topics: &[media::jobs::DELETE],
        at_a_time: 1,
        lease: Duration::from_secs(8),
        handler: Duration::from_secs(4),
        points: Some([Point::DeletionClaimed, Point::DeletionDone, Point::DeletionAcknowledged]),
    },
    // A large picture from a bucket far away, which may have to wait for uploads that are being decoded.
    Lane {
        topics: &[media::jobs::THUMBNAIL],
        at_a_time: 1,
        lease: Duration::from_secs(20),
        handler: Duration::from_secs(15),
        points: Some([Point::ThumbnailClaimed, Point::ThumbnailDone, Point::ThumbnailAcknowledged]),
    },
    // Thousands of rows, some at a time.
    Lane {
        topics: &[mypage::erase::ERASE],
        at_a_time: 1,
        lease: Duration::from_secs(8),
        handler: Duration::from_secs(4),
        points: Some([Point::EraseClaimed, Point::EraseDone, Point::EraseAcknowledged]),
    },
    // Who hears of what: short, and many after a storm of likes.
    Lane {
        topics: notification::jobs::TOPICS,
        at_a_time: 16,
        lease: Duration::from_secs(20),
        handler: Duration::from_secs(10),
        points: None,
    },
    // An answer is due within a minute, also from whoever finds the job of a worker that was killed.
    chat(&[line::jobs::EVENTS[0]]),
    chat(&[line::jobs::EVENTS[1]]),
    chat(&[line::jobs::EVENTS[2]]),
    chat(&[line::jobs::EVENTS[3]]),
    chat(&[line::jobs::REPLIES[0]]),
    chat(&[line::jobs::REPLIES[1]]),
    chat(&[line::jobs::PUSH, line::jobs::OUTSIDE]),
    // A backup that was killed has such a job, whose lease is over.
    Lane {
        topics: &[hold::TOPIC],
        at_a_time: 1,
        lease: Duration::from_secs(8),
        handler: Duration::from_secs(4),
        points: None,
    },
];

/// A lane that waits for LINE.
const fn chat(topics: &'static [&'static str]) -> Lane {
    Lane { topics, at_a_time: 1, lease: Duration::from_secs(30), handler: Duration::from_secs(25), points: None }
}

impl Lane {
    /// What of it this node can do.
    fn topics(&self, app: &App) -> Vec<&'static str> {
        let can = |topic: &&str| app.line.is_some() || !line::jobs::needs_line(topic);
        self.topics.iter().copied().filter(can).collect()
    }
}

async fn handle(app: &App, job: &Job) -> Result<Done, Failure> {
    let topic = job.topic.as_str();
    match topic {
        media::jobs::DELETE => media::jobs::delete(app, job).await?,
        media::jobs::THUMBNAIL => media::jobs::thumbnail(app, job).await?,
        mypage::erase::ERASE => mypage::erase::erase(app, job).await?,
        hold::TOPIC => hold::release(&app.db, job).await?,
        _ if notification::jobs::TOPICS.contains(&topic) => return notification::jobs::hear(app, job).await,
        _ => return line::jobs::run(app, job).await,
    }
    Ok(Done::Now)
}

/// Runs until `stop` turns true, then ends after the jobs at hand.
pub async fn run(app: App, stop: watch::Receiver<bool>) {
    let lanes = LANES.iter().map(|lane| keep_up(&stop, || run_lane(&app, lane, stop.clone())));
    let sweeping = keep_up(&stop, || keep_sweeping(&app, stop.clone()));
    let folding = keep_up(&stop, || keep_folding(&app, stop.clone()));
    let introducing = async {
        if let Some(line) = &app.line {
            let mut stop = stop.clone();
            tokio::select! {
                () = line.introduce() => {}
                _ = stop.changed() => {}
            }
        }
    };
    tokio::join!(sweeping, folding, introducing, join_all(lanes));
}

/// Begins again what has panicked, after a rest: the others go on meanwhile, and none of them is missing for ever.
async fn keep_up<F: Future<Output = ()>>(stop: &watch::Receiver<bool>, work: impl Fn() -> F) {
    // What a panic left behind is dropped with its future.
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() && !*stop.borrow() {
        tracing::error!("a part of the worker has panicked and begins again");
        tokio::time::sleep(REST).await;
    }
}

async fn keep_sweeping(app: &App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let swept = sweep(app).await;
        // Where some were found there may be more.
        let pause = if matches!(swept, Ok(some) if some > 0) { REST } else { SWEEP_EVERY };
        log_failure(swept.map(drop));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Each page of a list sums what is not folded yet: at a thousand posts a second that is much after a minute.
async fn keep_folding(app: &App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match totals::fold(app).await {
            Ok(0) => {}
            Ok(_) => continue, // there may be more
            Err(e) => log_failure(Err(e)),
        }
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn run_lane(app: &App, lane: &Lane, mut stop: watch::Receiver<bool>) {
    let wake = app.wakes.lane(lane.topics);
    while !*stop.borrow() {
        // Made before the look at the outbox, so that no wake-up falls between the two.
        let woken = wake.notified();
        match work(app, lane).await {
            Ok(0) => {}
            Ok(_) => continue, // there may be more
            Err(e) => log_failure(Err(e)),
        }
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(REST) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Removes what expired, some at a time. Returns how much there was.
async fn sweep(app: &App) -> greenlit::Result<usize> {
    idempotency::sweep(app).await?;
    let swept = [
        account::logins::sweep(app).await,
        media::jobs::sweep(app).await,
        mypage::erase::sweep(app).await,
        notification::jobs::sweep(app).await,
        line::jobs::sweep(app).await,
    ];
    // One that fails keeps no other from its work.
    swept.into_iter().sum()
}

/// Sweeps and works until nothing is due, for tests and maintenance. Returns how many jobs were run.
///
/// # Errors
/// What the database says.
pub async fn run_all(app: &App) -> greenlit::Result<usize> {
    while sweep(app).await? + totals::fold(app).await? > 0 {}
    let mut total = 0;
    loop {
        let before = total;
        for lane in &LANES {
            total += work(app, lane).await?;
        }
        if total == before {
            return Ok(total);
        }
    }
}

/// Claims some jobs and runs them, one after another. Returns how many there were.
async fn work(app: &App, lane: &Lane) -> greenlit::Result<usize> {
    // Not to claim in vain; and again afterwards, since a backup may begin in between.
    if is_held_up(app, lane).await? {
        return Ok(0);
    }
    let claimed = app.db.outbox().claim(&lane.topics(app), lane.at_a_time, lane.lease).await?;
    let began = Instant::now();
    for (at, job) in claimed.iter().enumerate() {
        // One more might outlive the lease: those that are left are there for whoever has time.
        if began.elapsed() + lane.handler > lane.lease {
            for left in &claimed[at..] {
                let _ = app.db.outbox().retry(left, Duration::ZERO, "it stood behind a job that took long").await;
            }
            break;
        }
        if is_held_up(app, lane).await? {
            app.db.outbox().retry(job, REST, "a backup was being made").await?;
            return Ok(0);
        }
        lane.passes(0);
        let ended = match run_one(app, job, lane.handler).await {
            Ok(Done::Acknowledged) => Ok(()),
            Ok(Done::Now) => {
                lane.passes(1);
                let acknowledged = app.db.outbox().acknowledge(job).await;
                lane.passes(2);
                acknowledged
            }
            Err(e) => end_failed(app, job, &e).await,
        };
        match ended {
            // Another worker has it by now: the lease ended under us.
            Err(greenlit::Error::Stale) => tracing::warn!(job = job.id, topic = job.topic, "a job outlived its lease"),
            ended => ended?,
        }
    }
    Ok(claimed.len())
}

/// Has a job that failed tried again, or parks it.
async fn end_failed(app: &App, job: &Job, failure: &Failure) -> greenlit::Result<()> {
    let (outbox, cause) = (app.db.outbox(), failure.to_string());
    let after = match failure {
        Failure::GiveUp(_) => None,
        Failure::Later { after, .. } => Some(*after),
        _ if job.attempt >= ATTEMPTS => None,
        Failure::Again(_) => Some(pause(job)),
    };
    match after {
        None => {
            tracing::error!(job = job.id, topic = job.topic, attempt = job.attempt, %cause, "a job failed and is parked");
            outbox.park(job, &cause).await
        }
        Some(after) => {
            tracing::warn!(job = job.id, topic = job.topic, attempt = job.attempt, %cause, ?after, "a job failed");
            outbox.retry(job, after, &cause).await
        }
    }
}

/// Whether a backup needs what this lane deletes.
async fn is_held_up(app: &App, lane: &Lane) -> greenlit::Result<bool> {
    Ok(lane.topics.contains(&media::jobs::DELETE) && hold::is_held(&mut app.db.single()).await?)
}

/// Runs a handler in a task of its own, within the lease: a panic or a handler that hangs is a failure like any other.
async fn run_one(app: &App, job: &Job, limit: Duration) -> Result<Done, Failure> {
    let (app, job) = (app.clone(), job.clone());
    let mut task = tokio::spawn(async move { handle(&app, &job).await });
    match tokio::time::timeout(limit, &mut task).await {
        Ok(ended) => ended?,
        Err(_) => {
            task.abort();
            Err(Failure::because("the handler took too long"))
        }
    }
}

fn pause(job: &Job) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << job.attempt.clamp(1, 16).saturating_sub(1));
    let window = doubled.min(LONGEST_PAUSE);
    // Half of it by chance, so that jobs which failed together do not come back together.
    let chance = std::hash::RandomState::new().hash_one(job.id) % 1_000;
    window / 2 + (window / 2_000) * u32::try_from(chance).unwrap_or_default()
}

fn log_failure(result: greenlit::Result<()>) {
    if let Err(e) = result {
        tracing::warn!(cause = %e, "the worker could not work and tries again");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn f06_a_part_of_the_worker_that_panics_begins_again() {
        let (stop, stopped) = watch::channel(false);
        let begun = Cell::new(0);
        keep_up(&stopped, || async {
            begun.set(begun.get() + 1);
            assert!(begun.get() > 3, "planned");
        })
        .await;
        assert_eq!(begun.get(), 4);
        // But not while the board stops.
        stop.send(true).unwrap();
        keep_up(&stopped, || async {
            begun.set(begun.get() + 1);
            panic!("planned");
        })
        .await;
        assert_eq!(begun.get(), 5);
    }
}

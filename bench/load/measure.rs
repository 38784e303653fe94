//! Runs the tasks of an operation, and measures how many they do and what CPU that takes.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use super::{
    Client, Failure,
    cpu::{cpu, server_cpu},
    ensure,
    operation::{Operation, check},
};

/// A [`Client`] whose type no longer shows, so that different ones take turns.
pub type Side = Box<dyn Measure>;

pub fn side(client: impl Client) -> Side {
    Box::new(Arc::new(client))
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + 'a>>;

pub trait Measure {
    /// Runs so many tasks for `warm_up`, then measures for `measured`.
    fn measure(&self, operation: Operation, tasks: u64, warm_up: Duration, measured: Duration) -> Answer<'_, Measured>;

    /// The rows of all tables are those of the writes that were answered, and statements were prepared.
    fn check<'a>(&'a self, database: &'a str, writes: i64) -> Answer<'a, ()>;
}

impl<C: Client> Measure for Arc<C> {
    fn measure(&self, operation: Operation, tasks: u64, warm_up: Duration, measured: Duration) -> Answer<'_, Measured> {
        Box::pin(measure(self, operation, tasks, warm_up, measured))
    }

    fn check<'a>(&'a self, database: &'a str, writes: i64) -> Answer<'a, ()> {
        Box::pin(check(&**self, database, writes))
    }
}

pub struct Measured {
    pub(super) per_second: f64,
    /// Microseconds for each operation: of the side's process, in user and kernel mode, and of the server.
    pub(super) cpu: f64,
    pub(super) server: f64,
    /// All that were done, those of the warm-up and the end as well.
    pub(super) writes: i64,
}

async fn measure<C: Client>(
    client: &Arc<C>,
    operation: Operation,
    tasks: u64,
    warm_up: Duration,
    measured: Duration,
) -> Result<Measured, Failure> {
    let (done, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let (client, done, stop) = (client.clone(), done.clone(), stop.clone());
        running.spawn(async move {
            let mut numbers = Numbers(task + 1);
            while !stop.load(Relaxed) {
                operation.run(&*client, numbers.next()).await?;
                done.fetch_add(1, Relaxed);
            }
            Ok::<_, Failure>(())
        });
    }
    sleep(warm_up).await;
    let cpu = || cpu(client.process());
    let (start, before, server_before, done_before) = (Instant::now(), cpu()?, server_cpu()?, done.load(Relaxed));
    sleep(measured).await;
    let (elapsed, after, server_after, done_after) = (start.elapsed(), cpu()?, server_cpu()?, done.load(Relaxed));
    stop.store(true, Relaxed);
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    let per = (done_after - done_before) as f64;
    ensure(per > 0.0 || measured.is_zero(), || "nothing was done in the time measured".to_owned())?;
    Ok(Measured {
        per_second: per / elapsed.as_secs_f64(),
        cpu: (after - before) / per,
        server: (server_after - server_before) / per,
        writes: if matches!(operation, Operation::Write) { done.load(Relaxed) as i64 } else { 0 },
    })
}

/// A fixed sequence of numbers without a visible order (xorshift), so that all sides ask for the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as i64
    }
}

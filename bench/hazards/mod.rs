//! The same mistakes and accidents for every library, and what becomes of them: only what was seen is told.

#[path = "../../greenlit/tests/laws/proxy.rs"]
#[allow(dead_code)] // the laws spoil the wire in more ways
mod proxy;
mod storm;

use std::{
    env,
    error::Error,
    fmt::Display,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    task::Poll,
    time::{Duration, Instant},
};

use proxy::{Proxy, Wire};
use tokio::{
    sync::Barrier,
    time::{sleep, timeout},
};

pub type Failure = Box<dyn Error + Send + Sync>;
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Longer than any library's own patience with its pool.
const PATIENCE: Duration = Duration::from_secs(35);

/// What a transaction does, in this order; it commits after the last step.
#[derive(Clone)]
pub enum Step {
    /// Runs the statement; its failure is the transaction's.
    Run(String),
    /// Runs the statement and ignores its failure.
    Swallow(String),
    /// Drops the statement's future after [`GIVE_UP`].
    GiveUp(String),
    /// Runs the statement in a savepoint; its failure is handled by rolling back to that.
    Savepoint(String),
    /// Runs the statement through the pool, as a function would that was not handed the transaction.
    Outside(String),
    /// Waits for the other transaction, the first time.
    Meet(Arc<Meeting>),
    Panic,
}

pub const GIVE_UP: Duration = Duration::from_millis(100);

/// Where two transactions wait for each other, once: neither waits when it is run again, or for long.
pub struct Meeting {
    arrived: AtomicU32,
    both: Barrier,
}

impl Meeting {
    fn new() -> Arc<Meeting> {
        Arc::new(Meeting { arrived: AtomicU32::new(0), both: Barrier::new(2) })
    }

    pub async fn wait(&self) {
        if self.arrived.fetch_add(1, SeqCst) < 2 {
            let _alone = timeout(Duration::from_millis(500), self.both.wait()).await;
        }
    }
}

/// A library, used as its documentation shows, with its default settings but for the number of connections.
pub trait Peer: Clone + Send + Sync + 'static {
    const NAME: &'static str;

    fn open(url: &str, connections: usize) -> impl Future<Output = Result<Self>> + Send;

    /// Creates the tables.
    fn create(&self, tables: &'static str) -> impl Future<Output = Result<()>> + Send;

    /// One write on its own.
    fn write(&self, sql: String) -> impl Future<Output = Result<()>> + Send;

    /// One read on its own: the column n of its row.
    fn number(&self, sql: &str) -> impl Future<Output = Result<i64>> + Send;

    fn transaction(&self, steps: Arc<[Step]>) -> impl Future<Output = Result<()>> + Send;

    /// A transaction that opens a savepoint, runs the statement on the outer handle, rolls the savepoint back and commits;
    /// None if the library's types do not let it.
    fn outer_in_savepoint(&self, _sql: String) -> impl Future<Output = Option<Result<()>>> + Send {
        async { None }
    }

    /// A transaction of one statement that happens once for this key; None if the library has no such thing.
    fn once(&self, _key: &'static str, _sql: String) -> impl Future<Output = Option<Result<()>>> + Send {
        async { None }
    }

    fn close(self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// The kind of database that a URL names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Kind {
    pub fn of(url: &str) -> Kind {
        match url {
            _ if url.starts_with("sqlite:") => Kind::Sqlite,
            _ if url.starts_with("postgres:") => Kind::Postgres,
            _ => Kind::MariaDb,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "SQLite",
            Kind::Postgres => "PostgreSQL",
            Kind::MariaDb => "MariaDB",
        }
    }

    /// What can be counted of the server's open transactions; on MariaDB those that have touched a row.
    fn open_transactions(self) -> Option<&'static str> {
        match self {
            Kind::Sqlite => None,
            Kind::Postgres => {
                Some("pg_stat_activity where datname = current_database() and state like 'idle in transaction%'")
            }
            Kind::MariaDb => Some(
                "information_schema.innodb_trx join information_schema.processlist on id = trx_mysql_thread_id \
                 where db = database()",
            ),
        }
    }

    /// How many of [`Bench::slow_read`] the server is busy with: a SELECT of n.
    fn slow_reads(self) -> Option<&'static str> {
        match self {
            Kind::Sqlite => None, // no server
            Kind::Postgres => Some(
                "select count(*) as n from pg_stat_activity where state = 'active' and query like '%pg_sleep(3)%' \
                 and datname = current_database() and pid <> pg_backend_pid()",
            ),
            Kind::MariaDb => Some(
                "select count(*) as n from information_schema.processlist where info like '%sleep(3)%' \
                 and db = database() and id <> connection_id()",
            ),
        }
    }
}

const TABLES: &str = "create table t (id integer primary key, v integer not null);\
    create table account (id integer primary key, balance integer not null);\
    create table audit (id integer primary key);\
    create table payment (amount integer not null)";

fn insert(id: i32) -> String {
    format!("insert into t values ({id}, 0)")
}

fn update(id: i32) -> String {
    format!("update t set v = v + 1 where id = {id}")
}

/// One library on one database.
pub struct Bench<P> {
    url: String,
    kind: Kind,
    /// How many rows SQLite counts in a second: it has no sleep.
    rows_a_second: f64,
    /// A pool that nothing happens to.
    watch: P,
}

/// Runs all hazards on the new database of the URL and prints a line for each: `database, hazard, library, what was seen`.
pub async fn run<P: Peer>(url: &str) -> Result<()> {
    std::panic::set_hook(Box::new(|_| {})); // the one panic is meant
    let watch = P::open(url, 2).await?;
    watch.create(TABLES).await?;
    let mut bench = Bench { url: url.to_owned(), kind: Kind::of(url), rows_a_second: 1e6, watch };
    if bench.kind == Kind::Sqlite {
        let start = Instant::now();
        bench.watch.number(&bench.slow_read(0.2)).await?;
        bench.rows_a_second = 0.2e6 / start.elapsed().as_secs_f64();
    }
    let only = env::args().nth(2);
    macro_rules! hazards {
        ($($name:literal: $hazard:expr,)*) => {$(
            if only.as_deref().is_none_or(|only| $name.contains(only)) {
                let seen = match bench.clear().await {
                    Ok(()) => $hazard(&bench).await,
                    Err(e) => Err(e),
                };
                let seen = seen.unwrap_or_else(|e| format!("could not be tried: {}", words(&e)));
                println!("{}\t{}\t{}\t{seen}", bench.kind.name(), $name, P::NAME);
            }
        )*};
    }
    hazards! {
        "A statement's error is swallowed, then the transaction commits": swallowed,
        "The transaction is dropped at its first, second, ... poll; the next write through the pool": dropped_at_each_poll,
        "400 transfers, each dropped at a random poll, then a write; 8 tasks, pool of 4": storm::storm,
        "A read of about 3 s is dropped after 0.1 s; the next read through a pool of 1": slow_read_dropped,
        "A slow INSERT's future is dropped inside the transaction, which goes on and commits": dropped_inside,
        "Inside a transaction the pool of 1 is asked for another connection": nested,
        "The outer handle is used while a savepoint is open, which is then rolled back": outer_in_savepoint,
        "A deadlock is handled in a savepoint, and the transaction commits": deadlock_in_savepoint,
        "A deadlock's error is swallowed, and the transaction commits": deadlock_swallowed,
        "COMMIT's answer is lost, and the caller repeats the call": lost_commit,
        "Two transactions deadlock; on SQLite both read, then write": in_the_way,
        "A panic inside the transaction": panicked,
    }
    Ok(())
}

impl<P: Peer> Bench<P> {
    /// A pool of its own for each case, so that none inherits what another left behind.
    async fn pool(&self, connections: usize) -> Result<P> {
        P::open(&self.url, connections).await
    }

    async fn clear(&self) -> Result<()> {
        for table in ["t", "account", "audit", "payment"] {
            self.patiently(format!("delete from {table}")).await?;
        }
        Ok(())
    }

    /// A write of the watcher's, which may have to wait for what a case left behind.
    async fn patiently(&self, sql: String) -> Result<()> {
        for _ in 0..100 {
            if limit(self.watch.write(sql.clone())).await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        limit(self.watch.write(sql)).await
    }

    async fn count(&self, table_where: &str) -> Result<i64> {
        self.watch.number(&format!("select count(*) as n from {table_where}")).await
    }

    /// A SELECT of one number n that takes about so many seconds.
    fn slow_read(&self, seconds: f64) -> String {
        match self.kind {
            Kind::Sqlite => format!("select count(*) as n from ({})", self.many_rows(seconds)),
            Kind::Postgres => format!("select count(*) as n from pg_sleep({seconds})"),
            Kind::MariaDb => format!("select cast(sleep({seconds}) as integer) as n"),
        }
    }

    /// An INSERT of the id that takes about a second.
    fn slow_write(&self, id: i32) -> String {
        match self.kind {
            Kind::Sqlite => format!("insert into t select {id}, count(*) from ({})", self.many_rows(1.0)),
            Kind::Postgres => format!("insert into t select {id}, 0 from pg_sleep(1)"),
            Kind::MariaDb => format!("insert into t select {id}, sleep(1)"),
        }
    }

    fn many_rows(&self, seconds: f64) -> String {
        let rows = (seconds * self.rows_a_second) as u64;
        format!("with recursive i (i) as (select 1 union all select i + 1 from i where i < {rows}) select i from i")
    }

    /// Which of these ids a second session sees: "1, 3", or "none".
    async fn rows(&self, ids: &[i32]) -> Result<String> {
        let mut found = Vec::new();
        for id in ids {
            if self.count(&format!("t where id = {id}")).await? > 0 {
                found.push(id.to_string());
            }
        }
        Ok(if found.is_empty() { "none".to_owned() } else { found.join(", ") })
    }
}

async fn limit<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(format!("no answer in {} s", PATIENCE.as_secs()).into()))
}

/// Polls so many times and drops the future after it has lain for a while, or tells what it ended with.
pub async fn cut<T>(work: impl Future<Output = T>, polls: u64, lie: Duration) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    let done = poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => {
            left -= 1;
            if left == 0 { Poll::Ready(None) } else { Poll::Pending }
        }
    });
    let done = done.await;
    if done.is_none() && !lie.is_zero() {
        sleep(lie).await;
    }
    done
}

fn told<T>(result: &Result<T>) -> String {
    match result {
        Ok(_) => "Ok".to_owned(),
        Err(e) => format!("Err \"{}\"", words(e)),
    }
}

/// What was answered about one row, and whether it is there.
fn row_of<T>(result: &Result<T>, rows: i64) -> String {
    let seen = format!("{}; {rows} of 1 row written", told(result));
    if result.is_ok() && rows == 0 { format!("**{seen}**") } else { seen }
}

/// The first words of an error, fit for a table.
fn words(e: &impl Display) -> String {
    let line = e.to_string().replace(['\n', '\t', '|'], " ");
    if line.chars().count() <= 90 { line } else { line.chars().take(90).chain(['…']).collect() }
}

async fn swallowed<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    let result = limit(pool.transaction([Step::Run(insert(1)), Step::Swallow(insert(1))].into())).await;
    pool.close().await;
    Ok(row_of(&result, bench.count("t where id = 1").await?))
}

async fn dropped_at_each_poll<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let (mut cuts, mut lost, mut refused, mut halves, mut left_open) = (0, Vec::new(), 0, 0, 0);
    let mut failed = String::new();
    for lie in [Duration::ZERO, Duration::from_millis(20)] {
        for polls in 1..100 {
            bench.clear().await?;
            let pool = bench.pool(1).await?;
            limit(pool.number("select count(*) as n from t")).await?; // so that there is a connection
            let steps = [Step::Run(insert(1)), Step::Run(insert(2))].into();
            let result = cut(pool.transaction(steps), polls, lie).await;
            let done = result.is_some();
            if let Some(Err(e)) = result {
                failed = format!("; not cut: Err \"{}\"", words(&e));
            }
            if let (Some(open), false) = (bench.kind.open_transactions(), lie.is_zero()) {
                sleep(Duration::from_millis(200)).await;
                left_open += bench.count(open).await?.min(1);
            }
            let next = limit(pool.write(insert(9))).await;
            cuts += u32::from(!done);
            let seen = bench.count("t where id = 9").await?;
            match next {
                Ok(()) if seen == 0 => lost.push(polls.to_string()),
                Ok(()) => {}
                Err(_) => refused += 1,
            }
            halves += i64::from(bench.count("t where id < 9").await? == 1);
            pool.close().await;
            if done {
                break;
            }
        }
    }
    let mut seen = match lost.as_slice() {
        [] => format!("{cuts} cuts: no write lost"),
        lost => format!("{cuts} cuts: **{} writes answered Ok and lost** (after poll {})", lost.len(), lost.join(", ")),
    };
    if left_open > 0 {
        seen += &format!(", {left_open} transactions open until the connection was used again");
    }
    if refused > 0 {
        seen += &format!(", {refused} answered with an error");
    }
    if halves > 0 {
        seen += &format!(", **{halves} transactions half done**");
    }
    Ok(seen + &failed)
}

async fn slow_read_dropped<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    limit(pool.number("select count(*) as n from t")).await?;
    let start = Instant::now();
    drop(timeout(Duration::from_millis(100), pool.number(&bench.slow_read(3.0))).await);
    let next = tokio::spawn({
        let pool = pool.clone();
        async move { (limit(pool.number("select count(*) as n from t")).await, start.elapsed()) }
    });
    sleep(Duration::from_secs(1)).await;
    let busy = match bench.kind.slow_reads() {
        Some(sql) if bench.watch.number(sql).await? > 0 => "; the server still at it after 1 s",
        Some(_) => "; the server has stopped it",
        None => "",
    };
    let (answer, after) = next.await?;
    pool.close().await;
    Ok(format!("{} after {:.1} s{busy}", told(&answer), after.as_secs_f64()))
}

async fn dropped_inside<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    let slow = bench.slow_write(2);
    let result = limit(pool.transaction([Step::Run(insert(1)), Step::GiveUp(slow), Step::Run(insert(3))].into())).await;
    pool.close().await;
    Ok(format!("{}; rows written of 1, 2, 3: {}", told(&result), bench.rows(&[1, 2, 3]).await?))
}

async fn nested<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    let start = Instant::now();
    let result = limit(pool.transaction([Step::Run(insert(1)), Step::Outside(insert(2))].into())).await;
    let after = start.elapsed();
    pool.close().await;
    Ok(format!("{} after {:.1} s", told(&result), after.as_secs_f64()))
}

async fn outer_in_savepoint<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    let result = limit(async { Ok(pool.outer_in_savepoint(insert(1)).await) }).await?;
    pool.close().await;
    let rows = bench.count("t where id = 1").await?;
    Ok(result
        .map_or("-".to_owned(), |result| format!("compiles; {}; {rows} of the outer's 1 row written", told(&result))))
}

/// Two transactions that write a row each, lock t's rows 1 and 2 crosswise, and write a row again.
async fn deadlock<P: Peer>(bench: &Bench<P>, crossing: fn(String) -> Step) -> Result<[Result<()>; 2]> {
    for id in [1, 2] {
        bench.patiently(insert(id)).await?;
    }
    let (pool, meeting) = (bench.pool(2).await?, Meeting::new());
    let one = |first, second| {
        let meet = Step::Meet(meeting.clone());
        let (before, after) = (Step::Run(insert(10 * first)), Step::Run(insert(10 * first + 1)));
        let steps = [before, Step::Run(update(first)), meet, crossing(update(second)), after];
        let pool = pool.clone();
        async move { limit(pool.transaction(steps.into())).await }
    };
    let (a, b) = tokio::join!(one(1, 2), one(2, 1));
    pool.close().await;
    Ok([a, b])
}

/// What [`deadlock`] did to each of its transactions: what it answered, and its rows before and after the deadlock.
async fn deadlocked<P: Peer>(bench: &Bench<P>, crossing: fn(String) -> Step) -> Result<String> {
    if bench.kind == Kind::Sqlite {
        return Ok("-".to_owned()); // one writer: nothing to deadlock with
    }
    let mut seen = Vec::new();
    for (result, first) in deadlock(bench, crossing).await?.iter().zip([10, 20]) {
        let before = bench.count(&format!("t where id = {first}")).await?;
        let after = bench.count(&format!("t where id = {first} + 1")).await?;
        let half = if before == after { "" } else { "**half done**: " };
        seen.push(format!("{}, {half}{before} row before and {after} after it", told(result)));
    }
    seen.sort();
    let increments = bench.watch.number("select count(*) as n from t where id < 9 and v < 2").await?;
    let missing = if increments == 0 { "" } else { "; an update is missing" };
    Ok(format!("{}; the other: {}{missing}", seen[1], seen[0]))
}

async fn deadlock_in_savepoint<P: Peer>(bench: &Bench<P>) -> Result<String> {
    deadlocked(bench, Step::Savepoint).await
}

async fn deadlock_swallowed<P: Peer>(bench: &Bench<P>) -> Result<String> {
    deadlocked(bench, Step::Swallow).await
}

async fn in_the_way<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let results = match bench.kind {
        Kind::Sqlite => {
            let (pool, meeting) = (bench.pool(2).await?, Meeting::new());
            let one = |id| {
                let read = Step::Run("select count(*) as n from t".to_owned());
                let steps = [read, Step::Meet(meeting.clone()), Step::Run(insert(id))];
                let pool = pool.clone();
                async move { limit(pool.transaction(steps.into())).await }
            };
            let (a, b) = tokio::join!(one(1), one(2));
            pool.close().await;
            [a, b]
        }
        _ => deadlock(bench, Step::Run).await?,
    };
    Ok(match results {
        [Ok(()), Ok(())] => "both Ok".to_owned(),
        [Ok(()), Err(e)] | [Err(e), Ok(())] => format!("one Ok, one Err \"{}\"", words(&e)),
        [Err(a), Err(b)] => format!("Err \"{}\", Err \"{}\"", words(&a), words(&b)),
    })
}

async fn lost_commit<P: Peer>(bench: &Bench<P>) -> Result<String> {
    if bench.kind == Kind::Sqlite {
        return Ok("-".to_owned()); // no wire
    }
    let proxy = Proxy::to(&bench.url).await;
    let pool = P::open(&proxy.url, 1).await?;
    limit(pool.number("select count(*) as n from payment")).await?;
    let pay = "insert into payment values (5)".to_owned();
    proxy.set(Wire::LoseAnswerOfCommit);
    let first = limit(pool.transaction([Step::Run(pay.clone())].into())).await;
    let again = limit(pool.transaction([Step::Run(pay.clone())].into())).await;
    let paid = bench.count("payment").await?;
    let mut seen = format!("{}, again: {}; paid {paid} times", told(&first), told(&again));
    proxy.set(Wire::LoseAnswerOfCommit);
    if let Some(first) = limit(async { Ok(pool.once("5 to you", pay.clone()).await) }).await? {
        let again = pool.once("5 to you", pay).await.unwrap_or(Ok(()));
        let paid = bench.count("payment").await? - paid;
        seen += &format!(". With a commit key: {}, again: {}; paid {paid} times", told(&first), told(&again));
    }
    pool.close().await;
    Ok(seen)
}

async fn panicked<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    let ended = tokio::spawn({
        let pool = pool.clone();
        async move { pool.transaction([Step::Run(insert(1)), Step::Panic].into()).await }
    });
    let result = match ended.await {
        Ok(result) => told(&result),
        Err(_) => "the panic goes on".to_owned(),
    };
    let next = limit(pool.write(insert(9))).await;
    pool.close().await;
    let (row, written) = (bench.count("t where id = 1").await?, bench.count("t where id = 9").await?);
    Ok(format!("{result}, {row} of its 1 row written; the next write: {}, {written} of 1 row written", told(&next)))
}

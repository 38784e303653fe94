//! The load that every side of a comparison is put under: the same schema, rows, statements, tasks and checks.

use std::{
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use tokio::{runtime::Builder, task::JoinSet, time::sleep};

/// An error that any task may hand on.
pub type Failure = Box<dyn Error + Send + Sync>;

/// How many connections a pool may open; on SQLite these read, beside the one that writes.
pub const CONNECTIONS: usize = 10;

const WORKERS: usize = 2;
const TASKS: [u64; 2] = [1, 32];
/// Before anything of an operation is measured.
const WARM_UP: Duration = Duration::from_millis(500);
/// Before each slice.
const RUN_UP: Duration = Duration::from_millis(100);
const MEASURED: Duration = Duration::from_secs(1);
const AUTHORS: i64 = 100;
const FEEDS: i64 = 1_000;
/// How many feeds a list holds.
const PAGE: i64 = 20;

/// A feed as it is read: id, title, content, time of creation, its author's nickname.
pub type Feed = (i64, String, String, i64, String);

/// The statements of the load, in the library's style of placeholders.
pub struct Statements {
    /// A feed and its author's nickname, by the feed's id.
    pub feed: &'static str,
    /// As many feeds as a list holds, with their authors' nicknames, from an id downwards.
    pub list: &'static str,
    /// An author's id and nickname, by id.
    pub author: &'static str,
    /// Author, title, content and time of creation; answered with the id.
    pub insert_feed: &'static str,
    /// Adds one to the counter of an author.
    pub count: &'static str,
    /// Topic, payload and due time.
    pub insert_job: &'static str,
}

/// The [`Statements`] with the given placeholders, and with what makes an INSERT answer with the id.
macro_rules! statements {
    ([$one:literal, $two:literal, $three:literal, $four:literal], $returning:literal) => {
        crate::load::Statements {
            feed: concat!(
                "select f.id, f.title, f.content, f.created, a.nickname ",
                "from feed f join author a on a.id = f.author where f.id = ",
                $one
            ),
            list: concat!(
                "select f.id, f.title, f.content, f.created, a.nickname from feed f join author a on a.id = f.author ",
                "where f.id <= ",
                $one,
                " order by f.id desc limit 20"
            ),
            author: concat!("select id, nickname from author where id = ", $one),
            insert_feed: concat!(
                "insert into feed (author, title, content, created) values (",
                $one,
                ", ",
                $two,
                ", ",
                $three,
                ", ",
                $four,
                ")",
                $returning
            ),
            count: concat!("update author_feeds set feeds = feeds + 1 where author = ", $one),
            insert_job: concat!("insert into job (topic, payload, due) values (", $one, ", ", $two, ", ", $three, ")"),
        }
    };
}
pub(crate) use statements;

/// With statistics from the start: a plan that changed between two sides would be what is measured.
macro_rules! schema {
    ($id:literal, $int:literal, $analyze:literal) => {
        concat!(
            "create table author (id ", $id, ", nickname text not null);",
            "create table author_feeds (author ", $int, " primary key references author (id), feeds ", $int, " not null);",
            "create table feed (id ", $id, ", author ", $int, " not null references author (id), title text not null,",
            "  content text not null, created ", $int, " not null);",
            "create index ix_feed__author on feed (author);",
            "create table job (id ", $id, ", topic text not null, payload text not null, due ", $int, " not null);",
            "create index ix_job__due on job (due);",
            "insert into author (nickname) with recursive n (i) as (select 1 union all select i + 1 from n where i < 100)",
            "  select concat('author ', i) from n;",
            "insert into author_feeds select id, 0 from author;",
            "insert into feed (author, title, content, created)",
            "  with recursive n (i) as (select 1 union all select i + 1 from n where i < 1000)",
            "  select i % 100 + 1, concat('feed ', i), concat('A neighbour has something to say, in a hundred ',",
            "  'characters or so: what was found, lost, or is given away.'), i from n;",
            $analyze
        )
    };
}

/// The schema with 100 authors and 1,000 feeds; statements separated by semicolons.
pub const SQLITE_SCHEMA: &str = schema!("integer primary key autoincrement", "integer", "analyze");
/// As [`SQLITE_SCHEMA`].
pub const POSTGRES_SCHEMA: &str = schema!("bigint generated by default as identity primary key", "bigint", "analyze");
/// As [`SQLITE_SCHEMA`].
pub const MARIADB_SCHEMA: &str =
    schema!("bigint primary key auto_increment", "bigint", "analyze table author, author_feeds, feed, job");

/// One side of a comparison.
pub trait Client: Send + Sync + 'static {
    /// All feeds with this id, in one statement outside a transaction.
    fn feeds(&self, id: i64) -> impl Future<Output = Result<Vec<Feed>, Failure>> + Send;

    /// The feeds of a list from this id downwards, in one statement outside a transaction.
    fn list(&self, from: i64) -> impl Future<Output = Result<Vec<Feed>, Failure>> + Send;

    /// One transaction of four statements: reads the author, inserts the post as a feed, counts it, inserts a job.
    fn write(&self, post: Post) -> impl Future<Output = Result<Written, Failure>> + Send;

    /// The one integer that a statement answers with.
    fn number(&self, sql: &'static str) -> impl Future<Output = Result<i64, Failure>> + Send;
}

/// What a write stores.
#[derive(Clone, Copy)]
pub struct Post {
    pub author: i64,
    pub title: &'static str,
    pub content: &'static str,
    pub created: i64,
    pub topic: &'static str,
    pub payload: &'static str,
}

/// What the four statements of a write answered.
pub struct Written {
    pub author: (i64, String),
    pub feed: i64,
    pub counted: u64,
    pub jobs: u64,
}

#[derive(Clone, Copy)]
pub enum Operation {
    Read,
    List,
    Write,
}

impl Operation {
    const ALL: [(Operation, &'static str); 3] =
        [(Operation::Read, "read by id"), (Operation::List, "list of 20"), (Operation::Write, "write")];

    async fn run(self, client: &impl Client, number: i64) -> Result<(), Failure> {
        match self {
            Operation::Read => read(client, number % FEEDS + 1).await,
            Operation::List => list(client, PAGE + number % (FEEDS - PAGE + 1)).await,
            Operation::Write => write(client, number % AUTHORS + 1).await,
        }
    }
}

async fn read(client: &impl Client, id: i64) -> Result<(), Failure> {
    let feeds = client.feeds(id).await?;
    let right = feeds.len() == 1 && is_feed(&feeds[0], id);
    ensure(right, || format!("feed {id} was read as {feeds:?}"))
}

async fn list(client: &impl Client, from: i64) -> Result<(), Failure> {
    let feeds = client.list(from).await?;
    let right = feeds.len() as i64 == PAGE && is_feed(&feeds[0], from) && is_feed(&feeds[19], from - 19);
    ensure(right, || format!("the list from {from} was read as {feeds:?}"))
}

fn is_feed((id, title, _, _, nickname): &Feed, expected: i64) -> bool {
    let number = |text: &str, before: &str| text.strip_prefix(before).and_then(|n| n.parse::<i64>().ok());
    *id == expected
        && number(title, "feed ") == Some(expected)
        && number(nickname, "author ") == Some(expected % AUTHORS + 1)
}

async fn write(client: &impl Client, author: i64) -> Result<(), Failure> {
    let post = Post {
        author,
        title: "A bicycle was found",
        content: "It is blue, has a basket and a bell, and stands in front of the bakery since Tuesday evening.",
        created: 1_000_000,
        topic: "feed.created",
        payload: r#"{"notify":"followers"}"#,
    };
    let Written { author: read, feed, counted, jobs } = client.write(post).await?;
    let right = read.0 == author && read.1.starts_with("author ") && feed > FEEDS && counted == 1 && jobs == 1;
    ensure(right, || format!("author {read:?}, feed {feed}, {counted} counters and {jobs} jobs for author {author}"))
}

fn ensure(right: bool, told: impl FnOnce() -> String) -> Result<(), Failure> {
    if right { Ok(()) } else { Err(told().into()) }
}

/// Puts each side under the same load in turn and prints a line for each slice of time: `database, operation, tasks, side,
/// operations a second, microseconds of CPU for each in this process, and in the server`, separated by tabs.
///
/// Arguments: how many slices of each, then `SIDE=URL` with a new database for each side; the environment's
/// `BENCH_SERVER` is the id of the server's process.
pub fn main(open: impl AsyncFn(&str, &Database) -> Result<Side, Failure>) -> Result<(), Failure> {
    let mut args = env::args().skip(1);
    let slices: usize = args.next().ok_or("give the number of slices")?.parse()?;
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(async {
        let mut sides = Vec::new();
        for arg in args {
            let (name, url) = arg.split_once('=').ok_or("give SIDE=URL")?;
            let database = Database::of(url)?;
            let side = open(name, &database).await?;
            sides.push((name.to_owned(), database.name(), side, 0));
        }
        for (operation, told) in Operation::ALL {
            for tasks in TASKS {
                for (.., side, writes) in &mut sides {
                    *writes += side.measure(operation, tasks, WARM_UP, Duration::ZERO).await?.writes;
                }
                for _ in 0..slices {
                    for (name, database, side, writes) in &mut sides {
                        let it = side.measure(operation, tasks, RUN_UP, MEASURED).await?;
                        *writes += it.writes;
                        let Measured { per_second, cpu, server, .. } = it;
                        println!("{database}\t{told}\t{tasks}\t{name}\t{per_second:.0}\t{cpu:.2}\t{server:.2}");
                    }
                    sides.reverse();
                }
            }
        }
        for (_, database, side, writes) in &sides {
            side.check(database, *writes).await?;
        }
        Ok(())
    })
}

/// The database of one side.
pub enum Database {
    /// The file, which does not exist yet.
    Sqlite(PathBuf),
    /// The URL of an empty database.
    Postgres(String),
    /// The URL of an empty database.
    MariaDb(String),
}

impl Database {
    fn of(url: &str) -> Result<Database, Failure> {
        if url.starts_with("postgres:") {
            return Ok(Database::Postgres(url.to_owned()));
        }
        let Some(file) = url.strip_prefix("sqlite:") else { return Ok(Database::MariaDb(url.to_owned())) };
        ensure(!fs::exists(file)?, || format!("{file} exists"))?;
        Ok(Database::Sqlite(Path::new(file).to_owned()))
    }

    fn name(&self) -> &'static str {
        match self {
            Database::Sqlite(_) => "SQLite",
            Database::Postgres(_) => "PostgreSQL",
            Database::MariaDb(_) => "MariaDB",
        }
    }
}

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
    per_second: f64,
    /// Microseconds for each operation: of this process, in user and kernel mode, and of the server.
    cpu: f64,
    server: f64,
    /// All that were done, those of the warm-up and the end as well.
    writes: i64,
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

/// The microseconds of CPU that this process has used, its threads included.
fn cpu() -> Result<f64, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64)
}

/// The microseconds of CPU that the server's living threads have used: those of its process and of the processes it has
/// started, since PostgreSQL has one for each connection.
fn server_cpu() -> Result<f64, Failure> {
    let Ok(server) = env::var("BENCH_SERVER") else { return Ok(0.0) };
    let mut nanos = 0;
    for process in fs::read_dir("/proc")? {
        let process = process?.path();
        let Ok(stat) = fs::read_to_string(process.join("stat")) else { continue }; // no process, or ended
        // "id (name) state parent ..."
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        if process.ends_with(&server) || parent == Some(&server) {
            nanos += nanos_of(&process).unwrap_or(0);
        }
    }
    Ok(nanos as f64 / 1_000.0)
}

fn nanos_of(process: &Path) -> io::Result<u64> {
    let mut nanos = 0;
    for thread in fs::read_dir(process.join("task"))? {
        let schedstat = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanos += schedstat.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(nanos)
}

async fn check(client: &impl Client, database: &str, writes: i64) -> Result<(), Failure> {
    for (sql, expected) in [
        ("select count(*) from feed", FEEDS + writes),
        ("select count(*) from job", writes),
        // Each author's counter has counted all but the first feeds.
        (
            "select count(*) from author_feeds a where feeds = (select count(*) from feed f where f.author = a.author) - 10",
            AUTHORS,
        ),
    ] {
        let found = client.number(sql).await?;
        ensure(found == expected, || format!("{sql}: {found} instead of {expected}"))?;
    }
    if database == "PostgreSQL" {
        // Of one connection, which has run the same few statements thousands of times.
        let prepared = client.number("select count(*) from pg_prepared_statements").await?;
        ensure(prepared > 0, || "no statement is prepared".to_owned())?;
    }
    Ok(())
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

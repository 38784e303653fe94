//! The load that every side of a comparison is put under: the same schema, rows, statements, tasks and checks.

mod cpu;
mod measure;
mod operation;
mod sql;

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use measure::Measured;
pub use measure::{Side, side};
use operation::Operation;
pub use operation::post;
pub(crate) use sql::{MARIADB_SCHEMA, POSTGRES_SCHEMA, SQLITE_SCHEMA, Statements, statements};
use tokio::runtime::{Builder, Runtime};

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

/// A feed as it is read: id, title, content, time of creation, its author's nickname.
pub type Feed = (i64, String, String, i64, String);

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

    /// The process that does the work, if it is another than this one.
    fn process(&self) -> Option<u32> {
        None
    }
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

/// Puts each side under the same load in turn and prints a line for each slice of time: `database, operation, tasks, side,
/// operations a second, microseconds of CPU for each in the side's process, and in the server`, separated by tabs.
///
/// Arguments: how many slices of each, then `SIDE=URL` with a new database for each side; the environment's
/// `BENCH_SERVER` is the id of the server's process.
pub fn main(
    mut args: impl Iterator<Item = String>,
    open: impl AsyncFn(&str, &Database) -> Result<Side, Failure>,
) -> Result<(), Failure> {
    let slices: usize = args.next().ok_or("give the number of slices")?.parse()?;
    runtime()?.block_on(async {
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

/// What every side runs on.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()
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
    /// The database that a URL names.
    pub fn of(url: &str) -> Result<Database, Failure> {
        if url.starts_with("postgres:") {
            return Ok(Database::Postgres(url.to_owned()));
        }
        let Some(file) = url.strip_prefix("sqlite:") else { return Ok(Database::MariaDb(url.to_owned())) };
        ensure(!fs::exists(file)?, || format!("{file} exists"))?;
        Ok(Database::Sqlite(Path::new(file).to_owned()))
    }

    /// Its URL.
    pub fn url(&self) -> String {
        match self {
            Database::Sqlite(file) => format!("sqlite:{}", file.display()),
            Database::Postgres(url) | Database::MariaDb(url) => url.clone(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Database::Sqlite(_) => "SQLite",
            Database::Postgres(_) => "PostgreSQL",
            Database::MariaDb(_) => "MariaDB",
        }
    }
}

fn ensure(right: bool, told: impl FnOnce() -> String) -> Result<(), Failure> {
    if right { Ok(()) } else { Err(told().into()) }
}

//! Where a board lives: a database, a store, a data folder and a log of its own, which outlast its process.

use std::{
    fmt, fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use clap::ValueEnum;
use greenlit::{Db, Opts, testing::Scratch};
use madang::{
    app::App,
    clock::Clock,
    config::{Config, Database, Flags, Limits, Media, Server, Switch},
    fault::Point,
};
use tempfile::TempDir;
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::Failure;

/// The variable that names the S3 server of the tests.
const S3: &str = "MADANG_TEST_S3";
/// The bucket that `scripts/test` makes.
const BUCKET: &str = "madang-test";
/// Longer than a staged image waits and than an erased user's row stays.
const LATER: Duration = Duration::from_secs(3 * 60 * 60);

/// What a board keeps its rows in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rows {
    /// A file.
    Sqlite,
    /// The server that GREENLIT_TEST_POSTGRES names.
    Postgres,
    /// The server that GREENLIT_TEST_MARIADB names.
    Mariadb,
}

/// What a board keeps its images in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Objects {
    /// A folder.
    File,
    /// The S3 server that MADANG_TEST_S3 names.
    S3,
}

/// A place for a board. Dropping it removes the database and the folder.
pub struct Place {
    /// What it consists of.
    pub kind: (Rows, Objects),
    flags: Flags,
    folder: TempDir,
    /// How much of the log was looked at.
    log_read: AtomicUsize,
    _scratch: Scratch,
}

/// The board in this process while no other serves, hours later.
pub struct Inside {
    /// The board.
    pub app: App,
    /// Its database.
    pub database_url: String,
    _config: Config,
    _unshared: RwLockReadGuard<'static, ()>,
}

/// Written by who starts a process: until it runs its program it has a copy of each lock of a folder that is held here, and
/// the folder would look taken after the lock was given back.
pub(crate) static FOLDERS: RwLock<()> = RwLock::const_new(());

impl Place {
    /// An empty place.
    ///
    /// # Errors
    /// A server is not named or does not answer.
    pub async fn new(rows: Rows, objects: Objects) -> Result<Place, Failure> {
        let scratch = match rows {
            Rows::Sqlite => Scratch::sqlite()?,
            Rows::Postgres => Scratch::postgres().await?,
            Rows::Mariadb => Scratch::mariadb().await?,
        };
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let media = match objects {
            Objects::File => format!("file:{}", data.join("images").display()),
            Objects::S3 => {
                let server = std::env::var(S3).map_err(|_| format!("{S3} names no server: use scripts/test faults"))?;
                let prefix = madang::secret::random_name();
                format!("s3://{BUCKET}/{prefix}?endpoint={server}&region=us-east-1")
            }
        };
        let flags = Flags {
            // Addresses of images stay the same, whichever port a board gets.
            server: Server {
                data: Some(data),
                listen: Some("127.0.0.1:0".parse()?),
                public_url: Some("http://board.test".parse()?),
                ..Server::default()
            },
            database: Database { database_url: Some(scratch.url().to_owned()) },
            media: Media { media: Some(media) },
            limits: Limits { limits: Some(Switch::Off), ..Limits::default() },
            ..Flags::default()
        };
        Ok(Place { kind: (rows, objects), flags, folder, log_read: AtomicUsize::new(0), _scratch: scratch })
    }

    /// What tells a board's process about this place.
    pub fn environment(&self) -> [(&'static str, String); 6] {
        let data = self.flags.server.data();
        [
            ("MADANG_LISTEN", "127.0.0.1:0".to_owned()),
            ("MADANG_PUBLIC_URL", "http://board.test".to_owned()),
            ("MADANG_DATABASE_URL", self.flags.database.url(&data)),
            ("MADANG_MEDIA", self.flags.media.url(&data)),
            ("MADANG_DATA", data.display().to_string()),
            ("MADANG_LIMITS", "off".to_owned()),
        ]
    }

    /// The file that all boards of this place log to.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What they logged since this was asked last.
    pub fn logged(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let read = self.log_read.swap(text.len(), Relaxed);
        text.get(read..).unwrap_or_default().to_owned()
    }

    /// Whether a board in this place passes the point.
    pub fn has(&self, point: Point) -> bool {
        match point.name().split('.').next() {
            Some("file" | "folder") => self.kind.1 == Objects::File,
            Some("bucket") => self.kind.1 == Objects::S3,
            _ => true,
        }
    }

    /// The database, beside whoever else uses it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn db(&self) -> Result<Db, Failure> {
        Ok(Db::open(&self.flags.database.url(&self.flags.server.data())).await?)
    }

    /// The board in this process, at a time at which all that waits has waited long enough: staged images have expired, and
    /// the leases of killed workers have ended. Nobody may serve from the place.
    ///
    /// # Errors
    /// The board does not start.
    pub async fn later(&self) -> Result<Inside, Failure> {
        let unshared = FOLDERS.read().await;
        let config = Config::new(&self.flags, self.flags.server.listen())?;
        let clock = Clock::default();
        let app = App::open(&config, clock.clone()).await?;
        clock.advance(LATER);
        // Leases go by the database's clock, which nobody moves. Parked jobs stay parked.
        let due = format!("update greenlit_outbox set due = 0 where due < {}", i64::MAX);
        app.db.tx(Opts::default(), async |tx: &mut greenlit::Tx| tx.exec(&due, vec![]).await).await?;
        Ok(Inside { app, database_url: config.database_url.clone(), _config: config, _unshared: unshared })
    }

    /// Lets the time of staged images be over, for the sweeper of the next board.
    ///
    /// # Errors
    /// What the database says.
    pub async fn expire_staged(&self) -> Result<u64, Failure> {
        let expire = "update images set expire_dt = 0 where feed_id is null";
        let db = self.db().await?;
        Ok(db.tx(Opts::default(), async |tx: &mut greenlit::Tx| tx.exec(expire, vec![]).await).await?)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = match self.kind.0 {
            Rows::Sqlite => "SQLite",
            Rows::Postgres => "PostgreSQL",
            Rows::Mariadb => "MariaDB",
        };
        let objects = match self.kind.1 {
            Objects::File => "files",
            Objects::S3 => "S3",
        };
        write!(f, "{rows} and {objects}")
    }
}

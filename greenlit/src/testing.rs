//! A database for each test, so that COMMIT and what follows it are real.
//!
//! Needs the feature `testing`.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use mysql_async::prelude::Queryable;
use tokio_postgres::NoTls;

use crate::{Config, Db, Error, Result};

/// The environment variable that names the PostgreSQL server for tests, as a URL whose user may create databases.
pub const POSTGRES: &str = "GREENLIT_TEST_POSTGRES";
/// The environment variable that names the MariaDB server for tests, as a URL whose user may create databases.
pub const MARIADB: &str = "GREENLIT_TEST_MARIADB";

/// A new, empty database. Dropping it removes the database.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> greenlit::Result<()> {
/// let scratch = greenlit::testing::Scratch::sqlite()?;
/// let db = greenlit::Db::open(scratch.url()).await?;
/// assert_eq!(db.fetch_one::<(i64,)>("select 1", vec![]).await?, (1,));
/// # Ok(()) }
/// ```
pub struct Scratch {
    url: String,
    place: Place,
}

enum Place {
    Folder(#[allow(dead_code)] tempfile::TempDir), // held so that the folder goes with it
    Server { url: String, database: String },
}

impl Scratch {
    /// A SQLite file in a folder of its own.
    ///
    /// # Errors
    /// [`Error::Config`] if no temporary folder can be made.
    pub fn sqlite() -> Result<Scratch> {
        let folder = tempfile::tempdir().map_err(|e| Error::Config(format!("no temporary folder: {e}")))?;
        Ok(Scratch {
            url: format!("sqlite:{}", folder.path().join("scratch.db").display()),
            place: Place::Folder(folder),
        })
    }

    /// A new database on the server that the environment variable [`POSTGRES`] names.
    ///
    /// # Errors
    /// [`Error::Config`] if the variable is not set; [`Error::Database`] if the database cannot be made.
    pub async fn postgres() -> Result<Scratch> {
        Scratch::on_server(POSTGRES, "template template0").await
    }

    /// A new database on the server that the environment variable [`MARIADB`] names.
    ///
    /// # Errors
    /// As [`postgres`](Scratch::postgres).
    pub async fn mariadb() -> Result<Scratch> {
        Scratch::on_server(MARIADB, "character set utf8mb4 collate utf8mb4_nopad_bin").await
    }

    async fn on_server(variable: &str, options: &str) -> Result<Scratch> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var(variable).map_err(|_| {
            Error::Config(format!("{variable} names no server: run the tests by scripts/test, or set it yourself"))
        })?;
        // A random part, since a process that was killed may have left its database behind and another has its number.
        let random = RandomState::new().hash_one(());
        let database = format!("greenlit_{random:016x}_{}", COUNT.fetch_add(1, Relaxed));
        run(&server, &format!("create database {database} {options}")).await?;
        Ok(Scratch { url: with_database(&server, &database), place: Place::Server { url: server, database } })
    }

    /// The database's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens the database with up to `connections` connections and greenlit's own tables.
    ///
    /// # Errors
    /// As [`Db::open`] and [`Db::migrate`].
    pub async fn open(&self, connections: usize) -> Result<Db> {
        let db = Db::open_with(&self.url, &Config { connections, ..Config::default() }).await?;
        db.migrate(&[]).await?;
        Ok(db)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let Place::Server { url, database } = &self.place else { return };
        let force = if is_mariadb(url) { "" } else { "with (force)" };
        let (url, drop_it) = (url.clone(), format!("drop database if exists {database} {force}"));
        // On a thread with a runtime of its own: this one may be about to end.
        let removed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(run(&url, &drop_it)))
        })
        .join();
        if !matches!(removed, Ok(Ok(Ok(())))) {
            tracing::warn!(database, "a scratch database was not removed");
        }
    }
}

async fn run(url: &str, sql: &str) -> Result<()> {
    let done = tokio::time::timeout(Duration::from_secs(10), async {
        if is_mariadb(url) { run_on_mariadb(url, sql).await } else { run_on_postgres(url, sql).await }
    });
    done.await.unwrap_or(Err(Error::Deadline))
}

fn is_mariadb(url: &str) -> bool {
    url.starts_with("mariadb:") || url.starts_with("mysql:")
}

async fn run_on_postgres(url: &str, sql: &str) -> Result<()> {
    // With the cause, which it leaves out of its words for people.
    let lost = |e: tokio_postgres::Error| Error::lost(format!("the test server: {e:?}: {sql}"));
    let config: tokio_postgres::Config = url.parse().map_err(lost)?;
    #[allow(clippy::disallowed_methods)] // databases are made outside of any database that greenlit opens
    let (client, driver) = config.connect(NoTls).await.map_err(lost)?;
    let driver = tokio::spawn(driver);
    let done = client.batch_execute(sql).await.map_err(lost);
    drop(client);
    let _ = driver.await;
    done
}

async fn run_on_mariadb(url: &str, sql: &str) -> Result<()> {
    let lost = |e: mysql_async::Error| Error::lost(format!("the test server: {e}: {sql}"));
    let url = url.replacen("mariadb:", "mysql:", 1);
    let bare = url.split('?').next().unwrap_or_default();
    #[allow(clippy::disallowed_methods)] // as above
    let mut connection = mysql_async::Conn::from_url(bare).await.map_err(lost)?;
    connection.query_drop(sql).await.map_err(lost)?;
    connection.disconnect().await.map_err(lost)
}

/// The server's URL with another database in it.
fn with_database(server: &str, database: &str) -> String {
    let (head, query) = server.split_once('?').map_or((server, None), |(head, query)| (head, Some(query)));
    let (scheme, rest) = head.split_once("://").unwrap_or(("postgres", head));
    let authority = rest.split('/').next().unwrap_or_default();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{authority}/{database}{query}")
}

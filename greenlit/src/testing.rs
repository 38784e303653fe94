//! A database for each test, so that COMMIT and what follows it are real.
//!
//! Needs the feature `testing`.

#[cfg(feature = "tls")]
mod server;

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
    _place: Place,
}

/// Held until the database shall go.
enum Place {
    #[cfg(feature = "sqlite")]
    Folder { _folder: tempfile::TempDir },
    #[cfg(feature = "tls")]
    Server { _database: server::Database },
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive() // its URL may have a password
    }
}

impl Scratch {
    /// A SQLite file in a folder of its own.
    ///
    /// # Errors
    /// [`Error::Config`] if no temporary folder can be made.
    #[cfg(feature = "sqlite")]
    pub fn sqlite() -> Result<Scratch> {
        let folder = tempfile::tempdir().map_err(|e| Error::Config(format!("no temporary folder: {e}")))?;
        Ok(Scratch {
            url: format!("sqlite:{}", folder.path().join("scratch.db").display()),
            _place: Place::Folder { _folder: folder },
        })
    }

    /// A new database on the server that the environment variable [`POSTGRES`] names.
    ///
    /// # Errors
    /// [`Error::Config`] if the variable is not set; [`Error::Database`] if the database cannot be made.
    #[cfg(feature = "postgres")]
    pub async fn postgres() -> Result<Scratch> {
        Scratch::on_server(POSTGRES, "template template0").await
    }

    /// A new database on the server that the environment variable [`MARIADB`] names.
    ///
    /// # Errors
    /// As [`postgres`](Scratch::postgres).
    #[cfg(feature = "mariadb")]
    pub async fn mariadb() -> Result<Scratch> {
        Scratch::on_server(MARIADB, "character set utf8mb4 collate utf8mb4_nopad_bin").await
    }

    #[cfg(feature = "tls")]
    async fn on_server(variable: &str, options: &str) -> Result<Scratch> {
        let database = server::Database::create(variable, options).await?;
        Ok(Scratch { url: database.url(), _place: Place::Server { _database: database } })
    }

    /// The database's URL.
    #[must_use]
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

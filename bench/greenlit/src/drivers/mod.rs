//! The drivers without greenlit, as a careful engineer uses them for this load and no other: connections in a simple pool,
//! statements prepared once, rows decoded straight into what is asked for.

mod mariadb;
mod pool;
mod postgres;
mod sqlite;

use crate::load::{self, Database, Failure, Side};

/// Whether writes share their COMMIT is a question for SQLite alone.
pub(crate) async fn open(database: &Database, group_commit: bool) -> Result<Side, Failure> {
    Ok(match database {
        Database::Sqlite(file) => load::side(sqlite::Sqlite::open(file, group_commit)?),
        Database::Postgres(url) => load::side(postgres::Postgres::open(url).await?),
        Database::MariaDb(url) => load::side(mariadb::MariaDb::open(url).await?),
    })
}

//! The drivers without greenlit, as a careful engineer uses them for this load and no other: connections in a simple pool,
//! statements prepared once, rows decoded straight into what is asked for.

mod mariadb;
mod pool;
mod postgres;
mod sqlite;

use crate::load::{Client, Database, Failure, Feed, Post, Written};

pub(crate) enum Drivers {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
    MariaDb(mariadb::MariaDb),
}

impl Drivers {
    /// Whether writes share their COMMIT is a question for SQLite alone.
    pub(crate) async fn open(database: &Database, group_commit: bool) -> Result<Drivers, Failure> {
        Ok(match database {
            Database::Sqlite(file) => Drivers::Sqlite(sqlite::Sqlite::open(file, group_commit)?),
            Database::Postgres(url) => Drivers::Postgres(postgres::Postgres::open(url).await?),
            Database::MariaDb(url) => Drivers::MariaDb(mariadb::MariaDb::open(url).await?),
        })
    }
}

macro_rules! each {
    ($self:expr, $driver:ident => $call:expr) => {
        match $self {
            Drivers::Sqlite($driver) => $call.await,
            Drivers::Postgres($driver) => $call.await,
            Drivers::MariaDb($driver) => $call.await,
        }
    };
}

impl Client for Drivers {
    async fn feeds(&self, id: i64) -> Result<Vec<Feed>, Failure> {
        each!(self, driver => driver.feeds(id))
    }

    async fn list(&self, from: i64) -> Result<Vec<Feed>, Failure> {
        each!(self, driver => driver.list(from))
    }

    async fn write(&self, post: Post) -> Result<Written, Failure> {
        each!(self, driver => driver.write(post))
    }

    async fn number(&self, sql: &'static str) -> Result<i64, Failure> {
        each!(self, driver => driver.number(sql))
    }
}

//! sqlx under the load of `../../load`. As the side "sqlx, no ping" its pools do not ask a connection whether it is alive
//! before they lend it, which they do by default and greenlit does not.

#[path = "../../load/mod.rs"]
mod load;

use std::{path::Path, time::Duration};

use load::{Client, Database, Failure, Feed, Post, Statements, Written};
use sqlx::{
    MySql, Pool, Postgres, Sqlite,
    pool::PoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

const QUESTION_MARKS: Statements = load::statements!(["?", "?", "?", "?"], " returning id");
const DOLLARS: Statements = load::statements!(["$1", "$2", "$3", "$4"], " returning id");

fn main() -> Result<(), Failure> {
    load::main(std::env::args().skip(1), async |side, database| {
        let ping = side != "sqlx, no ping";
        Ok(match database {
            Database::Sqlite(file) => load::side(sqlite(file, ping).await?),
            Database::Postgres(url) => load::side(postgres(url, ping).await?),
            Database::MariaDb(url) => load::side(mariadb(url, ping).await?),
        })
    })
}

/// One pool that writes, of one connection, and one that reads.
async fn sqlite(file: &Path, ping: bool) -> Result<Pools<Sqlite>, Failure> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5));
    let pool = |connections| PoolOptions::new().max_connections(connections).test_before_acquire(ping);
    let write = pool(1).connect_with(options.clone().create_if_missing(true)).await?;
    sqlx::raw_sql(load::SQLITE_SCHEMA).execute(&write).await?;
    let read = pool(load::CONNECTIONS as u32).connect_with(options.read_only(true)).await?;
    Ok(Pools { read, write, begin: "BEGIN IMMEDIATE" })
}

async fn postgres(url: &str, ping: bool) -> Result<Pools<Postgres>, Failure> {
    let pool = PoolOptions::new().max_connections(load::CONNECTIONS as u32).test_before_acquire(ping);
    let pool = pool.connect(url).await?;
    sqlx::raw_sql(load::POSTGRES_SCHEMA).execute(&pool).await?;
    Ok(Pools { read: pool.clone(), write: pool, begin: "BEGIN" })
}

async fn mariadb(url: &str, ping: bool) -> Result<Pools<MySql>, Failure> {
    let pool = PoolOptions::new().max_connections(load::CONNECTIONS as u32).test_before_acquire(ping);
    let pool = pool.connect(url).await?;
    sqlx::raw_sql(load::MARIADB_SCHEMA).execute(&pool).await?;
    Ok(Pools { read: pool.clone(), write: pool, begin: "BEGIN" })
}

struct Pools<D: sqlx::Database> {
    read: Pool<D>,
    write: Pool<D>,
    begin: &'static str,
}

/// The same calls for all databases: written once as text, since their generic form would be bounds for the most part.
macro_rules! client {
    ($database:ty, $sql:expr) => {
        impl Client for Pools<$database> {
            async fn feeds(&self, id: i64) -> Result<Vec<Feed>, Failure> {
                Ok(sqlx::query_as($sql.feed).bind(id).fetch_all(&self.read).await?)
            }

            async fn list(&self, from: i64) -> Result<Vec<Feed>, Failure> {
                Ok(sqlx::query_as($sql.list).bind(from).fetch_all(&self.read).await?)
            }

            async fn write(&self, post: Post) -> Result<Written, Failure> {
                let mut tx = self.write.begin_with(self.begin).await?;
                let author = sqlx::query_as($sql.author).bind(post.author).fetch_one(&mut *tx).await?;
                let feed = sqlx::query_scalar($sql.insert_feed).bind(post.author).bind(post.title);
                let feed = feed.bind(post.content).bind(post.created).fetch_one(&mut *tx).await?;
                let counted = sqlx::query($sql.count).bind(post.author).execute(&mut *tx).await?.rows_affected();
                let job = sqlx::query($sql.insert_job).bind(post.topic).bind(post.payload).bind(post.created);
                let jobs = job.execute(&mut *tx).await?.rows_affected();
                tx.commit().await?;
                Ok(Written { author, feed, counted, jobs })
            }

            async fn number(&self, sql: &'static str) -> Result<i64, Failure> {
                Ok(sqlx::query_scalar(sql).fetch_one(&self.read).await?)
            }
        }
    };
}

client!(Sqlite, QUESTION_MARKS);
client!(Postgres, DOLLARS);
client!(MySql, QUESTION_MARKS);

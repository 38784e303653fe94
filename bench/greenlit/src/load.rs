//! greenlit and the bare drivers under the load of `../../load`, in one process: both stand on the same versions of the
//! drivers, so that one lock file holds them.

#[path = "../../load/mod.rs"]
mod load;

mod drivers;

use greenlit::{Config, Db, Migration, Opts, Reader, args};
use load::{Client, Database, Failure, Feed, Post, Side, Statements, Written};

const SQL: Statements = load::statements!(["?", "?", "?", "?"], ""); // Tx::insert asks for the id

fn main() -> Result<(), Failure> {
    load::main(async |side, database| match side {
        "greenlit" => greenlit(database).await,
        "drivers" => drivers::open(database, false).await,
        "drivers, group commit" => drivers::open(database, true).await,
        _ => Err(format!("{side}: neither greenlit nor drivers").into()),
    })
}

/// With its default settings.
async fn greenlit(database: &Database) -> Result<Side, Failure> {
    let (url, sql) = match database {
        Database::Sqlite(file) => (format!("sqlite:{}", file.display()), load::SQLITE_SCHEMA),
        Database::Postgres(url) => (url.clone(), load::POSTGRES_SCHEMA),
        Database::MariaDb(url) => (url.clone(), load::MARIADB_SCHEMA),
    };
    let mut config = Config::default();
    config.connections = load::CONNECTIONS;
    let db = Db::open_with(&url, &config).await?;
    db.migrate(&[Migration { version: 1, name: "feeds", sql }]).await?;
    Ok(load::side(Greenlit { db }))
}

struct Greenlit {
    db: Db,
}

impl Client for Greenlit {
    async fn feeds(&self, id: i64) -> Result<Vec<Feed>, Failure> {
        Ok(self.db.fetch(SQL.feed, args![id]).await?)
    }

    async fn list(&self, from: i64) -> Result<Vec<Feed>, Failure> {
        Ok(self.db.fetch(SQL.list, args![from]).await?)
    }

    async fn write(&self, post: Post) -> Result<Written, Failure> {
        let written = self.db.tx(Opts::default(), async move |tx| {
            let author = tx.fetch_one(SQL.author, args![post.author]).await?;
            let feed = args![post.author, post.title, post.content, post.created];
            let feed = tx.insert(SQL.insert_feed, feed).await?;
            let counted = tx.exec(SQL.count, args![post.author]).await?;
            let jobs = tx.exec(SQL.insert_job, args![post.topic, post.payload, post.created]).await?;
            Ok::<_, greenlit::Error>(Written { author, feed, counted, jobs })
        });
        Ok(written.await?)
    }

    async fn number(&self, sql: &'static str) -> Result<i64, Failure> {
        let (number,) = self.db.fetch_one(sql, args![]).await?;
        Ok(number)
    }
}

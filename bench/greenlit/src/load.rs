//! greenlit and the bare drivers under the load of `../../load`, in one process: both stand on the same versions of the
//! drivers, so that one lock file holds them.

#[path = "../../load/mod.rs"]
mod load;

mod drivers;
mod http;

use std::env;

use drivers::Drivers;
use greenlit::{Config, Db, Migration, Opts, Reader, args};
use load::{Client, Database, Failure, Feed, Post, Statements, Written};

const SQL: Statements = load::statements!(["?", "?", "?", "?"], ""); // Tx::insert asks for the id

/// `SLICES SIDE=URL...` as `load::main` has it; with `requests` before them, each side behind a service of its own, which is
/// what `serve SIDE URL` is.
fn main() -> Result<(), Failure> {
    let mut args = env::args().skip(1).peekable();
    match args.peek().map(String::as_str) {
        Some("serve") => {
            let (side, url) = args.nth(1).zip(args.next()).ok_or("give SIDE URL")?;
            load::runtime()?.block_on(async {
                let database = Database::of(&url)?;
                if side == "greenlit" {
                    return http::serve(Greenlit::open(&database).await?).await;
                }
                http::serve(drivers(&side, &database).await?).await
            })
        }
        Some("requests") => load::main(args.skip(1), async |side, database| {
            Ok(load::side(http::Http::start(side, &database.url()).await?))
        }),
        _ => load::main(args, async |side, database| match side {
            "greenlit" => Ok(load::side(Greenlit::open(database).await?)),
            _ => Ok(load::side(drivers(side, database).await?)),
        }),
    }
}

async fn drivers(side: &str, database: &Database) -> Result<Drivers, Failure> {
    match side {
        "drivers" => Drivers::open(database, false).await,
        "drivers, group commit" => Drivers::open(database, true).await,
        _ => Err(format!("{side}: neither greenlit nor drivers").into()),
    }
}

struct Greenlit {
    db: Db,
}

impl Greenlit {
    /// With its default settings.
    async fn open(database: &Database) -> Result<Greenlit, Failure> {
        let sql = match database {
            Database::Sqlite(_) => load::SQLITE_SCHEMA,
            Database::Postgres(_) => load::POSTGRES_SCHEMA,
            Database::MariaDb(_) => load::MARIADB_SCHEMA,
        };
        let mut config = Config::default();
        config.connections = load::CONNECTIONS;
        let db = Db::open_with(&database.url(), &config).await?;
        db.migrate(&[Migration { version: 1, name: "feeds", sql }]).await?;
        Ok(Greenlit { db })
    }
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

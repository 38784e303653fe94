//! tokio-postgres, each connection with its statements.

use tokio_postgres::{NoTls, Row, Statement};

use super::pool::Pool;
use crate::load::{CONNECTIONS, Client, Failure, Feed, POSTGRES_SCHEMA, Post, Statements, Written, statements};

const SQL: Statements = statements!(["$1", "$2", "$3", "$4"], " returning id");

type Result<T> = std::result::Result<T, Failure>;

pub(crate) struct Postgres {
    pool: Pool<Connection>,
}

struct Connection {
    client: tokio_postgres::Client,
    feed: Statement,
    list: Statement,
    author: Statement,
    insert_feed: Statement,
    count: Statement,
    insert_job: Statement,
}

impl Postgres {
    pub(crate) async fn open(url: &str) -> Result<Postgres> {
        connect(url).await?.batch_execute(POSTGRES_SCHEMA).await?;
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let client = connect(url).await?;
            connections.push(Connection {
                feed: client.prepare(SQL.feed).await?,
                list: client.prepare(SQL.list).await?,
                author: client.prepare(SQL.author).await?,
                insert_feed: client.prepare(SQL.insert_feed).await?,
                count: client.prepare(SQL.count).await?,
                insert_job: client.prepare(SQL.insert_job).await?,
                client,
            });
        }
        Ok(Postgres { pool: Pool::of(connections) })
    }
}

async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl Client for Postgres {
    async fn feeds(&self, id: i64) -> Result<Vec<Feed>> {
        let c = self.pool.get().await;
        c.client.query(&c.feed, &[&id]).await?.iter().map(feed).collect()
    }

    async fn list(&self, from: i64) -> Result<Vec<Feed>> {
        let c = self.pool.get().await;
        c.client.query(&c.list, &[&from]).await?.iter().map(feed).collect()
    }

    async fn write(&self, post: Post) -> Result<Written> {
        let mut c = self.pool.get().await;
        let Connection { client, author, insert_feed, count, insert_job, .. } = &mut *c;
        let tx = client.transaction().await?;
        let author = tx.query_one(author, &[&post.author]).await?;
        let author = (author.try_get(0)?, author.try_get(1)?);
        let feed = tx.query_one(insert_feed, &[&post.author, &post.title, &post.content, &post.created]).await?;
        let feed = feed.try_get(0)?;
        let counted = tx.execute(count, &[&post.author]).await?;
        let jobs = tx.execute(insert_job, &[&post.topic, &post.payload, &post.created]).await?;
        tx.commit().await?;
        Ok(Written { author, feed, counted, jobs })
    }

    async fn number(&self, sql: &'static str) -> Result<i64> {
        Ok(self.pool.get().await.client.query_one(sql, &[]).await?.try_get(0)?)
    }
}

fn feed(row: &Row) -> Result<Feed> {
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?))
}

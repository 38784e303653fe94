//! mysql_async, each connection with its statements.

use mysql_async::{Conn, Opts, Statement, TxOpts, prelude::Queryable};

use super::pool::Pool;
use crate::load::{CONNECTIONS, Client, Failure, Feed, MARIADB_SCHEMA, Post, Statements, Written, statements};

const SQL: Statements = statements!(["?", "?", "?", "?"], ""); // the OK packet tells the id

type Result<T> = std::result::Result<T, Failure>;

pub(crate) struct MariaDb {
    pool: Pool<Connection>,
}

struct Connection {
    conn: Conn,
    feed: Statement,
    list: Statement,
    author: Statement,
    insert_feed: Statement,
    count: Statement,
    insert_job: Statement,
}

impl MariaDb {
    pub(crate) async fn open(url: &str) -> Result<MariaDb> {
        let opts = Opts::from_url(&url.replace("ssl-mode=disabled", "prefer_socket=false"))?;
        let mut conn = Conn::new(opts.clone()).await?;
        for statement in MARIADB_SCHEMA.split(';') {
            conn.query_drop(statement).await?;
        }
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut conn = Conn::new(opts.clone()).await?;
            conn.query_drop("set session transaction isolation level read committed").await?;
            connections.push(Connection {
                feed: conn.prep(SQL.feed).await?,
                list: conn.prep(SQL.list).await?,
                author: conn.prep(SQL.author).await?,
                insert_feed: conn.prep(SQL.insert_feed).await?,
                count: conn.prep(SQL.count).await?,
                insert_job: conn.prep(SQL.insert_job).await?,
                conn,
            });
        }
        Ok(MariaDb { pool: Pool::of(connections) })
    }
}

impl Client for MariaDb {
    async fn feeds(&self, id: i64) -> Result<Vec<Feed>> {
        let Connection { conn, feed, .. } = &mut *self.pool.get().await;
        Ok(conn.exec(&*feed, (id,)).await?)
    }

    async fn list(&self, from: i64) -> Result<Vec<Feed>> {
        let Connection { conn, list, .. } = &mut *self.pool.get().await;
        Ok(conn.exec(&*list, (from,)).await?)
    }

    async fn write(&self, post: Post) -> Result<Written> {
        let Connection { conn, author, insert_feed, count, insert_job, .. } = &mut *self.pool.get().await;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        let author = tx.exec_first(&*author, (post.author,)).await?.ok_or("no author")?;
        tx.exec_drop(&*insert_feed, (post.author, post.title, post.content, post.created)).await?;
        let feed = i64::try_from(tx.last_insert_id().ok_or("no id")?)?;
        tx.exec_drop(&*count, (post.author,)).await?;
        let counted = tx.affected_rows();
        tx.exec_drop(&*insert_job, (post.topic, post.payload, post.created)).await?;
        let jobs = tx.affected_rows();
        tx.commit().await?;
        Ok(Written { author, feed, counted, jobs })
    }

    async fn number(&self, sql: &'static str) -> Result<i64> {
        Ok(self.pool.get().await.conn.query_first(sql).await?.ok_or("no row")?)
    }
}

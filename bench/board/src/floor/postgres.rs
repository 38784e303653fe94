//! tokio-postgres, each connection with its statements.

use futures_util::future::{try_join, try_join3};
use tokio_postgres::{NoTls, Row, Statement, types::ToSql};

use super::{
    FeedRow, ImageRow, feed, join,
    peer::{CONNECTIONS, Comment, Data, Feed, Result, Start, Time, User, sql},
    pool::Pool,
};

const SNAPSHOT: &str = "begin isolation level repeatable read read only";

pub struct Postgres {
    pool: Pool<Connection>,
}

struct Connection {
    client: tokio_postgres::Client,
    user: Statement,
    read: Statement,
    list: Statement,
    list_after: Statement,
    total_and_images: Statement,
    images: Statement,
    comments: Statement,
    timeline: Statement,
    count_feed: Statement,
    insert_feed: Statement,
    add_to_total: Statement,
    count_comment: Statement,
    count_by_author: Statement,
    insert_comment: Statement,
    insert_job: Statement,
    lock_feed: Statement,
    likes_of: Statement,
    insert_like: Statement,
    delete_like: Statement,
    count_likes: Statement,
}

impl Postgres {
    pub async fn open(url: &str) -> Result<Postgres> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(url).await?);
        }
        Ok(Postgres { pool: Pool::of(connections) })
    }
}

impl Connection {
    async fn open(url: &str) -> Result<Connection> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        let prepare = async |sql: &str| client.prepare(&sql::numbered(sql)).await;
        let any = |sql: &str| sql.replace("in (?*)", "= any(?)");
        let returning = |sql: &str| format!("{sql} returning id");
        Ok(Connection {
            user: prepare(sql::USER).await?,
            read: prepare(sql::READ).await?,
            list: prepare(sql::LIST).await?,
            list_after: prepare(sql::LIST_AFTER).await?,
            total_and_images: prepare(&any(sql::TOTAL_AND_IMAGES)).await?,
            images: prepare(&any(sql::IMAGES)).await?,
            comments: prepare(sql::COMMENTS).await?,
            timeline: prepare(sql::TIMELINE).await?,
            count_feed: prepare(sql::COUNT_FEED).await?,
            insert_feed: prepare(&returning(sql::INSERT_FEED)).await?,
            add_to_total: prepare(sql::ADD_TO_TOTAL).await?,
            count_comment: prepare(sql::COUNT_COMMENT).await?,
            count_by_author: prepare(sql::COUNT_BY_AUTHOR).await?,
            insert_comment: prepare(&returning(sql::INSERT_COMMENT)).await?,
            insert_job: prepare(sql::INSERT_JOB_POSTGRES).await?,
            lock_feed: prepare(sql::LOCK_FEED).await?,
            likes_of: prepare(sql::LIKES_OF).await?,
            insert_like: prepare(sql::INSERT_LIKE).await?,
            delete_like: prepare(sql::DELETE_LIKE).await?,
            count_likes: prepare("update feeds set like_count = like_count + cast(? as bigint) where id = ?").await?,
            client,
        })
    }
}

impl Data for Postgres {
    async fn user(&self, id: i64, login: i64) -> Result<Option<User>> {
        let c = self.pool.get().await;
        let row = c.client.query_opt(&c.user, &[&id, &login]).await?;
        let user = |row: Row| {
            Ok(User { id: row.try_get(0)?, email: row.try_get(1)?, nickname: row.try_get(2)?, epoch: row.try_get(3)? })
        };
        row.map(user).transpose()
    }

    async fn read(&self, id: i64) -> Result<Option<Feed>> {
        let c = self.pool.get().await;
        let rows = c.client.query(&c.read, &[&0i64, &id]).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let mut found = [feed(feed_row(first)?)];
        for row in &rows {
            join(&mut found, image_row(row, 11)?);
        }
        Ok(found.into_iter().next())
    }

    async fn list(&self, start: Start, limit: i64) -> Result<(Vec<Feed>, i64)> {
        let c = self.pool.get().await;
        let begin = c.client.batch_execute(SNAPSHOT);
        let rows = match start {
            Start::Skip(skip) => try_join(begin, c.client.query(&c.list, &[&0i64, &limit, &skip])).await?.1,
            Start::After(time, id) => {
                try_join(begin, c.client.query(&c.list_after, &[&0i64, &time, &time, &id, &limit])).await?.1
            }
        };
        let mut feeds = feeds(&rows)?;
        let ids: Vec<i64> = feeds.iter().map(|feed| feed.id).collect();
        let commit = c.client.batch_execute("commit");
        let (rows, ()) = try_join(c.client.query(&c.total_and_images, &[&ids]), commit).await?;
        for row in &rows {
            join(&mut feeds, image_row(row, 1)?);
        }
        let total: i32 = rows[0].try_get(0)?;
        Ok((feeds, total.into()))
    }

    async fn comments(&self, feed: i64, limit: i64) -> Result<Vec<Comment>> {
        let c = self.pool.get().await;
        let top = &sql::FROM_TOP;
        let rows = c.client.query(&c.comments, &[&0i64, &feed, top, top, top, &limit, &0i64]).await?;
        rows.iter().map(comment).collect()
    }

    async fn timeline(&self, user: i64, limit: i64) -> Result<Vec<Feed>> {
        let c = self.pool.get().await;
        let top = &sql::FROM_TOP;
        let begin = c.client.batch_execute(SNAPSHOT);
        let offset = limit - 1;
        let args: [&(dyn ToSql + Sync); 8] = [&user, top, &user, &limit, top, top, &offset, &limit];
        let ((), rows) = try_join(begin, c.client.query(&c.timeline, &args)).await?;
        let mut feeds = feeds(&rows)?;
        let ids: Vec<i64> = feeds.iter().map(|feed| feed.id).collect();
        let commit = c.client.batch_execute("commit");
        let (rows, ()) = try_join(c.client.query(&c.images, &[&ids]), commit).await?;
        for row in &rows {
            join(&mut feeds, image_row(row, 0)?);
        }
        Ok(feeds)
    }

    async fn create(&self, user: i64, title: &str, content: &str, now: i64) -> Result<i64> {
        let mut c = self.pool.get().await;
        let Connection { client, count_feed, insert_feed, add_to_total, .. } = &mut *c;
        let tx = client.transaction().await?;
        let feed: [&(dyn ToSql + Sync); 5] = [&user, &title, &content, &now, &now];
        let (_, row, _) = try_join3(
            tx.execute(count_feed, &[&user]),
            tx.query_one(insert_feed, &feed),
            tx.execute(add_to_total, &[]),
        )
        .await?;
        tx.commit().await?;
        Ok(row.try_get(0)?)
    }

    async fn comment(&self, user: i64, feed: i64, content: &str, now: i64) -> Result<Option<i64>> {
        let mut c = self.pool.get().await;
        let Connection { client, count_comment, count_by_author, insert_comment, insert_job, .. } = &mut *c;
        let tx = client.transaction().await?;
        if tx.execute(count_comment, &[&feed]).await? == 0 {
            return Ok(None);
        }
        let comment: [&(dyn ToSql + Sync); 5] = [&feed, &user, &content, &now, &now];
        let (_, row) =
            try_join(tx.execute(count_by_author, &[&user]), tx.query_one(insert_comment, &comment)).await?;
        let id: i64 = row.try_get(0)?;
        tx.execute(insert_job, &[&format!("{{\"id\":{id}}}")]).await?;
        tx.commit().await?;
        Ok(Some(id))
    }

    async fn like(&self, user: i64, feed: i64, now: i64) -> Result<bool> {
        let mut c = self.pool.get().await;
        let Connection { client, lock_feed, likes_of, insert_like, delete_like, insert_job, count_likes, .. } = &mut *c;
        let tx = client.transaction().await?;
        if tx.execute(lock_feed, &[&feed]).await? == 0 {
            return Ok(false);
        }
        let liked: bool = tx.query_one(likes_of, &[&user, &feed]).await?.try_get(1)?;
        if liked {
            try_join(tx.execute(delete_like, &[&feed, &user]), tx.execute(count_likes, &[&-1i64, &feed])).await?;
        } else {
            let payload = format!("{{\"feed\":{feed},\"user\":{user}}}");
            try_join3(
                tx.execute(insert_like, &[&feed, &user, &now]),
                tx.execute(insert_job, &[&payload]),
                tx.execute(count_likes, &[&1i64, &feed]),
            )
            .await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

fn feeds(rows: &[Row]) -> Result<Vec<Feed>> {
    rows.iter().map(|row| feed_row(row).map(feed)).collect()
}

fn feed_row(row: &Row) -> Result<FeedRow> {
    let get = |at| row.try_get::<_, i64>(at);
    let text = |at| row.try_get::<_, String>(at);
    Ok((get(0)?, text(1)?, text(2)?, get(3)?, text(4)?, text(5)?, get(6)?, get(7)?, get(8)?, get(9)?, row.try_get(10)?))
}

/// The image of a row, from this column on, if it has one.
fn image_row(row: &Row, at: usize) -> Result<Option<ImageRow>> {
    let Some(feed) = row.try_get(at)? else { return Ok(None) };
    let get = |at| row.try_get::<_, i64>(at);
    let (key, extension) = (row.try_get(at + 1)?, row.try_get(at + 2)?);
    Ok(Some((feed, key, extension, get(at + 3)?, get(at + 4)?, get(at + 5)?, row.try_get(at + 6)?)))
}

fn comment(row: &Row) -> Result<Comment> {
    Ok(Comment {
        id: row.try_get(0)?,
        feed_id: row.try_get(1)?,
        content: row.try_get(2)?,
        author_id: row.try_get(3)?,
        author_email: None,
        author_nickname: row.try_get(5)?,
        create_dt: Time(row.try_get(6)?),
        update_dt: Time(row.try_get(7)?),
        like_count: row.try_get(8)?,
        liked: row.try_get(9)?,
    })
}

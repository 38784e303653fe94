//! mysql_async, each connection with its statements.

use mysql_async::{Conn, Opts, Row, Statement, TxOpts, prelude::Queryable};

use super::{
    FeedRow, ImageRow, feed, join,
    peer::{CONNECTIONS, Comment, Data, Feed, Result, Start, Time, User, sql},
    pool::Pool,
};

/// Feeds whose images one statement asks for; the last is repeated on a shorter page.
const PAGE: usize = 11;
/// In one packet, as the board sends it. Under READ COMMITTED, which is that of writes, the snapshot would be each statement's own.
const SNAPSHOT: &str = "set transaction isolation level repeatable read; start transaction with consistent snapshot, read only";

pub struct MariaDb {
    pool: Pool<Connection>,
}

struct Connection {
    conn: Conn,
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

impl MariaDb {
    pub async fn open(url: &str) -> Result<MariaDb> {
        let opts = Opts::from_url(&url.replace("ssl-mode=disabled", "prefer_socket=false"))?;
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(opts.clone()).await?);
        }
        Ok(MariaDb { pool: Pool::of(connections) })
    }
}

impl Connection {
    async fn open(opts: Opts) -> Result<Connection> {
        let mut conn = Conn::new(opts).await?;
        conn.query_drop("set session transaction isolation level read committed").await?;
        Ok(Connection {
            user: conn.prep(sql::USER).await?,
            read: conn.prep(sql::READ).await?,
            list: conn.prep(sql::LIST).await?,
            list_after: conn.prep(sql::LIST_AFTER).await?,
            total_and_images: conn.prep(sql::listed(sql::TOTAL_AND_IMAGES, PAGE)).await?,
            images: conn.prep(sql::listed(sql::IMAGES, PAGE)).await?,
            comments: conn.prep(sql::COMMENTS).await?,
            timeline: conn.prep(sql::TIMELINE).await?,
            count_feed: conn.prep(sql::COUNT_FEED).await?,
            insert_feed: conn.prep(sql::INSERT_FEED).await?,
            add_to_total: conn.prep(sql::ADD_TO_TOTAL).await?,
            count_comment: conn.prep(sql::COUNT_COMMENT).await?,
            count_by_author: conn.prep(sql::COUNT_BY_AUTHOR).await?,
            insert_comment: conn.prep(sql::INSERT_COMMENT).await?,
            insert_job: conn.prep(sql::INSERT_JOB_MARIADB).await?,
            lock_feed: conn.prep(sql::LOCK_FEED).await?,
            likes_of: conn.prep(sql::LIKES_OF).await?,
            insert_like: conn.prep(sql::INSERT_LIKE).await?,
            delete_like: conn.prep(sql::DELETE_LIKE).await?,
            count_likes: conn.prep(sql::COUNT_LIKES).await?,
            conn,
        })
    }
}

impl Data for MariaDb {
    async fn user(&self, id: i64, login: i64) -> Result<Option<User>> {
        let Connection { conn, user, .. } = &mut *self.pool.get().await;
        let row: Option<(i64, String, String, i64, bool, i64)> = conn.exec_first(&*user, (id, login)).await?;
        Ok(row.map(|(id, email, nickname, epoch, _, _)| User { id, email, nickname, epoch }))
    }

    async fn read(&self, id: i64) -> Result<Option<Feed>> {
        let Connection { conn, read, .. } = &mut *self.pool.get().await;
        let mut rows: Vec<Row> = conn.exec(&*read, (0, id)).await?;
        let Some(first) = rows.first_mut() else { return Ok(None) };
        let mut found = [feed(feed_row(first)?)];
        for row in &mut rows {
            join(&mut found, image_row(row, 11)?);
        }
        Ok(found.into_iter().next())
    }

    async fn list(&self, start: Start, limit: i64) -> Result<(Vec<Feed>, i64)> {
        let Connection { conn, list, list_after, total_and_images, .. } = &mut *self.pool.get().await;
        conn.query_drop(SNAPSHOT).await?;
        let mut rows: Vec<Row> = match start {
            Start::Skip(skip) => conn.exec(&*list, (0, limit, skip)).await?,
            Start::After(time, id) => conn.exec(&*list_after, (0, time, time, id, limit)).await?,
        };
        let mut feeds = feeds(&mut rows)?;
        let mut rows: Vec<Row> = conn.exec(&*total_and_images, page_of(&feeds)).await?;
        conn.query_drop("commit").await?;
        for row in &mut rows {
            join(&mut feeds, image_row(row, 1)?);
        }
        let total = take(&mut rows[0], 0)?;
        Ok((feeds, total))
    }

    async fn comments(&self, feed: i64, limit: i64) -> Result<Vec<Comment>> {
        let Connection { conn, comments, .. } = &mut *self.pool.get().await;
        let top = sql::FROM_TOP;
        let mut rows: Vec<Row> = conn.exec(&*comments, (0, feed, top, top, top, limit, 0)).await?;
        rows.iter_mut().map(comment).collect()
    }

    async fn timeline(&self, user: i64, limit: i64) -> Result<Vec<Feed>> {
        let Connection { conn, timeline, images, .. } = &mut *self.pool.get().await;
        let top = sql::FROM_TOP;
        conn.query_drop(SNAPSHOT).await?;
        let mut rows: Vec<Row> =
            conn.exec(&*timeline, (user, top, user, limit, top, top, limit - 1, limit)).await?;
        let mut feeds = feeds(&mut rows)?;
        let mut rows: Vec<Row> = conn.exec(&*images, page_of(&feeds)).await?;
        conn.query_drop("commit").await?;
        for row in &mut rows {
            join(&mut feeds, image_row(row, 0)?);
        }
        Ok(feeds)
    }

    async fn create(&self, user: i64, title: &str, content: &str, now: i64) -> Result<i64> {
        let Connection { conn, count_feed, insert_feed, add_to_total, .. } = &mut *self.pool.get().await;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        tx.exec_drop(&*count_feed, (user,)).await?;
        tx.exec_drop(&*insert_feed, (user, title, content, now, now)).await?;
        let id = i64::try_from(tx.last_insert_id().ok_or("no id")?)?;
        tx.exec_drop(&*add_to_total, ()).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn comment(&self, user: i64, feed: i64, content: &str, now: i64) -> Result<Option<i64>> {
        let Connection { conn, count_comment, count_by_author, insert_comment, insert_job, .. } =
            &mut *self.pool.get().await;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        tx.exec_drop(&*count_comment, (feed,)).await?;
        if tx.affected_rows() == 0 {
            tx.rollback().await?;
            return Ok(None);
        }
        tx.exec_drop(&*count_by_author, (user,)).await?;
        tx.exec_drop(&*insert_comment, (feed, user, content, now, now)).await?;
        let id = i64::try_from(tx.last_insert_id().ok_or("no id")?)?;
        tx.exec_drop(&*insert_job, (format!("{{\"id\":{id}}}"),)).await?;
        tx.commit().await?;
        Ok(Some(id))
    }

    async fn like(&self, user: i64, feed: i64, now: i64) -> Result<bool> {
        let Connection { conn, lock_feed, likes_of, insert_like, delete_like, insert_job, count_likes, .. } =
            &mut *self.pool.get().await;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        // Without a change the server counts no row, so it is the next statement that tells whether there is one.
        tx.exec_drop(&*lock_feed, (feed,)).await?;
        let likes: Option<(i64, bool)> = tx.exec_first(&*likes_of, (user, feed)).await?;
        let Some((_, liked)) = likes else {
            tx.rollback().await?;
            return Ok(false);
        };
        if liked {
            tx.exec_drop(&*delete_like, (feed, user)).await?;
            tx.exec_drop(&*count_likes, (-1, feed)).await?;
        } else {
            tx.exec_drop(&*insert_like, (feed, user, now)).await?;
            tx.exec_drop(&*insert_job, (format!("{{\"feed\":{feed},\"user\":{user}}}"),)).await?;
            tx.exec_drop(&*count_likes, (1, feed)).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

fn page_of(feeds: &[Feed]) -> Vec<i64> {
    let last = feeds.last().map_or(0, |feed| feed.id);
    let ids = feeds.iter().map(|feed| feed.id);
    ids.chain(std::iter::repeat(last)).take(PAGE).collect()
}

fn take<T: mysql_async::prelude::FromValue>(row: &mut Row, at: usize) -> Result<T> {
    row.take_opt(at).ok_or("a column is missing")?.map_err(Into::into)
}

fn feeds(rows: &mut [Row]) -> Result<Vec<Feed>> {
    rows.iter_mut().map(|row| feed_row(row).map(feed)).collect()
}

fn feed_row(row: &mut Row) -> Result<FeedRow> {
    Ok((
        take(row, 0)?,
        take(row, 1)?,
        take(row, 2)?,
        take(row, 3)?,
        take(row, 4)?,
        take(row, 5)?,
        take(row, 6)?,
        take(row, 7)?,
        take(row, 8)?,
        take(row, 9)?,
        take(row, 10)?,
    ))
}

/// The image of a row, from this column on, if it has one.
fn image_row(row: &mut Row, at: usize) -> Result<Option<ImageRow>> {
    let Some(feed) = take(row, at)? else { return Ok(None) };
    let (key, extension) = (take(row, at + 1)?, take(row, at + 2)?);
    let thumb_width = take(row, at + 6)?;
    Ok(Some((feed, key, extension, take(row, at + 3)?, take(row, at + 4)?, take(row, at + 5)?, thumb_width)))
}

fn comment(row: &mut Row) -> Result<Comment> {
    Ok(Comment {
        id: take(row, 0)?,
        feed_id: take(row, 1)?,
        content: take(row, 2)?,
        author_id: take(row, 3)?,
        author_email: None,
        author_nickname: take(row, 5)?,
        create_dt: Time(take(row, 6)?),
        update_dt: Time(take(row, 7)?),
        like_count: take(row, 8)?,
        liked: take(row, 9)?,
    })
}

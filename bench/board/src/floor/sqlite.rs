//! rusqlite: reads run where they are asked for, on a worker of the runtime, which is the least they can cost; writes are
//! sent to a thread that has the one connection that writes, and commits each on its own: one fsync for each.

use std::{path::Path, sync::mpsc, thread};

use rusqlite::{Connection, OptionalExtension, Row, config::DbConfig, params, params_from_iter};
use tokio::sync::oneshot;

use super::{
    FeedRow, ImageRow, feed, join,
    peer::{CONNECTIONS, Comment, Data, Failure, Feed, Result, Start, Time, User, sql},
    pool::Pool,
};

/// Feeds whose images one statement asks for; the last is repeated on a shorter page.
const PAGE: usize = 11;

type Work = Box<dyn FnOnce(&Connection) + Send>;

pub struct Sqlite {
    readers: Pool<Connection>,
    writer: mpsc::Sender<Work>,
    total_and_images: String,
    images: String,
}

impl Sqlite {
    pub fn open(file: &Path) -> Result<Sqlite> {
        let writer = open(file)?;
        writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
        let reader = |_| {
            let reader = open(file)?;
            reader.execute_batch("PRAGMA query_only = ON")?;
            Ok(reader)
        };
        let readers = (0..CONNECTIONS).map(reader).collect::<rusqlite::Result<_>>()?;
        let (sender, works) = mpsc::channel::<Work>();
        thread::spawn(move || works.into_iter().for_each(|work| work(&writer)));
        Ok(Sqlite {
            readers: Pool::of(readers),
            writer: sender,
            total_and_images: sql::listed(sql::TOTAL_AND_IMAGES, PAGE),
            images: sql::listed(sql::IMAGES, PAGE),
        })
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let work = move |connection: &Connection| {
            let _nobody_waits = answer.send(transaction(connection, work));
        };
        self.writer.send(Box::new(work)).map_err(|_| Failure::from("the writer ended"))?;
        Ok(answered.await??)
    }
}

/// With plans that do not depend on arguments, as the board has them, and the memory that it gives each connection.
fn open(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

fn transaction<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let result = work(connection).and_then(|done| connection.prepare_cached("COMMIT")?.execute([]).map(|_| done));
    if result.is_err() && !connection.is_autocommit() {
        connection.prepare_cached("ROLLBACK")?.execute([])?;
    }
    result
}

impl Data for Sqlite {
    async fn user(&self, id: i64, login: i64) -> Result<Option<User>> {
        let c = self.readers.get().await;
        let user = |row: &Row<'_>| {
            Ok(User { id: row.get(0)?, email: row.get(1)?, nickname: row.get(2)?, epoch: row.get(3)? })
        };
        Ok(c.prepare_cached(sql::USER)?.query_row([id, login], user).optional()?)
    }

    async fn read(&self, id: i64) -> Result<Option<Feed>> {
        let c = self.readers.get().await;
        let mut statement = c.prepare_cached(sql::READ)?;
        let mut rows = statement.query([0, id])?;
        let mut found = None;
        while let Some(row) = rows.next()? {
            if found.is_none() {
                found = Some([feed(feed_row(row)?)]);
            }
            join(found.as_mut().map_or(&mut [], |found| found), image_row(row, 11)?);
        }
        Ok(found.and_then(|found| found.into_iter().next()))
    }

    async fn list(&self, start: Start, limit: i64) -> Result<(Vec<Feed>, i64)> {
        let c = self.readers.get().await;
        c.prepare_cached("BEGIN")?.execute([])?;
        let mut feeds: Vec<Feed> = match start {
            Start::Skip(skip) => select_feeds(&c, sql::LIST, &[0, limit, skip])?,
            Start::After(time, id) => select_feeds(&c, sql::LIST_AFTER, &[0, time, time, id, limit])?,
        };
        let mut total = 0;
        let mut statement = c.prepare_cached(&self.total_and_images)?;
        let mut rows = statement.query(params_from_iter(page_of(&feeds)))?;
        while let Some(row) = rows.next()? {
            total = row.get(0)?;
            join(&mut feeds, image_row(row, 1)?);
        }
        c.prepare_cached("COMMIT")?.execute([])?;
        Ok((feeds, total))
    }

    async fn comments(&self, feed: i64, limit: i64) -> Result<Vec<Comment>> {
        let c = self.readers.get().await;
        let top = sql::FROM_TOP;
        let mut statement = c.prepare_cached(sql::COMMENTS)?;
        let comments = statement.query_map([0, feed, top, top, top, limit, 0], comment)?;
        Ok(comments.collect::<rusqlite::Result<_>>()?)
    }

    async fn timeline(&self, user: i64, limit: i64) -> Result<Vec<Feed>> {
        let c = self.readers.get().await;
        let top = sql::FROM_TOP;
        c.prepare_cached("BEGIN")?.execute([])?;
        let mut feeds =
            select_feeds(&c, sql::TIMELINE, &[user, top, user, limit, top, top, limit - 1, limit])?;
        let mut statement = c.prepare_cached(&self.images)?;
        let mut rows = statement.query(params_from_iter(page_of(&feeds)))?;
        while let Some(row) = rows.next()? {
            join(&mut feeds, image_row(row, 0)?);
        }
        c.prepare_cached("COMMIT")?.execute([])?;
        Ok(feeds)
    }

    async fn create(&self, user: i64, title: &str, content: &str, now: i64) -> Result<i64> {
        let (title, content) = (title.to_owned(), content.to_owned());
        self.write(move |c| {
            c.prepare_cached(sql::COUNT_FEED)?.execute([user])?;
            c.prepare_cached(sql::INSERT_FEED)?.execute(params![user, title, content, now, now])?;
            let id = c.last_insert_rowid();
            c.prepare_cached(sql::ADD_TO_TOTAL)?.execute([])?;
            Ok(id)
        })
        .await
    }

    async fn comment(&self, user: i64, feed: i64, content: &str, now: i64) -> Result<Option<i64>> {
        let content = content.to_owned();
        self.write(move |c| {
            if c.prepare_cached(sql::COUNT_COMMENT)?.execute([feed])? == 0 {
                return Ok(None);
            }
            c.prepare_cached(sql::COUNT_BY_AUTHOR)?.execute([user])?;
            c.prepare_cached(sql::INSERT_COMMENT)?.execute(params![feed, user, content, now, now])?;
            let id = c.last_insert_rowid();
            c.prepare_cached(sql::INSERT_JOB_SQLITE)?.execute([format!("{{\"id\":{id}}}")])?;
            Ok(Some(id))
        })
        .await
    }

    async fn like(&self, user: i64, feed: i64, now: i64) -> Result<bool> {
        self.write(move |c| {
            if c.prepare_cached(sql::LOCK_FEED)?.execute([feed])? == 0 {
                return Ok(false);
            }
            let liked = c.prepare_cached(sql::LIKES_OF)?.query_row([user, feed], |row| row.get(1))?;
            let difference = if liked {
                c.prepare_cached(sql::DELETE_LIKE)?.execute([feed, user])?;
                -1
            } else {
                c.prepare_cached(sql::INSERT_LIKE)?.execute([feed, user, now])?;
                let payload = format!("{{\"feed\":{feed},\"user\":{user}}}");
                c.prepare_cached(sql::INSERT_JOB_SQLITE)?.execute([payload])?;
                1
            };
            c.prepare_cached(sql::COUNT_LIKES)?.execute([difference, feed])?;
            Ok(true)
        })
        .await
    }
}

fn select_feeds(connection: &Connection, sql: &str, arguments: &[i64]) -> rusqlite::Result<Vec<Feed>> {
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map(params_from_iter(arguments), |row| feed_row(row).map(feed))?.collect()
}

fn page_of(feeds: &[Feed]) -> impl Iterator<Item = i64> {
    let last = feeds.last().map_or(0, |feed| feed.id);
    feeds.iter().map(|feed| feed.id).chain(std::iter::repeat(last)).take(PAGE)
}

fn feed_row(row: &Row<'_>) -> rusqlite::Result<FeedRow> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
        row.get(8)?,
        row.get(9)?,
        row.get(10)?,
    ))
}

/// The image of a row, from this column on, if it has one.
fn image_row(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<ImageRow>> {
    let Some(feed) = row.get(at)? else { return Ok(None) };
    let thumb_width = row.get(at + 6)?;
    Ok(Some((
        feed,
        row.get(at + 1)?,
        row.get(at + 2)?,
        row.get(at + 3)?,
        row.get(at + 4)?,
        row.get(at + 5)?,
        thumb_width,
    )))
}

fn comment(row: &Row<'_>) -> rusqlite::Result<Comment> {
    Ok(Comment {
        id: row.get(0)?,
        feed_id: row.get(1)?,
        content: row.get(2)?,
        author_id: row.get(3)?,
        author_email: None,
        author_nickname: row.get(5)?,
        create_dt: Time(row.get(6)?),
        update_dt: Time(row.get(7)?),
        like_count: row.get(8)?,
        liked: row.get(9)?,
    })
}

//! rusqlite: reads run where they are asked for, on a worker of the runtime, which is the least they can cost; writes are
//! sent to a thread that has the one connection that writes.

use std::{path::Path, sync::mpsc, thread};

use rusqlite::{Connection, Row, config::DbConfig, params};
use tokio::sync::oneshot;

use super::pool::Pool;
use crate::load::{CONNECTIONS, Client, Failure, Feed, Post, SQLITE_SCHEMA, Statements, Written, statements};

const SQL: Statements = statements!(["?", "?", "?", "?"], " returning id");
/// How many writes share a COMMIT at most.
const GROUP: usize = 64;

type Result<T> = std::result::Result<T, Failure>;
type Job = (Post, oneshot::Sender<rusqlite::Result<Written>>);

pub(crate) struct Sqlite {
    readers: Pool<Connection>,
    writer: mpsc::Sender<Job>,
}

impl Sqlite {
    pub(crate) fn open(file: &Path, group_commit: bool) -> Result<Sqlite> {
        let writer = open(file)?;
        writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
        writer.execute_batch(SQLITE_SCHEMA)?;
        let reader = |_| {
            let reader = open(file)?;
            reader.execute_batch("PRAGMA query_only = ON")?;
            Ok(reader)
        };
        let readers = (0..CONNECTIONS).map(reader).collect::<rusqlite::Result<_>>()?;
        let (sender, jobs) = mpsc::channel();
        thread::spawn(move || if group_commit { in_groups(&writer, &jobs) } else { one_by_one(&writer, &jobs) });
        Ok(Sqlite { readers: Pool::of(readers), writer: sender })
    }
}

/// With plans that do not depend on arguments, as greenlit has them: SQLite would plan a cached statement anew for each run.
fn open(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn one_by_one(connection: &Connection, jobs: &mpsc::Receiver<Job>) {
    for (post, answer) in jobs {
        let result = transaction(connection, || write(connection, post));
        let _nobody_waits = answer.send(result);
    }
}

/// Commits what has queued up meanwhile together, and answers after the COMMIT.
fn in_groups(connection: &Connection, jobs: &mpsc::Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut done = Vec::with_capacity(GROUP);
        let committed = transaction(connection, || {
            for (post, answer) in std::iter::once(first).chain(jobs.try_iter()).take(GROUP) {
                connection.prepare_cached("SAVEPOINT one")?.execute([])?;
                let result = write(connection, post);
                if result.is_err() {
                    connection.prepare_cached("ROLLBACK TO one")?.execute([])?;
                }
                connection.prepare_cached("RELEASE one")?.execute([])?;
                done.push((result, answer));
            }
            Ok(())
        });
        if committed.is_ok() {
            for (result, answer) in done {
                let _nobody_waits = answer.send(result);
            }
        } // else they are dropped, which is their answer
    }
}

fn transaction<T>(connection: &Connection, work: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let result = work().and_then(|done| connection.prepare_cached("COMMIT")?.execute([]).map(|_| done));
    if result.is_err() && !connection.is_autocommit() {
        connection.prepare_cached("ROLLBACK")?.execute([])?;
    }
    result
}

fn write(connection: &Connection, post: Post) -> rusqlite::Result<Written> {
    let author =
        connection.prepare_cached(SQL.author)?.query_row([post.author], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let feed = params![post.author, post.title, post.content, post.created];
    let feed = connection.prepare_cached(SQL.insert_feed)?.query_row(feed, |row| row.get(0))?;
    let counted = connection.prepare_cached(SQL.count)?.execute([post.author])? as u64;
    let job = params![post.topic, post.payload, post.created];
    let jobs = connection.prepare_cached(SQL.insert_job)?.execute(job)? as u64;
    Ok(Written { author, feed, counted, jobs })
}

impl Client for Sqlite {
    async fn feeds(&self, id: i64) -> Result<Vec<Feed>> {
        Ok(select(&*self.readers.get().await, SQL.feed, id)?)
    }

    async fn list(&self, from: i64) -> Result<Vec<Feed>> {
        Ok(select(&*self.readers.get().await, SQL.list, from)?)
    }

    async fn write(&self, post: Post) -> Result<Written> {
        let (answer, answered) = oneshot::channel();
        self.writer.send((post, answer))?;
        Ok(answered.await??)
    }

    async fn number(&self, sql: &'static str) -> Result<i64> {
        Ok(self.readers.get().await.query_row(sql, [], |row| row.get(0))?)
    }
}

fn select(connection: &Connection, sql: &str, argument: i64) -> rusqlite::Result<Vec<Feed>> {
    connection.prepare_cached(sql)?.query_map([argument], feed)?.collect()
}

fn feed(row: &Row<'_>) -> rusqlite::Result<Feed> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

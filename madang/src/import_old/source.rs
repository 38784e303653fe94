//! Reads the old board: all of it in one snapshot, in batches by key, and nothing is written.

use std::time::Duration;

use greenlit::{Db, Opts, Reader, Result, args};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{progress::Starts, schema::Schema};

/// Rows in a batch. Contents may be long, so not too many.
const BATCH: i64 = 500;
/// A snapshot lives as long as it takes to read everything.
const PATIENCE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A user of the old board. What is NULL there is `None`, here and in the others.
#[derive(Clone, Debug, greenlit::FromRow)]
pub(super) struct OldUser {
    pub(super) id: i64,
    pub(super) email: Option<String>,
    pub(super) password: Option<String>,
    pub(super) nickname: Option<String>,
    pub(super) created: Option<i64>,
}

#[derive(Clone, Debug, greenlit::FromRow)]
pub(super) struct OldFeed {
    pub(super) id: i64,
    pub(super) title: Option<String>,
    pub(super) content: Option<String>,
    pub(super) urls: Option<String>,
    pub(super) author: Option<i64>,
    /// As the row names him, who may be gone.
    pub(super) author_name: Option<String>,
    pub(super) created: Option<i64>,
    pub(super) updated: Option<i64>,
}

#[derive(Clone, Debug, greenlit::FromRow)]
pub(super) struct OldComment {
    pub(super) id: i64,
    pub(super) content: Option<String>,
    pub(super) feed: Option<i64>,
    pub(super) author: Option<i64>,
    pub(super) author_name: Option<String>,
    pub(super) created: Option<i64>,
    pub(super) updated: Option<i64>,
}

#[derive(Clone, Debug, greenlit::FromRow)]
pub(super) struct OldLike {
    pub(super) id: i64,
    pub(super) feed: Option<i64>,
    pub(super) comment: Option<i64>,
    pub(super) author: Option<i64>,
    pub(super) author_name: Option<String>,
    pub(super) created: Option<i64>,
}

#[derive(Clone, Debug, greenlit::FromRow)]
pub(super) struct OldFollow {
    pub(super) follower: i64,
    pub(super) following: i64,
    pub(super) created: Option<i64>,
    pub(super) copies: i64,
}

/// Some rows of one table, in the order of their keys.
pub(super) enum Batch {
    Users(Vec<OldUser>),
    Feeds(Vec<OldFeed>),
    Comments(Vec<OldComment>),
    Likes(Vec<OldLike>),
    Follows(Vec<OldFollow>),
}

/// Sends one table's rows behind a key, batch by batch.
macro_rules! pump {
    ($r:ident, $send:ident, $sql:expr, $batch:path, $after:expr, |$row:ident| $key:expr) => {
        let (mut after, sql) = ($after, $sql);
        loop {
            let rows = $r.fetch(&sql, args![after, BATCH]).await?;
            let batch = $batch(rows);
            let $batch(rows) = &batch else { break };
            let Some($row) = rows.last() else { break };
            after = $key;
            if $send.send(batch).await.is_err() {
                return Ok(()); // nobody wants them any more
            }
        }
    };
}

/// Reads everything behind `starts`, table after table, in a task of its own: while this session is open its task can have no
/// other.
pub(super) fn read(old: Db, schema: Schema, starts: Starts) -> (JoinHandle<Result<()>>, mpsc::Receiver<Batch>) {
    let (send, receive) = mpsc::channel(1);
    let task = tokio::spawn(async move {
        // Once only: a second snapshot would be another board. It awaits the other side too, against the custom, since it is
        // one snapshot that is read; it holds no lock that anybody waits for.
        let opts = Opts::default().within(PATIENCE).attempts(1);
        old.read(opts, async move |r| {
            pump!(r, send, schema.users(), Batch::Users, starts.users, |row| row.id);
            pump!(r, send, schema.feeds(), Batch::Feeds, starts.feeds, |row| row.id);
            pump!(r, send, schema.comments(), Batch::Comments, starts.comments, |row| row.id);
            pump!(r, send, schema.likes(), Batch::Likes, starts.likes, |row| row.id);
            let (mut after, sql) = (starts.follows, schema.follows());
            loop {
                let rows: Vec<OldFollow> = r.fetch(&sql, args![after.0, after.1, BATCH]).await?;
                let Some(last) = rows.last() else { break };
                after = (last.follower, last.following);
                if send.send(Batch::Follows(rows)).await.is_err() {
                    return Ok(()); // nobody wants them any more
                }
            }
            Ok::<(), greenlit::Error>(())
        })
        .await
    });
    (task, receive)
}

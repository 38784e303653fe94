//! Removes what an erased user leaves behind, some rows in each transaction, so that nobody waits long for any.
//!
//! Each job removes one batch and pushes the next in the same transaction: killed anywhere, it goes on from there. The user's
//! row stays for [`GRACE`], as somebody without name, address or password, so that no request that was under way when he was
//! erased can name a row that is gone. Then the sweeper removes what such requests have written, and the row.

pub(crate) mod queries;

use std::time::Duration;

use greenlit::{Job, Opts, Tx};
use serde::{Deserialize, Serialize};

use crate::{
    account,
    account::UserId,
    app::App,
    fault::{self, Point},
    feed,
    jobs::Failure,
    line, notification,
};

/// The topic of jobs that remove what an erased user leaves behind.
pub(crate) const ERASE: &str = "account.erase";
/// How long an erased user's row stays: longer than any request, and than the images that it staged.
const GRACE: Duration = Duration::from_secs(2 * 60 * 60);
/// How many rows one transaction removes, and how many feeds, whose comments and images go along.
const ROWS: i64 = 100;
const FEEDS: i64 = 10;
/// How many users are swept at a time.
const USERS: i64 = 20;

#[derive(Serialize, Deserialize)]
struct Erasure {
    user: i64,
}

/// Has the worker remove what a user leaves behind who is erased by this transaction.
pub(super) async fn begin(app: &App, tx: &mut Tx, user: UserId) -> greenlit::Result<()> {
    tx.outbox(ERASE, &Erasure { user: user.0 }).await?;
    tx.after_commit(app.wake_worker(ERASE));
    Ok(())
}

/// Removes one batch, and has the next removed by another job.
pub(crate) async fn erase(app: &App, job: &Job) -> Result<(), Failure> {
    let user = UserId(job.payload::<Erasure>()?.user);
    let erase = async |tx: &mut Tx| {
        if batch(app, tx, user).await? > 0 {
            begin(app, tx, user).await?;
        }
        fault::point(Point::BatchEnding);
        Ok::<_, greenlit::Error>(())
    };
    app.db.tx(Opts::default(), erase).await?;
    fault::point(Point::BatchCommitted);
    Ok(())
}

/// Removes what is left of users whose time is over, some at a time; returns how much that was.
pub(crate) async fn sweep(app: &App) -> greenlit::Result<usize> {
    let until = app.clock.now().before(GRACE);
    let users = account::queries::erased_before(&mut app.db.single(), until, USERS).await?;
    let mut removed = 0;
    for user in users {
        let erase = async |tx: &mut Tx| match batch(app, tx, user).await? {
            0 => account::queries::delete(tx, user).await.map(usize::from),
            some => Ok(some),
        };
        match app.db.tx(Opts::default(), erase).await {
            Ok(some) => removed += some,
            // It is tried again; those who come after him need not wait for that.
            Err(e) => tracing::warn!(user = user.0, cause = %e, "an erased user could not be removed"),
        }
    }
    Ok(removed)
}

/// Removes some of what a user left behind, and corrects the counts of what that belonged to. Returns how much it was.
async fn batch(app: &App, tx: &mut Tx, user: UserId) -> greenlit::Result<usize> {
    let removed = queries::unlike_feeds(tx, user, ROWS).await?
        + queries::unlike_comments(tx, user, ROWS).await?
        + queries::unfollow(tx, user, ROWS).await?
        + queries::drop_followers(tx, user, ROWS).await?
        + queries::delete_comments(tx, user, ROWS).await?
        + notification::forget(tx, user, ROWS).await?
        + line::forget(tx, user).await?;
    if removed > 0 { Ok(removed) } else { feed::delete_some_of(app, tx, user, FEEDS).await }
}

//! What the worker does for notifications: it hears what features tell of, and tells those whom it concerns; and it removes
//! what is old.

use std::time::Duration;

use greenlit::{Job, Opts, Tx};
use serde::{Deserialize, Serialize};

use super::{
    model::{Cause, News},
    queries, service,
};
use crate::{
    account::UserId,
    app::App,
    comment::{self, CommentId},
    feed::FeedId,
    follow,
    jobs::{Done, Failure},
    like::{self, Given},
};

/// The topic of jobs that go on telling of a comment.
const MORE: &str = "notification.more";
/// What this feature hears of.
pub(crate) const TOPICS: &[&str] = &[comment::WRITTEN, like::GIVEN, follow::BEGUN, MORE];
/// How many users one transaction tells of a comment: it holds their inboxes, and on MariaDB the feed.
const AT_A_TIME: i64 = 20;
/// How long a notification is kept after the last that joined it.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How many are removed at a time.
const SWEPT: i64 = 500;

type Result = std::result::Result<Done, Failure>;

/// Those who have not been told of a comment: all whose id is greater.
#[derive(Serialize, Deserialize)]
struct More {
    comment: i64,
    after: i64,
}

/// Tells of what happened, if it is still so, and ends the job in the same transaction. Done twice, it would tell nobody twice.
pub(crate) async fn hear(app: &App, job: &Job) -> Result {
    match job.topic.as_str() {
        comment::WRITTEN => of_comment(app, job, CommentId(job.payload::<comment::Written>()?.id), UserId(0)).await,
        MORE => {
            let More { comment, after } = job.payload()?;
            of_comment(app, job, CommentId(comment), UserId(after)).await
        }
        like::GIVEN => of_like(app, job, job.payload()?).await,
        follow::BEGUN => of_follow(app, job, &job.payload()?).await,
        other => Err(Failure::because(&format!("no handler for {other}"))),
    }
}

async fn of_comment(app: &App, job: &Job, id: CommentId, after: UserId) -> Result {
    let now = app.clock.now();
    let hear = async |tx: &mut Tx| {
        tx.acknowledge(job).await?;
        let Some(comment) = queries::commented(tx, id).await? else { return Ok(()) };
        let (actor, feed, owner) = (comment.author_id, comment.feed_id, comment.owner_id);
        let speakers = queries::speakers(tx, id, &comment, after, AT_A_TIME).await?;
        let last = speakers.last().copied();
        let is_full = i64::try_from(speakers.len()).is_ok_and(|count| count == AT_A_TIME);
        let mut news: Vec<News> = Vec::with_capacity(speakers.len() + 1);
        news.extend(speakers.into_iter().map(|user| News { user, actor, cause: Cause::Reply { comment: id, feed } }));
        if after.0 == 0 {
            news.push(News { user: owner, actor, cause: Cause::Comment { comment: id, feed } });
        }
        // Inboxes are locked in one order.
        news.sort_by_key(|news| news.user.0);
        for news in &news {
            service::tell(app, tx, news, now).await?;
        }
        if let Some(last) = last.filter(|_| is_full) {
            tx.outbox(MORE, &More { comment: id.0, after: last.0 }).await?;
            tx.after_commit(app.wake_worker(MORE));
        }
        Ok::<_, greenlit::Error>(())
    };
    app.db.tx(Opts::default(), hear).await?;
    Ok(Done::Acknowledged)
}

async fn of_like(app: &App, job: &Job, like: Given) -> Result {
    let now = app.clock.now();
    let hear = async |tx: &mut Tx| {
        tx.acknowledge(job).await?;
        let (actor, news) = match like {
            Given::Feed { feed, user } => {
                let (feed, actor) = (FeedId(feed), UserId(user));
                let owner = queries::liked_feed(tx, feed, actor).await?;
                (actor, owner.map(|owner| (owner, Cause::LikeOfFeed { feed })))
            }
            Given::Comment { comment, user } => {
                let (comment, actor) = (CommentId(comment), UserId(user));
                let found = queries::liked_comment(tx, comment, actor).await?;
                (actor, found.map(|(owner, feed)| (owner, Cause::LikeOfComment { comment, feed })))
            }
        };
        if let Some((user, cause)) = news {
            service::tell(app, tx, &News { user, actor, cause }, now).await?;
        }
        Ok::<_, greenlit::Error>(())
    };
    app.db.tx(Opts::default(), hear).await?;
    Ok(Done::Acknowledged)
}

async fn of_follow(app: &App, job: &Job, follow: &follow::Begun) -> Result {
    let (actor, user, now) = (UserId(follow.follower), UserId(follow.following), app.clock.now());
    let hear = async |tx: &mut Tx| {
        tx.acknowledge(job).await?;
        if let Some(id) = queries::followed(tx, actor, user).await? {
            service::tell(app, tx, &News { user, actor, cause: Cause::Follow { id } }, now).await?;
        }
        Ok::<_, greenlit::Error>(())
    };
    app.db.tx(Opts::default(), hear).await?;
    Ok(Done::Acknowledged)
}

/// Removes old notifications, some at a time; returns how many there were.
pub(crate) async fn sweep(app: &App) -> greenlit::Result<usize> {
    let before = app.clock.now().before(KEPT);
    let old = queries::old(&mut app.db.single(), before, SWEPT).await?;
    if !old.is_empty() {
        app.db.tx(Opts::default(), async |tx: &mut Tx| queries::delete_old(tx, &old, before).await).await?;
    }
    Ok(old.len())
}

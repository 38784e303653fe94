//! What changes an inbox. Takes the transaction, never commits.

use std::time::Duration;

use greenlit::{Reader, Result, Tx};
use serde::{Deserialize, Serialize};

use super::{
    model::{ALONE, CALLED, CARRIED, Level, News, Reading, Settings},
    queries,
};
use crate::{account::UserId, app::App, clock::Timestamp};

/// The topic of jobs that call whoever carries an inbox outside of the board.
pub(crate) const OUTSIDE: &str = "notification.outside";
/// How long he waits, so that what happens together is told together, and what is read meanwhile not at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whose inbox has news to be carried outside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outside {
    pub(crate) user: i64,
}

/// Tells a user what happened, unless he knows or does not want to hear of it. Returns whether it told him.
pub(super) async fn tell(app: &App, tx: &mut Tx, news: &News, now: Timestamp) -> Result<bool> {
    if news.user == news.actor {
        return Ok(false);
    }
    // From here on nobody else tells him anything, so that looking before writing is safe.
    let Some(inbox) = queries::open_inbox(tx, news.user).await? else { return Ok(false) };
    let level = inbox.settings().of(news.cause.kind());
    if level == Level::Off || queries::is_told(tx, news).await? {
        return Ok(false);
    }
    let version = inbox.version + 1;
    let id = match queries::unread_of(tx, news).await? {
        Some((_, causes)) if causes >= queries::MOST_CAUSES => return Ok(false),
        Some((id, _)) => queries::renew(tx, id, version, now).await.map(|()| id)?,
        None => queries::insert(tx, news, version, now).await?,
    };
    queries::insert_cause(tx, id, news).await?;
    queries::set_version(tx, news.user, version).await?;
    if level == Level::All && inbox.outside == CARRIED {
        call_after(tx, news.user, PATIENCE).await?;
    }
    tx.after_commit(app.live.wake());
    Ok(true)
}

/// Marks notifications as read. Returns how many are unread then.
pub(super) async fn read(app: &App, tx: &mut Tx, user: UserId, reading: Reading) -> Result<i64> {
    if let Some(inbox) = queries::open_inbox(tx, user).await?
        && queries::read(tx, user, reading).await? > 0
    {
        // So that his other windows hear of it.
        queries::set_version(tx, user, inbox.version + 1).await?;
        tx.after_commit(app.live.wake());
    }
    queries::unread(tx, user).await
}

/// Changes what the user hears of.
pub(super) async fn set(tx: &mut Tx, user: UserId, change: impl FnOnce(Settings) -> Settings) -> Result<Settings> {
    let inbox = queries::open_inbox(tx, user).await?.unwrap_or_default();
    let settings = change(inbox.settings());
    queries::set_settings(tx, user, settings).await?;
    Ok(settings)
}

/// What the user hears of.
pub(crate) async fn settings(r: &mut impl Reader, user: UserId) -> Result<Settings> {
    Ok(queries::inbox(r, user).await?.unwrap_or_default().settings())
}

/// Has whoever carries the inbox outside called from now on, or no more.
pub(crate) async fn carry_outside(tx: &mut Tx, user: UserId, carried: bool) -> Result<()> {
    if queries::open_inbox(tx, user).await?.is_some() {
        queries::set_outside(tx, user, if carried { CARRIED } else { ALONE }).await?;
    }
    Ok(())
}

/// Calls whoever carries the inbox outside, after this time, unless he has been called.
pub(crate) async fn call_after(tx: &mut Tx, user: UserId, after: Duration) -> Result<()> {
    if queries::open_inbox(tx, user).await?.is_some_and(|inbox| inbox.outside == CARRIED) {
        queries::set_outside(tx, user, CALLED).await?;
        tx.outbox_after(after, OUTSIDE, &Outside { user: user.0 }).await?;
    }
    Ok(())
}

/// He has come: what happens from now on calls him again. Returns the version up to which he knows everything then; `None` if
/// nobody carries this inbox any more.
pub(crate) async fn called(tx: &mut Tx, user: UserId) -> Result<Option<i64>> {
    let Some(inbox) = queries::open_inbox(tx, user).await?.filter(|inbox| inbox.outside != ALONE) else {
        return Ok(None);
    };
    queries::set_outside(tx, user, CARRIED).await?;
    Ok(Some(inbox.version))
}

/// Removes some of what an erased user heard of, and keeps him from hearing more. Returns how much it was.
pub(crate) async fn forget(tx: &mut Tx, user: UserId, limit: i64) -> Result<usize> {
    // First the inbox, by which whoever tells him something waits or finds nobody.
    let inboxes = queries::delete_inbox(tx, user).await?;
    Ok(inboxes + queries::delete_some_of(tx, user, limit).await?)
}

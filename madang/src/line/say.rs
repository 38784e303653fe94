//! How something is said in a chat: by the token of the event that it answers, within a minute and for free; or pushed, which
//! counts, with a key by which LINE says it once.
//!
//! An answer by token has no key. If nobody knows whether LINE took it, it is sent again by the same token, which LINE takes
//! once; when the token is no longer good it is left at that, since it may have been said. What came too late for its token is
//! pushed if it tells that something was done; a list that nobody waits for any more costs no message.

use std::time::Duration;

use greenlit::{Opts, Read, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Line, client, digest, event::Event, jobs, queries, quota};
use crate::{
    account::{self, UserId},
    app::App,
    clock::Timestamp,
    jobs::Failure,
    secret,
};

/// A token lives for a minute; less, since an answer takes a while.
const TOKEN_LIFE: Duration = Duration::from_secs(50);
/// A key is known for a day.
const KEY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How soon an answer is tried again.
const REPLY_PAUSE: Duration = Duration::from_secs(1);
/// How long to wait where LINE takes no more calls.
const RATE_PAUSE: Duration = Duration::from_secs(30);
/// And where it does not know our token: somebody has to mend that.
const TOKEN_PAUSE: Duration = Duration::from_secs(300);

/// What is said to an event.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) messages: Vec<Value>,
    /// Whether it tells that something was done.
    pub(super) matters: bool,
}

/// An answer to an event, by its token.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    token: String,
    /// Until when the token is good, in microseconds since 1970.
    until: i64,
    to: String,
    messages: Vec<Value>,
    matters: bool,
}

/// What is pushed, to whom, and since when.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Push {
    /// A UUID: LINE takes it once.
    key: String,
    to: String,
    messages: Vec<Value>,
    /// In microseconds since 1970.
    since: i64,
    /// Which notifications it tells of; none if it answers an event.
    told: Option<Told>,
}

/// Notifications of a user, from behind one version of his inbox up to another.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) user: i64,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Has an event answered, if this transaction commits.
pub(super) async fn answer(app: &App, tx: &mut Tx, event: &Event, said: Said) -> greenlit::Result<()> {
    let Some(user) = event.user.as_deref().filter(|_| !event.standby && !said.messages.is_empty()) else {
        return Ok(());
    };
    let until = event.sent().after(TOKEN_LIFE);
    let Said { messages, matters } = said;
    match event.reply_token.clone().filter(|_| app.clock.now() < until) {
        Some(token) => {
            let reply = Reply { token, until: until.0, to: user.to_owned(), messages, matters };
            tx.outbox(jobs::reply_topic(user), &reply).await?;
            tx.after_commit(app.wake_worker(jobs::reply_topic(user)));
        }
        None if matters => push_later(app, tx, user, messages, None).await?,
        None => tracing::info!(event = event.id, "an answer came too late and was left out"),
    }
    Ok(())
}

/// Has messages pushed, if this transaction commits.
pub(super) async fn push_later(
    app: &App,
    tx: &mut Tx,
    to: &str,
    messages: Vec<Value>,
    told: Option<Told>,
) -> greenlit::Result<()> {
    let push = Push { key: uuid(), to: to.to_owned(), messages, since: app.clock.now().0, told };
    tx.outbox(jobs::PUSH, &push).await?;
    tx.after_commit(app.wake_worker(jobs::PUSH));
    Ok(())
}

/// Answers by a token. From the second attempt on it may have been said.
pub(super) async fn reply(app: &App, line: &Line, reply: Reply, attempt: i64) -> Result<(), Failure> {
    let is_fresh = app.clock.now() < Timestamp(reply.until);
    let failure = if is_fresh || attempt > 1 {
        match line.client.reply(&reply.token, &reply.messages).await {
            Ok(()) => return Ok(()),
            Err(e) => Some(e),
        }
    } else {
        None // which was certainly not said, and is too late
    };
    match failure {
        // It was said by an earlier attempt, or it is too late for it.
        Some(client::Failure::Refused { .. }) if attempt > 1 => Ok(()),
        // Certainly not said; and by this way it can be tried for hours.
        Some(client::Failure::Refused { .. } | client::Failure::NotSent(_) | client::Failure::RateLimited) | None
            if reply.matters && attempt == 1 =>
        {
            let push = async |tx: &mut Tx| push_later(app, tx, &reply.to, reply.messages.clone(), None).await;
            Ok(app.db.tx(Opts::default(), push).await?)
        }
        Some(client::Failure::Refused { .. } | client::Failure::TooLarge) | None => {
            tracing::info!("an answer was left out: its token is not good");
            Ok(())
        }
        Some(e) if is_fresh => Err(Failure::Later { after: REPLY_PAUSE, why: e.to_string() }),
        Some(e) => {
            tracing::warn!(cause = %e, "an answer was given up: it may have been said");
            Ok(())
        }
    }
}

/// Pushes, and learns from LINE's answer whether to try again.
pub(super) async fn push(app: &App, line: &Line, push: Push, attempt: i64) -> Result<(), Failure> {
    let now = app.clock.now();
    if attempt > 1 && now > Timestamp(push.since).after(KEY_LIFE) {
        // LINE would take the key for a new one.
        return Err(Failure::GiveUp("it could not be pushed for a day, and may have been said".to_owned()));
    }
    if !is_wanted(app, line, &push).await? {
        return Ok(());
    }
    let failure = match line.client.push(&push.to, &push.key, &push.messages).await {
        Ok(()) => return Ok(()),
        Err(failure) => failure,
    };
    let why = failure.to_string();
    match (failure, push.told) {
        (client::Failure::MonthlyLimit, Some(told)) => digest::give_back(app, &push.to, told).await,
        (client::Failure::MonthlyLimit, None) => Ok(()), // next month nobody waits for it
        (client::Failure::RateLimited, _) => Err(Failure::Later { after: RATE_PAUSE, why }),
        (client::Failure::Unauthorized, _) => Err(Failure::Later { after: TOKEN_PAUSE, why }),
        (e @ (client::Failure::NotSent(_) | client::Failure::Lost(_)), _) => Err(e.into()),
        (client::Failure::Refused { .. } | client::Failure::TooLarge, _) => Err(Failure::GiveUp(why)),
    }
}

/// Whether a push is still to be made: notifications go to whoever's chat it is; an answer, if there are messages to spare.
async fn is_wanted(app: &App, line: &Line, push: &Push) -> Result<bool, Failure> {
    let Some(told) = push.told else {
        let wait = quota::wait(line, app.clock.now()).await?;
        if wait.is_some() {
            tracing::info!("an answer was left out: notifications need the messages that are left");
        }
        return Ok(wait.is_none());
    };
    let find = async |r: &mut Read| {
        let user = UserId(told.user);
        let link = queries::link_of(r, user).await?.filter(|link| link.line_id == push.to);
        Ok::<_, greenlit::Error>(link.is_some() && account::acting(r, user).await?.is_some())
    };
    Ok(app.db.read(Opts::default(), find).await?)
}

/// A UUID of version 4 (RFC 9562, section 5.4).
fn uuid() -> String {
    let mut bytes = secret::random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = secret::hex(&bytes);
    let (a, rest) = digits.split_at(8);
    format!("{a}-{}-{}-{}-{}", &rest[..4], &rest[4..8], &rest[8..12], &rest[12..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_uuids_and_differ() {
        let key = uuid();
        let parts: Vec<usize> = key.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert!(key.as_bytes()[14] == b'4' && b"89ab".contains(&key.as_bytes()[19]), "{key}");
        assert_ne!(key, uuid());
    }
}

//! How something is said in a chat: by the token of the event that it answers, within a minute and for free; or pushed, which
//! counts, with a key by which LINE says it once.
//!
//! An answer by token has no key. If nobody knows whether LINE took it, it is sent again by the same token, which LINE takes
//! once; when the token is no longer good it is left at that, since it may have been said.

use std::time::Duration;

use greenlit::{Opts, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Line, client, event::Event, jobs, quota};
use crate::{app::App, clock::Timestamp, jobs::Failure, secret};

/// A token lives for a minute; less, since an answer takes a while.
const TOKEN_LIFE: Duration = Duration::from_secs(50);
/// A key is known for a day.
const KEY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long to wait where LINE takes no more calls.
const RATE_PAUSE: Duration = Duration::from_secs(30);
/// And where it does not know our token: somebody has to mend that.
const TOKEN_PAUSE: Duration = Duration::from_secs(300);

/// What is pushed, to whom, and since when.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Push {
    /// A UUID: LINE takes it once.
    key: String,
    to: String,
    messages: Vec<Value>,
    /// In microseconds since 1970.
    since: i64,
}

/// Has messages pushed, if this transaction commits.
pub(super) async fn push_later(app: &App, tx: &mut Tx, to: &str, messages: Vec<Value>) -> greenlit::Result<()> {
    let push = Push { key: uuid(), to: to.to_owned(), messages, since: app.clock.now().0 };
    tx.outbox(jobs::PUSH, &push).await?;
    tx.after_commit(app.wake_worker());
    Ok(())
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

/// Pushes, and learns from LINE's answer whether to try again.
pub(super) async fn push(app: &App, line: &Line, push: Push) -> Result<(), Failure> {
    let now = app.clock.now();
    match line.client.push(&push.to, &push.key, &push.messages).await {
        Ok(()) => Ok(()),
        // LINE would take the key for a new one, and it may have said it.
        Err(client::Failure::Lost(e)) if now > Timestamp(push.since).after(KEY_LIFE) => Err(Failure::GiveUp(e)),
        Err(e @ (client::Failure::NotSent(_) | client::Failure::Lost(_))) => Err(e.into()),
        Err(e @ client::Failure::RateLimited) => Err(Failure::Later { after: RATE_PAUSE, why: e.to_string() }),
        Err(e @ client::Failure::MonthlyLimit) => {
            Err(Failure::Later { after: quota::until_next_month(now), why: e.to_string() })
        }
        Err(e @ client::Failure::Unauthorized) => Err(Failure::Later { after: TOKEN_PAUSE, why: e.to_string() }),
        Err(e @ (client::Failure::Refused { .. } | client::Failure::TooLarge)) => Err(Failure::GiveUp(e.to_string())),
    }
}

/// Answers an event. `maybe_said` tells that an earlier attempt may have done so.
pub(super) async fn answer(
    app: &App,
    line: &Line,
    event: &Event,
    messages: Vec<Value>,
    maybe_said: bool,
) -> Result<(), Failure> {
    let Some(user) = event.user.as_deref().filter(|_| !event.standby && !messages.is_empty()) else { return Ok(()) };
    let until = Timestamp(event.timestamp_ms.saturating_mul(1_000)).after(TOKEN_LIFE);
    let is_fresh = app.clock.now() < until;
    let token = event.reply_token.as_deref().filter(|_| is_fresh || maybe_said);
    let Some(token) = token else { return push_once(app, event, user, messages).await };
    match line.client.reply(token, &messages).await {
        Ok(()) => Ok(()),
        // It was said by an earlier attempt, or it is too late for it.
        Err(client::Failure::Refused { .. }) if maybe_said => Ok(()),
        Err(e @ client::Failure::Lost(_)) if is_fresh => Err(e.into()),
        Err(e) if maybe_said && is_fresh => Err(e.into()),
        Err(e) if maybe_said || matches!(e, client::Failure::Lost(_)) => {
            tracing::warn!(event = event.id, cause = %e, "an answer was given up: it may have been said");
            Ok(())
        }
        // Certainly not said: by this way it will be.
        Err(e) => {
            tracing::info!(event = event.id, cause = %e, "an answer is pushed");
            push_once(app, event, user, messages).await
        }
    }
}

/// Has an answer pushed, however often it is tried.
async fn push_once(app: &App, event: &Event, user: &str, messages: Vec<Value>) -> Result<(), Failure> {
    let opts = Opts::default().once(&format!("line:push:{}", event.id));
    let push = async |tx: &mut Tx| push_later(app, tx, user, messages.clone()).await;
    match app.db.tx(opts, push).await {
        Err(greenlit::Error::AlreadyDone) => Ok(()),
        pushed => Ok(pushed?),
    }
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

//! What the worker does for the chat in LINE.

use std::hash::{DefaultHasher, Hash, Hasher};

use greenlit::{Job, Opts, Tx};

use super::{Line, chat, digest, event::Event, queries, say, webhook};
use crate::{app::App, jobs::Failure, notification};

/// The topics of events: those of a chat have the same, so that they are answered in their order.
pub(crate) const EVENTS: [&str; 4] = ["line.event.0", "line.event.1", "line.event.2", "line.event.3"];
/// The topic of what is pushed.
pub(crate) const PUSH: &str = "line.push";
/// The topic of calls to carry notifications outside.
pub(crate) const OUTSIDE: &str = notification::OUTSIDE;
/// How many events are forgotten at a time.
const SWEPT: i64 = 500;

/// The topic of an event.
pub(super) fn topic_of(event: &Event) -> &'static str {
    let mut hasher = DefaultHasher::new();
    event.user.hash(&mut hasher);
    EVENTS[(hasher.finish() % EVENTS.len() as u64) as usize]
}

/// Whether a node without an account at LINE leaves such jobs to others.
pub(crate) fn needs_line(topic: &str) -> bool {
    topic.starts_with("line.")
}

/// Runs one of these jobs.
pub(crate) async fn run(app: &App, job: &Job) -> Result<(), Failure> {
    if job.topic == OUTSIDE {
        return digest::carry(app, job.payload()?).await;
    }
    let line = app.line.as_ref().ok_or_else(|| Failure::because("the board has no account at LINE"))?;
    match job.topic.as_str() {
        PUSH => say::push(app, line, job.payload()?).await,
        topic if EVENTS.contains(&topic) => answer(app, line, &job.payload()?).await,
        other => Err(Failure::because(&format!("no handler for {other}"))),
    }
}

/// Has an event take effect, and answers it. What it brought about and what is to be said commit together; a second attempt
/// finds both done, and says it again only if LINE takes the same token again.
async fn answer(app: &App, line: &Line, event: &Event) -> Result<(), Failure> {
    let key = format!("line:{}", event.id);
    let (messages, maybe_said) = match app.db.outcome(&key).await? {
        Some(messages) => (serde_json::from_slice(&messages)?, true),
        None => (chat::take(app, line, event, &key).await?, false),
    };
    say::answer(app, line, event, messages, maybe_said).await
}

/// Removes what is old, some at a time; returns how much there was.
pub(crate) async fn sweep(app: &App) -> greenlit::Result<usize> {
    if app.line.is_none() {
        return Ok(0);
    }
    let now = app.clock.now();
    let sweep = async |tx: &mut Tx| {
        queries::forget_ways(tx, now).await?;
        queries::forget_events(tx, now.before(webhook::KEPT), SWEPT).await
    };
    app.db.tx(Opts::default(), sweep).await
}

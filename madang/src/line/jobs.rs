//! What the worker does for the chat in LINE.

use std::time::Duration;

use greenlit::{Job, Opts, Tx};

use super::{Line, chat, digest, draft, event::Event, linking, queries, say, webhook};
use crate::{
    app::App,
    jobs::{Done, Failure},
    notification,
};

/// The topics of events. Those of a chat have the same, so that one lane sees to them in their order.
pub(crate) const EVENTS: [&str; 4] = ["line.event.0", "line.event.1", "line.event.2", "line.event.3"];
/// The topics of what is said to them, by chats.
pub(crate) const REPLIES: [&str; 2] = ["line.reply.0", "line.reply.1"];
/// The topic of what is pushed.
pub(crate) const PUSH: &str = "line.push";
/// The topic of calls to carry notifications outside.
pub(crate) const OUTSIDE: &str = notification::OUTSIDE;
/// How long an event waits for one that happened in its chat before, and which another node may have, or whose job has failed.
const WAITS_FOR: Duration = Duration::from_secs(10 * 60);
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How many events are forgotten at a time.
const SWEPT: i64 = 500;

/// The topic of an event.
pub(super) fn topic_of(event: &Event) -> &'static str {
    EVENTS[number(event.user.as_deref().unwrap_or_default()) % EVENTS.len()]
}

/// The topic of what is said in a chat.
pub(super) fn reply_topic(line_id: &str) -> &'static str {
    REPLIES[number(line_id) % REPLIES.len()]
}

/// The same in every version of the program, since nodes of two may share the work.
fn number(line_id: &str) -> usize {
    line_id.bytes().fold(0, |sum, byte| sum + usize::from(byte))
}

/// Whether a node without an account at LINE leaves such jobs to others.
pub(crate) fn needs_line(topic: &str) -> bool {
    topic.starts_with("line.")
}

/// Runs one of these jobs.
pub(crate) async fn run(app: &App, job: &Job) -> Result<Done, Failure> {
    if job.topic == OUTSIDE {
        return digest::carry(app, job.payload()?).await.map(|()| Done::Now);
    }
    let line = app.line.as_ref().ok_or_else(|| Failure::because("the board has no account at LINE"))?;
    match job.topic.as_str() {
        PUSH => say::push(app, line, job.payload()?, job.attempt).await.map(|()| Done::Now),
        topic if REPLIES.contains(&topic) => {
            say::reply(app, line, job.payload()?, job.attempt).await.map(|()| Done::Now)
        }
        topic if EVENTS.contains(&topic) => see_to(app, line, job).await,
        other => Err(Failure::because(&format!("no handler for {other}"))),
    }
}

/// Has an event take effect, in its turn. What it brings about, what is to be said, and the end of the job commit together.
async fn see_to(app: &App, line: &Line, job: &Job) -> Result<Done, Failure> {
    let event: Event = job.payload()?;
    if let Some(user) = &event.user {
        let since = app.clock.now().before(WAITS_FOR);
        if queries::has_earlier(&mut app.db.single(), user, event.sent(), since).await? {
            return Err(Failure::Later {
                after: LOOK_EVERY,
                why: "an earlier event of the chat comes first".to_owned(),
            });
        }
    }
    chat::take(app, line, &event, job).await?;
    Ok(Done::Acknowledged)
}

/// Removes what is old, some at a time; returns how much there was.
pub(crate) async fn sweep(app: &App) -> greenlit::Result<usize> {
    let now = app.clock.now();
    let sweep = async |tx: &mut Tx| {
        queries::forget_drafts(tx, now.before(draft::KEPT)).await?;
        queries::forget_ways(tx, now.before(linking::TOLD_FOR), SWEPT).await?;
        queries::forget_events(tx, now.before(webhook::KEPT), SWEPT).await
    };
    app.db.tx(Opts::default(), sweep).await
}

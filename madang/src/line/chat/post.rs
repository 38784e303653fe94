//! Posting from a chat: a text, photos after it, a question, and then the feed.
//!
//! Photos are asked for when the feed is posted, and staged like any upload; until then LINE keeps them.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use greenlit::Tx;
use serde_json::Value;
use tokio::time::timeout;

use super::{Chat, read};
use crate::{
    account::{self, UserId},
    clock::Timestamp,
    error::Code,
    feed,
    http::body::Progress,
    jobs::Failure,
    line::{Line, client, draft::Draft, event::Kind, message, queries},
    media::{self, IMAGES_PER_FEED, MAX_BYTES, Staged},
};

/// How long all photos may take, so that the job ends within its lease.
const PATIENCE: Duration = Duration::from_secs(18);
/// How often they are tried before he is told to come back.
const ATTEMPTS: i64 = 3;
/// What stands for a message that was taken back among the events that were taken.
const TAKEN_BACK: &str = "unsent:";

/// The photos of a draft, staged.
pub(in crate::line) struct Photos {
    pub(super) staged: Vec<Staged>,
    /// Which ones: the draft may get others until it is posted.
    names: Vec<String>,
    /// What is to be said if they cannot be posted.
    problem: Option<&'static str>,
    posted: AtomicBool,
}

impl Photos {
    fn new(names: Vec<String>, staged: Result<Vec<Staged>, &'static str>) -> Photos {
        let (staged, problem) = staged.map_or_else(|problem| (Vec::new(), Some(problem)), |staged| (staged, None));
        Photos { staged, names, problem, posted: AtomicBool::new(false) }
    }

    pub(super) fn are_posted(&self) -> bool {
        self.posted.load(Relaxed)
    }
}

fn names(draft: &Draft) -> Vec<String> {
    draft.photos().iter().map(|photo| photo.message_id.clone()).collect()
}

/// Gets and stages the photos of the draft that is to be posted, if whoever's it is may post.
pub(super) async fn prepare(chat: &mut Chat<'_>, line: &Line, name: Option<&str>, attempt: i64) -> Result<(), Failure> {
    let mut single = chat.app.db.single();
    let Some(link) = queries::link(&mut single, chat.line_id).await? else { return Ok(()) };
    let Some(draft) = chat.draft(&link).filter(|draft| draft.is_meant(name)) else { return Ok(()) };
    if account::acting(&mut single, link.user_id).await?.is_none() {
        return Ok(());
    }
    let names = names(&draft);
    // A job that is tried again was counted.
    chat.is_busy = attempt == 1 && chat.app.limits.act(link.user_id.0, !names.is_empty()).is_err();
    if chat.is_busy || names.is_empty() {
        return Ok(());
    }
    let staged = timeout(PATIENCE, stage(chat, line, link.user_id, &names)).await;
    chat.photos = match staged.unwrap_or_else(|_| Err(Failure::because("the photos took too long"))) {
        Ok(staged) => Some(Photos::new(names, staged)),
        Err(_) if attempt >= ATTEMPTS => Some(Photos::new(names, Err("line-try-later"))),
        Err(e) => return Err(e),
    };
    Ok(())
}

/// Gets photos, one at a time, and stages them; or tells what to say to them.
async fn stage(
    chat: &Chat<'_>,
    line: &Line,
    owner: UserId,
    names: &[String],
) -> Result<Result<Vec<Staged>, &'static str>, Failure> {
    const REFUSED: &str = "line-photo-refused";
    let mut uploads = Vec::new();
    for name in names {
        let bytes = match line.client.content(name, MAX_BYTES).await {
            Ok(bytes) => bytes,
            // Gone at LINE, or larger than the board takes.
            Err(client::Failure::TooLarge | client::Failure::Refused { .. }) => return Ok(Err(REFUSED)),
            Err(e) => return Err(e.into()),
        };
        let mut upload = chat.app.media.upload();
        upload.write(&bytes).await.map_err(|e| Failure::because(&e.to_string()))?;
        uploads.push(upload);
    }
    match media::stage(chat.app, owner, uploads, &Progress::unwatched()).await {
        Ok(staged) => Ok(Ok(staged)),
        Err(e) if matches!(e.code(), Code::ImageTooLarge | Code::UnsupportedImageType | Code::BrokenImage) => {
            Ok(Err(REFUSED))
        }
        Err(e) => Err(e.into()),
    }
}

/// Begins a feed, in place of what was begun before.
pub(super) async fn write(chat: &Chat<'_>, tx: &mut Tx, text: &str) -> Result<Vec<Value>, Failure> {
    let Some((link, _)) = chat.user(tx).await? else { return Ok(vec![chat.not_linked()]) };
    if text.trim().is_empty() {
        // The same word may mean to post it.
        let begun = chat.draft(&link).map(|draft| draft.question(chat.lang));
        return Ok(vec![begun.unwrap_or_else(|| chat.say("line-draft-empty"))]);
    }
    let message_id = match &chat.event.kind {
        Kind::Text { message_id, .. } => message_id,
        _ => return Ok(Vec::new()),
    };
    if is_taken_back(tx, message_id).await? {
        return Ok(Vec::new());
    }
    let Ok(draft) = Draft::new(text, message_id, chat.event) else {
        let longest = i64::try_from(feed::LONGEST_TITLE).unwrap_or(i64::MAX);
        return Ok(vec![message::text(&chat.lang.n("line-draft-title-too-long", longest))]);
    };
    queries::set_draft(tx, link.user_id, Some((&draft.write(), chat.now))).await?;
    Ok(vec![draft.question(chat.lang)])
}

/// Adds a photo to what is being written.
pub(super) async fn add_photo(
    chat: &Chat<'_>,
    tx: &mut Tx,
    message_id: &str,
    from_line: bool,
) -> Result<Vec<Value>, Failure> {
    let Some((link, _)) = chat.user(tx).await? else { return Ok(vec![chat.not_linked()]) };
    let Some(mut draft) = chat.draft(&link) else {
        return Ok(vec![chat.with_draft_help(chat.say("line-photo-first"))]);
    };
    // What another app keeps somewhere is not asked for: its address is anybody's.
    if !from_line {
        return Ok(vec![chat.say("line-photo-refused")]);
    }
    if is_taken_back(tx, message_id).await? {
        return Ok(Vec::new());
    }
    if !draft.add(message_id, chat.event.timestamp_ms) {
        let most = i64::try_from(IMAGES_PER_FEED).unwrap_or(i64::MAX);
        return Ok(vec![message::text(&chat.lang.n("line-draft-too-many-photos", most)), draft.question(chat.lang)]);
    }
    queries::set_draft(tx, link.user_id, Some((&draft.write(), chat.now))).await?;
    let count = i64::try_from(draft.photos().len()).unwrap_or(i64::MAX);
    Ok(vec![message::text(&chat.lang.n("line-photo-added", count)), draft.question(chat.lang)])
}

/// Posts what was written. A button names it; a word means whatever it is.
pub(super) async fn publish(chat: &Chat<'_>, tx: &mut Tx, name: Option<&str>) -> Result<Vec<Value>, Failure> {
    // The transaction may run again.
    if let Some(photos) = &chat.photos {
        photos.posted.store(false, Relaxed);
    }
    let Some((link, actor)) = chat.user(tx).await? else { return Ok(vec![chat.not_linked()]) };
    let Some(draft) = chat.draft(&link).filter(|draft| draft.is_meant(name)) else {
        return Ok(vec![chat.with_draft_help(chat.say(gone(name)))]);
    };
    if chat.is_busy {
        return Ok(vec![chat.say("line-try-later"), draft.question(chat.lang)]);
    }
    let photos = chat.photos.as_ref().filter(|photos| photos.names == names(&draft));
    if photos.is_none() && !draft.photos().is_empty() {
        return Err(Failure::because("the photos changed meanwhile")); // so that they are asked for again
    }
    if let Some(problem) = photos.and_then(|photos| photos.problem) {
        return Ok(vec![chat.say(problem), draft.question(chat.lang)]);
    }
    let staged = photos.map_or(&[][..], |photos| &photos.staged);
    let posted = feed::create(chat.app, tx, &actor, &draft.text()?, staged).await?;
    queries::set_draft(tx, link.user_id, None).await?;
    if let Some(photos) = photos {
        photos.posted.store(true, Relaxed);
    }
    let mut messages = vec![chat.say("line-draft-published")];
    messages.extend(read::shown(chat, &posted).into_iter().take(1));
    Ok(messages)
}

/// Forgets what was written.
pub(super) async fn cancel(chat: &Chat<'_>, tx: &mut Tx, name: Option<&str>) -> Result<Vec<Value>, Failure> {
    let Some((link, _)) = chat.user(tx).await? else { return Ok(vec![chat.not_linked()]) };
    if chat.draft(&link).filter(|draft| draft.is_meant(name)).is_none() {
        return Ok(vec![chat.with_draft_help(chat.say(gone(name)))]);
    }
    queries::set_draft(tx, link.user_id, None).await?;
    Ok(vec![chat.with_draft_help(chat.say("line-draft-cancelled"))])
}

fn gone(name: Option<&str>) -> &'static str {
    if name.is_some() { "line-draft-expired" } else { "line-draft-none" }
}

/// Forgets a message that its sender took back: what of it is kept, and what may still be under way.
pub(super) async fn take_back(chat: &Chat<'_>, tx: &mut Tx, message_id: &str) -> Result<(), Failure> {
    if !is_taken_back(tx, message_id).await? {
        queries::note(tx, &format!("{TAKEN_BACK}{message_id}"), chat.now).await?;
    }
    let Some(link) = queries::lock_link(tx, chat.line_id).await? else { return Ok(()) };
    // Also of one that is too old to be posted.
    if let Some(draft) = Draft::read(link.draft.as_deref(), Timestamp(0)) {
        let rest = draft.without(message_id).map(|draft| draft.write());
        queries::set_draft(tx, link.user_id, rest.as_deref().map(|rest| (rest, chat.now))).await?;
    }
    Ok(())
}

async fn is_taken_back(tx: &mut Tx, message_id: &str) -> greenlit::Result<bool> {
    Ok(!queries::taken(tx, &[format!("{TAKEN_BACK}{message_id}")]).await?.is_empty())
}

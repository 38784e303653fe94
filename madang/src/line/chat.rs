//! What an event brings about, and what is said to it.

mod post;
mod read;

use greenlit::{Job, Opts, Tx};
use serde_json::Value;

use super::{
    Line,
    command::{self, Action, Command},
    draft::{self, Draft},
    event::{Event, Kind},
    linking,
    message::{self, Quick},
    queries,
    say::{self, Said},
};
use crate::{
    account::{self, Actor},
    app::App,
    clock::Timestamp,
    jobs::Failure,
    media,
    web::Lang,
};

/// An event's chat, and what was asked of LINE before its transaction.
pub(super) struct Chat<'a> {
    pub(super) app: &'a App,
    pub(super) event: &'a Event,
    pub(super) line_id: &'a str,
    pub(super) lang: Lang,
    pub(super) now: Timestamp,
    /// For whoever wants to link his account.
    pub(super) way: Option<linking::Way>,
    /// For whoever posts with photos.
    pub(super) photos: Option<post::Photos>,
    /// Whether he has posted so much that he has to wait.
    pub(super) is_busy: bool,
}

/// What somebody wants, by words, a button, or what he does.
#[derive(Clone, Debug)]
enum Wish {
    Say(Command),
    /// Post the draft of this name.
    Publish(String),
    /// Forget the draft of this name.
    Cancel(String),
    /// Unlink, as was asked before.
    Unlink,
    KeepLink,
    Photo {
        message_id: String,
        from_line: bool,
    },
    TakeBack {
        message_id: String,
    },
    /// He is a friend of the account from now on, or no more.
    Friend(bool),
    /// He comes back from linking.
    Linked {
        ok: bool,
        nonce: String,
    },
}

impl Wish {
    /// `None` for what is not for us: of kinds that we do not know, or in a chat where somebody else answers. What is only to be
    /// noted is noted there too.
    fn of(event: &Event) -> Option<(Wish, Option<Lang>)> {
        let wish = match &event.kind {
            Kind::Follow => Wish::Friend(true),
            Kind::Unfollow => Wish::Friend(false),
            Kind::Unsend { message_id } => Wish::TakeBack { message_id: message_id.clone() },
            _ if event.standby => return None,
            Kind::Text { text, .. } => {
                let (command, lang) = command::parse(text);
                return Some((Wish::Say(command), lang));
            }
            Kind::Image { message_id, from_line } => {
                Wish::Photo { message_id: message_id.clone(), from_line: *from_line }
            }
            Kind::Postback { data } => Action::parse(data).map_or(Wish::Say(Command::Unknown), Wish::from),
            Kind::AccountLink { ok, nonce } => Wish::Linked { ok: *ok, nonce: nonce.clone() },
            Kind::Other => return None,
        };
        Some((wish, None))
    }
}

impl Wish {
    /// Whether it only notes how things stand.
    fn is_note(&self) -> bool {
        matches!(self, Wish::Friend(_) | Wish::TakeBack { .. } | Wish::Linked { .. })
    }

    /// Whether he wants to hear what came of it, however late.
    fn matters(&self) -> bool {
        matches!(self, Wish::Say(Command::Publish) | Wish::Publish(_) | Wish::Unlink | Wish::Linked { .. })
    }
}

impl From<Action> for Wish {
    fn from(action: Action) -> Wish {
        match action {
            Action::Newest => Wish::Say(Command::Newest),
            Action::Notifications => Wish::Say(Command::Notifications),
            Action::Help => Wish::Say(Command::Help),
            Action::Feed(id) => Wish::Say(Command::Feed(id)),
            Action::Link => Wish::Say(Command::Link),
            Action::Publish { draft } => Wish::Publish(draft),
            Action::Cancel { draft } => Wish::Cancel(draft),
            Action::Unlink => Wish::Unlink,
            Action::KeepLink => Wish::KeepLink,
        }
    }
}

/// Has an event take effect once: with it commit what is to be said, and the end of its job.
pub(super) async fn take(app: &App, line: &Line, event: &Event, job: &Job) -> Result<(), Failure> {
    let wish = Wish::of(event).filter(|(wish, _)| wish.is_note() || is_patient(app, event));
    let (Some(line_id), Some((wish, said))) = (event.user.as_deref(), wish) else {
        let end = async |tx: &mut Tx| end(tx, event, job).await;
        return Ok(app.db.tx(Opts::default(), end).await?);
    };
    let known = lang(app, line, line_id, &wish, said).await?;
    let lang = known.unwrap_or(Lang::English);
    let mut chat = Chat { app, event, line_id, lang, now: app.clock.now(), way: None, photos: None, is_busy: false };
    match &wish {
        Wish::Say(Command::Link) => chat.way = linking::way(app, line, line_id).await?,
        Wish::Say(Command::Publish) => post::prepare(&mut chat, line, None, job.attempt).await?,
        Wish::Publish(draft) => post::prepare(&mut chat, line, Some(draft), job.attempt).await?,
        _ => {}
    }
    let work = async |tx: &mut Tx| {
        queries::remember_chat(tx, line_id, known.map_or("", Lang::code)).await?;
        let messages = fulfil(&chat, tx, &wish).await?;
        say::answer(app, tx, event, Said { messages, matters: wish.matters() }).await?;
        Ok::<_, Failure>(end(tx, event, job).await?)
    };
    let done = app.db.tx(Opts::default(), work).await;
    if let Some(photos) = chat.photos.filter(|photos| done.is_err() || !photos.are_posted()) {
        media::discard(app, photos.staged).await;
    }
    done
}

/// The event is seen to. If its job is no longer this worker's, nothing is.
async fn end(tx: &mut Tx, event: &Event, job: &Job) -> greenlit::Result<()> {
    queries::see_to(tx, &event.id).await?;
    tx.acknowledge(job).await
}

/// Whether this chat has not said too much lately: what is too much is not answered.
fn is_patient(app: &App, event: &Event) -> bool {
    event.user.as_deref().is_none_or(|user| app.limits.chat(user).is_ok())
}

/// The language of his words; or that of the chat; or that which LINE says he speaks, if it is one of ours.
async fn lang(
    app: &App,
    line: &Line,
    line_id: &str,
    wish: &Wish,
    said: Option<Lang>,
) -> greenlit::Result<Option<Lang>> {
    if said.is_some() {
        return Ok(said);
    }
    let known = queries::chat(&mut app.db.single(), line_id).await?.and_then(|chat| Lang::parse(&chat.language));
    // Of whoever blocks us LINE tells nothing; of whoever comes it may tell something new.
    let ask = match wish {
        Wish::Friend(comes) => *comes,
        _ => known.is_none(),
    };
    let profile = if ask { line.client.profile(line_id).await.ok().flatten() } else { None };
    Ok(profile.and_then(|profile| Lang::parse(&profile.language?)).or(known))
}

async fn fulfil(chat: &Chat<'_>, tx: &mut Tx, wish: &Wish) -> Result<Vec<Value>, Failure> {
    Ok(match wish {
        Wish::Say(command) => obey(chat, tx, command).await?,
        Wish::Publish(draft) => post::publish(chat, tx, Some(draft)).await?,
        Wish::Cancel(draft) => post::cancel(chat, tx, Some(draft)).await?,
        Wish::Unlink => linking::unlink(chat, tx).await?,
        Wish::KeepLink => vec![chat.say("line-link-kept")],
        Wish::Photo { message_id, from_line } => post::add_photo(chat, tx, message_id, *from_line).await?,
        Wish::TakeBack { message_id } => post::take_back(chat, tx, message_id).await.map(|()| Vec::new())?,
        Wish::Friend(is_friend) => {
            let at = chat.event.timestamp_ms;
            let is_news = queries::set_friend(tx, chat.line_id, *is_friend, at).await?;
            if *is_friend && is_news { vec![chat.with_help(chat.say("line-welcome"))] } else { Vec::new() }
        }
        Wish::Linked { ok, nonce } => linking::arrive(chat, tx, *ok, nonce).await?,
    })
}

async fn obey(chat: &Chat<'_>, tx: &mut Tx, command: &Command) -> Result<Vec<Value>, Failure> {
    Ok(match command {
        Command::Help => vec![chat.with_help(chat.say("line-help"))],
        Command::Newest => read::newest(chat, tx).await?,
        Command::Feed(id) => read::feed(chat, tx, *id).await?,
        Command::Notifications => read::notifications(chat, tx).await?,
        Command::Link => linking::offer(chat, tx).await?,
        Command::Unlink => match chat.user(tx).await? {
            Some(_) => vec![message::unlink_question(chat.lang)],
            None => vec![chat.not_linked()],
        },
        Command::Write(text) => post::write(chat, tx, text).await?,
        Command::Publish => post::publish(chat, tx, None).await?,
        Command::Cancel => post::cancel(chat, tx, None).await?,
        Command::Unknown => vec![chat.with_help(chat.say("line-unknown"))],
    })
}

impl Chat<'_> {
    /// A text by its key.
    pub(super) fn say(&self, key: &str) -> Value {
        message::text(&self.lang.t(key))
    }

    /// The message with buttons for what can be done here.
    pub(super) fn with_help(&self, message: Value) -> Value {
        let quick = [Action::Newest, Action::Notifications, Action::Help].map(Quick::Do);
        message::with_quick(message, self.lang, &quick)
    }

    pub(super) fn with_draft_help(&self, message: Value) -> Value {
        message::with_quick(message, self.lang, &draft::buttons())
    }

    /// What is said to whoever has to link his account first.
    pub(super) fn not_linked(&self) -> Value {
        message::with_quick(self.say("line-not-linked"), self.lang, &[Quick::Do(Action::Link)])
    }

    /// Whose chat it is, locked, with who he is, if he may use the board.
    pub(super) async fn user(&self, tx: &mut Tx) -> greenlit::Result<Option<(queries::Link, Actor)>> {
        let Some(link) = queries::lock_link(tx, self.line_id).await? else { return Ok(None) };
        let actor = account::acting(tx, link.user_id).await?;
        Ok(actor.map(|actor| (link, actor)))
    }

    /// What he is writing.
    pub(super) fn draft(&self, link: &queries::Link) -> Option<Draft> {
        Draft::read(link.draft.as_deref(), self.now)
    }
}

//! Notifications as they come: a stream of server-sent events for each window that listens.
//!
//! One task of the process looks every second, and at once when this process has told somebody something, whether the inboxes of
//! those who listen have another version: so it hears of what other nodes did, too. A stream holds no more than the version that
//! it has to catch up with, however slowly it is read. It ends with the log-in that it was opened by.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName},
    response::{IntoResponse, Response, Sse, sse::Event},
};
use futures_util::stream;
use greenlit::{Opts, Read};
use serde_json::json;
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{queries, view};
use crate::{
    account::{Actor, LoginId, UserId},
    app::App,
    error::{Code, Error, Result},
    openapi::{Problem, Unauthorized},
};

/// How many streams a user has at most, and how many a process: fewer than connections, so that others come in.
const STREAMS_OF_ONE: usize = 8;
const STREAMS: usize = 2_000;
/// Seconds after which one more may be tried.
const RETRY_AFTER: u32 = 60;
/// How often other nodes' news are looked for, and how soon after this node's own at the earliest.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_SOON: Duration = Duration::from_millis(50);
/// Log-ins in one statement.
const AT_A_TIME: usize = 500;
/// So often something is sent, so that proxies and browsers know that the stream lives.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// How many notifications are told at a time; whoever missed more finds them in the list.
const MOST_TOLD: i64 = 20;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The streams of this process.
#[derive(Debug, Default)]
pub struct Live {
    listeners: Mutex<Listeners>,
    news: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Listeners {
    next: u64,
    by_number: HashMap<u64, Listener>,
    /// Whether somebody looks for news.
    is_watched: bool,
}

#[derive(Debug)]
struct Listener {
    user: UserId,
    login: LoginId,
    version: watch::Sender<i64>,
}

impl Live {
    /// An effect for `after_commit`: there is news.
    pub(super) fn wake(&self) -> impl FnOnce() -> std::future::Ready<()> + Send + 'static {
        let news = self.news.clone();
        move || {
            news.notify_one();
            std::future::ready(())
        }
    }

    fn lock(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one more listener.
    ///
    /// # Errors
    /// 429 if there are too many, 503 if the process is about to stop.
    fn listen(app: &App, actor: &Actor) -> Result<Listening> {
        let (version, changes) = watch::channel(0);
        let listener = Listener { user: actor.id, login: actor.login, version };
        let mut all = app.live.lock();
        let own = all.by_number.values().filter(|other| other.user == actor.id).count();
        if own >= STREAMS_OF_ONE || all.by_number.len() >= STREAMS {
            return Err(Error::from(Code::TooManyRequests).retry_after(RETRY_AFTER));
        }
        if app.is_draining() {
            return Err(Code::Unavailable.into());
        }
        let number = all.next;
        all.next += 1;
        all.by_number.insert(number, listener);
        if !std::mem::replace(&mut all.is_watched, true) {
            tokio::spawn(watch_inboxes(app.clone()));
        }
        Ok(Listening { app: app.clone(), number, changes })
    }

    /// The log-ins of those who listen; none is left to be looked after if there is none.
    fn logins(&self) -> Option<Vec<i64>> {
        let mut all = self.lock();
        all.is_watched = !all.by_number.is_empty();
        let mut logins: Vec<i64> = all.by_number.values().map(|listener| listener.login.0).collect();
        logins.sort_unstable();
        logins.dedup();
        all.is_watched.then_some(logins)
    }

    /// Tells the listeners of these log-ins their versions, and ends those whose log-in has none.
    fn tell(&self, logins: &[i64], versions: &HashMap<i64, i64>) {
        self.lock().by_number.retain(|_, listener| {
            let Some(version) = versions.get(&listener.login.0) else {
                return logins.binary_search(&listener.login.0).is_err();
            };
            listener.version.send_if_modified(|known| std::mem::replace(known, *version) != *version);
            true
        });
    }

    fn end_all(&self) {
        let mut all = self.lock();
        all.by_number.clear();
        all.is_watched = false;
    }
}

/// Looks for news as long as anybody listens.
async fn watch_inboxes(app: App) {
    // If it ended in a panic, whoever listens next would wait for ever: they come back, and begin anew.
    let _ended = Ended(&app.live);
    while let Some(logins) = app.live.logins() {
        if app.is_draining() {
            return app.live.end_all();
        }
        for some in logins.chunks(AT_A_TIME) {
            match queries::versions(&mut app.db.single(), some, app.clock.now()).await {
                Ok(found) => {
                    app.live.tell(some, &found.into_iter().map(|(login, version)| (login.0, version)).collect())
                }
                Err(e) => tracing::warn!(cause = %e, "news could not be looked for"),
            }
        }
        sleep(LOOK_SOON).await;
        tokio::select! {
            () = app.live.news.notified() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

/// Ends all streams in a panic.
struct Ended<'a>(&'a Live);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end_all();
        }
    }
}

/// One who listens, until it is dropped.
struct Listening {
    app: App,
    number: u64,
    changes: watch::Receiver<i64>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.app.live.lock().by_number.remove(&self.number);
    }
}

/// A stream, and how far it is.
struct Stream {
    listening: Listening,
    user: UserId,
    /// The version of the inbox that its client knows; none before it was told anything.
    seen: Option<i64>,
    /// The version that the client says it knows.
    resumed: Option<i64>,
    events: VecDeque<Event>,
}

impl Stream {
    /// The next event. `None` ends the stream; its client comes back.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Stream)> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some((Ok(event), self));
            }
            if self.seen.is_some() {
                tokio::select! {
                    changed = self.listening.changes.changed() => changed.ok()?,
                    () = sleep(ALIVE_EVERY) => return Some((Ok(Event::default().comment("")), self)),
                }
            }
            if let Err(e) = self.read().await {
                tracing::warn!(cause = %e, "a stream of notifications ended early");
                return None;
            }
        }
    }

    /// Reads what its client does not know yet.
    async fn read(&mut self) -> greenlit::Result<()> {
        let (user, seen, resumed) = (self.user, self.seen, self.resumed);
        let news = async |r: &mut Read| {
            let version = queries::inbox(r, user).await?.map_or(0, |inbox| inbox.version);
            // A version that is not there yet is of another database.
            let seen = seen.or(resumed.filter(|resumed| *resumed <= version)).unwrap_or(version);
            let notifications = view::since(r, user, seen, version, MOST_TOLD).await?;
            Ok::<_, greenlit::Error>((version, notifications, queries::unread(r, user).await?))
        };
        let (version, notifications, unread) = self.listening.app.db.read(Opts::default(), news).await?;
        if self.seen == Some(version) {
            return Ok(());
        }
        self.seen = Some(version);
        for notification in notifications.into_iter().rev() {
            let event = Event::default().event("notification").id(notification.version.to_string());
            self.events.extend(event.json_data(notification).ok());
        }
        let event = Event::default().event("unread").id(version.to_string());
        self.events.extend(event.json_data(json!({"unread": unread})).ok());
        Ok(())
    }
}

pub(super) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(stream_notifications))
}

/// Hear of notifications as they come
///
/// Server-sent events. `unread` tells how many are unread, `{"unread": 2}`: at the beginning, and when one came or was read.
/// `notification` is one that is new, or that somebody has joined, as the list has it. Each has an id; who comes back with the
/// last one as `Last-Event-ID` is told what he missed, the latest twenty of it. The stream ends with one's log-in, and when the
/// server stops; 8 of one user are open at a time on a server.
#[utoipa::path(
    get, path = "/api/notification/live", tag = "notification", security(("bearer" = [])),
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that one has seen")),
    responses(
        (status = 200, description = "Events, until either side ends", content_type = "text/event-stream"),
        (status = 429, description = "`too_many_requests`: too many streams are open", body = Problem),
        Unauthorized,
    ),
)]
async fn stream_notifications(State(app): State<App>, actor: Actor, headers: HeaderMap) -> Result<Response> {
    open(&app, &actor, &headers)
}

/// A stream for this user.
///
/// # Errors
/// 429 if too many are open, 503 if the process is about to stop.
pub(super) fn open(app: &App, actor: &Actor, headers: &HeaderMap) -> Result<Response> {
    let listening = Live::listen(app, actor)?;
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()?.parse::<i64>().ok());
    let resumed = last.filter(|id| *id >= 0);
    let stream = Stream { listening, user: actor.id, seen: None, resumed, events: VecDeque::new() };
    // nginx would hold events back until there are many.
    let unbuffered = [("x-accel-buffering", "no")];
    Ok((unbuffered, Sse::new(stream::unfold(stream, Stream::next))).into_response())
}

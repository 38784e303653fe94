//! The load: clients who write until the board is dead, and a reader who follows every address that he ever saw.

mod reader;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    Breach, Failure, Rng,
    client::{Answer, Client, Request},
    history::{History, PASSWORD, Sent, User, Write},
};

/// Who is there as long as the board is. One more comes, writes a little, erases himself, and comes again.
pub const RESIDENTS: usize = 4;
/// A user with fewer feeds makes one, and one with more deletes one: so that looking at all of them takes no time.
const FEEDS: std::ops::RangeInclusive<usize> = 2..=6;
/// What the guest does before he erases himself.
const GUEST: [Deed; 5] = [Deed::Create, Deed::Create, Deed::Comment, Deed::Like, Deed::Follow];
/// What residents do, some of it more often.
const DEEDS: [Deed; 14] = [
    Deed::Create,
    Deed::Create,
    Deed::Create,
    Deed::Update,
    Deed::Update,
    Deed::Update,
    Deed::Update,
    Deed::Delete,
    Deed::Comment,
    Deed::Comment,
    Deed::Like,
    Deed::Like,
    Deed::Follow,
    Deed::Rename,
];

#[derive(Clone, Copy)]
enum Deed {
    Create,
    Update,
    Delete,
    Comment,
    Like,
    Follow,
    Rename,
}

/// The clients, over all rounds.
#[derive(Clone, Default)]
pub struct Load(Arc<Shared>);

#[derive(Default)]
struct Shared {
    history: Mutex<History>,
    residents: Mutex<Vec<i64>>,
    guest: Mutex<Guest>,
    breaches: Mutex<Vec<Breach>>,
    /// Every address of an image that a reader ever saw and that is not gone for a reason, with its feed.
    addresses: Mutex<BTreeMap<String, i64>>,
    /// The comments of a feed, as a reader saw them last.
    comments: Mutex<HashMap<i64, Vec<i64>>>,
    /// The last number of a picture, of a text, of a key.
    last: AtomicU32,
    stopping: AtomicBool,
}

/// Who comes and goes.
#[derive(Clone, Copy, Default)]
struct Guest {
    id: Option<i64>,
    done: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// What was sent and told so far.
    pub fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.0.history)
    }

    /// What the clients saw that must not be. It is told once.
    pub fn breaches(&self) -> Vec<Breach> {
        std::mem::take(&mut lock(&self.0.breaches))
    }

    /// Signs up the residents.
    ///
    /// # Errors
    /// The board does not let them.
    pub async fn begin(&self, client: &Client) -> Result<(), Failure> {
        for _ in 0..RESIDENTS {
            let id = self.sign_up(client).await.ok_or("nobody can sign up")?;
            lock(&self.0.residents).push(id);
        }
        Ok(())
    }

    /// Lets all clients write and read, until the board does not answer or they are [stopped](Load::stop). Returns what was
    /// not answered.
    pub async fn run(&self, client: &Client, rng: &mut Rng) -> Vec<Sent> {
        self.0.stopping.store(false, Relaxed);
        let mut writers = JoinSet::new();
        for id in lock(&self.0.residents).clone() {
            let (load, client, mut rng) = (self.clone(), client.clone(), rng.fork());
            writers.spawn(async move { load.reside(&client, id, &mut rng).await });
        }
        let (load, guest, mut chance) = (self.clone(), client.clone(), rng.fork());
        writers.spawn(async move { load.visit(&guest, &mut chance).await });
        let reading = tokio::spawn(reader::Reader::new(self.clone(), client.clone(), rng.fork()).read());
        let unanswered = writers.join_all().await.into_iter().filter_map(Result::err).collect();
        self.stop();
        let _ = reading.await;
        unanswered
    }

    /// Has the clients end after what they are doing.
    pub fn stop(&self) {
        self.0.stopping.store(true, Relaxed);
    }

    fn goes_on(&self) -> bool {
        !self.0.stopping.load(Relaxed)
    }

    /// A number that was never used.
    fn next(&self) -> u32 {
        self.0.last.fetch_add(1, Relaxed) + 1
    }

    async fn reside(&self, client: &Client, user: i64, rng: &mut Rng) -> Result<(), Sent> {
        while self.goes_on() {
            let own = self.history().feeds_of(user).len();
            let deed = match rng.one_of(&DEEDS) {
                Some(Deed::Create) if own > *FEEDS.end() => Deed::Delete,
                Some(deed) if own >= *FEEDS.start() => deed,
                _ => Deed::Create,
            };
            if let Some(write) = self.choose(user, deed, rng) {
                self.send(client, user, write).await?;
            }
        }
        Ok(())
    }

    /// Goes on where the guest was when the last board died.
    async fn visit(&self, client: &Client, rng: &mut Rng) -> Result<(), Sent> {
        while self.goes_on() {
            let Guest { id, done } = *lock(&self.0.guest);
            let user = match id.filter(|id| self.history().has_user(*id)) {
                Some(id) => id,
                None => {
                    let Some(id) = self.sign_up(client).await else { return Ok(()) };
                    *lock(&self.0.guest) = Guest { id: Some(id), done: 0 };
                    continue;
                }
            };
            lock(&self.0.guest).done = done + 1;
            let write = match GUEST.get(done) {
                Some(deed) => self.choose(user, *deed, rng),
                None => Some(Write::Erase),
            };
            if let Some(write) = write {
                self.send(client, user, write).await?;
            }
        }
        Ok(())
    }

    /// Makes an account and logs in; `None` if an answer is missing.
    async fn sign_up(&self, client: &Client) -> Option<i64> {
        let nickname = format!("user {}", self.next());
        let email = format!("{}@example.com", nickname.replace(' ', "-"));
        let post = |path: &str, body: Value| {
            let request = Request::new(Method::POST, path).json(&body);
            async move { client.send(&request).await }
        };
        post("/api/auth/signup", json!({"email": email, "password": PASSWORD, "nickname": nickname})).await?;
        let login = post("/api/auth/login", json!({"email": email, "password": PASSWORD})).await?.json();
        let token = login["access_token"].as_str()?.to_owned();
        let profile = client.send(&Request::new(Method::GET, "/api/mypage/profile").by(&token)).await?.json();
        let id = profile["id"].as_i64()?;
        self.history().users.insert(id, User { token, nickname, erased: false });
        Some(id)
    }

    /// A write of this kind that makes sense now, if there is one.
    fn choose(&self, user: i64, deed: Deed, rng: &mut Rng) -> Option<Write> {
        let history = self.history();
        let own = history.feeds_of(user);
        let anybodys: Vec<i64> = history.feeds.keys().copied().collect();
        let others: Vec<i64> =
            history.users.keys().copied().filter(|id| *id != user && history.has_user(*id)).collect();
        let text = |what: &str| format!("{what} {}", self.next());
        Some(match deed {
            Deed::Create => Write::Create { title: text("feed"), pictures: self.pictures(rng.below(4)) },
            Deed::Update => {
                let feed = rng.one_of(&own)?;
                let images = &history.feeds.get(&feed)?.images;
                // Not more and more of them.
                let removed = images.iter().filter(|_| rng.below(2) == 0).map(|(_, url)| url.clone()).collect();
                Write::Update { feed, title: text("feed"), removed, added: self.pictures(rng.below(3)) }
            }
            Deed::Delete => Write::Delete { feed: rng.one_of(&own)? },
            Deed::Comment => Write::Comment { feed: rng.one_of(&anybodys)?, content: text("comment") },
            Deed::Like => Write::Like { feed: rng.one_of(&anybodys)? },
            Deed::Follow => Write::Follow { user: rng.one_of(&others)? },
            // Fewer names than users.
            Deed::Rename => Write::Rename { nickname: format!("wanted {}", rng.below(RESIDENTS - 1)) },
        })
    }

    fn pictures(&self, count: usize) -> Vec<u32> {
        (0..count).map(|_| self.next()).collect()
    }

    /// Sends a write and notes the answer. What has none is returned.
    async fn send(&self, client: &Client, user: i64, write: Write) -> Result<(), Sent> {
        let sent = Sent { user, write, key: format!("key-{}", self.next()) };
        let token = self.history().users.get(&user).map(|user| user.token.clone()).unwrap_or_default();
        let Ok(request) = sent.request(&token) else { return Ok(()) };
        self.history().send(&sent);
        match client.send(&request).await.filter(|answer| !answer.is_unknown()) {
            None => {
                self.history().counts.unknown += 1;
                Err(sent)
            }
            Some(answer) => {
                self.note(&sent, &answer);
                Ok(())
            }
        }
    }

    /// Notes what was answered to a write: at once, or when it was repeated.
    pub fn note(&self, sent: &Sent, answer: &Answer) {
        let mut history = self.history();
        if answer.status == 200 {
            history.counts.acknowledged += 1;
            history.acknowledge(sent, &answer.json());
        } else {
            history.counts.refused += 1;
            if !may_be_refused(&sent.write, answer.status) {
                let what = format!("{:?}: {} {}", sent.write, answer.status, String::from_utf8_lossy(&answer.body));
                self.breach(Breach::new('e', what));
            }
        }
    }

    fn breach(&self, breach: Breach) {
        lock(&self.0.breaches).push(breach);
    }
}

/// What others do in the same moment can get in the way of these: feeds and users go, and names are taken.
fn may_be_refused(write: &Write, status: u16) -> bool {
    match write {
        Write::Comment { .. } | Write::Like { .. } | Write::Follow { .. } => status == 404,
        Write::Rename { .. } => status == 400,
        _ => false,
    }
}

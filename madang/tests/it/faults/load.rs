//! Clients who write all the time, and remember what they were told of each write.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

use crate::support::wire::{Reply, Wire};

/// What a client knows of a write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    Done,
    NotDone,
    Unknown,
}

/// Writes by their titles, each of its own.
#[derive(Default)]
pub(super) struct History(HashMap<String, Known>);

/// Clients at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<HashMap<String, Known>>,
}

impl Load {
    /// So many writers, whose titles begin with `name`, and as many readers.
    pub(super) fn start(wire: &Wire, name: &str, writers: usize) -> Load {
        let (stop, mut clients) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for n in 0..writers {
            clients.spawn(write(wire.clone(), format!("{name} {n}"), stop.clone()));
            clients.spawn(read(wire.clone(), stop.clone()));
        }
        Load { stop, clients }
    }

    /// Lets them end what they are at.
    pub(super) async fn end(self, history: &mut History) {
        self.stop.store(true, Relaxed);
        history.0.extend(self.clients.join_all().await.into_iter().flatten());
    }
}

async fn write(wire: Wire, name: String, stop: Arc<AtomicBool>) -> HashMap<String, Known> {
    let mut told = HashMap::new();
    while !stop.load(Relaxed) {
        let title = format!("{name} {}", told.len());
        let reply = wire.send(&wire.create_feed(&title, &[])).await.unwrap();
        told.insert(title, known(&reply));
        sleep(Duration::from_millis(10)).await;
    }
    told
}

async fn read(wire: Wire, stop: Arc<AtomicBool>) -> HashMap<String, Known> {
    while !stop.load(Relaxed) {
        assert_ne!(known(&wire.get("/api/feed/list").await.unwrap()), Known::Unknown, "of a read");
        wire.get("/healthz").await.unwrap().expect(200);
        sleep(Duration::from_millis(10)).await;
    }
    HashMap::new()
}

/// A board whose database fails says one of these, and nothing else.
pub(super) fn known(reply: &Reply) -> Known {
    match (reply.status, &*reply.code(), reply.header("retry-after")) {
        (200, ..) => Known::Done,
        (503, "unavailable", Some(_)) => Known::NotDone,
        (503, "outcome_unknown", None) => Known::Unknown,
        _ => panic!("{reply:?} {}", String::from_utf8_lossy(&reply.body)),
    }
}

impl History {
    pub(super) fn count(&self, which: Known) -> usize {
        self.0.values().filter(|known| **known == which).count()
    }

    /// What was acknowledged is there once, what was refused is not, and of the rest nothing is there twice.
    pub(super) async fn assert_true_of(&self, wire: &Wire) {
        let mut there: HashMap<String, u32> = HashMap::new();
        let mut cursor = String::new();
        loop {
            let page = wire.get(&format!("/api/feed/list?limit=100{cursor}")).await.unwrap().expect(200);
            for feed in page["feeds"].as_array().unwrap() {
                *there.entry(feed["title"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            match page["pagination"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        for (title, known) in &self.0 {
            let times = there.get(title).copied().unwrap_or_default();
            let fits = match known {
                Known::Done => times == 1,
                Known::NotDone => times == 0,
                Known::Unknown => times <= 1,
            };
            assert!(fits, "{title} is there {times} times, and the client was told {known:?}");
        }
    }
}

//! What a reader sees while others write: addresses that go too early, and comments that change places.

use super::{Load, lock};
use crate::{
    Breach, Rng,
    client::{Client, path_of},
    history::key_of,
};

/// Reads without an end what the board shows.
pub(super) struct Reader {
    load: Load,
    client: Client,
    rng: Rng,
}

impl Reader {
    pub(super) fn new(load: Load, client: Client, rng: Rng) -> Reader {
        Reader { load, client, rng }
    }

    pub(super) async fn read(mut self) {
        // Until there is no answer: then the board is dead.
        while self.load.goes_on() && self.look().await.is_some() {}
    }

    async fn look(&mut self) -> Option<()> {
        let list = self.client.get("/api/feed/list?limit=100").await?;
        let mut ids = Vec::new();
        for feed in list.json()["feeds"].as_array()? {
            let id = feed["id"].as_i64()?;
            ids.push(id);
            let images = feed["images"].as_array()?.iter().flat_map(|image| [&image["url"], &image["thumb_url"]]);
            let urls = images.filter_map(|url| Some((url.as_str()?.to_owned(), id)));
            lock(&self.load.0.addresses).extend(urls);
        }
        let addresses: Vec<String> = lock(&self.load.0.addresses).keys().cloned().collect();
        for _ in 0..addresses.len().min(10) {
            let at = self.rng.below(addresses.len());
            self.follow(&addresses[at]).await?;
        }
        match self.rng.one_of(&ids) {
            Some(feed) => self.compare_comments(feed).await,
            None => Some(()),
        }
    }

    async fn follow(&self, url: &str) -> Option<()> {
        let Some(feed) = lock(&self.load.0.addresses).get(url).copied() else { return Some(()) };
        let status = self.client.get(path_of(url)).await?.status;
        let may_be_gone = self.load.history().leaving.contains(key_of(url));
        match status {
            200 => {}
            404 if may_be_gone => drop(lock(&self.load.0.addresses).remove(url)),
            _ => self.load.breach(Breach::new('b', format!("{url} of feed {feed} answers {status}"))),
        }
        Some(())
    }

    /// Comments are only added, at the end: what was seen before stays in front, in its order. Those of the guest go with him.
    async fn compare_comments(&self, feed: i64) -> Option<()> {
        let path = format!("/api/comment/feed/{feed}?limit=100&sort_by=create_dt_asc");
        let now = self.client.get(&path).await?.json();
        let now: Vec<i64> = now.as_array()?.iter().filter_map(|comment| comment["id"].as_i64()).collect();
        let before = lock(&self.load.0.comments).insert(feed, now.clone()).unwrap_or_default();
        let kept: Vec<i64> = before.into_iter().filter(|id| now.contains(id)).collect();
        if !now.starts_with(&kept) {
            self.load.breach(Breach::new('a', format!("the comments of feed {feed} were {kept:?} and are {now:?}")));
        }
        Some(())
    }
}

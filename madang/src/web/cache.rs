//! Answers that are the same for everybody who is not logged in, made once for each change.
//!
//! A page is good as long as this process has committed nothing since before it was read, and for a second, since other
//! processes write too. So on one node it is exact: a write is acknowledged after its COMMIT, and whoever asks then finds the
//! page too old.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::digest;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};

use super::{frame::Theme, lang::Lang};
use crate::{
    error::{Error, Result},
    secret::hex,
};

/// How old a page may be that another process has changed.
const AGE: Duration = Duration::from_secs(1);

/// What pages differ by for people who are not logged in.
pub type Variant = (Lang, Option<Lang>, Theme);

/// What is the same for all of them. There are so few of these, and of a bounded length, that none has to go for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The home page.
    Home(Variant),
    /// The list of feeds in JSON, as it is asked for without a query.
    Feeds,
}

/// The pages that were made.
#[derive(Debug, Default)]
pub struct PageCache {
    pages: RwLock<HashMap<Key, Made>>,
    /// Whoever makes a home page, and whoever makes the list; others wait for it.
    making: [Mutex<()>; 2],
}

#[derive(Clone, Debug)]
struct Made {
    /// How many transactions had been committed when it was begun.
    commits: u64,
    at: Instant,
    page: Arc<Page>,
}

/// A page, with its tag if it is HTML.
#[derive(Debug)]
pub struct Page {
    body: Bytes,
    tag: Option<HeaderValue>,
}

impl PageCache {
    /// The page, made now unless there is one that is good. `commits` counts this process's transactions.
    ///
    /// # Errors
    /// Those of `make`.
    pub async fn get<F>(&self, key: Key, commits: impl Fn() -> u64, make: impl FnOnce() -> F) -> Result<Arc<Page>>
    where
        F: Future<Output = Result<Page>>,
    {
        if let Some(page) = self.good(key, commits()) {
            return Ok(page);
        }
        let came = Instant::now();
        let _turn = self.making[usize::from(key == Key::Feeds)].lock().await;
        // A page that was begun since is as good as one that is made now, however many have written in between.
        if let Some(made) = self.made(key).filter(|made| made.at > came) {
            return Ok(made.page);
        }
        let (before, at) = (commits(), Instant::now());
        let page = Arc::new(make().await?);
        let made = Made { commits: before, at, page: page.clone() };
        self.pages.write().unwrap_or_else(PoisonError::into_inner).insert(key, made);
        Ok(page)
    }

    /// The page if there is one that is good.
    pub fn good(&self, key: Key, commits: u64) -> Option<Arc<Page>> {
        let made = self.made(key)?;
        (made.commits == commits && made.at.elapsed() < AGE).then_some(made.page)
    }

    fn made(&self, key: Key) -> Option<Made> {
        self.pages.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }
}

impl Page {
    /// In HTML.
    pub fn html(text: String) -> Page {
        let hash = hex(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..12]);
        let tag = HeaderValue::try_from(format!("\"{hash}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Page { body: text.into(), tag: Some(tag) }
    }

    /// In JSON.
    ///
    /// # Errors
    /// 500 if it cannot be written as JSON.
    pub fn json(value: &impl Serialize) -> Result<Page> {
        let text = serde_json::to_vec(value).map_err(Error::internal)?;
        Ok(Page { body: text.into_boxed_slice().into(), tag: None })
    }

    /// The page, or 304 if the client has it.
    pub fn answer(&self, request: &HeaderMap) -> Response {
        let Some(tag) = &self.tag else {
            const JSON: HeaderValue = HeaderValue::from_static("application/json");
            return ([(header::CONTENT_TYPE, JSON)], self.body.clone()).into_response();
        };
        let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let headers = [
            (header::ETAG, tag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        ];
        let tag = tag.to_str().unwrap_or_default();
        if known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, self.body.clone()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    const HOME: Key = Key::Home((Lang::English, None, Theme::Auto));

    #[tokio::test(start_paused = true)]
    async fn a_page_is_made_once_for_each_change_and_for_a_second() {
        let (cache, commits, made) = (PageCache::default(), AtomicU64::new(0), AtomicU64::new(0));
        let get = async || {
            let make = async || Ok(Page::html(made.fetch_add(1, Relaxed).to_string()));
            let page = cache.get(HOME, || commits.load(Relaxed), make).await.unwrap();
            String::from_utf8(page.body.to_vec()).unwrap()
        };
        assert_eq!((get().await, get().await), ("0".to_owned(), "0".to_owned()));
        commits.fetch_add(1, Relaxed);
        assert_eq!((get().await, get().await), ("1".to_owned(), "1".to_owned()));
        tokio::time::advance(AGE).await;
        assert_eq!(get().await, "2");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_slow_page_takes_the_next_one() {
        let (cache, commits, made) = (PageCache::default(), AtomicU64::new(0), AtomicU64::new(0));
        let make = async || {
            commits.fetch_add(1, Relaxed);
            tokio::time::sleep(2 * AGE).await;
            Ok(Page::html(made.fetch_add(1, Relaxed).to_string()))
        };
        let readers = (0..10).map(|_| cache.get(HOME, || commits.load(Relaxed), make));
        for page in futures_util::future::join_all(readers).await {
            page.unwrap();
        }
        assert_eq!(made.load(Relaxed), 2);
    }

    #[tokio::test]
    async fn a_page_that_was_begun_before_a_change_is_not_kept_after_it() {
        let (cache, commits) = (PageCache::default(), AtomicU64::new(0));
        let count = || commits.load(Relaxed);
        let overtaken = async || {
            commits.fetch_add(1, Relaxed);
            Ok(Page::html("old".to_owned()))
        };
        cache.get(HOME, count, overtaken).await.unwrap();
        let page = cache.get(HOME, count, async || Ok(Page::html("new".to_owned()))).await.unwrap();
        assert_eq!(page.body, "new");
    }
}

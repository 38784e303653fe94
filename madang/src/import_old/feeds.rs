//! Feeds with their images. Each feed that has some is a transaction of its own, so that what was fetched for it is claimed
//! before it could expire, and an interruption costs one feed's images at most.

use std::collections::HashSet;

use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

use super::{
    Failure, Import,
    images::Missing,
    progress::{self, Phase},
    queries,
    source::OldFeed,
};
use crate::{
    account::UserId,
    clock::Timestamp,
    error::{Code, Error},
    http::body::Progress,
    media::{self, Staged},
};

/// Longer ones than new ones may be are kept, and reported.
const TITLE_LENGTH: usize = 200;
const CONTENT_LENGTH: usize = 50_000;

/// A feed as the new board has it.
#[derive(Clone)]
struct NewFeed {
    id: i64,
    author: i64,
    title: String,
    content: String,
    created: Timestamp,
    updated: Timestamp,
}

impl Import<'_> {
    pub(super) async fn feeds(&mut self, mut after: i64, rows: Vec<OldFeed>) -> Result<i64, Failure> {
        let authors: HashSet<i64> = rows.iter().filter_map(|row| row.author).collect();
        let authors: Vec<i64> = authors.into_iter().collect();
        let authors = queries::users(&mut self.app.db.single(), &authors).await?;
        let mut rest = Vec::new();
        for row in rows {
            let last = row.id;
            let urls = self.urls(&row);
            let Some(author) = row.author.filter(|author| authors.contains(author)) else {
                let lost = json!({"author": row.author_name, "title": row.title, "content": row.content,
                    "image_urls": urls, "created": row.created.map(Timestamp)});
                self.report.note("feed_without_author", "feeds", row.id, lost);
                rest.push((last, None));
                continue;
            };
            rest.push((last, Some(self.feed(row, author))));
            if !urls.is_empty() {
                let staged = self.images(last, author, &urls).await?;
                after = self.write(after, std::mem::take(&mut rest), &staged).await?;
            }
        }
        self.write(after, rest, &[]).await
    }

    /// Writes some feeds, the last of them with these images.
    async fn write(
        &mut self,
        after: i64,
        feeds: Vec<(i64, Option<NewFeed>)>,
        staged: &[Staged],
    ) -> Result<i64, Failure> {
        let Some((last, _)) = feeds.last() else { return Ok(after) };
        let last = *last;
        self.report.sync()?;
        let (app, feeds) = (self.app, &feeds);
        let written = app
            .db
            .tx(progress::step(Phase::Feeds, (after, 0)), async |tx| {
                for feed in feeds.iter().filter_map(|(_, feed)| feed.as_ref()) {
                    let (text, times) = ((feed.title.as_str(), feed.content.as_str()), (feed.created, feed.updated));
                    queries::add_feed(tx, (feed.id, feed.author), text, times).await?;
                }
                if let Some((_, Some(feed))) = feeds.last() {
                    for (position, one) in (0_i64..).zip(staged) {
                        let one = std::slice::from_ref(one);
                        media::claim(app, tx, UserId(feed.author), feed.id, position, one).await?;
                    }
                }
                progress::reach(tx, (last, 0)).await?;
                Ok::<(), Error>(())
            })
            .await;
        if let Err(e) = written {
            media::discard(app, staged.to_vec()).await;
            return Err(e.into());
        }
        self.bar.inc(feeds.len() as u64);
        Ok(last)
    }

    fn feed(&mut self, row: OldFeed, author: i64) -> NewFeed {
        let (created, updated) = self.times("feeds", row.id, row.created, row.updated);
        let normal = |text: &Option<String>| text.as_deref().unwrap_or_default().nfc().collect::<String>();
        let (title, content) = (normal(&row.title), normal(&row.content));
        self.judge_text("feeds", row.id, "title", row.title.as_deref(), &title, TITLE_LENGTH);
        self.judge_text("feeds", row.id, "content", row.content.as_deref(), &content, CONTENT_LENGTH);
        NewFeed { id: row.id, author, title, content, created, updated }
    }

    /// Fetches, checks and stages a feed's images, one after another. What cannot be had is reported.
    async fn images(&mut self, feed: i64, owner: i64, urls: &[String]) -> Result<Vec<Staged>, Failure> {
        if urls.len() > media::IMAGES_PER_FEED {
            self.report.note("many_images", "feeds", feed, json!({"images": urls.len()}));
        }
        let mut staged = Vec::new();
        for url in urls {
            let problem = match self.images.fetch(self.app, url).await {
                Ok(upload) => {
                    let owner = UserId(owner);
                    match media::stage(self.app, owner, vec![upload], &Progress::unwatched()).await {
                        Ok(mut one) => {
                            staged.append(&mut one);
                            continue;
                        }
                        Err(e) if is_about_the_picture(e.code()) => ("image_refused", e.code().as_str().to_owned()),
                        Err(e) => {
                            media::discard(self.app, staged).await;
                            return Err(e.into());
                        }
                    }
                }
                Err(Missing::Absent(why)) => ("image_missing", why),
                Err(Missing::Forbidden(why)) => ("image_not_fetched", why),
                Err(Missing::Unreachable(why)) => ("image_missing", why),
                Err(Missing::GivenUp(why)) => {
                    media::discard(self.app, staged).await;
                    return Err(Failure(why));
                }
            };
            self.report.note(problem.0, "feeds", feed, json!({"url": url, "why": problem.1}));
        }
        Ok(staged)
    }

    /// The addresses in `image_urls`: an array of texts, as JSON, or one text.
    fn urls(&mut self, row: &OldFeed) -> Vec<String> {
        let Some(text) = row.urls.as_deref().map(str::trim).filter(|text| !text.is_empty()) else { return Vec::new() };
        let read = match serde_json::from_str::<Value>(text) {
            Ok(Value::String(inner)) if inner.starts_with('[') => serde_json::from_str(&inner).ok(),
            Ok(value) => Some(value),
            Err(_) if text.starts_with("http") => Some(json!([text])),
            Err(_) => None,
        };
        let items = match read {
            Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(Value::String(url)) => vec![Value::String(url)],
            _ => {
                self.report.note("unreadable_image_urls", "feeds", row.id, json!({"image_urls": text}));
                return Vec::new();
            }
        };
        let (texts, others): (Vec<Value>, Vec<Value>) = items.into_iter().partition(Value::is_string);
        if !others.is_empty() {
            self.report.note("unreadable_image_urls", "feeds", row.id, json!({"image_urls": others}));
        }
        texts.iter().filter_map(Value::as_str).filter(|url| !url.is_empty()).map(str::to_owned).collect()
    }
}

/// Anything else is the store's or the database's matter, and the image may be taken over by the next run.
fn is_about_the_picture(code: Code) -> bool {
    matches!(code, Code::ImageTooLarge | Code::UnsupportedImageType | Code::BrokenImage)
}

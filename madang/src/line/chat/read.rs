//! Reading the board in a chat.

use greenlit::{Result, Tx};
use serde_json::Value;

use super::Chat;
use crate::{
    account::UserId,
    feed::{self, FeedId, FeedImages},
    line::{digest::digest, message},
    markdown::excerpt,
    notification,
    paging::{Start, Window},
};

/// How many feeds stand side by side.
const NEWEST: i64 = 10;
const NEWS: i64 = 10;
/// Characters of a feed's beginning, and of its words: more than a message takes.
const BEGINNING: usize = 200;
const WORDS: usize = 5_000;

/// The newest feeds, side by side.
pub(super) async fn newest(chat: &Chat<'_>, tx: &mut Tx) -> Result<Vec<Value>> {
    let window = Window { limit: NEWEST, start: Start::Skip(0) };
    let (feeds, _) = feed::newest(tx, window, "newest", UserId(0)).await?;
    let bubbles = feeds.iter().map(|found| message::bubble(chat.lang, &Shown::new(chat, found).card(found))).collect();
    let carousel = message::carousel(&chat.lang.t("line-newest-title"), bubbles);
    Ok(vec![chat.with_help(carousel.unwrap_or_else(|| chat.say("line-newest-none")))])
}

/// A feed, then its words if they are more than stand on it.
pub(super) async fn feed(chat: &Chat<'_>, tx: &mut Tx, id: i64) -> Result<Vec<Value>> {
    let Some(found) = feed::by_id(tx, FeedId(id), UserId(0)).await? else {
        return Ok(vec![chat.with_help(chat.say("line-feed-not-found"))]);
    };
    Ok(shown(chat, &found))
}

/// A feed as it is shown alone: see [`feed`].
pub(super) fn shown(chat: &Chat<'_>, found: &FeedImages) -> Vec<Value> {
    let words = excerpt(&found.feed.content, WORDS);
    let card = message::feed(chat.lang, &Shown::new(chat, found).card(found));
    match words.chars().nth(BEGINNING) {
        None => vec![chat.with_help(card)],
        Some(_) => vec![card, chat.with_help(message::text(&words))],
    }
}

/// What is new for whoever's chat it is, read or not.
pub(super) async fn notifications(chat: &Chat<'_>, tx: &mut Tx) -> Result<Vec<Value>> {
    let Some((link, _)) = chat.user(tx).await? else { return Ok(vec![chat.not_linked()]) };
    let news = notification::newest(tx, link.user_id, NEWS).await?;
    let message =
        if news.is_empty() { chat.say("line-notifications-none") } else { digest(chat.app, chat.lang, &news) };
    Ok(vec![chat.with_help(message)])
}

/// What is made of a feed to be shown.
struct Shown {
    excerpt: String,
    thumbnail: Option<String>,
    url: String,
}

impl Shown {
    fn new(chat: &Chat<'_>, found: &FeedImages) -> Shown {
        // LINE shows no others, and none that are larger.
        let shows = |extension: &str| matches!(extension, "jpg" | "png");
        let image = found
            .images
            .first()
            .filter(|image| shows(&image.extension) && (image.thumb_width.is_some() || !image.is_wide()));
        Shown {
            excerpt: excerpt(&found.feed.content, BEGINNING),
            thumbnail: image.map(|image| chat.app.media.thumb_url(image)),
            url: format!("{}/feed/{}", chat.app.site.url, found.feed.id.0),
        }
    }

    fn card<'a>(&'a self, found: &'a FeedImages) -> message::Card<'a> {
        message::Card {
            id: found.feed.id.0,
            title: &found.feed.title,
            excerpt: &self.excerpt,
            author: found.feed.author_nickname.as_str(),
            thumbnail: self.thumbnail.as_deref(),
            url: &self.url,
            likes: found.feed.like_count,
            comments: found.feed.comment_count,
        }
    }
}

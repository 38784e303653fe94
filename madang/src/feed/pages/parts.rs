//! Feeds as pages show them: in lists, and whole.

use std::sync::Arc;

use askama::Template;

use crate::{
    app::App,
    clock::Timestamp,
    feed::view::FeedImages,
    markdown,
    media::Image,
    web::{Frame, parts::LikeButton},
};

/// Characters of a feed's text in a list.
const EXCERPT: usize = 160;
/// Photos of a feed in a list.
const PHOTOS: usize = 4;

/// A list of feeds, with the way to those after it.
#[derive(Template)]
#[template(path = "feed/pages/list.html")]
pub(crate) struct CardList<'a> {
    frame: &'a Frame,
    /// The page that shows it.
    path: String,
    cards: Vec<Card<'a>>,
    next: Option<String>,
}

struct Card<'a> {
    id: i64,
    title: String,
    excerpt: String,
    author: i64,
    nickname: String,
    created: Timestamp,
    photos: Vec<Photo>,
    /// How many photos it has beyond those.
    more: usize,
    comments: i64,
    like: LikeButton<'a>,
}

/// A photo of a feed.
pub(crate) struct Photo {
    /// Where it is, for forms that name it.
    pub(crate) url: String,
    /// The same on the board's pages.
    pub(crate) path: String,
    /// At a width of 640 pixels at most.
    pub(crate) thumb: String,
    pub(crate) width: i64,
    pub(crate) height: i64,
}

impl Photo {
    pub(crate) fn all(app: &App, found: &FeedImages) -> Vec<Photo> {
        let photo = |image: &Image| {
            let (path, thumb) = (app.media.path(image), app.media.thumb_path(image));
            Photo { url: app.media.url(image), path, thumb, width: image.width, height: image.height }
        };
        found.images.iter().map(photo).collect()
    }
}

impl<'a> CardList<'a> {
    /// Of these feeds on this page, where `next` is the cursor of the page after it.
    pub(crate) fn new(
        app: &App,
        frame: &'a Frame,
        path: impl Into<String>,
        feeds: Vec<FeedImages>,
        next: Option<String>,
    ) -> CardList<'a> {
        let cards = feeds.into_iter().map(|found| Card::new(app, frame, found)).collect();
        CardList { frame, path: path.into(), cards, next }
    }
}

impl<'a> Card<'a> {
    fn new(app: &App, frame: &'a Frame, found: FeedImages) -> Card<'a> {
        let mut photos = Photo::all(app, &found);
        let more = photos.len().saturating_sub(PHOTOS);
        photos.truncate(PHOTOS);
        let feed = found.feed;
        Card {
            id: feed.id.0,
            excerpt: markdown::excerpt(&feed.content, EXCERPT),
            title: feed.title,
            author: feed.author_id.0,
            nickname: feed.author_nickname.as_str().to_owned(),
            created: feed.create_dt,
            photos,
            more,
            comments: feed.comment_count,
            like: LikeButton { frame, kind: "feed", id: feed.id.0, liked: feed.liked, count: feed.like_count },
        }
    }
}

/// A whole feed.
#[derive(Template)]
#[template(path = "feed/pages/article.html")]
pub(crate) struct Article<'a> {
    frame: &'a Frame,
    pub(crate) id: i64,
    pub(crate) title: String,
    /// For those who show the page elsewhere.
    pub(crate) excerpt: String,
    content: Arc<str>,
    author: i64,
    nickname: String,
    created: Timestamp,
    updated: Timestamp,
    pub(crate) photos: Vec<Photo>,
    pub(crate) comments: i64,
    like: LikeButton<'a>,
    /// Whether whoever looks may change it, or delete it.
    mine: bool,
    deletable: bool,
}

impl<'a> Article<'a> {
    pub(crate) fn new(app: &App, frame: &'a Frame, is_admin: bool, found: FeedImages) -> Article<'a> {
        let photos = Photo::all(app, &found);
        let feed = found.feed;
        let mine = frame.is(feed.author_id.0);
        Article {
            frame,
            id: feed.id.0,
            excerpt: markdown::excerpt(&feed.content, EXCERPT),
            content: markdown::render(&feed.content),
            title: feed.title,
            author: feed.author_id.0,
            nickname: feed.author_nickname.as_str().to_owned(),
            created: feed.create_dt,
            updated: feed.update_dt,
            photos,
            comments: feed.comment_count,
            like: LikeButton { frame, kind: "feed", id: feed.id.0, liked: feed.liked, count: feed.like_count },
            mine,
            deletable: mine || is_admin,
        }
    }

    /// Whether it was changed after it was written.
    fn edited(&self) -> bool {
        self.updated > self.created
    }
}

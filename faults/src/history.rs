//! What clients sent and what they were told of it: the board as it must be.
//!
//! A client sends one write at a time. What it was not told of stays open until its repetition is answered, so that from then
//! on there is one state that the board may have.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{Failure, client::Request, pictures};

/// The password of everybody; the log must not have it.
pub const PASSWORD: &str = "canary battery staple";

/// All that was acknowledged.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By id, those who erased themselves too.
    pub users: BTreeMap<i64, User>,
    /// Feeds that are there, by id.
    pub feeds: BTreeMap<i64, Feed>,
    /// Comments by id; with their feed or author they are gone.
    pub comments: BTreeMap<i64, Comment>,
    /// Which user likes which feed; with either it is gone.
    pub likes: BTreeSet<(i64, i64)>,
    /// Who follows whom; with either it is gone.
    pub follows: BTreeSet<(i64, i64)>,
    /// Feeds that may be gone, since something was sent that deletes them.
    pub ending: BTreeSet<i64>,
    /// The keys of images that may be gone, since something was sent that removes them.
    pub leaving: BTreeSet<String>,
    /// How often the answer was which.
    pub counts: Counts,
}

/// What became of writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// 200.
    pub acknowledged: u64,
    /// Refused.
    pub refused: u64,
    /// Without an answer.
    pub unknown: u64,
    /// Those without an answer that had been committed.
    pub committed: u64,
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// His access token.
    pub token: String,
    /// His name.
    pub nickname: String,
    /// Whether he erased himself.
    pub erased: bool,
}

/// A feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Whose it is.
    pub author: i64,
    /// Its title, which no other feed ever has, and which its content repeats.
    pub title: String,
    /// Its images in order: the numbers of the pictures, and the addresses.
    pub images: Vec<(u32, String)>,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// What it is about.
    pub feed: i64,
    /// Whose it is.
    pub author: i64,
    /// Its text, which no other comment ever has.
    pub content: String,
}

/// What a client wants. Images to remove are named by their addresses, new ones by the numbers of their pictures.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // the fields say it
pub enum Write {
    /// A new feed with these pictures.
    Create { title: String, pictures: Vec<u32> },
    /// Another title for a feed, without the images at these addresses and with these pictures.
    Update { feed: i64, title: String, removed: Vec<String>, added: Vec<u32> },
    /// No more of this feed.
    Delete { feed: i64 },
    /// A comment.
    Comment { feed: i64, content: String },
    /// A like, or no more of it.
    Like { feed: i64 },
    /// To follow somebody, or no longer.
    Follow { user: i64 },
    /// Another name, which others may want too.
    Rename { nickname: String },
    /// No more of oneself.
    Erase,
}

/// A write as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// By whom.
    pub user: i64,
    /// What.
    pub write: Write,
    /// Its Idempotency-Key.
    pub key: String,
}

/// The content of the feed with this title.
pub fn content_of(title: &str) -> String {
    format!("The content of {title}.")
}

impl Sent {
    /// The request, the same each time.
    ///
    /// # Errors
    /// A picture cannot be encoded.
    pub fn request(&self, token: &str) -> Result<Request, Failure> {
        let files = |field: &'static str, numbers: &[u32]| {
            numbers.iter().map(|number| Ok((field, pictures::file(*number)?))).collect::<Result<Vec<_>, Failure>>()
        };
        let request = match &self.write {
            Write::Create { title, pictures } => Request::new(Method::POST, "/api/feed/create")
                .form(&[("title", title), ("content", &content_of(title))], &files("images", pictures)?),
            Write::Update { feed, title, removed, added } => {
                let content = content_of(title);
                let mut texts = vec![("title", title.as_str()), ("content", &content)];
                texts.extend(removed.iter().map(|url| ("target_image_urls", url.as_str())));
                let request = Request::new(Method::PATCH, format!("/api/feed/update/{feed}"));
                request.form(&texts, &files("new_images", added)?)
            }
            Write::Delete { feed } => Request::new(Method::DELETE, format!("/api/feed/delete/{feed}")),
            Write::Comment { feed, content } => {
                Request::new(Method::POST, "/api/comment/create").json(&json!({"feed_id": feed, "content": content}))
            }
            Write::Like { feed } => Request::new(Method::PATCH, format!("/api/like/?feed_id={feed}")),
            Write::Follow { user } => Request::new(Method::PATCH, format!("/api/follow/{user}")),
            Write::Rename { nickname } => {
                Request::new(Method::PATCH, "/api/mypage/profile").json(&json!({"nickname": nickname}))
            }
            Write::Erase => Request::new(Method::DELETE, "/api/mypage/profile").json(&json!({"password": PASSWORD})),
        };
        Ok(request.by(token).once(&self.key))
    }
}

impl History {
    /// Notes what is about to be sent.
    pub fn send(&mut self, sent: &Sent) {
        let ending = match &sent.write {
            Write::Update { removed, .. } => {
                return self.leaving.extend(removed.iter().map(|url| key_of(url).to_owned()));
            }
            Write::Delete { feed } => vec![*feed],
            Write::Erase => self.feeds_of(sent.user),
            _ => return,
        };
        let images = ending.iter().filter_map(|id| self.feeds.get(id)).flat_map(|feed| &feed.images);
        self.leaving.extend(images.map(|(_, url)| key_of(url).to_owned()));
        self.ending.extend(ending);
    }

    /// Notes that a write was acknowledged with this answer.
    pub fn acknowledge(&mut self, sent: &Sent, answer: &Value) {
        let user = sent.user;
        let id = answer["id"].as_i64().unwrap_or_default();
        match &sent.write {
            Write::Create { title, pictures } => {
                let images = with_urls(pictures.clone(), answer);
                self.feeds.insert(id, Feed { author: user, title: title.clone(), images });
            }
            Write::Update { feed, .. } => {
                if let Some(after) = self.updated(sent) {
                    let numbers = after.images.iter().map(|(number, _)| *number).collect();
                    self.feeds.insert(*feed, Feed { images: with_urls(numbers, answer), ..after });
                }
            }
            Write::Delete { feed } => drop(self.feeds.remove(feed)),
            Write::Comment { feed, content } => {
                let comment = Comment { feed: *feed, author: user, content: content.clone() };
                self.comments.insert(id, comment);
            }
            Write::Like { feed } => toggle(&mut self.likes, (user, *feed)),
            Write::Follow { user: followed } => toggle(&mut self.follows, (user, *followed)),
            Write::Rename { nickname } => self.user(user, |user| user.nickname.clone_from(nickname)),
            Write::Erase => {
                self.user(user, |user| user.erased = true);
                self.feeds.retain(|_, feed| feed.author != user);
            }
        }
        self.drop_what_hung_on_others();
    }

    /// The feed as an update leaves it; the addresses of its new images are not known yet.
    pub fn updated(&self, sent: &Sent) -> Option<Feed> {
        let Write::Update { feed, title, removed, added } = &sent.write else { return None };
        let mut after = Feed { title: title.clone(), ..self.feeds.get(feed)?.clone() };
        after.images.retain(|(_, url)| !removed.contains(url));
        after.images.extend(added.iter().map(|number| (*number, String::new())));
        Some(after)
    }

    /// The ids of a user's feeds.
    pub fn feeds_of(&self, user: i64) -> Vec<i64> {
        self.feeds.iter().filter(|(_, feed)| feed.author == user).map(|(id, _)| *id).collect()
    }

    /// Whether this user is there.
    pub fn has_user(&self, id: i64) -> bool {
        self.users.get(&id).is_some_and(|user| !user.erased)
    }

    fn user(&mut self, id: i64, change: impl FnOnce(&mut User)) {
        if let Some(user) = self.users.get_mut(&id) {
            change(user);
        }
    }

    /// A write can be acknowledged after what it hangs on is gone: only now is that known.
    fn drop_what_hung_on_others(&mut self) {
        let (feeds, users) = (&self.feeds, &self.users);
        let there = |id: &i64| users.get(id).is_some_and(|user| !user.erased);
        self.comments.retain(|_, comment| feeds.contains_key(&comment.feed) && there(&comment.author));
        self.likes.retain(|(user, feed)| there(user) && feeds.contains_key(feed));
        self.follows.retain(|(follower, followed)| there(follower) && there(followed));
    }
}

/// What the addresses of an image and of its thumbnail have in common.
pub fn key_of(url: &str) -> &str {
    url.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default()
}

fn toggle(set: &mut BTreeSet<(i64, i64)>, member: (i64, i64)) {
    if !set.remove(&member) {
        set.insert(member);
    }
}

/// The pictures with the addresses that the answer gives them; none where it has fewer, which the oracle then sees.
fn with_urls(numbers: Vec<u32>, answer: &Value) -> Vec<(u32, String)> {
    let url = |(at, number)| (number, answer["image_urls"][at].as_str().unwrap_or_default().to_owned());
    numbers.into_iter().enumerate().map(url).collect()
}

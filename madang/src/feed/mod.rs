//! Feeds: the posts of the board, with their images in order.
//!
//! Invariants: only its author changes or deletes a feed. It has ten images at most, whoever adds them at the same time.
//! What is removed from it takes its rows and its objects along.

mod api;
mod model;
mod pages;
pub(crate) mod queries;
mod ready;
mod service;
mod view;
mod writing;

pub(crate) use api::api;
pub(crate) use model::{AuthorOrder, Feed, FeedId, LONGEST_TITLE, Order, Text};
pub(crate) use pages::{Article, CardList, feed_id, pages, window};
pub(crate) use queries::{by_id, count_comments, count_likes, feed_columns, lock, select_feeds};
pub(crate) use ready::ready;
pub(crate) use service::{create, delete_some_of, newest, page_of};
pub(crate) use view::{FeedImages, FeedPage, FeedView, join};

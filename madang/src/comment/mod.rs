//! Comments: what people say to a feed.
//!
//! Invariants: only its author changes a comment; he or an administrator deletes it. The feed and the author count it in
//! the transaction that writes or deletes it; rows are locked in the order feed, comment, user.

mod api;
mod events;
mod model;
mod pages;
pub(crate) mod queries;
mod service;
mod view;

pub(crate) use api::api;
pub(crate) use events::{WRITTEN, Written};
pub(crate) use model::{CommentId, place};
pub(crate) use pages::{Item, comment_id, pages};
pub(crate) use queries::{count_likes, lock, page_by};
pub(crate) use view::CommentView;

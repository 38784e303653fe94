//! The values of follows.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    account::{Email, Nickname, UserId},
    clock::Timestamp,
    http::{input::Fields, query::PathFields},
};

/// Whether somebody follows somebody, and how many do.
#[derive(Clone, Copy, Debug, greenlit::FromRow)]
pub(super) struct Followers {
    pub(super) follower_count: i64,
    pub(super) followed: bool,
}

/// Somebody in a list of those who follow, or are followed.
#[derive(Clone, Debug, greenlit::FromRow)]
pub(crate) struct Person {
    /// Of the follow, which the list is sorted by.
    pub(crate) follow_id: i64,
    pub(crate) id: UserId,
    pub(crate) email: Email,
    pub(crate) nickname: Nickname,
}

/// What everybody may know of a user.
#[derive(Serialize, ToSchema, greenlit::FromRow)]
pub(super) struct User {
    pub(super) id: UserId,
    pub(super) nickname: Nickname,
    pub(super) create_dt: Timestamp,
    pub(super) feed_count: i64,
    pub(super) follower_count: i64,
    pub(super) following_count: i64,
    /// By whoever asks; false for anonymous.
    pub(super) followed: bool,
}

/// The user whom a path names.
pub(super) fn user_in(path: &PathFields, name: &'static str) -> crate::error::Result<UserId> {
    let mut fields: Fields<'_> = path.fields();
    let id = UserId(fields.id(name));
    fields.finish(id)
}

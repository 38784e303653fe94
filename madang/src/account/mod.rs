//! Accounts: who one is, and how one proves it.
//!
//! Invariants: an e-mail address and a nickname belong to one user at a time, compared by their keys. A token is good
//! while it has not expired, its epoch is the user's, and the log-in that it came from has not ended; every authenticated
//! request looks. A user who is suspended or erased is nobody.

mod actor;
mod api;
mod browser;
pub(crate) mod logins;
mod model;
mod pages;
mod password;
pub(crate) mod queries;
mod refresh;
pub(crate) mod service;
mod token;

pub(crate) use actor::acting;
pub use actor::{Actor, MaybeActor, Signed};
pub(crate) use api::api;
pub(crate) use browser::{Member, Visitor};
pub use model::{Email, LoginId, Nickname, UserId};
pub(crate) use model::{PasswordChange, ProfileChange};
pub(crate) use pages::{gone, pages, wrong_password};
pub use password::Passwords;
pub(crate) use queries::{count_feeds, id_by_email, id_by_nickname};
pub use token::Tokens;

/// Whether people come in by this path, who have no token yet.
pub(crate) fn is_entrance(path: &str) -> bool {
    path.ends_with("/login") || path.ends_with("/signup")
}

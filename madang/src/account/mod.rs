//! Accounts: who one is, and how one proves it.
//!
//! Invariants: an e-mail address and a nickname belong to one user at a time, compared by their keys. A token is good
//! while it has not expired and its epoch is the user's; every authenticated request looks.

mod actor;
mod api;
mod model;
mod password;
pub(crate) mod queries;
mod token;

pub use actor::{Actor, MaybeActor, Signed};
pub(crate) use api::api;
pub use model::{Email, Nickname, UserId};
pub use password::Passwords;
pub(crate) use queries::{count_feeds, id_by_nickname};
pub use token::Tokens;

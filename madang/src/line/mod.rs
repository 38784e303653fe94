//! The chat in LINE: people read the board there, post with photos, and hear what is new for them.
//!
//! Invariants: an event takes effect once, however often LINE delivers it: it is taken by its id, its effect commits with the end of
//! its job, and in its chat's order. A chat is one user's, who agreed to it on the board with his password, and a user has one
//! chat. What is pushed carries a key of its own from the first attempt on, so that LINE says it once. Nothing that a request
//! waits for waits for LINE. An inbox is locked before the link of its user.

mod chat;
mod client;
mod command;
mod digest;
mod draft;
mod event;
pub(crate) mod jobs;
mod linking;
mod message;
mod pages;
pub(crate) mod queries;
mod quota;
mod say;
mod signature;
mod webhook;

use std::{sync::OnceLock, time::Duration};

use greenlit::{Reader, Tx};

use crate::{account::UserId, clock::Timestamp, config::LineSettings, notification};

pub(crate) use pages::pages;
pub(crate) use webhook::{api, is_webhook};

/// How often LINE is asked who we are, until it says so.
const INTRODUCE_EVERY: Duration = Duration::from_secs(60);

/// The board's account at LINE.
pub struct Line {
    settings: LineSettings,
    client: client::Client,
    quota: quota::Kept,
    /// By which people find the account.
    basic_id: OnceLock<String>,
}

impl Line {
    /// The account that the operator named. Nothing is sent yet.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(settings: LineSettings) -> Result<Line, String> {
        let client = client::Client::new(&settings)?;
        Ok(Line { settings, client, quota: quota::Kept::default(), basic_id: OnceLock::new() })
    }

    /// By which people find the account, once LINE has said so.
    fn basic_id(&self) -> Option<&str> {
        self.basic_id.get().map(String::as_str)
    }

    /// Asks LINE how people find the account, again and again until it says so.
    pub async fn introduce(&self) {
        while self.basic_id.get().is_none() {
            match self.client.bot_info().await {
                Ok(info) => drop(self.basic_id.set(info.basic_id)),
                Err(e) => {
                    tracing::warn!(cause = %e, "LINE does not say how people find the account");
                    tokio::time::sleep(INTRODUCE_EVERY).await;
                }
            }
        }
    }
}

/// Makes the user's chat nobody's. Tells whether he had one.
pub(crate) async fn unlink(tx: &mut Tx, user: UserId) -> greenlit::Result<bool> {
    notification::carry_outside(tx, user, false).await?;
    queries::delete_link(tx, user).await
}

/// The same, and forgets whose chat it was: of an erased user. Returns how much there was.
pub(crate) async fn forget(tx: &mut Tx, user: UserId) -> greenlit::Result<usize> {
    queries::delete_chat_of(tx, user).await?;
    unlink(tx, user).await.map(usize::from)
}

/// Since when a chat is the user's, if one is.
pub(crate) async fn linked_since(r: &mut impl Reader, user: UserId) -> greenlit::Result<Option<Timestamp>> {
    Ok(queries::link_of(r, user).await?.map(|link| link.create_dt))
}

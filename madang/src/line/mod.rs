//! The chat in LINE: people read the board there, post with photos, and hear what is new for them.
//!
//! Invariants: an event takes effect once, however often LINE delivers it: it is taken by its id, and its effect commits with
//! its answer under the commit key of that id. A chat is one user's, who agreed to it on the board with his password, and a user
//! has one chat. What is pushed carries a key of its own from the first attempt on, so that LINE says it once. Nothing that a
//! request waits for waits for LINE.

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

use greenlit::Tx;
use tokio::sync::OnceCell;

use crate::{account::UserId, config::LineSettings, notification};

pub(crate) use pages::pages;
pub(crate) use webhook::{api, is_webhook};

/// The board's account at LINE.
pub struct Line {
    settings: LineSettings,
    client: client::Client,
    quota: quota::Kept,
    /// By which people find the account; asked for once.
    basic_id: OnceCell<String>,
}

impl Line {
    /// The account that the operator named. Nothing is sent yet.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(settings: LineSettings) -> Result<Line, String> {
        let client = client::Client::new(&settings)?;
        Ok(Line { settings, client, quota: quota::Kept::default(), basic_id: OnceCell::new() })
    }

    /// By which people find the account, unless LINE does not say so now.
    async fn basic_id(&self) -> Option<&str> {
        let ask = async || self.client.bot_info().await.map(|info| info.basic_id);
        match self.basic_id.get_or_try_init(ask).await {
            Ok(id) => Some(id),
            Err(e) => {
                tracing::warn!(cause = %e, "LINE does not say how people find the account");
                None
            }
        }
    }
}

/// Makes the user's chat nobody's. Tells whether he had one.
pub(crate) async fn unlink(tx: &mut Tx, user: UserId) -> greenlit::Result<bool> {
    let had = queries::delete_link(tx, user).await?;
    if had {
        notification::carry_outside(tx, user, false).await?;
    }
    Ok(had)
}

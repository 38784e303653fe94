//! What a channel's LINE knows: users, tokens, retry keys, the month's usage, and what happened.

use std::{collections::HashMap, time::Duration};

use serde_json::Value;

use crate::{Channel, content::Content, fault::Faults, mint};

const REPLY_TOKEN_MS: u64 = 60 * 1000;
const LINK_TOKEN_MS: u64 = 10 * 60 * 1000;
/// How long a retry key is remembered.
pub(crate) const RETRY_KEY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long a stateless channel access token is good.
pub(crate) const ACCESS_TOKEN_MS: u64 = 15 * 60 * 1000;

/// By which request messages came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// An answer to something of the user's.
    Reply,
    /// To one user.
    Push,
    /// To many users at once.
    Multicast,
}

/// Messages that one user gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// By which request.
    pub how: How,
    /// The user's ID.
    pub to: String,
    /// The request's `X-Line-Retry-Key`.
    pub retry_key: Option<String>,
    /// One to five messages, as they were sent.
    pub messages: Vec<Value>,
}

/// A request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// GET, POST, ...
    pub method: String,
    /// With the query.
    pub path: String,
    /// What it was answered; `None` while it is not, or if the connection was closed without an answer.
    pub status: Option<u16>,
    /// What came with it.
    pub body: Vec<u8>,
    /// Its `X-Line-Retry-Key`.
    pub retry_key: Option<String>,
    /// Its `Authorization`.
    pub authorization: Option<String>,
}

pub(crate) struct User {
    pub(crate) display_name: String,
    pub(crate) language: String,
    pub(crate) blocked: bool,
}

/// Something that is good once, for a user and for a while.
pub(crate) struct Token {
    pub(crate) user: String,
    expires: u64,
}

/// An accepted request, for the answer to its repetition.
#[derive(Clone)]
pub(crate) struct Receipt {
    pub(crate) request_id: String,
    pub(crate) sent: Value,
    pub(crate) accepted_at: u64,
}

/// The time, moved on by tests.
#[derive(Default)]
pub(crate) struct Clock {
    ahead: Duration,
}

impl Clock {
    pub(crate) fn advance(&mut self, by: Duration) {
        self.ahead += by;
    }

    pub(crate) fn now(&self) -> u64 {
        #[allow(clippy::disallowed_methods)] // LINE's clock is not the board's
        let now = std::time::SystemTime::now() + self.ahead;
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

pub(crate) struct State {
    pub(crate) channel: Channel,
    pub(crate) clock: Clock,
    pub(crate) users: HashMap<String, User>,
    pub(crate) reply_tokens: HashMap<String, Token>,
    pub(crate) link_tokens: HashMap<String, Token>,
    /// Stateless tokens, and until when they are good.
    pub(crate) access_tokens: HashMap<String, u64>,
    pub(crate) receipts: HashMap<String, Receipt>,
    pub(crate) contents: HashMap<String, Content>,
    pub(crate) quota: Option<u64>,
    pub(crate) usage: u64,
    pub(crate) webhook_endpoint: Option<String>,
    pub(crate) faults: Faults,
    pub(crate) accepted: Vec<Accepted>,
    pub(crate) seen: Vec<Seen>,
}

impl State {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            channel,
            clock: Clock::default(),
            users: HashMap::new(),
            reply_tokens: HashMap::new(),
            link_tokens: HashMap::new(),
            access_tokens: HashMap::new(),
            receipts: HashMap::new(),
            contents: HashMap::new(),
            quota: None,
            usage: 0,
            webhook_endpoint: None,
            faults: Faults::default(),
            accepted: Vec::new(),
            seen: Vec::new(),
        }
    }

    pub(crate) fn add_user(&mut self, id: &str, display_name: &str, language: &str) {
        let user = User { display_name: display_name.into(), language: language.into(), blocked: false };
        self.users.insert(id.into(), user);
    }

    /// Whether this changed anything.
    pub(crate) fn set_blocked(&mut self, id: &str, blocked: bool) -> bool {
        self.users.get_mut(id).is_some_and(|user| std::mem::replace(&mut user.blocked, blocked) != blocked)
    }

    /// A user who gets what is sent.
    pub(crate) fn friend(&self, id: &str) -> Option<&User> {
        self.users.get(id).filter(|user| !user.blocked)
    }

    pub(crate) fn mint_reply_token(&mut self, user: &str) -> String {
        let token = mint::opaque("reply token");
        let expires = self.clock.now() + REPLY_TOKEN_MS;
        self.reply_tokens.insert(token.clone(), Token { user: user.into(), expires });
        token
    }

    pub(crate) fn mint_link_token(&mut self, user: &str) -> String {
        let token = mint::opaque("link token");
        let expires = self.clock.now() + LINK_TOKEN_MS;
        self.link_tokens.insert(token.clone(), Token { user: user.into(), expires });
        token
    }

    /// Whom a good reply token answers. It is spent by [`spend_reply_token`](Self::spend_reply_token).
    pub(crate) fn replied_to(&self, token: &str) -> Option<String> {
        let now = self.clock.now();
        self.reply_tokens.get(token).filter(|token| now < token.expires).map(|token| token.user.clone())
    }

    pub(crate) fn spend_reply_token(&mut self, token: &str) {
        self.reply_tokens.remove(token);
    }

    /// For whom a link token was issued that is still good, and now is not any more.
    pub(crate) fn take_link_token(&mut self, token: &str) -> Option<String> {
        let now = self.clock.now();
        self.link_tokens.remove(token).filter(|token| now < token.expires).map(|token| token.user)
    }

    pub(crate) fn receipt(&self, retry_key: &str) -> Option<Receipt> {
        let now = self.clock.now();
        self.receipts.get(retry_key).filter(|receipt| now < receipt.accepted_at + RETRY_KEY_MS).cloned()
    }
}

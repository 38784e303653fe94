//! Plays the server of the LINE Messaging API for tests, by the rules of LINE's OpenAPI document and of its reference.
//!
//! A [`Stub`] is a channel with its users: it answers the channel's requests, keeps what LINE would deliver, and makes the
//! webhooks that LINE would send, signed. It delivers no webhook itself; the test posts it to the server under test. What it
//! refuses, LINE refuses; what it cannot judge it answers with 501, so that no test passes by its silence.
//!
//! Where LINE says too little, it is strict: a push to somebody unknown is refused, a property that is in no schema too.

#![forbid(unsafe_code)]

mod api;
mod content;
mod control;
mod event;
mod fault;
mod http;
mod message;
mod mint;
mod schema;
mod send;
mod server;
mod state;

use std::{
    io,
    net::SocketAddr,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle};

pub use content::Content;
pub use event::{Signed, redelivered};
pub use fault::Fault;
use server::Side;
use state::State;
pub use state::{Accepted, How, Seen};

/// What a channel and its bot are known by.
#[derive(Clone, Debug)]
pub struct Channel {
    /// The key of the webhooks' signatures.
    pub secret: String,
    /// The long-lived channel access token.
    pub token: String,
    /// The bot's user ID, to which webhooks are addressed.
    pub bot_user_id: String,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            secret: "8f1c0a5b3d7e4962a1b0c9d8e7f60514".into(),
            token: "a-long-lived-channel-access-token".into(),
            bot_user_id: "Ub0700000000000000000000000000001".into(),
        }
    }
}

/// A user ID of LINE's form, another for each number.
#[must_use]
pub fn user_id(number: u64) -> String {
    format!("U{number:032x}")
}

/// LINE, for one channel, on two free loopback ports. It ends when it is dropped. What it can be asked and told is [`Line`]'s.
pub struct Stub {
    line: Line,
    api: SocketAddr,
    data: SocketAddr,
    servers: [JoinHandle<()>; 2],
}

impl Drop for Stub {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort(); // and its connections with it
        }
    }
}

impl Deref for Stub {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.line
    }
}

impl Stub {
    /// Starts on the runtime of the caller.
    ///
    /// # Errors
    ///
    /// If it cannot listen. Nothing is left behind then, nor when the call is cancelled.
    pub async fn start(channel: Channel) -> io::Result<Self> {
        let api = TcpListener::bind("127.0.0.1:0").await?;
        let data = TcpListener::bind("127.0.0.1:0").await?;
        let (api_address, data_address) = (api.local_addr()?, data.local_addr()?);
        let line = Line(Arc::new(Mutex::new(State::new(channel))));
        let servers = [
            tokio::spawn(server::serve(api, Side::Api, line.clone())),
            tokio::spawn(server::serve(data, Side::Data, line.clone())),
        ];
        Ok(Self { line, api: api_address, data: data_address, servers })
    }

    /// What stands for `https://api.line.me`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// What stands for `https://api-data.line.me`.
    #[must_use]
    pub fn data_url(&self) -> String {
        format!("http://{}", self.data)
    }
}

/// The channel at LINE and all that belongs to it; a [`Stub`] has one. A clone is the same channel.
#[derive(Clone)]
pub struct Line(Arc<Mutex<State>>);

impl Line {
    /// The channel that it was started with.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.state().channel.clone()
    }

    /// Adds a friend of the bot; `language` is a BCP 47 tag, as in a profile.
    ///
    /// # Panics
    ///
    /// If LINE could not have such an ID: see [`user_id`].
    pub fn add_user(&self, id: &str, display_name: &str, language: &str) {
        assert!(schema::is_user(id), "a user ID is U and 32 hexadecimal digits, not {id:?}");
        self.state().add_user(id, display_name, language);
    }

    /// The user blocks the bot: no profile any more, and what is sent is accepted and not delivered.
    pub fn block(&self, user_id: &str) {
        self.state().set_blocked(user_id, true);
    }

    /// A token that answers something of the user's: for one reply, within a minute of the stub's clock.
    #[must_use]
    pub fn reply_token(&self, user_id: &str) -> String {
        self.state().mint_reply_token(user_id)
    }

    /// Every reply token that was given out so far is too old from now on.
    pub fn expire_reply_tokens(&self) {
        self.state().reply_tokens.clear();
    }

    /// What a user sent, for its owner to fetch by the message's ID.
    pub fn put_content(&self, message_id: &str, content_type: &str, bytes: Vec<u8>) {
        self.put_content_as(message_id, Content::Bytes { content_type: content_type.into(), bytes });
    }

    /// As [`put_content`](Self::put_content), for content that comes in another way.
    pub fn put_content_as(&self, message_id: &str, content: Content) {
        self.state().contents.insert(message_id.into(), content);
    }

    /// How many messages may be sent in a month; `None`: as many as one likes.
    pub fn set_quota(&self, quota: Option<u64>) {
        self.state().quota = quota;
    }

    /// How many of the month's messages were sent.
    pub fn set_usage(&self, usage: u64) {
        self.state().usage = usage;
    }

    /// Lets the next `times` requests with `path_part` in their path, of either port, go wrong; it follows what was planned
    /// before.
    pub fn fault(&self, fault: Fault, times: usize, path_part: &str) {
        self.state().faults.add(fault, times, path_part);
    }

    /// Moves the stub's clock on: for what expires.
    pub fn advance(&self, by: Duration) {
        self.state().clock.advance(by);
    }

    /// The stub's clock, in milliseconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.state().clock.now()
    }

    /// What LINE would deliver, in the order of its acceptance, each once.
    #[must_use]
    pub fn accepted(&self) -> Vec<Accepted> {
        self.state().accepted.clone()
    }

    /// Every request that arrived on either port, refused or not, in the order of their arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has failed already.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

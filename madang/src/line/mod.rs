//! The board in LINE: people read it, post to it and are told of news in a chat with the board's official account.
//!
//! What LINE sends is proved by its [`signature`] and read leniently as [`event`]s; what people type or press is a
//! [`command`]. What we say is built by [`message`] within all of LINE's limits, and sent by [`client`].

#[allow(dead_code)] // used by the jobs
mod client;
#[allow(dead_code)] // used by the jobs
mod command;
#[allow(dead_code)] // used by the webhook
mod event;
#[allow(dead_code)] // used by the jobs
mod message;
#[allow(dead_code)] // used by the webhook
mod signature;

//! What users sent: the files that are fetched by a message's ID, and ways in which fetching them goes wrong.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};
use hyper::body::Frame;

use crate::{
    http::{Answer, Payload, Request},
    state::State,
};

/// What a message's content is, or how it comes.
#[derive(Clone, Debug)]
pub enum Content {
    /// A file.
    Bytes {
        /// Its type, as it is said; whether it is true is the test's affair.
        content_type: String,
        /// The file.
        bytes: Vec<u8>,
    },
    /// It is said to lie elsewhere: 302 with this `Location`.
    Redirect(String),
    /// A file that never ends, without a length: pieces of `piece` bytes, each after `pause`.
    Endless {
        /// Its type, as it is said.
        content_type: String,
        /// Bytes at once.
        piece: usize,
        /// Before each piece; none at all for a flood.
        pause: Duration,
    },
    /// It is being prepared, as a film may be: 202.
    Preparing,
}

/// The body of [`Content::Endless`].
#[derive(Clone, Copy)]
pub(crate) struct Endless {
    piece: usize,
    pause: Duration,
}

impl Endless {
    pub(crate) fn stream(self) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
        let piece = Bytes::from(vec![0xff; self.piece]);
        stream::unfold(piece, move |piece| async move {
            tokio::time::sleep(self.pause).await;
            Some((Ok(Frame::data(piece.clone())), piece))
        })
    }
}

/// What the port for data answers.
pub(crate) fn answer(state: &State, request: &Request) -> Answer {
    let parts: Vec<_> = request.path.trim_start_matches('/').split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["v2", "bot", "message", id, "content"]) => fetch(state, id),
        ("GET", ["v2", "bot", "message", id, "content", "transcoding"]) => match state.contents.get(*id) {
            None => Answer::not_found(),
            Some(Content::Preparing) => Answer::json(200, &serde_json::json!({"status": "processing"})),
            Some(_) => Answer::json(200, &serde_json::json!({"status": "succeeded"})),
        },
        _ => Answer::not_found(),
    }
}

fn fetch(state: &State, id: &str) -> Answer {
    match state.contents.get(id) {
        None => Answer::not_found(),
        Some(Content::Bytes { content_type, bytes }) => Answer::bytes(200, content_type, bytes.clone()),
        Some(Content::Redirect(url)) => Answer::bytes(302, "text/plain", Vec::new()).header("location", url),
        Some(Content::Preparing) => Answer::bytes(202, "text/plain", Vec::new()),
        Some(Content::Endless { content_type, piece, pause }) => Answer {
            payload: Payload::Endless(Endless { piece: *piece, pause: *pause }),
            ..Answer::bytes(200, content_type, Vec::new())
        },
    }
}

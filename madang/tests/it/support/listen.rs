//! Somebody who listens to server-sent events.

use std::{collections::VecDeque, time::Duration};

use axum::{
    Router,
    body::{Body, BodyDataStream},
    http::{Request, StatusCode},
};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::timeout;
use tower::ServiceExt;

use super::Client;

/// How long an event is waited for: longer than a node needs to look for what another did.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream.
pub(crate) struct Listen {
    body: BodyDataStream,
    buffer: String,
    events: VecDeque<Event>,
}

/// An event that came.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: i64,
    pub(crate) data: Value,
}

impl Listen {
    /// Opens the stream of this user at a node, resumed after this event if there is one.
    pub(crate) async fn open(router: &Router, client: &Client, last: Option<&str>) -> Result<Listen, StatusCode> {
        let token = client.token.as_ref().unwrap();
        let mut request = Request::get("/api/notification/live").header("authorization", format!("Bearer {token}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        if response.status() != StatusCode::OK {
            return Err(response.status());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        let body = response.into_body().into_data_stream();
        Ok(Listen { body, buffer: String::new(), events: VecDeque::new() })
    }

    /// The next event; `None` if the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        while self.events.is_empty() {
            let piece = timeout(PATIENCE, self.body.next()).await.expect("an event")?.unwrap();
            self.buffer.push_str(std::str::from_utf8(&piece).unwrap());
            while let Some((block, rest)) = self.buffer.split_once("\n\n") {
                self.events.extend(Event::parse(block));
                self.buffer = rest.to_owned();
            }
        }
        self.events.pop_front()
    }

    /// Waits until the stream says that so many are unread.
    pub(crate) async fn until_unread(&mut self, count: i64) -> Vec<Event> {
        let mut seen = Vec::new();
        loop {
            let event = self.next().await.expect("the stream goes on");
            let is_it = event.name == "unread" && event.data["unread"] == count;
            seen.push(event);
            if is_it {
                return seen;
            }
        }
    }
}

impl Event {
    /// A comment is no event.
    fn parse(block: &str) -> Option<Event> {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let name = field("event")?.to_owned();
        let data = serde_json::from_str(field("data").unwrap()).unwrap();
        Some(Event { name, id: field("id").unwrap().parse().unwrap(), data })
    }
}

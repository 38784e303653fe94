//! The stub over HTTP, as a client sees it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // a test that cannot go on shall panic

mod content;
mod fault;
mod send;
mod token;
mod webhook;

use line_stub::{Channel, Stub, user_id};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// A stub with the user 1, and a client with the channel's token.
struct Line {
    stub: Stub,
    client: reqwest::Client,
}

/// An answer that was read to its end.
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Line {
    async fn new() -> Self {
        let stub = Stub::start(Channel::default()).await.unwrap();
        stub.add_user(&user_id(1), "민수", "ko");
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { stub, client }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.stub.api_url() + path;
        self.client.request(method, url).bearer_auth(self.stub.channel().token)
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, path).header("content-type", "application/json").body(body.to_string())
    }

    fn push(&self, to: &str, text: &str) -> RequestBuilder {
        self.post("/v2/bot/message/push", &json!({"to": to, "messages": [{"type": "text", "text": text}]}))
    }

    async fn get(&self, path: &str) -> Answer {
        read(self.request(Method::GET, path)).await
    }
}

async fn read(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await.unwrap();
    Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
}

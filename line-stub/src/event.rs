//! Webhooks as LINE sends them: events, and bodies with their signature.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{Line, mint, state::State};

/// The body of a webhook, and the `X-Line-Signature` that comes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// JSON.
    pub body: Vec<u8>,
    /// Of exactly these bytes, by the channel's secret.
    pub signature: String,
}

/// The event as LINE sends it once more, because it was not acknowledged.
#[must_use]
pub fn redelivered(mut event: Value) -> Value {
    event["deliveryContext"]["isRedelivery"] = true.into();
    event
}

impl Line {
    /// A webhook with these events, of which there may be none.
    #[must_use]
    pub fn webhook(&self, events: Vec<Value>) -> Signed {
        self.state().webhook(events, false)
    }

    /// The same with every character beyond ASCII as `\u` and four digits: another text for the same events.
    #[must_use]
    pub fn webhook_escaped(&self, events: Vec<Value>) -> Signed {
        self.state().webhook(events, true)
    }

    /// The signature of any bytes.
    #[must_use]
    pub fn signed(&self, body: &[u8]) -> String {
        self.state().sign(body)
    }

    /// The user wrote this.
    #[must_use]
    pub fn text_message(&self, user_id: &str, text: &str) -> Value {
        let mut state = self.state();
        let content = json!({
            "id": mint::message_id(), "type": "text", "text": text, "quoteToken": mint::opaque("quote token"),
        });
        state.replyable("message", user_id, "message", content)
    }

    /// The user sent a picture, which LINE keeps: see [`put_content`](Self::put_content).
    #[must_use]
    pub fn image_message(&self, user_id: &str, message_id: &str) -> Value {
        self.state().image(user_id, message_id, json!({"type": "line"}))
    }

    /// The user sent a picture that is somewhere else, through an app of others.
    #[must_use]
    pub fn image_elsewhere(&self, user_id: &str, message_id: &str, url: &str) -> Value {
        let provider = json!({"type": "external", "originalContentUrl": url, "previewImageUrl": url});
        self.state().image(user_id, message_id, provider)
    }

    /// The user tapped something.
    #[must_use]
    pub fn postback(&self, user_id: &str, data: &str) -> Value {
        self.state().replyable("postback", user_id, "postback", json!({"data": data}))
    }

    /// The user becomes a friend of the bot, or unblocks it; from now on it has a profile.
    #[must_use]
    pub fn follow(&self, user_id: &str) -> Value {
        let mut state = self.state();
        let unblocked = state.set_blocked(user_id, false);
        state.replyable("follow", user_id, "follow", json!({"isUnblocked": unblocked}))
    }

    /// The user blocks the bot, as [`block`](Self::block) does.
    #[must_use]
    pub fn unfollow(&self, user_id: &str) -> Value {
        let mut state = self.state();
        state.set_blocked(user_id, true);
        state.event("unfollow", user_id)
    }

    /// The user takes a message back.
    #[must_use]
    pub fn unsend(&self, user_id: &str, message_id: &str) -> Value {
        let mut event = self.state().event("unsend", user_id);
        event["unsend"] = json!({"messageId": message_id});
        event
    }

    /// The user linked an account, or failed to: `result` is `ok` or `failed`.
    #[must_use]
    pub fn account_link(&self, user_id: &str, result: &str, nonce: &str) -> Value {
        self.state().account_link(user_id, result, nonce)
    }

    /// What LINE's dialog does when `as_user` opens it with these parameters: the event that it sends. Its `result` is `ok` if
    /// the link token is good and was issued for that user; it is spent either way. `None` if LINE refuses the nonce, which
    /// has 10 to 255 characters: the user sees an error, and nothing is sent.
    #[must_use]
    pub fn visit_account_link(&self, link_token: &str, nonce: &str, as_user: &str) -> Option<Value> {
        self.state().visit_account_link(link_token, nonce, as_user)
    }
}

impl State {
    pub(crate) fn sign(&self, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.channel.secret.as_bytes());
        STANDARD.encode(hmac::sign(&key, body))
    }

    pub(crate) fn webhook(&self, events: Vec<Value>, escaped: bool) -> Signed {
        let text = json!({"destination": self.channel.bot_user_id, "events": events}).to_string();
        let body = if escaped { escape(&text) } else { text }.into_bytes();
        Signed { signature: self.sign(&body), body }
    }

    fn event(&self, kind: &str, user_id: &str) -> Value {
        let now = self.clock.now();
        json!({
            "type": kind,
            "mode": "active",
            "timestamp": now,
            "source": {"type": "user", "userId": user_id},
            "webhookEventId": mint::ulid(now),
            "deliveryContext": {"isRedelivery": false},
        })
    }

    /// An event that may be answered, with `content` as its `name`.
    fn replyable(&mut self, kind: &str, user_id: &str, name: &str, content: Value) -> Value {
        let mut event = self.event(kind, user_id);
        event["replyToken"] = self.mint_reply_token(user_id).into();
        event[name] = content;
        event
    }

    fn image(&mut self, user_id: &str, message_id: &str, provider: Value) -> Value {
        let quote = mint::opaque("quote token");
        let content = json!({"id": message_id, "type": "image", "contentProvider": provider, "quoteToken": quote});
        self.replyable("message", user_id, "message", content)
    }

    pub(crate) fn account_link(&mut self, user_id: &str, result: &str, nonce: &str) -> Value {
        let link = json!({"result": result, "nonce": nonce});
        if result == "ok" {
            return self.replyable("accountLink", user_id, "link", link);
        }
        // What failed cannot be answered.
        let mut event = self.event("accountLink", user_id);
        event["link"] = link;
        event
    }

    pub(crate) fn visit_account_link(&mut self, link_token: &str, nonce: &str, as_user: &str) -> Option<Value> {
        if !(10..=255).contains(&nonce.chars().count()) {
            return None;
        }
        let good = self.take_link_token(link_token).is_some_and(|issued_for| issued_for == as_user);
        Some(self.account_link(as_user, if good { "ok" } else { "failed" }, nonce))
    }
}

/// In JSON only strings have characters beyond ASCII.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            escaped.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    escaped
}

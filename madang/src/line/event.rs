//! What LINE tells: deliveries of events.
//!
//! They are read leniently, since LINE adds kinds and fields whenever it likes: what is unknown is left out or is
//! [`Kind::Other`], and never keeps the rest of a delivery from being taken.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;

/// What LINE names by an id of its own is not longer.
const ID_LENGTH: usize = 64;
/// Reply tokens and nonces are longer.
const TOKEN_LENGTH: usize = 255;

/// One request of LINE's.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The user id of the account that it is for.
    pub(super) destination: Option<String>,
    /// None if LINE only tries whether we are there.
    pub(super) events: Vec<Event>,
}

/// Something that happened in a chat. Written into a job as it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Event {
    /// The same whenever it is delivered again.
    pub(super) id: String,
    /// When it happened, in milliseconds since 1970; 0 if LINE does not tell.
    pub(super) timestamp_ms: i64,
    /// Whether somebody else answers in this chat, and we must not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) standby: bool,
    /// Who it was, if it is a chat with one person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    /// Good for one answer, for a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reply_token: Option<String>,
    /// What happened.
    pub(super) kind: Kind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Somebody wrote.
    Text { message_id: String, text: String },
    /// Somebody sent a photo.
    Image {
        message_id: String,
        /// Whether LINE keeps it, so that its content can be asked for; another app may keep it elsewhere.
        from_line: bool,
    },
    /// Somebody pressed a button of ours.
    Postback { data: String },
    /// Somebody became a friend of the account, or unblocked it.
    Follow,
    /// Somebody blocked the account.
    Unfollow,
    /// Somebody took a message back.
    Unsend { message_id: String },
    /// Somebody came back from linking an account.
    AccountLink { ok: bool, nonce: String },
    /// What we do not know.
    Other,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Delivery {
    /// Reads the body of a request; `None` if it is no JSON object.
    pub(super) fn parse(body: &[u8]) -> Option<Delivery> {
        let value = json(body)?;
        let events = value.as_object()?.get("events").and_then(Value::as_array);
        Some(Delivery {
            destination: name(&value["destination"], ID_LENGTH),
            events: events.into_iter().flatten().filter_map(Event::read).collect(),
        })
    }
}

impl Event {
    /// When it happened.
    pub(super) fn sent(&self) -> Timestamp {
        Timestamp(self.timestamp_ms.saturating_mul(1_000))
    }

    fn read(value: &Value) -> Option<Event> {
        let source = &value["source"];
        Some(Event {
            id: name(&value["webhookEventId"], ID_LENGTH)?,
            timestamp_ms: value["timestamp"].as_i64().unwrap_or_default(),
            standby: value["mode"] == "standby",
            user: name(&source["userId"], ID_LENGTH).filter(|_| source["type"] == "user"),
            reply_token: name(&value["replyToken"], TOKEN_LENGTH),
            kind: Kind::read(value).unwrap_or(Kind::Other),
        })
    }
}

impl Kind {
    /// `None` if it has not what its type should have.
    fn read(event: &Value) -> Option<Kind> {
        Some(match event["type"].as_str()? {
            "message" => Kind::of_message(&event["message"])?,
            "postback" => Kind::Postback { data: event["postback"]["data"].as_str()?.to_owned() },
            "follow" => Kind::Follow,
            "unfollow" => Kind::Unfollow,
            "unsend" => Kind::Unsend { message_id: name(&event["unsend"]["messageId"], ID_LENGTH)? },
            "accountLink" => {
                let link = &event["link"];
                Kind::AccountLink { ok: link["result"] == "ok", nonce: name(&link["nonce"], TOKEN_LENGTH)? }
            }
            _ => Kind::Other,
        })
    }

    fn of_message(message: &Value) -> Option<Kind> {
        let message_id = name(&message["id"], ID_LENGTH)?;
        Some(match message["type"].as_str()? {
            "text" => Kind::Text { message_id, text: message["text"].as_str()?.to_owned() },
            "image" => Kind::Image { message_id, from_line: message["contentProvider"]["type"] == "line" },
            _ => Kind::Other,
        })
    }
}

/// An id or a token: visible ASCII, not too long.
fn name(value: &Value, most: usize) -> Option<String> {
    let text = value.as_str()?;
    let plain = (1..=most).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic());
    plain.then(|| text.to_owned())
}

/// What LINE wrote as JSON.
pub(super) fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).or_else(|_| serde_json::from_str(&mended(body))).ok()
}

/// The same JSON with a replacement character for each half of a surrogate pair, and for bytes that are no UTF-8: what one
/// person sends must not keep us from what others sent in the same delivery.
fn mended(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut mended = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find('\\') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match (surrogate(rest), rest.get(6..).and_then(surrogate)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(_), _) => {
                mended.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            // A backslash and what it escapes, which may be a backslash.
            (None, _) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        mended.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    mended + rest
}

/// The half of a pair that an escape stands for, at the start of a text.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok().filter(|unit| (0xd800..=0xdfff).contains(unit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ID: &str = "01FZ74A0TDDPYRVKNK77XKC3ZR";

    /// An event with these fields and what all of them have.
    fn event(fields: Value) -> Value {
        let mut event = json!({
            "webhookEventId": ID,
            "timestamp": 1_692_251_666_727_i64,
            "mode": "active",
            "source": {"type": "user", "userId": "U4af4980629"},
            "replyToken": "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
            "deliveryContext": {"isRedelivery": false},
        });
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        event
    }

    fn parse(events: Value) -> Vec<Event> {
        let body = json!({"destination": "Uabc", "events": events, "unknown": [{}]}).to_string();
        Delivery::parse(body.as_bytes()).unwrap().events
    }

    fn kind(fields: Value) -> Kind {
        parse(json!([event(fields)])).remove(0).kind
    }

    #[test]
    fn events_are_read() {
        let message = |fields| kind(json!({"type": "message", "message": fields}));
        let text = |text: &str| Kind::Text { message_id: "1".to_owned(), text: text.to_owned() };
        assert_eq!(message(json!({"id": "1", "type": "text", "text": "hi", "quoteToken": "q"})), text("hi"));
        for (provider, from_line) in [(json!({"type": "line"}), true), (json!({"type": "external"}), false)] {
            let image = message(json!({"id": "1", "type": "image", "contentProvider": provider}));
            assert_eq!(image, Kind::Image { message_id: "1".to_owned(), from_line });
        }
        let postback = kind(json!({"type": "postback", "postback": {"data": "newest", "params": {}}}));
        assert_eq!(postback, Kind::Postback { data: "newest".to_owned() });
        assert_eq!(kind(json!({"type": "follow", "follow": {"isUnblocked": true}})), Kind::Follow);
        assert_eq!(kind(json!({"type": "unfollow"})), Kind::Unfollow);
        let unsend = kind(json!({"type": "unsend", "unsend": {"messageId": "7"}}));
        assert_eq!(unsend, Kind::Unsend { message_id: "7".to_owned() });
        for (result, ok) in [("ok", true), ("failed", false)] {
            let link = kind(json!({"type": "accountLink", "link": {"result": result, "nonce": "n"}}));
            assert_eq!(link, Kind::AccountLink { ok, nonce: "n".to_owned() });
        }

        let one = parse(json!([event(json!({"type": "follow"}))])).remove(0);
        assert_eq!((&*one.id, one.timestamp_ms, one.standby), (ID, 1_692_251_666_727, false));
        assert_eq!(one.user.as_deref(), Some("U4af4980629"));
        assert!(one.reply_token.is_some());
        let other = event(json!({"mode": "standby", "deliveryContext": {"isRedelivery": true}}));
        let other = parse(json!([other])).remove(0);
        assert!(other.standby && other.kind == Kind::Other);
        let group = event(json!({"source": {"type": "group", "groupId": "C1", "userId": "U1"}}));
        assert_eq!(parse(json!([group])).remove(0).user, None);
    }

    #[test]
    fn l02_what_is_unknown_is_ignored() {
        for nothing in [&b"{}"[..], br#"{"events":[]}"#, br#"{"events":7}"#, br#"{"events":null,"destination":[]}"#] {
            let delivery = Delivery::parse(nothing).unwrap();
            assert!(delivery.events.is_empty() && delivery.destination.is_none());
        }
        for broken in [&b""[..], b"[]", b"null", b"{", b"\"events\"", b"\xff", &[0; 64]] {
            assert!(Delivery::parse(broken).is_none(), "{broken:?}");
        }
        for fields in [
            json!({}),
            json!({"type": "newKind", "newKind": {"deep": [[[]]]}}),
            json!({"type": 7}),
            json!({"type": "message"}),
            json!({"type": "message", "message": []}),
            json!({"type": "message", "message": {"id": "1", "type": "hologram"}}),
            json!({"type": "message", "message": {"id": "1", "type": "text"}}),
            json!({"type": "message", "message": {"id": 1, "type": "text", "text": "x"}}),
            json!({"type": "postback", "postback": {"data": {}}}),
            json!({"type": "unsend"}),
            json!({"type": "accountLink", "link": {"result": "ok"}}),
        ] {
            assert_eq!(kind(fields.clone()), Kind::Other, "{fields}");
        }
        for source in [json!(null), json!({"type": "alien", "userId": "U1"}), json!({"type": "user", "userId": "U 1"})]
        {
            assert_eq!(parse(json!([event(json!({"source": source}))])).remove(0).user, None);
        }
        // Without an id that tells it from others it cannot be taken once.
        for id in [json!(null), json!(""), json!(7), json!("x".repeat(65)), json!("a b"), json!("é"), json!("a\u{0}")]
        {
            let events = parse(json!([event(json!({"webhookEventId": id})), event(json!({"type": "follow"}))]));
            assert_eq!(events.len(), 1);
        }
    }

    #[test]
    fn l02_escapes_emoji_and_halves_of_characters() {
        let text = |escaped: &str| {
            let message = format!(r#"{{"id":"1","type":"text","text":"{escaped}"}}"#);
            let body = format!(r#"{{"events":[{{"webhookEventId":"1","type":"message","message":{message}}}]}}"#);
            match Delivery::parse(body.as_bytes()).unwrap().events.remove(0).kind {
                Kind::Text { text, .. } => text,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(text(r"\uc548\ub155 \ud83d\ude00 \/ \u0000"), "안녕 😀 / \0");
        assert_eq!(text("😀 👨‍👩‍👧"), "😀 👨‍👩‍👧");
        assert_eq!(text(r"a\ud83d"), "a\u{fffd}");
        assert_eq!(text(r"\ude00\ud83d\ud83d\ude00\\ud83d\ude00"), r"��😀\ud83d�");
        assert_eq!(text(r#"\\\"\ud800\n"#), "\\\"\u{fffd}\n");
    }

    #[test]
    fn l02_depth_and_number_are_borne() {
        let deep = format!(r#"{{"events":[{{"webhookEventId":"1","x":{}{}}}]}}"#, "[".repeat(100), "]".repeat(100));
        assert_eq!(Delivery::parse(deep.as_bytes()).unwrap().events.len(), 1);
        for bomb in ["[".repeat(500_000), format!(r#"{{"events":{}"#, r#"{"a":"#.repeat(150_000))] {
            assert!(Delivery::parse(bomb.as_bytes()).is_none());
        }
        let many: Vec<Value> = (0..10_000).map(|n| event(json!({"webhookEventId": n.to_string()}))).collect();
        let events = parse(json!(many));
        assert_eq!((events.len(), &*events[9_999].id), (10_000, "9999"));
    }

    #[test]
    fn events_are_kept_small_and_read_again() {
        for fields in [
            json!({"type": "follow"}),
            json!({"type": "message", "message": {"id": "1", "type": "text", "text": "a\u{0}\n😀"}}),
            json!({"type": "postback", "postback": {"data": "x"}, "mode": "standby"}),
        ] {
            let event = parse(json!([event(fields)])).remove(0);
            let kept = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&kept).unwrap(), event);
        }
        let least = parse(json!([{"webhookEventId": "1"}])).remove(0);
        assert_eq!(serde_json::to_string(&least).unwrap(), r#"{"id":"1","timestamp_ms":0,"kind":"other"}"#);
    }

    proptest! {
        #[test]
        fn any_body_is_borne(body in any::<Vec<u8>>(), text in r#"[\\"u0-9a-fA-F가😀{}]{0,40}"#) {
            let _ = Delivery::parse(&body);
            let _ = Delivery::parse(format!(r#"{{"events":[{{"webhookEventId":"{text}"}}]}}"#).as_bytes());
            // What is whole stays as it is.
            let whole = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(mended(whole.as_bytes()), whole);
        }
    }
}

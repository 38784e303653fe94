//! The messages that LINE takes, by the schemas of its OpenAPI document and the limits of its reference.

mod action;
mod flex;
mod template;

use serde_json::Value;

use crate::schema::{
    Choice, Findings,
    Kind::{self, Flag, Https, List, Names, Number, Object, Text, Typed, User, Whole, Word},
    Property, Shape, may, must,
};

/// Types of messages that LINE knows and this stub does not check.
const UNSUPPORTED: [&str; 2] = ["imagemap", "coupon"];

/// A text that only has to be there.
const ANY: Kind = Text { min: 1, max: 1000 };
const ALT_TEXT: Property = must("altText", Text { min: 1, max: 400 });
const MESSAGES: Property = must("messages", List { min: 1, max: 5, of: &MESSAGE_OF_SOME_TYPE });
const SILENT: Property = may("notificationDisabled", Flag);
const UNITS: Property = may("customAggregationUnits", List { min: 0, max: 1, of: &Text { min: 1, max: 30 } });

/// The body of a reply.
pub(crate) static REPLY: Shape = Shape::new(&[must("replyToken", ANY), MESSAGES, SILENT]);
/// The body of a push.
pub(crate) static PUSH: Shape = Shape::new(&[must("to", User), MESSAGES, SILENT, UNITS]);
/// The body of a multicast.
pub(crate) static MULTICAST: Shape =
    Shape::new(&[must("to", List { min: 1, max: 500, of: &User }), MESSAGES, SILENT, UNITS]);
/// The body of a request to check messages without sending them.
pub(crate) static VALIDATE: Shape = Shape::new(&[MESSAGES]);

static MESSAGE_OF_SOME_TYPE: Kind = Typed(&MESSAGE);
static MESSAGE: [Choice; 9] = [
    ("text", &Shape::with(&COMMON, &TEXT)),
    ("textV2", &Shape::with(&COMMON, &TEXT_V2)),
    ("sticker", &Shape::with(&COMMON, &[must("packageId", ANY), must("stickerId", ANY), may("quoteToken", ANY)])),
    ("image", &Shape::with(&COMMON, &[ORIGINAL, PREVIEW])),
    ("video", &Shape::with(&COMMON, &[ORIGINAL, PREVIEW, may("trackingId", Text { min: 1, max: 100 })])),
    ("audio", &Shape::with(&COMMON, &[ORIGINAL, must("duration", Whole { min: 1, max: i64::MAX })])),
    ("location", &Shape::with(&COMMON, &LOCATION)),
    ("flex", &Shape::with(&COMMON, &[ALT_TEXT, must("contents", Typed(&flex::CONTAINER))])),
    ("template", &Shape::with(&COMMON, &[ALT_TEXT, must("template", Typed(&template::TEMPLATE))])),
];

static COMMON: [Property; 2] = [may("quickReply", Object(&QUICK_REPLY)), may("sender", Object(&SENDER))];
static SENDER: Shape = Shape::new(&[may("name", Text { min: 0, max: 20 }), may("iconUrl", Https)]);
static QUICK_REPLY: Shape = Shape::new(&[must("items", List { min: 1, max: 13, of: &Object(&QUICK_REPLY_ITEM) })]);
static QUICK_REPLY_ITEM: Shape = Shape::new(&[
    must("type", Word(&["action"])),
    may("imageUrl", Https),
    must("action", Typed(&action::OF_QUICK_REPLY)),
]);

static TEXT: [Property; 3] = [
    must("text", Text { min: 1, max: 5000 }),
    may("emojis", List { min: 0, max: 20, of: &Object(&EMOJI) }),
    may("quoteToken", ANY),
];
static EMOJI: Shape =
    Shape::new(&[must("index", Whole { min: 0, max: 5000 }), must("productId", ANY), must("emojiId", ANY)]);

static TEXT_V2: [Property; 3] =
    [must("text", Text { min: 1, max: 5000 }), may("substitution", Names(&SUBSTITUTION)), may("quoteToken", ANY)];
static SUBSTITUTION: [Choice; 2] = [
    ("emoji", &Shape::new(&[must("productId", ANY), must("emojiId", ANY)])),
    ("mention", &Shape::new(&[must("mentionee", Typed(&MENTIONEE))])),
];
static MENTIONEE: [Choice; 2] = [("user", &Shape::new(&[must("userId", User)])), ("all", &Shape::new(&[]))];

const ORIGINAL: Property = must("originalContentUrl", Https);
const PREVIEW: Property = must("previewImageUrl", Https);
static LOCATION: [Property; 4] = [
    must("title", Text { min: 1, max: 100 }),
    must("address", Text { min: 1, max: 100 }),
    must("latitude", Number { min: -90.0, max: 90.0 }),
    must("longitude", Number { min: -180.0, max: 180.0 }),
];

/// What is wrong with a request's body, as (message, property).
pub(crate) fn faults(shape: &Shape, body: &Value) -> Vec<(String, String)> {
    let mut findings = Findings::default();
    shape.check(body, false, &mut findings);
    findings.into_vec()
}

/// A type of message in `body` that LINE takes, but this stub cannot judge.
pub(crate) fn unsupported(body: &Value) -> Option<&'static str> {
    let messages = body.get("messages")?.as_array()?;
    let is_one = |name: &str| messages.iter().any(|message| message.get("type").is_some_and(|kind| kind == name));
    UNSUPPORTED.into_iter().find(|name| is_one(name))
}

#[cfg(test)]
mod tests;

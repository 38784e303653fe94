//! What we say, as messages that LINE takes whatever is in them: it refuses a request as a whole for one field that is too
//! long, empty or no address.
//!
//! Addresses are those of our own pages and images, which the caller passes; texts are anybody's.

#[cfg(test)]
mod tests;
mod words;

use serde_json::{Value, json};
use url::Url;

pub(super) use self::words::cut;
use self::words::{is_blank, line, lines};
use super::command::Action;
use crate::web::Lang;

/// UTF-16 units of a text message.
const MOST_TEXT: usize = 5_000;
/// Of what stands in the list of chats, and is read aloud.
const MOST_ALT: usize = 400;
/// Of a button's label.
const MOST_LABEL: usize = 20;
/// Of the text of a confirm template, and of a buttons template.
const MOST_QUESTION: usize = 240;
const MOST_OFFER: usize = 160;
/// Characters of an address.
const MOST_URI: usize = 1_000;
const MOST_QUICK: usize = 13;
const MOST_BUBBLES: usize = 10;
/// Bytes of JSON: LINE takes 30 KB of a bubble and 50 KB of a carousel.
const MOST_BUBBLE: usize = 30_000;
const MOST_CAROUSEL: usize = 50_000;
/// Of a feed in a bubble. With the longest addresses ten of them still go into a carousel.
const MOST_TITLE: usize = 100;
const MOST_EXCERPT: usize = 200;
const MOST_AUTHOR: usize = 40;
/// Of a draft, which stands alone.
const MOST_DRAFT: usize = 1_000;

/// A feed as it stands in a chat.
pub(super) struct Card<'a> {
    pub(super) id: i64,
    pub(super) title: &'a str,
    /// The beginning of its text in plain words.
    pub(super) excerpt: &'a str,
    pub(super) author: &'a str,
    /// Where LINE finds its first image, if it is an `https` address: JPEG or PNG.
    pub(super) thumbnail: Option<&'a str>,
    /// Its page.
    pub(super) url: &'a str,
    pub(super) likes: i64,
    pub(super) comments: i64,
}

/// A feed that is being written.
pub(super) struct Draft<'a> {
    /// Its name in the data of buttons.
    pub(super) name: &'a str,
    pub(super) title: &'a str,
    pub(super) content: &'a str,
    pub(super) photos: i64,
}

/// A button above the keyboard, which goes when the next message comes.
pub(super) enum Quick {
    /// Asks for that, as the data of a postback.
    Do(Action),
    /// Says the word that begins a feed.
    Write,
}

/// A text message.
pub(super) fn text(text: &str) -> Value {
    json!({"type": "text", "text": lines(text, MOST_TEXT)})
}

/// The message with buttons above the keyboard.
pub(super) fn with_quick(mut message: Value, lang: Lang, quick: &[Quick]) -> Value {
    let action = |quick: &Quick| match quick {
        Quick::Do(action) => postback(lang, action),
        Quick::Write => {
            let label = lang.t("line-button-write");
            json!({"type": "message", "label": line(&label, MOST_LABEL), "text": label})
        }
    };
    let item = |quick: &Quick| json!({"type": "action", "action": action(quick)});
    let items: Vec<Value> = quick.iter().take(MOST_QUICK).map(item).collect();
    if !items.is_empty() {
        message["quickReply"] = json!({"items": items});
    }
    message
}

/// Bubbles side by side, as many as LINE takes; `None` if there are none. `alt` stands in the list of chats.
pub(super) fn carousel(alt: &str, bubbles: Vec<Value>) -> Option<Value> {
    let mut room = MOST_CAROUSEL - r#"{"type":"carousel","contents":[]}"#.len();
    let fits = |bubble: &Value| {
        let left = room.checked_sub(size(bubble) + 1);
        room = left.unwrap_or(room);
        left.is_some()
    };
    let bubbles = bubbles.into_iter().filter(|bubble| size(bubble) <= MOST_BUBBLE).take(MOST_BUBBLES);
    let kept: Vec<Value> = bubbles.take_while(fits).collect();
    (!kept.is_empty()).then(|| flex(alt, json!({"type": "carousel", "contents": kept})))
}

/// A feed alone.
pub(super) fn feed(lang: Lang, card: &Card<'_>) -> Value {
    flex(card.title, bubble(lang, card))
}

/// A feed, for a carousel.
pub(super) fn bubble(lang: Lang, card: &Card<'_>) -> Value {
    let mut words = vec![heading(card.title)];
    if !is_blank(card.excerpt) {
        words.push(paragraph(&line(card.excerpt, MOST_EXCERPT), 4));
    }
    words.push(small(&line(card.author, MOST_AUTHOR)));
    words.push(small(&format!("♡ {} · {}", card.likes, lang.n("comments-count", card.comments))));
    let mut buttons = vec![button("primary", postback(lang, &Action::Feed(card.id)))];
    buttons.extend(uri(card.url).map(|url| button("link", open(&lang.t("line-button-open"), url))));
    let mut bubble = json!({"type": "bubble", "size": "kilo", "body": column(words), "footer": column(buttons)});
    if let Some(url) = card.thumbnail.and_then(uri).filter(|url| url.starts_with("https:")) {
        let mut image =
            json!({"type": "image", "url": url, "size": "full", "aspectRatio": "20:13", "aspectMode": "cover"});
        if let Some(url) = uri(card.url) {
            image["action"] = open(&lang.t("line-button-open"), url);
        }
        bubble["hero"] = image;
    }
    bubble
}

/// A draft as it would be posted, with the question whether it shall be.
pub(super) fn draft(lang: Lang, draft: &Draft<'_>) -> Value {
    let question = lang.t("line-draft-question");
    let mut words = vec![small(&question), heading(draft.title)];
    if !is_blank(draft.content) {
        words.push(paragraph(&lines(draft.content, MOST_DRAFT), 0));
    }
    if draft.photos > 0 {
        words.push(small(&lang.n("line-draft-photos", draft.photos)));
    }
    let name = || draft.name.to_owned();
    let buttons = vec![
        button("primary", postback(lang, &Action::Publish { draft: name() })),
        button("link", postback(lang, &Action::Cancel { draft: name() })),
    ];
    flex(&question, json!({"type": "bubble", "body": column(words), "footer": column(buttons)}))
}

/// The way to link an account: a button that leads to our page, which must be passed with its token.
pub(super) fn link_button(lang: Lang, url: &str) -> Value {
    let offer = lang.t("line-link-offer");
    let Some(url) = uri(url) else { return text(&lang.t("line-try-later")) };
    let actions = [open(&lang.t("line-button-link"), url)];
    template(&offer, json!({"type": "buttons", "text": line(&offer, MOST_OFFER), "actions": actions}))
}

/// Whether the account shall be unlinked.
pub(super) fn unlink_question(lang: Lang) -> Value {
    let question = lang.t("line-unlink-question");
    let actions = [Action::Unlink, Action::KeepLink].map(|action| postback(lang, &action));
    template(&question, json!({"type": "confirm", "text": line(&question, MOST_QUESTION), "actions": actions}))
}

fn flex(alt: &str, contents: Value) -> Value {
    json!({"type": "flex", "altText": line(alt, MOST_ALT), "contents": contents})
}

fn template(alt: &str, template: Value) -> Value {
    json!({"type": "template", "altText": line(alt, MOST_ALT), "template": template})
}

fn column(contents: Vec<Value>) -> Value {
    json!({"type": "box", "layout": "vertical", "spacing": "sm", "contents": contents})
}

fn heading(text: &str) -> Value {
    json!({"type": "text", "text": line(text, MOST_TITLE), "weight": "bold", "size": "lg", "wrap": true, "maxLines": 3})
}

/// So many lines at most; 0: all.
fn paragraph(text: &str, most: u8) -> Value {
    json!({"type": "text", "text": text, "size": "sm", "wrap": true, "maxLines": most})
}

fn small(text: &str) -> Value {
    json!({"type": "text", "text": text, "size": "xs", "color": "#666666", "wrap": true})
}

fn button(style: &str, action: Value) -> Value {
    json!({"type": "button", "style": style, "height": "sm", "action": action})
}

/// Opens a page of ours.
fn open(label: &str, url: &str) -> Value {
    json!({"type": "uri", "label": line(label, MOST_LABEL), "uri": url})
}

/// Asks for an action, and shows in the chat that it was asked for.
fn postback(lang: Lang, action: &Action) -> Value {
    let label = match action {
        Action::Newest => lang.t("line-button-newest"),
        Action::Notifications => lang.t("line-button-notifications"),
        Action::Help => lang.t("line-button-help"),
        Action::Feed(_) => lang.t("line-button-read"),
        Action::Publish { .. } => lang.t("line-button-publish"),
        Action::Cancel { .. } => lang.t("line-button-cancel"),
        Action::Link => lang.t("line-button-link"),
        Action::Unlink => lang.t("line-button-unlink"),
        Action::KeepLink => lang.t("line-button-keep"),
    };
    let shown = match action {
        Action::Feed(id) => format!("{label} #{id}"),
        _ => label.clone().into_owned(),
    };
    let label = line(&label, MOST_LABEL);
    json!({"type": "postback", "label": label, "data": action.to_data(), "displayText": shown})
}

/// An address that LINE takes, which must be ours.
fn uri(url: &str) -> Option<&str> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&c);
    let plain = url.len() <= MOST_URI && url.bytes().all(allowed);
    let parsed = Url::parse(url).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    parsed.filter(|_| plain).map(|_| url)
}

/// Bytes of its JSON.
fn size(value: &Value) -> usize {
    value.to_string().len()
}

//! A feed that is being written in a chat: its text, and the photos that were sent after it, which LINE keeps until it is posted.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{command::Action, event::Event, message};
use crate::{
    clock::Timestamp,
    error::Result,
    feed::Text,
    http::input::{Document, Source},
    media::IMAGES_PER_FEED,
    secret,
    web::Lang,
};

/// How long it may be posted.
pub(super) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What somebody is writing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Draft {
    /// By which buttons name it.
    pub(super) name: String,
    pub(super) title: String,
    pub(super) content: String,
    /// The message that it was written in.
    message_id: String,
    /// In milliseconds since 1970.
    begun: i64,
    photos: Vec<Photo>,
}

/// A photo by the message that it was sent in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Photo {
    pub(super) message_id: String,
    sent: i64,
}

impl Draft {
    /// Of a message whose first line is the title; one line is title and text.
    ///
    /// # Errors
    /// 422 if it is no feed that the board takes.
    pub(super) fn new(text: &str, message_id: &str, event: &Event) -> Result<Draft> {
        let text = text.replace('\0', "").replace("\r\n", "\n");
        let (title, content) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
        let content = if content.trim().is_empty() { title } else { content };
        let draft = Draft {
            name: secret::random_name(),
            title: title.trim().to_owned(),
            content: content.trim_matches('\n').to_owned(),
            message_id: message_id.to_owned(),
            begun: event.timestamp_ms,
            photos: Vec::new(),
        };
        draft.text()?;
        Ok(draft)
    }

    /// As it was kept; `None` if that is too long ago.
    pub(super) fn read(kept: Option<&str>, now: Timestamp) -> Option<Draft> {
        let draft: Draft = serde_json::from_str(kept?).ok()?;
        (now < Timestamp(draft.begun.saturating_mul(1_000)).after(KEPT)).then_some(draft)
    }

    /// As it is kept.
    pub(super) fn write(&self) -> String {
        json!(self).to_string()
    }

    /// What the board posts of it.
    ///
    /// # Errors
    /// 422 if the board does not take it.
    pub(super) fn text(&self) -> Result<Text> {
        let field = |name: &str, text: &str| (name.to_owned(), Value::from(text));
        let fields = vec![field("title", &self.title), field("content", &self.content)];
        Text::parse(&Document::new(Source::Json, fields))
    }

    /// Its photos, in the order in which they were sent.
    pub(super) fn photos(&self) -> &[Photo] {
        &self.photos
    }

    /// Adds a photo, in its place. Tells whether there was room.
    pub(super) fn add(&mut self, message_id: &str, sent: i64) -> bool {
        if self.photos.len() >= IMAGES_PER_FEED {
            return false;
        }
        self.photos.push(Photo { message_id: message_id.to_owned(), sent });
        self.photos.sort_by_key(|photo| photo.sent);
        true
    }

    /// The rest of it, if a message of it was taken back: of its text nothing remains.
    pub(super) fn without(mut self, message_id: &str) -> Option<Draft> {
        self.photos.retain(|photo| photo.message_id != message_id);
        (self.message_id != message_id).then_some(self)
    }

    /// How it would be posted, with the question whether it shall be.
    pub(super) fn question(&self, lang: Lang) -> Value {
        let photos = i64::try_from(self.photos.len()).unwrap_or(i64::MAX);
        let draft = message::Draft { name: &self.name, title: &self.title, content: &self.content, photos };
        message::draft(lang, &draft)
    }

    /// Whether a button that names it, or a word that names none, means this one.
    pub(super) fn is_meant(&self, name: Option<&str>) -> bool {
        name.is_none_or(|name| name == self.name)
    }
}

/// What can be done about a draft.
pub(super) fn buttons() -> [message::Quick; 2] {
    [message::Quick::Write, message::Quick::Do(Action::Help)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::event::Kind;

    fn draft(text: &str) -> Result<Draft> {
        let event = Event {
            id: "e".to_owned(),
            timestamp_ms: 1_000,
            standby: false,
            user: None,
            reply_token: None,
            kind: Kind::Other,
        };
        Draft::new(text, "m1", &event)
    }

    #[test]
    fn the_first_line_is_the_title() {
        let read = |text: &str| draft(text).map(|draft| (draft.title, draft.content));
        assert_eq!(read("One").unwrap(), ("One".to_owned(), "One".to_owned()));
        assert_eq!(read(" One \r\n\nTwo\n three\n").unwrap(), ("One".to_owned(), "Two\n three".to_owned()));
        assert_eq!(read("One\n \n").unwrap().1, "One");
        assert_eq!(read("a\u{0}b").unwrap().0, "ab");
        assert!(read("").is_err() && read(&"x".repeat(201)).is_err());
        assert!(read(&format!("{}\n{}", "x".repeat(200), "y".repeat(4_700))).is_ok());
    }

    #[test]
    fn photos_keep_the_order_in_which_they_were_sent_and_are_few() {
        let mut draft = draft("One").unwrap();
        for sent in [5, 3, 9, 1, 2, 4, 6, 7, 8, 10] {
            assert!(draft.add(&format!("p{sent}"), sent));
        }
        assert!(!draft.add("p11", 11));
        let mut draft = Draft::read(Some(&draft.write()), Timestamp(2_000_000)).unwrap();
        assert_eq!(draft.photos()[0].message_id, "p1");
        assert_eq!(draft.photos()[9].message_id, "p10");
        draft = draft.without("p3").unwrap();
        assert_eq!(draft.photos().len(), 9);
        assert!(draft.without("m1").is_none());
    }

    #[test]
    fn a_draft_is_kept_for_a_day() {
        let kept = draft("One").unwrap().write();
        let at = |seconds: u64| Timestamp(1_000_000).after(Duration::from_secs(seconds));
        assert!(Draft::read(Some(&kept), at(24 * 3_600 - 1)).is_some());
        assert!(Draft::read(Some(&kept), at(24 * 3_600)).is_none());
        assert!(Draft::read(None, at(0)).is_none() && Draft::read(Some("{}"), at(0)).is_none());
    }
}

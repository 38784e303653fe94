//! Parts of pages that several features show.

use askama::Template;

use super::frame::Frame;

/// The button that likes a feed or a comment, or takes the like back.
#[derive(Template)]
#[template(path = "web/like.html")]
pub struct LikeButton<'a> {
    /// The page that it stands on.
    pub frame: &'a Frame,
    /// `feed` or `comment`.
    pub kind: &'static str,
    /// Of which.
    pub id: i64,
    /// Whether whoever looks likes it.
    pub liked: bool,
    /// How many do.
    pub count: i64,
}

/// What is wrong about a form that is shown again.
#[derive(Clone, Debug, Default)]
pub struct Wrong {
    /// About all of it.
    pub whole: Option<String>,
    fields: Vec<(String, String)>,
}

impl Wrong {
    /// With these messages, each for a field.
    pub fn new(whole: Option<String>, fields: Vec<(String, String)>) -> Wrong {
        Wrong { whole, fields }
    }

    /// What is wrong about a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, message)| message.as_str())
    }
}

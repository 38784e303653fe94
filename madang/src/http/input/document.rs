//! What was sent, parsed but not yet judged.

use serde_json::Value;

use super::Fields;
use crate::error::{Problem, Step};

/// Which part of the request a document came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Placeholders of the route.
    Path,
    /// The query string.
    Query,
    /// A JSON body.
    Json,
    /// A urlencoded or multipart body.
    Form,
}

impl Source {
    pub(super) fn name(self) -> &'static str {
        match self {
            Source::Path => "path",
            Source::Query => "query",
            Source::Json | Source::Form => "body",
        }
    }
}

/// The fields of one part of a request, in the order sent. Unknown ones are ignored; of a repeated one the last counts.
#[derive(Debug, Clone)]
pub struct Document {
    pub(super) source: Source,
    pub(super) entries: Vec<(String, Value)>,
    /// Found while reading, reported with the fields: authentication is answered first.
    pub(super) problems: Vec<Problem>,
    pub(super) readable: bool,
}

impl Document {
    /// A document of fields. Those of a path, query or form are strings.
    pub fn new(source: Source, entries: Vec<(String, Value)>) -> Self {
        Self { source, entries, problems: Vec::new(), readable: true }
    }

    /// A JSON body that is not an object, or is of another content type. What was sent is not repeated: it may well
    /// hold a password under no name that we know.
    pub fn not_an_object() -> Self {
        let problem = Problem {
            kind: "model_attributes_type",
            loc: vec![Step::Name("body")],
            msg: "Input should be a valid dictionary or object to extract fields from".to_owned(),
            input: Value::Null,
        };
        Self { problems: vec![problem], readable: false, ..Self::new(Source::Json, Vec::new()) }
    }

    /// Adds a problem that was found while reading.
    pub fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Starts checking.
    pub fn fields(&self) -> Fields<'_> {
        Fields { problems: self.problems.clone(), document: self }
    }

    /// Every field as it was sent, for a fingerprint of the request.
    pub fn entries(&self) -> &[(String, Value)] {
        &self.entries
    }

    /// A text as it was sent, to be shown again in its form.
    pub fn typed(&self, name: &str) -> &str {
        self.last(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The same with line breaks as everybody but forms writes them: browsers send two characters where people count one.
    #[must_use]
    pub fn with_plain_newlines(mut self) -> Self {
        for (_, value) in &mut self.entries {
            if let Value::String(text) = value
                && text.contains('\r')
            {
                *text = text.replace("\r\n", "\n");
            }
        }
        self
    }

    pub(super) fn last(&self, name: &str) -> Option<&Value> {
        self.entries.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

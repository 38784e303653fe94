//! Fields of a request, checked in one way wherever they come from.
//!
//! A [`Document`] is what was sent: a path, a query, a JSON body or a form, parsed but not yet judged. [`Fields`] reads
//! typed values out of it and remembers *every* wrong one; a getter that fails returns an empty value, and
//! [`Fields::finish`] refuses the request, so that the value built in between is never seen:
//!
//! ```
//! # use madang::{error::Result, http::input::{Document, Source}};
//! struct NewComment { content: String, feed_id: i64 }
//!
//! fn parse(body: &Document) -> Result<NewComment> {
//!     let mut fields = body.fields();
//!     let new = NewComment { content: fields.text("content", 1..=5_000), feed_id: fields.id("feed_id") };
//!     fields.finish(new)
//! }
//! # assert!(parse(&Document::new(Source::Json, vec![])).is_err());
//! ```
//!
//! Text is normalised to NFC, and its length counted in Unicode scalar values after that. U+0000 is refused, since
//! PostgreSQL cannot store it. Passwords and addresses are taken exactly as they were typed.

use std::ops::RangeInclusive;

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Problem, Result, Step};

mod document;
mod rules;

pub use document::{Document, Source};
use rules::{echo, is_secret, parse_int};

/// A password or token that is only compared, never stored, may have this many characters, so that no old one is shut out.
const SECRET_LIMIT: usize = 1_024;

/// Reads typed values out of documents and collects what is wrong with them.
#[derive(Debug)]
#[must_use = "the problems are lost unless `finish` is called"]
pub struct Fields<'d> {
    document: &'d Document,
    problems: Vec<Problem>,
}

impl<'d> Fields<'d> {
    /// Goes on with another part of the request, keeping the problems found so far.
    pub fn then(mut self, document: &'d Document) -> Self {
        self.problems.extend_from_slice(&document.problems);
        Self { document, problems: self.problems }
    }

    /// The value, unless anything was wrong.
    ///
    /// # Errors
    /// 422 with every problem.
    pub fn finish<T>(self, value: T) -> Result<T> {
        if self.problems.is_empty() { Ok(value) } else { Err(Error::invalid(self.problems)) }
    }

    /// A required text of so many characters. In a form an empty text counts as missing.
    pub fn text(&mut self, name: &'static str, length: RangeInclusive<usize>) -> String {
        self.required(name).and_then(|value| self.check_text(name, value, length)).unwrap_or_default()
    }

    /// A text that may be missing or null; in a form also empty.
    pub fn optional_text(&mut self, name: &'static str, length: RangeInclusive<usize>) -> Option<String> {
        self.optional(name).and_then(|value| self.check_text(name, value, length))
    }

    /// A text whose key is required, but which may be null.
    pub fn nullable_text(&mut self, name: &'static str, length: RangeInclusive<usize>) -> Option<String> {
        match self.required(name)? {
            Value::Null => None,
            value => self.check_text(name, value, length),
        }
    }

    /// Every text of a repeated form or query field, empty ones left out.
    pub fn texts(&mut self, name: &'static str, length: RangeInclusive<usize>) -> Vec<String> {
        let document = self.document;
        let given = document.entries.iter().filter(|(key, value)| key == name && value.as_str() != Some(""));
        given.filter_map(|(_, value)| self.check_text(name, value, length.clone())).collect()
    }

    /// A text exactly as it was typed, such as a password to be stored: neither trimmed nor normalised.
    pub fn verbatim(&mut self, name: &'static str, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.required(name).and_then(|value| self.check_string(name, value));
        text.filter(|text| self.check_length(name, text, length)).map(str::to_owned)
    }

    /// A password or token to be compared with a stored one: any text of up to 1,024 characters.
    pub fn secret(&mut self, name: &'static str) -> String {
        self.required(name).and_then(|value| self.check_secret(name, value)).unwrap_or_default()
    }

    /// A password or token to be compared that may be missing or null.
    pub fn optional_secret(&mut self, name: &'static str) -> Option<String> {
        self.optional(name).and_then(|value| self.check_secret(name, value))
    }

    /// A required id: 1 to 2^63 - 1.
    pub fn id(&mut self, name: &'static str) -> i64 {
        self.required(name).and_then(|value| self.check_int(name, value, 1..=i64::MAX)).unwrap_or_default()
    }

    /// An id that may be missing or null.
    pub fn optional_id(&mut self, name: &'static str) -> Option<i64> {
        self.optional(name).and_then(|value| self.check_int(name, value, 1..=i64::MAX))
    }

    /// An integer with a default.
    pub fn int_or(&mut self, name: &'static str, default: i64, range: RangeInclusive<i64>) -> i64 {
        self.optional(name).and_then(|value| self.check_int(name, value, range)).unwrap_or(default)
    }

    /// One of a few names, each standing for a value.
    pub fn one_of<T: Copy>(&mut self, name: &'static str, default: T, allowed: &[(&str, T)]) -> T {
        let Some(value) = self.optional(name) else { return default };
        let Some(text) = self.check_string(name, value) else { return default };
        if let Some((_, known)) = allowed.iter().find(|(key, _)| *key == text) {
            return *known;
        }
        let names: Vec<String> = allowed.iter().map(|(key, _)| format!("'{key}'")).collect();
        let list = match names.as_slice() {
            [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            names => names.join(""),
        };
        self.wrong(name, "enum", format!("Input should be {list}"));
        default
    }

    /// A boolean, false if missing or null.
    pub fn flag(&mut self, name: &'static str) -> bool {
        match self.optional(name) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
            Some(Value::String(_)) => {
                let msg = "Input should be a valid boolean, unable to interpret input";
                self.wrong(name, "bool_parsing", msg.to_owned());
                false
            }
            Some(_) => {
                self.wrong(name, "bool_type", "Input should be a valid boolean".to_owned());
                false
            }
        }
    }

    /// True if the field was sent and is not null.
    pub fn has(&self, name: &'static str) -> bool {
        self.optional(name).is_some()
    }

    /// Refuses a field by a rule of its own: type `value_error`, text "Value error, " and the reason.
    pub fn refuse(&mut self, name: &'static str, reason: &str) {
        self.wrong(name, "value_error", format!("Value error, {reason}"));
    }

    fn required(&mut self, name: &'static str) -> Option<&'d Value> {
        let document = self.document;
        let found = self.sent(name);
        if found.is_none() && document.readable {
            // The other fields are not repeated: the one that is missing may be among them under a wrong name.
            self.push(name, "missing", "Field required".to_owned(), Value::Null);
        }
        found
    }

    fn optional(&self, name: &'static str) -> Option<&'d Value> {
        self.sent(name).filter(|value| !value.is_null())
    }

    /// An input of a form that was left empty is sent as an empty text.
    fn sent(&self, name: &'static str) -> Option<&'d Value> {
        let empty = |value: &&Value| self.document.source == Source::Form && value.as_str() == Some("");
        self.document.last(name).filter(|value| !empty(value))
    }

    fn check_string<'v>(&mut self, name: &'static str, value: &'v Value) -> Option<&'v str> {
        let Some(text) = value.as_str() else {
            self.wrong_value(name, "string_type", "Input should be a valid string".to_owned(), value);
            return None;
        };
        if text.contains('\0') {
            let msg = "Value error, Text must not contain the null character".to_owned();
            self.wrong_value(name, "value_error", msg, value);
            return None;
        }
        Some(text)
    }

    fn check_text(&mut self, name: &'static str, value: &Value, length: RangeInclusive<usize>) -> Option<String> {
        let text: String = self.check_string(name, value)?.nfc().collect();
        self.check_length(name, &text, length).then_some(text)
    }

    fn check_length(&mut self, name: &'static str, text: &str, length: RangeInclusive<usize>) -> bool {
        let plural = |n: usize| if n == 1 { "character" } else { "characters" };
        let (least, most) = (*length.start(), *length.end());
        let count = text.chars().count();
        if count < least {
            let msg = format!("String should have at least {least} {}", plural(least));
            self.wrong_value(name, "string_too_short", msg, &Value::from(text));
        } else if count > most {
            let msg = format!("String should have at most {most} {}", plural(most));
            self.wrong_value(name, "string_too_long", msg, &Value::from(text));
        }
        length.contains(&count)
    }

    fn check_secret(&mut self, name: &'static str, value: &Value) -> Option<String> {
        // No check for U+0000: a wrong password is wrong, whatever it is made of.
        let Some(text) = value.as_str() else {
            self.wrong(name, "string_type", "Input should be a valid string".to_owned());
            return None;
        };
        self.check_length(name, text, 0..=SECRET_LIMIT).then(|| text.to_owned())
    }

    fn check_int(&mut self, name: &'static str, value: &Value, range: RangeInclusive<i64>) -> Option<i64> {
        let number = match parse_int(value) {
            Ok(number) => number,
            Err((kind, msg)) => {
                self.wrong_value(name, kind, msg.to_owned(), value);
                return None;
            }
        };
        let (least, most) = (*range.start(), *range.end());
        if number < least {
            let msg = format!("Input should be greater than or equal to {least}");
            self.wrong_value(name, "greater_than_equal", msg, value);
        } else if number > most {
            let msg = format!("Input should be less than or equal to {most}");
            self.wrong_value(name, "less_than_equal", msg, value);
        }
        range.contains(&number).then_some(number)
    }

    fn wrong(&mut self, name: &'static str, kind: &'static str, msg: String) {
        let value = self.document.last(name).unwrap_or(&Value::Null);
        self.wrong_value(name, kind, msg, value);
    }

    fn wrong_value(&mut self, name: &'static str, kind: &'static str, msg: String, value: &Value) {
        let input = if is_secret(name) { Value::Null } else { echo(value) };
        self.push(name, kind, msg, input);
    }

    fn push(&mut self, name: &'static str, kind: &'static str, msg: String, input: Value) {
        let loc = vec![Step::Name(self.document.source.name()), Step::Name(name)];
        self.problems.push(Problem { kind, loc, msg, input });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn json_body(body: Value) -> Document {
        let Value::Object(map) = body else { return Document::not_an_object() };
        Document::new(Source::Json, map.into_iter().collect())
    }

    fn strings(source: Source, pairs: &[(&str, &str)]) -> Document {
        Document::new(source, pairs.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect())
    }

    fn kinds(fields: Fields<'_>) -> Vec<&'static str> {
        fields.finish(()).err().map(|e| e.problems().iter().map(|p| p.kind).collect()).unwrap_or_default()
    }

    #[test]
    fn every_wrong_field_has_its_own_entry() {
        let path = strings(Source::Path, &[("feed_id", "abc")]);
        let query = strings(Source::Query, &[("limit", "0"), ("limit", "101"), ("sort_by", "id;DROP")]);
        let body = json_body(json!({"title": 7, "password": 5}));
        let mut fields = path.fields();
        fields.id("feed_id");
        let mut fields = fields.then(&query);
        fields.int_or("limit", 10, 1..=100);
        fields.one_of("sort_by", 0, &[("create_dt_desc", 0), ("create_dt_asc", 1), ("id_desc", 2)]);
        let mut fields = fields.then(&body);
        fields.text("title", 1..=200);
        fields.text("content", 1..=200);
        fields.verbatim("password", 8..=128);
        let error = fields.finish(()).unwrap_err();
        assert_eq!(
            serde_json::to_value(error.problems()).unwrap(),
            json!([
                {"type": "int_parsing", "loc": ["path", "feed_id"], "input": "abc",
                 "msg": "Input should be a valid integer, unable to parse string as an integer"},
                {"type": "less_than_equal", "loc": ["query", "limit"], "input": "101",
                 "msg": "Input should be less than or equal to 100"},
                {"type": "enum", "loc": ["query", "sort_by"], "input": "id;DROP",
                 "msg": "Input should be 'create_dt_desc', 'create_dt_asc' or 'id_desc'"},
                {"type": "string_type", "loc": ["body", "title"], "input": 7, "msg": "Input should be a valid string"},
                {"type": "missing", "loc": ["body", "content"], "input": null, "msg": "Field required"},
                {"type": "string_type", "loc": ["body", "password"], "input": null,
                 "msg": "Input should be a valid string"},
            ])
        );
    }

    #[test]
    fn i03_i14_text_is_nfc_counted_in_characters_and_free_of_nul() {
        let document = json_body(json!({"nfd": "e\u{301}", "nul": "a\u{0}", "emoji": "👩‍👩‍👧", "control": "\u{1b}[0m"}));
        let mut fields = document.fields();
        assert_eq!(fields.text("nfd", 1..=1), "\u{e9}");
        assert_eq!(fields.text("emoji", 5..=5), "👩‍👩‍👧");
        assert_eq!(fields.text("control", 1..=9), "\u{1b}[0m");
        fields.text("nul", 0..=9);
        assert_eq!(fields.verbatim("nfd", 2..=2).as_deref(), Some("e\u{301}"));
        assert_eq!(kinds(fields), ["value_error"]);
    }

    #[test]
    fn lengths_have_bounds() {
        let document = json_body(json!({"short": "", "long": "abc"}));
        let mut fields = document.fields();
        fields.text("short", 1..=2);
        fields.text("long", 1..=2);
        let error = fields.finish(()).unwrap_err();
        assert_eq!(error.problems()[0].msg, "String should have at least 1 character");
        assert_eq!(error.problems()[1].msg, "String should have at most 2 characters");
    }

    #[test]
    fn an_empty_form_text_is_missing_and_null_is_optional() {
        let form = strings(Source::Form, &[("title", ""), ("url", "a"), ("url", ""), ("url", "b")]);
        let mut fields = form.fields();
        assert_eq!(fields.texts("url", 1..=9), ["a", "b"]);
        fields.text("title", 1..=200);
        assert_eq!(kinds(fields), ["missing"]);

        let body = json_body(json!({"content": null, "flag": "yes"}));
        let mut fields = body.fields();
        assert_eq!(fields.nullable_text("content", 0..=9), None);
        assert_eq!(fields.optional_text("content", 0..=9), None);
        assert!(!fields.flag("flag"));
        fields.nullable_text("other", 0..=9);
        assert_eq!(kinds(fields), ["bool_parsing", "missing"]);
    }

    #[test]
    fn a_body_that_is_no_object_has_one_problem() {
        let document = json_body(json!([{"password": "canary"}]));
        let mut fields = document.fields();
        fields.text("title", 1..=200);
        assert_eq!(kinds(fields), ["model_attributes_type"]);
    }

    #[test]
    fn i01_ids_have_a_range_and_answers_no_password() {
        let document = json_body(json!({"zero": "0", "minus": -1, "most": i64::MAX, "password": 123}));
        let mut fields = document.fields();
        assert_eq!(fields.id("most"), i64::MAX);
        fields.id("zero");
        fields.optional_id("minus");
        fields.secret("password");
        fields.text("title", 1..=9);
        let error = fields.finish(()).unwrap_err();
        let kinds: Vec<_> = error.problems().iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, ["greater_than_equal", "greater_than_equal", "string_type", "missing"]);
        assert!(!serde_json::to_string(error.problems()).unwrap().contains("123"));
    }
}

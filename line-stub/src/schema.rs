//! A small language for the shapes of JSON that LINE takes: tables of properties, and what each may hold.
//!
//! JSON Schema does not serve here: an object's shape follows from its `type`, nothing that is not in its table may be in it,
//! lengths are counted in UTF-16, and much depends on where an object stands.

use serde_json::{Map, Value};

/// What a property may hold.
pub(crate) enum Kind {
    /// A string of so many UTF-16 units.
    Text { min: usize, max: usize },
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words, or pixels (`12px`), or a share of 100 (`40%`) if that is said to be allowed.
    Size { words: &'static [&'static str], percent: bool },
    /// `#RRGGBB` or `#RRGGBBAA`.
    Color,
    /// `WIDTH:HEIGHT`, each up to 100,000, the height at most three times the width.
    Ratio,
    /// An address of a picture or a film: https alone, without anything that would have to be encoded.
    Https,
    /// An address that a tap opens.
    Link,
    /// The ID of a user.
    User,
    /// A whole number in this range.
    Whole { min: i64, max: i64 },
    /// A number in this range.
    Number { min: f64, max: f64 },
    /// `true` or `false`.
    Flag,
    /// An object of this one shape.
    Object(&'static Shape),
    /// An object whose `type` picks its shape.
    Typed(&'static [Choice]),
    /// An object with any names, whose values are picked by `type`.
    Names(&'static [Choice]),
    /// An array of so many values.
    List { min: usize, max: usize, of: &'static Kind },
}

/// A `type`, and the shape of the objects that have it.
pub(crate) type Choice = (&'static str, &'static Shape);

/// A property of an object.
pub(crate) struct Property {
    name: &'static str,
    required: bool,
    kind: Kind,
}

/// A property that has to be there.
pub(crate) const fn must(name: &'static str, kind: Kind) -> Property {
    Property { name, required: true, kind }
}

/// A property that may be left out.
pub(crate) const fn may(name: &'static str, kind: Kind) -> Property {
    Property { name, required: false, kind }
}

/// What several properties of an object must be together.
pub(crate) type Rule = fn(&Map<String, Value>, &mut Findings);

/// The properties of an object, in two groups so that shapes may share one, and a rule over several of them.
pub(crate) struct Shape {
    groups: [&'static [Property]; 2],
    rule: Option<Rule>,
}

impl Shape {
    pub(crate) const fn new(own: &'static [Property]) -> Self {
        Self { groups: [own, &[]], rule: None }
    }

    pub(crate) const fn with(shared: &'static [Property], own: &'static [Property]) -> Self {
        Self { groups: [shared, own], rule: None }
    }

    pub(crate) const fn ruled(self, rule: Rule) -> Self {
        Self { groups: self.groups, rule: Some(rule) }
    }
}

/// What is wrong with a request, and where.
#[derive(Default)]
pub(crate) struct Findings {
    path: String,
    found: Vec<(String, String)>,
}

impl Findings {
    /// Notes that what is looked at is wrong.
    pub(crate) fn say(&mut self, message: impl Into<String>) {
        self.found.push((message.into(), self.path.clone()));
    }

    /// Looks at the property `name` of what is looked at.
    pub(crate) fn property(&mut self, name: &str, look: impl FnOnce(&mut Self)) {
        let separator = if self.path.is_empty() { "" } else { "." };
        self.inside(&format!("{separator}{name}"), look);
    }

    /// Looks at an element of the array that is looked at.
    pub(crate) fn element(&mut self, index: usize, look: impl FnOnce(&mut Self)) {
        self.inside(&format!("[{index}]"), look);
    }

    fn inside(&mut self, step: &str, look: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        look(self);
        self.path.truncate(length);
    }

    /// Each fault as (message, property), in the order of the shape.
    pub(crate) fn into_vec(self) -> Vec<(String, String)> {
        self.found
    }
}

/// The length of a text as LINE counts it.
pub(crate) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

impl Shape {
    /// Checks `value`; `tagged` says that `type` was looked at already.
    pub(crate) fn check(&self, value: &Value, tagged: bool, findings: &mut Findings) {
        let Some(object) = value.as_object() else { return findings.say("must be an object") };
        let properties = || self.groups.into_iter().flatten();
        for property in properties() {
            findings.property(property.name, |findings| match object.get(property.name) {
                Some(value) => property.kind.check(value, findings),
                None if property.required => findings.say("must be specified"),
                None => (),
            });
        }
        for name in object.keys() {
            let known = properties().any(|property| property.name == name) || (tagged && name == "type");
            if !known {
                findings.property(name, |findings| findings.say("unknown field"));
            }
        }
        if let Some(rule) = self.rule {
            rule(object, findings);
        }
    }
}

impl Kind {
    pub(crate) fn check(&self, value: &Value, findings: &mut Findings) {
        match self {
            Self::Object(shape) => shape.check(value, false, findings),
            Self::Typed(shapes) => check_typed(shapes, value, findings),
            Self::Names(shapes) => match value.as_object() {
                None => findings.say("must be an object"),
                Some(object) => {
                    for (name, value) in object {
                        findings.property(name, |findings| check_typed(shapes, value, findings));
                    }
                }
            },
            Self::List { min, max, of } => match value.as_array() {
                None => findings.say("must be an array"),
                Some(list) => {
                    if !(*min..=*max).contains(&list.len()) {
                        findings.say(format!("Size must be between {min} and {max}"));
                    }
                    for (index, value) in list.iter().enumerate() {
                        findings.element(index, |findings| of.check(value, findings));
                    }
                }
            },
            Self::Whole { min, max } => match value.as_i64() {
                Some(number) if (*min..=*max).contains(&number) => (),
                _ => findings.say(format!("must be a whole number between {min} and {max}")),
            },
            Self::Number { min, max } => match value.as_f64() {
                Some(number) if (*min..=*max).contains(&number) => (),
                _ => findings.say(format!("must be a number between {min} and {max}")),
            },
            Self::Flag if value.is_boolean() => (),
            Self::Flag => findings.say("must be true or false"),
            _ => match value.as_str() {
                None => findings.say("must be a string"),
                Some(text) => self.check_text(text, findings),
            },
        }
    }

    fn check_text(&self, text: &str, findings: &mut Findings) {
        match self {
            Self::Text { min, max } => match units(text) {
                0 if *min > 0 => findings.say("May not be empty"),
                length if !(*min..=*max).contains(&length) => {
                    findings.say(format!("Length must be between {min} and {max}"));
                }
                _ => (),
            },
            Self::Word(words) if !words.contains(&text) => findings.say(format!("must be one of {words:?}")),
            Self::Size { words, percent } if !words.contains(&text) && !is_measure(text, *percent) => {
                findings.say("invalid property");
            }
            Self::Color if !is_color(text) => findings.say("invalid color"),
            Self::Ratio if !is_ratio(text) => findings.say("invalid aspect ratio"),
            Self::Https if !is_address(text, &["https://"]) => findings.say("invalid uri scheme"),
            Self::Https if units(text) > 2000 => findings.say("Length must be between 0 and 2000"),
            Self::Link if !is_address(text, &["http://", "https://", "line://", "tel:"]) => {
                findings.say("invalid uri scheme");
            }
            Self::Link if units(text) > 1000 => findings.say("Length must be between 0 and 1000"),
            Self::User if !is_user(text) => findings.say("invalid user ID"),
            _ => (),
        }
    }
}

fn check_typed(shapes: &[Choice], value: &Value, findings: &mut Findings) {
    let Some(object) = value.as_object() else { return findings.say("must be an object") };
    let tag = object.get("type").and_then(Value::as_str);
    match shapes.iter().find(|(name, _)| Some(*name) == tag) {
        Some((_, shape)) => shape.check(value, true, findings),
        None => findings.property("type", |findings| {
            let names: Vec<_> = shapes.iter().map(|(name, _)| name).collect();
            findings.say(format!("must be one of {names:?}"));
        }),
    }
}

/// Whether `id` is a user's: LINE's are U and 32 hexadecimal digits.
pub(crate) fn is_user(id: &str) -> bool {
    id.strip_prefix('U')
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// Whether `text` is a UUID in its usual form.
pub(crate) fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<_> = text.split('-').collect();
    parts.len() == lengths.len() && parts.iter().zip(lengths).all(|(part, length)| part.len() == length && is_hex(part))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_measure(text: &str, percent: bool) -> bool {
    let number = text.strip_suffix("px").or_else(|| text.strip_suffix('%').filter(|_| percent));
    number.is_some_and(|number| number.parse::<f64>().is_ok_and(f64::is_finite))
}

fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|digits| matches!(digits.len(), 6 | 8) && is_hex(digits))
}

fn is_ratio(text: &str) -> bool {
    let range = 1.0..=100_000.0;
    let Some((width, height)) = text.split_once(':') else { return false };
    let (Ok(width), Ok(height)) = (width.parse::<f64>(), height.parse::<f64>()) else { return false };
    range.contains(&width) && range.contains(&height) && height <= width * 3.0
}

/// Whether `text` begins with one of `schemes` and something follows, of what stands in an encoded address.
fn is_address(text: &str, schemes: &[&str]) -> bool {
    let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_schema_are_recognised() {
        assert!(is_uuid("123e4567-e89b-12d3-a456-426614174000"));
        assert!(!is_uuid("123e4567e89b12d3a456426614174000") && !is_uuid("123e4567-e89b-12d3-a456-42661417400g"));
        assert!(
            is_user("U0123456789abcdef0123456789abcdef")
                && !is_user("U1")
                && !is_user("C0123456789abcdef0123456789abcdef")
        );
        assert!(
            is_measure("12.5px", false)
                && is_measure("40%", true)
                && !is_measure("40%", false)
                && !is_measure("px", false)
        );
        assert!(is_color("#aABB00") && is_color("#aabb00ff") && !is_color("red") && !is_color("#abc"));
        assert!(is_ratio("20:13") && is_ratio("1:3") && !is_ratio("1:4") && !is_ratio("0:1") && !is_ratio("1"));
        assert!(is_address("https://a/%EC", &["https://"]) && !is_address("https://", &["https://"]));
        assert!(!is_address("http://a", &["https://"]) && !is_address("https://a b", &["https://"]));
        assert!(!is_address("https://a/안", &["https://"]));
    }

    #[test]
    fn lengths_are_counted_in_utf_16() {
        assert_eq!((units("abc"), units("안녕"), units("😀")), (3, 2, 2));
    }
}

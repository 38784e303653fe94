//! Messages of a fixed layout: buttons, a question, carousels.

use serde_json::{Map, Value};

use super::action;
use crate::schema::{
    Choice, Findings,
    Kind::{self, Color, Https, List, Object, Text, Typed, Word},
    Property, Shape, may, must, units,
};

/// The templates, by their type.
pub(super) static TEMPLATE: [Choice; 4] = [
    ("buttons", &Shape::with(&BUTTONS, &LOOK).ruled(text_beside_a_picture)),
    ("confirm", &Shape::new(&[must("text", Text { min: 1, max: 240 }), must("actions", buttons(2, 2))])),
    (
        "carousel",
        &Shape::with(&[must("columns", List { min: 1, max: 10, of: &Object(&COLUMN) })], &LOOK).ruled(even_columns),
    ),
    ("image_carousel", &Shape::new(&[must("columns", List { min: 1, max: 10, of: &Object(&IMAGE_COLUMN) })])),
];

const fn buttons(min: usize, max: usize) -> Kind {
    List { min, max, of: &BUTTON }
}
static BUTTON: Kind = Typed(&action::OF_BUTTON);

static LOOK: [Property; 2] =
    [may("imageAspectRatio", Word(&["rectangle", "square"])), may("imageSize", Word(&["cover", "contain"]))];

static BUTTONS: [Property; 6] = [
    may("thumbnailImageUrl", Https),
    may("imageBackgroundColor", Color),
    may("title", Text { min: 1, max: 40 }),
    must("text", Text { min: 1, max: 160 }),
    may("defaultAction", Typed(&action::OF_AREA)),
    must("actions", buttons(1, 4)),
];

static COLUMN: Shape = Shape::new(&[
    may("thumbnailImageUrl", Https),
    may("imageBackgroundColor", Color),
    may("title", Text { min: 1, max: 40 }),
    must("text", Text { min: 1, max: 120 }),
    may("defaultAction", Typed(&action::OF_AREA)),
    must("actions", buttons(1, 3)),
])
.ruled(text_beside_a_picture);

static IMAGE_COLUMN: Shape = Shape::new(&[must("imageUrl", Https), must("action", Typed(&action::OF_IMAGE))]);

/// A picture or a title leaves less room for the text.
fn text_beside_a_picture(object: &Map<String, Value>, findings: &mut Findings) {
    let crowded = object.contains_key("thumbnailImageUrl") || object.contains_key("title");
    let text = object.get("text").and_then(Value::as_str).unwrap_or_default();
    if crowded && units(text) > 60 {
        findings.property("text", |findings| findings.say("Length must be between 1 and 60"));
    }
}

/// Every column has as many buttons as the first, and a title or a picture if that has one.
fn even_columns(object: &Map<String, Value>, findings: &mut Findings) {
    let columns = object.get("columns").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let look = |column: &Value| {
        let actions = column.get("actions").and_then(Value::as_array).map(Vec::len);
        (actions, column.get("title").is_some(), column.get("thumbnailImageUrl").is_some())
    };
    if columns.windows(2).any(|pair| look(&pair[0]) != look(&pair[1])) {
        findings.property("columns", |findings| findings.say("columns must be alike in actions, title and image"));
    }
}

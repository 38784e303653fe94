//! What a tap does. The same actions stand in many places, which differ in what their labels may be.

use super::ANY;
use crate::schema::{
    Choice,
    Kind::{self, Link, Object, Text, Word},
    Property, Shape, may, must,
};

const LABEL: Kind = Text { min: 1, max: 20 };
static REQUIRED: [Property; 1] = [must("label", LABEL)];
static OPTIONAL: [Property; 1] = [may("label", LABEL)];
static SHORT: [Property; 1] = [may("label", Text { min: 1, max: 12 })];

/// The actions with this label, and more that are a label alone.
macro_rules! actions {
    ($label:ident $(, $more:literal)*) => {
        [
            ("postback", &Shape::with(&$label, &POSTBACK)),
            ("message", &Shape::with(&$label, &MESSAGE)),
            ("uri", &Shape::with(&$label, &URI)),
            ("datetimepicker", &Shape::with(&$label, &PICKER)),
            ("clipboard", &Shape::with(&$label, &CLIPBOARD)),
            $(($more, &Shape::new(&$label))),*
        ]
    };
}

/// On a button, whose face the label is.
pub(super) static OF_BUTTON: [Choice; 5] = actions!(REQUIRED);
/// On an area: a picture, a box, a text, a bubble.
pub(super) static OF_AREA: [Choice; 5] = actions!(OPTIONAL);
/// On a column of an image carousel, where a label lies over the image.
pub(super) static OF_IMAGE: [Choice; 5] = actions!(SHORT);
/// Below a conversation; the phone's own are here alone.
pub(super) static OF_QUICK_REPLY: [Choice; 8] = actions!(REQUIRED, "camera", "cameraRoll", "location");

const DATA: Property = must("data", Text { min: 1, max: 300 });

static POSTBACK: [Property; 5] = [
    DATA,
    may("displayText", Text { min: 1, max: 300 }),
    may("text", Text { min: 1, max: 300 }),
    may("inputOption", Word(&["closeRichMenu", "openRichMenu", "openKeyboard", "openVoice"])),
    may("fillInText", Text { min: 1, max: 300 }),
];
static MESSAGE: [Property; 1] = [must("text", Text { min: 1, max: 300 })];
static URI: [Property; 2] = [must("uri", Link), may("altUri", Object(&DESKTOP))];
static DESKTOP: Shape = Shape::new(&[may("desktop", Link)]);
static PICKER: [Property; 5] =
    [DATA, must("mode", Word(&["date", "time", "datetime"])), may("initial", ANY), may("max", ANY), may("min", ANY)];
static CLIPBOARD: [Property; 1] = [must("clipboardText", Text { min: 1, max: 1000 })];

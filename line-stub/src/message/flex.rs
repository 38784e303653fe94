//! Flex messages: containers, blocks, and components within components.

use serde_json::{Map, Value};

use super::action::{OF_AREA, OF_BUTTON};
use crate::schema::{
    Choice, Findings,
    Kind::{self, Color, Flag, Https, Link, List, Object, Ratio, Size, Text, Typed, Whole, Word},
    Property, Shape, may, must,
};

const BUBBLE_BYTES: usize = 30 * 1024;
const CAROUSEL_BYTES: usize = 50 * 1024;

/// The containers, by their type.
pub(super) static CONTAINER: [Choice; 2] = [
    ("bubble", &Shape::new(&BUBBLE).ruled(bubble)),
    ("carousel", &Shape::new(&[must("contents", List { min: 1, max: 12, of: &Typed(&BUBBLES) })]).ruled(carousel)),
];
static BUBBLES: [Choice; 1] = [("bubble", &Shape::new(&BUBBLE).ruled(bubble))];

static BUBBLE: [Property; 8] = [
    may("direction", Word(&["ltr", "rtl"])),
    may("size", Word(&["nano", "micro", "deca", "hecto", "kilo", "mega", "giga"])),
    may("styles", Object(&STYLES)),
    may("header", Typed(&BOXES)),
    may("hero", Typed(&HERO)),
    may("body", Typed(&BOXES)),
    may("footer", Typed(&BOXES)),
    may("action", Typed(&OF_AREA)),
];
static STYLES: Shape = Shape::new(&[
    may("header", Object(&STYLE)),
    may("hero", Object(&STYLE)),
    may("body", Object(&STYLE)),
    may("footer", Object(&STYLE)),
]);
static STYLE: Shape =
    Shape::new(&[may("backgroundColor", Color), may("separator", Flag), may("separatorColor", Color)]);

static BOXES: [Choice; 1] = [("box", &BOX)];
static HERO: [Choice; 3] = [("box", &BOX), ("image", &IMAGE), ("video", &Shape::new(&VIDEO_OWN))];
static ALTERNATIVE: [Choice; 2] = [("box", &BOX), ("image", &IMAGE)];
/// In a horizontal or vertical box.
static COMPONENT: [Choice; 7] = [
    ("box", &BOX),
    ("button", &Shape::with(&PLACE, &BUTTON_OWN)),
    ("image", &IMAGE),
    ("text", &TEXT),
    ("separator", &Shape::new(&[may("margin", GAP), may("color", Color)])),
    ("filler", &FILLER),
    // Checked here so that the one fault that is told of it is where it stands: see `contents_of_a_box`.
    ("icon", &ICON),
];
static SPAN: [Choice; 1] = [("span", &Shape::new(&SPAN_OWN))];

static BOX: Shape = Shape::with(&PLACE, &BOX_OWN).ruled(contents_of_a_box);
static IMAGE: Shape = Shape::with(&PLACE, &IMAGE_OWN);
static TEXT: Shape = Shape::with(&PLACE, &TEXT_OWN).ruled(text_or_spans);
static FILLER: Shape = Shape::new(&[may("flex", FLEX)]);
static ICON: Shape = Shape::with(&PLACE, &ICON_OWN);

const FLEX: Kind = Whole { min: 0, max: 1000 };
const GAP: Kind = Size { words: &["none", "xs", "sm", "md", "lg", "xl", "xxl"], percent: false };
const OFFSET: Kind = Size { words: &["none", "xs", "sm", "md", "lg", "xl", "xxl"], percent: true };
const LENGTH: Kind = Size { words: &[], percent: true };
const FONT: Kind = Size { words: &["xxs", "xs", "sm", "md", "lg", "xl", "xxl", "3xl", "4xl", "5xl"], percent: false };
const WIDTH: Kind =
    Size { words: &["xxs", "xs", "sm", "md", "lg", "xl", "xxl", "3xl", "4xl", "5xl", "full"], percent: true };
const HORIZONTAL: Kind = Word(&["start", "end", "center"]);
const VERTICAL: Kind = Word(&["top", "bottom", "center"]);
const WEIGHT: Property = may("weight", Word(&["regular", "bold"]));
const SLANT: Property = may("style", Word(&["normal", "italic"]));
const DECORATION: Property = may("decoration", Word(&["none", "underline", "line-through"]));
const FIT: Property = may("adjustMode", Word(&["shrink-to-fit"]));

/// Where a component stands in its box.
static PLACE: [Property; 6] = [
    may("margin", GAP),
    may("position", Word(&["relative", "absolute"])),
    may("offsetTop", OFFSET),
    may("offsetBottom", OFFSET),
    may("offsetStart", OFFSET),
    may("offsetEnd", OFFSET),
];

static BOX_OWN: [Property; 21] = [
    must("layout", Word(&["horizontal", "vertical", "baseline"])),
    must("contents", List { min: 0, max: 1000, of: &Typed(&COMPONENT) }),
    may("flex", FLEX),
    may("spacing", GAP),
    may("backgroundColor", Color),
    may("borderColor", Color),
    may("borderWidth", Size { words: &["none", "light", "normal", "medium", "semi-bold", "bold"], percent: false }),
    may("cornerRadius", GAP),
    may("width", LENGTH),
    may("maxWidth", LENGTH),
    may("height", LENGTH),
    may("maxHeight", LENGTH),
    may("paddingAll", OFFSET),
    may("paddingTop", OFFSET),
    may("paddingBottom", OFFSET),
    may("paddingStart", OFFSET),
    may("paddingEnd", OFFSET),
    may("action", Typed(&OF_AREA)),
    may("justifyContent", Word(&["center", "flex-start", "flex-end", "space-between", "space-around", "space-evenly"])),
    may("alignItems", Word(&["center", "flex-start", "flex-end"])),
    may("background", Typed(&BACKGROUND)),
];
static BACKGROUND: [Choice; 1] = [(
    "linearGradient",
    &Shape::new(&[
        must("angle", Text { min: 1, max: 20 }),
        must("startColor", Color),
        must("endColor", Color),
        may("centerColor", Color),
        may("centerPosition", LENGTH),
    ]),
)];

static BUTTON_OWN: [Property; 8] = [
    must("action", Typed(&OF_BUTTON)),
    may("flex", FLEX),
    may("color", Color),
    may("style", Word(&["primary", "secondary", "link"])),
    may("gravity", VERTICAL),
    may("height", Word(&["sm", "md"])),
    FIT,
    may("scaling", Flag),
];

static IMAGE_OWN: [Property; 10] = [
    must("url", Https),
    may("flex", FLEX),
    may("align", HORIZONTAL),
    may("gravity", VERTICAL),
    may("size", WIDTH),
    may("aspectRatio", Ratio),
    may("aspectMode", Word(&["fit", "cover"])),
    may("backgroundColor", Color),
    may("action", Typed(&OF_AREA)),
    may("animated", Flag),
];

static ICON_OWN: [Property; 4] =
    [must("url", Https), may("size", FONT), may("aspectRatio", Ratio), may("scaling", Flag)];

static TEXT_OWN: [Property; 16] = [
    may("text", Text { min: 1, max: 2000 }),
    may("contents", List { min: 1, max: 1000, of: &Typed(&SPAN) }),
    may("flex", FLEX),
    may("size", FONT),
    may("align", HORIZONTAL),
    may("gravity", VERTICAL),
    may("color", Color),
    WEIGHT,
    SLANT,
    DECORATION,
    may("wrap", Flag),
    may("lineSpacing", Size { words: &[], percent: false }),
    may("maxLines", Whole { min: 0, max: 1000 }),
    may("action", Typed(&OF_AREA)),
    FIT,
    may("scaling", Flag),
];

static SPAN_OWN: [Property; 6] =
    [must("text", Text { min: 1, max: 2000 }), may("size", FONT), may("color", Color), WEIGHT, SLANT, DECORATION];

static VIDEO_OWN: [Property; 5] = [
    must("url", Https),
    must("previewUrl", Https),
    must("altContent", Typed(&ALTERNATIVE)),
    may("aspectRatio", Ratio),
    may("action", Typed(&VIDEO_ACTION)),
];
/// A film's action is an address alone.
static VIDEO_ACTION: [Choice; 1] =
    [("uri", &Shape::new(&[must("label", Text { min: 1, max: 20 }), must("uri", Link)]))];

fn bubble(object: &Map<String, Value>, findings: &mut Findings) {
    if !["header", "hero", "body", "footer"].into_iter().any(|block| object.contains_key(block)) {
        findings.say("at least one block must be specified");
    }
    if bytes(object) > BUBBLE_BYTES {
        findings.say(format!("the bubble is larger than {BUBBLE_BYTES} bytes"));
    }
}

fn carousel(object: &Map<String, Value>, findings: &mut Findings) {
    if bytes(object) > CAROUSEL_BYTES {
        findings.say(format!("the carousel is larger than {CAROUSEL_BYTES} bytes"));
    }
    let mut sizes =
        object.get("contents").and_then(Value::as_array).into_iter().flatten().map(|bubble| bubble.get("size"));
    let first = sizes.next();
    if sizes.any(|size| Some(size) != first) {
        findings.say("the bubbles of a carousel must have one size");
    }
}

fn bytes(object: &Map<String, Value>) -> usize {
    // A map that came from JSON becomes JSON again.
    serde_json::to_vec(object).map_or(usize::MAX, |json| json.len())
}

/// On a baseline stand icons, texts and fillers; elsewhere all but icons.
fn contents_of_a_box(object: &Map<String, Value>, findings: &mut Findings) {
    let baseline = object.get("layout").is_some_and(|layout| layout == "baseline");
    let contents = object.get("contents").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (index, component) in contents.iter().enumerate() {
        let allowed = match component.get("type").and_then(Value::as_str) {
            Some("icon") => baseline,
            Some("text" | "filler") => true,
            _ => !baseline,
        };
        if !allowed {
            findings.property("contents", |findings| {
                findings.element(index, |findings| findings.say("this component cannot stand in such a box"));
            });
        }
    }
}

fn text_or_spans(object: &Map<String, Value>, findings: &mut Findings) {
    if !object.contains_key("text") && !object.contains_key("contents") {
        findings.property("text", |findings| findings.say("must be specified"));
    }
}

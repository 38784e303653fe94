//! Markdown of feeds and comments, as HTML that is safe to put into a page, and as plain words.
//!
//! The parser is comrak, since it makes `**"강조"**는` strong, which CommonMark does not: see docs/adr/0021-markdown.md. Its tree
//! is tamed (src/markdown/tree.rs), written, and read again by ammonia, which knows nothing of Markdown and lets only a few tags
//! pass. Whatever is too much on the way is shown as it was typed.

mod address;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod bombs;
mod cache;
mod excerpt;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    fmt::{self, Write},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use ammonia::{Builder, UrlRelative};
use comrak::{Arena, Node, Options};

use cache::Cache;
pub use excerpt::excerpt;
pub(crate) use excerpt::shortened;

/// Characters of a text that are read. The board refuses longer ones before.
pub const MOST_CHARS: usize = 50_000;

/// Bytes of HTML that [`render`] makes of one text at most.
pub const MOST_HTML: usize = 512 << 10;

/// How often the parser may ask whether to go on, which it does every 256 steps. The longest list needs 1,075.
const MOST_ASKS: u32 = 1_500;

/// Schemes of links. Others are not made links.
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];

/// Safe HTML of a feed or comment.
///
/// CommonMark with tables, strikethrough and bare addresses as links. A line break stays one, headings begin at `<h2>`, an image is
/// a link to it, and raw HTML is shown, not obeyed. No more than [`MOST_CHARS`] are read and no more than [`MOST_HTML`] are
/// made: a text that needs more is shown as it was typed. What was made is kept a while. Takes up to 100 ms of the processor.
///
/// ```
/// # use madang::markdown::render;
/// assert_eq!(&*render("**\"강조\"**는 <b>"), "<p><strong>\"강조\"</strong>는 &lt;b&gt;</p>\n");
/// ```
pub fn render(text: &str) -> Arc<str> {
    static CACHE: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);
    let cache = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);

    let text = first(text, MOST_CHARS);
    let known = cache().get(text);
    known.unwrap_or_else(|| {
        let html: Arc<str> = html(text).unwrap_or_else(|| as_typed(text)).into();
        cache().put(text, html.clone());
        html
    })
}

/// The HTML, unless it were too much or too much work.
fn html(text: &str) -> Option<String> {
    let arena = Arena::new();
    let root = parse(&arena, text)?;
    tree::tame(&arena, root);
    let mut made = Bounded(String::new());
    comrak::format_html(root, &OPTIONS, &mut made).ok()?;
    let clean = CLEANER.clean(&made.0).to_string();
    (clean.len() <= MOST_HTML).then_some(clean)
}

/// The tree of a text, unless it were too much work.
fn parse<'a>(arena: &'a Arena<'a>, text: &str) -> Option<Node<'a>> {
    let asked = Cell::new(0);
    let enough = || asked.replace(asked.get() + 1) >= MOST_ASKS;
    comrak::try_parse_document(arena, text, &OPTIONS, &enough).ok()
}

/// The text itself, with its line breaks.
fn as_typed(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    html.push_str("<p>");
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '\n' => html.push_str("<br>\n"),
            '\0' => html.push(char::REPLACEMENT_CHARACTER),
            c => html.push(c),
        }
    }
    html.push_str("</p>\n");
    html
}

/// The first characters of a text.
fn first(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

static OPTIONS: LazyLock<Options<'static>> = LazyLock::new(|| {
    let mut options = Options::default();
    options.extension.autolink = true;
    options.extension.cjk_friendly_emphasis = true;
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.render.escape = true;
    options.render.hardbreaks = true;
    options
});

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let tags = "a p br strong em del code pre blockquote ul ol li h2 h3 h4 h5 h6 hr table thead tbody tr th td";
    let align = || HashMap::from([("align", HashSet::from(["left", "center", "right"]))]);
    let mut cleaner = Builder::empty();
    cleaner
        .tags(tags.split(' ').collect())
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .generic_attributes(HashSet::new())
        .tag_attribute_values(HashMap::from([("th", align()), ("td", align())]))
        .url_schemes(SCHEMES.into())
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("nofollow noopener noreferrer ugc"));
    cleaner
});

/// Takes as much as [`MOST_HTML`], then fails.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.0.len() + part.len() > MOST_HTML {
            return Err(fmt::Error);
        }
        self.0.push_str(part);
        Ok(())
    }
}

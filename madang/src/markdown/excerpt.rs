//! The words of a text without its markup.

use comrak::{
    Arena,
    arena_tree::NodeEdge,
    nodes::{AstNode, NodeValue},
};
use unicode_normalization::char::is_combining_mark;

use super::{MOST_CHARS, first, parse};

/// Characters in which words are looked for.
const ENOUGH: usize = 2_000;

/// The plain words of a text for a card, a description or a summary: without markup, in one line, of no more than `most` characters,
/// the last of which is `…` if there are more words. It is text, not HTML: it may contain `<`.
///
/// ```
/// # use madang::markdown::excerpt;
/// assert_eq!(excerpt("# One\n**two** three", 8), "One two…");
/// ```
pub fn excerpt(text: &str, most: usize) -> String {
    // Twice as much for the markup, mostly enough. It ends with a paragraph if it can, so that little markup is cut in two.
    let mut chars = most.saturating_mul(2).saturating_add(200);
    loop {
        let part = beginning(text, chars.min(MOST_CHARS));
        let words = words(part);
        if words.chars().nth(most).is_some() {
            return cut(&words, most);
        }
        // What has no words in so much is markup, and looking for them would cost more than they say.
        if chars >= ENOUGH || part.len() == text.len() {
            return words;
        }
        chars = chars.saturating_mul(4);
    }
}

/// The first paragraphs that have so many characters, if they have not many more.
fn beginning(text: &str, chars: usize) -> &str {
    let part = first(text, chars);
    let longer = first(text, chars.saturating_mul(2).min(MOST_CHARS));
    longer[part.len()..].find("\n\n").map_or(part, |end| &longer[..part.len() + end])
}

/// The words, with single spaces between them. What a reader of HTML or XML refuses is left out.
fn words(text: &str) -> String {
    let arena = Arena::new();
    let Some(root) = parse(&arena, text) else { return folded(text) };
    let mut words = String::new();
    for edge in root.traverse() {
        match edge {
            NodeEdge::Start(node) => add(node, &mut words),
            NodeEdge::End(node) if node.data().value.block() => words.push(' '),
            NodeEdge::End(_) => {}
        }
    }
    folded(&words)
}

fn add(node: &AstNode<'_>, words: &mut String) {
    match &node.data().value {
        NodeValue::Text(text) => words.push_str(text),
        NodeValue::HtmlInline(text) => words.push_str(text),
        NodeValue::HtmlBlock(html) => words.push_str(&html.literal),
        NodeValue::Code(code) => words.push_str(&code.literal),
        NodeValue::CodeBlock(code) => words.push_str(&code.literal),
        NodeValue::SoftBreak | NodeValue::LineBreak => words.push(' '),
        _ => {}
    }
}

fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let before = folded.len();
        if before > 0 {
            folded.push(' ');
        }
        let start = folded.len();
        folded.extend(word.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')));
        if folded.len() == start {
            folded.truncate(before);
        }
    }
    folded
}

/// As many characters as `most`, with the ellipsis.
fn cut(words: &str, most: usize) -> String {
    let Some(kept) = most.checked_sub(1) else { return String::new() };
    let chars: Vec<char> = words.chars().take(kept + 1).collect();
    shortened(&chars, kept)
}

/// No more than the first `kept` characters, with the ellipsis. What comes next has to be among `chars`.
pub(crate) fn shortened(chars: &[char], kept: usize) -> String {
    // Nobody reads a letter with more marks than that: it may be cut anywhere.
    let end = (kept.saturating_sub(32)..=kept).rev().find(|&end| parts(chars, end)).unwrap_or(kept);
    let mut short: String = chars[..end].iter().collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// Whether a text can be parted before a character: it is not in the middle of a letter, a syllable, an emoji or a flag.
fn parts(chars: &[char], at: usize) -> bool {
    let (Some(&after), Some(&before)) = (chars.get(at), at.checked_sub(1).and_then(|before| chars.get(before))) else {
        return true;
    };
    let joiner = |c| c == '\u{200d}';
    let joins_back = matches!(after,
        '\u{1160}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}' // vowels and finals of a Hangul syllable in pieces
        | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}');
    let flag = |c: &char| matches!(c, '\u{1f1e6}'..='\u{1f1ff}');
    let half_flag = flag(&after) && chars[..at].iter().rev().take_while(|c| flag(c)).count() % 2 == 1;
    !(joiner(before) || joiner(after) || joins_back || half_flag || is_combining_mark(after))
}

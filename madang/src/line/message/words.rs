//! Texts that LINE takes: of a bounded length, which it counts in UTF-16 units, never empty, and without what would disturb
//! the texts beside them.

use std::borrow::Cow;

use crate::markdown::shortened;

/// Stands where a text would be empty.
const NOTHING: &str = "-";

/// The text, or as much of it as goes into so many UTF-16 units with the ellipsis. No letter and no emoji is cut in two.
pub(in crate::line) fn cut(text: &str, units: usize) -> Cow<'_, str> {
    // A text has no more units than bytes.
    if text.len() <= units || text.encode_utf16().count() <= units {
        return Cow::Borrowed(text);
    }
    let Some(room) = units.checked_sub(1) else { return Cow::Borrowed("") };
    let mut used = 0;
    let fits = |c: &char| {
        used += c.len_utf16();
        used <= room
    };
    let kept = text.chars().take_while(fits).count();
    let chars: Vec<char> = text.chars().take(kept + 1).collect();
    Cow::Owned(shortened(&chars, kept))
}

/// Anybody's text with its lines, within so many units. What is blank becomes a dash.
pub(super) fn lines(text: &str, units: usize) -> String {
    let text: String = text.chars().filter(|c| *c == '\n' || *c == '\t' || is_kept(*c)).collect();
    filled(&text, units)
}

/// The same in one line.
pub(super) fn line(text: &str, units: usize) -> String {
    let words: Vec<String> =
        text.split_whitespace().map(|word| word.chars().filter(|c| is_kept(*c)).collect()).collect();
    filled(&words.join(" "), units)
}

fn filled(text: &str, units: usize) -> String {
    let text = text.trim();
    if is_blank(text) { NOTHING.to_owned() } else { cut(text, units).into_owned() }
}

/// Whether nobody sees anything of it. LINE refuses some of that, and the rest tells nothing.
pub(super) fn is_blank(text: &str) -> bool {
    let unseen = |c: char| {
        matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
    };
    text.chars().all(|c| c.is_whitespace() || unseen(c) || !is_kept(c))
}

/// Not what controls a terminal, turns the direction of what follows, or is no character.
fn is_kept(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

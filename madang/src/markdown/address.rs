//! Where a bare address ends.

/// The end of an address that `text` begins with, in bytes.
///
/// Korean and Japanese go on without a space: `https://example.com/a를`. So a letter that is not ASCII belongs to the address only
/// where a part of it may begin, as in `/wiki/서울`.
pub(super) fn end(text: &str) -> usize {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let punctuation = matches!(c, '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}');
        let begins = !before.is_ascii() || "/=-_.+#&%~".contains(before);
        if !c.is_ascii() && (punctuation || !begins) {
            return trimmed(&text[..at]).len();
        }
        // As in `/wiki/서울_(도시)`.
        if c != '(' {
            before = c;
        }
    }
    text.len()
}

/// Without the marks that end a sentence or a bracket around the address.
fn trimmed(mut text: &str) -> &str {
    loop {
        text = text.trim_end_matches(['(', '.', ',', ':', ';', '!', '?', '\'', '"', '*', '_', '~']);
        match text.strip_suffix(')') {
            Some(rest) if rest.matches(')').count() >= rest.matches('(').count() => text = rest,
            _ => return text,
        }
    }
}

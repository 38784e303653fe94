//! What of a statement may be logged.

use super::{ends_with_word_e, escaped, quoted};

/// The statement in one line and without its literals and comments: what may be logged, and alike for statements that
/// differ in values alone. Text in double quotes is a name, as in the standard.
pub(crate) fn without_values(sql: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(sql.len()), sql);
    while let Some(c) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match c {
            '\'' if ends_with_word_e(&out) => escaped(rest),
            '\'' | '"' | '-' | '/' | '$' => quoted(rest),
            _ if c.is_ascii_digit() => rest.find(|c| !is_word(c) && c != '.').unwrap_or(rest.len()),
            _ if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let space = c.is_whitespace() || token.starts_with("--") || token.starts_with("/*");
        // `$1` and `?1` are placeholders.
        let number = c.is_ascii_digit() && !out.ends_with(['$', '?']);
        let token = match c {
            _ if space => " ",
            '\'' => "?",
            _ if number || (c == '$' && length > 1) => "?",
            _ => token,
        };
        // One space for many, and one literal for the two of `'it''s'`.
        if !matches!(token, " " | "?") || !out.ends_with(token) {
            out.push_str(token);
        }
        rest = after;
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_left_out() {
        for (sql, expected) in [
            ("select  a\n from b -- c\n where d = ? ", "select a from b where d = ?"),
            (
                "/* 'x' */ insert into a1 values ('it''s', 1, -2.5e3, x'00', $$a$$)",
                "insert into a1 values (?, ?, -?, x?, ?)",
            ),
            (r#"select E'it\'s 1', 'a', "b 1", $1, ?1, ?"#, r#"select E?, ?, "b 1", $1, ?1, ?"#),
            ("select 'open 1", "select ?"),
            ("select \u{d55c}\u{ae00}1, v2 from t limit 10;", "select \u{d55c}\u{ae00}1, v2 from t limit ?;"),
        ] {
            assert_eq!(without_values(sql), expected);
        }
    }
}

//! The little that greenlit has to know of SQL's text.

use std::{borrow::Cow, fmt::Write};

use crate::Value;

/// The words that begin a statement which ends a transaction, commits it silently, or changes the connection for
/// whoever borrows it next.
#[rustfmt::skip]
const CONTROL_WORDS: [&str; 42] = [
    "abort", "alter", "analyze", "attach", "begin", "call", "checkpoint", "cluster",
    "comment", "commit", "copy", "create", "deallocate", "declare", "detach", "discard",
    "do", "drop", "end", "execute", "grant", "import", "listen", "load",
    "lock", "pragma", "prepare", "reassign", "refresh", "reindex", "release", "rename",
    "reset", "revoke", "rollback", "savepoint", "security", "set", "start", "truncate",
    "unlisten", "vacuum",
];

/// The first word of the statement, if a session must not run it.
pub(crate) fn control_word(sql: &str) -> Option<String> {
    let rest = skip_comments(sql);
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let word = rest[..end].to_ascii_lowercase();
    CONTROL_WORDS.contains(&word.as_str()).then_some(word)
}

fn skip_comments(mut sql: &str) -> &str {
    loop {
        sql = sql.trim_start_matches(|c: char| c.is_whitespace() || c == ';' || c == '(');
        sql = if let Some(rest) = sql.strip_prefix("--") {
            rest.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(rest) = sql.strip_prefix("/*") {
            rest.split_once("*/").map_or("", |(_, rest)| rest)
        } else {
            return sql;
        }
    }
}

/// Turns `?` into `$1`, `$2` ..., leaving quoted text and comments alone.
pub(crate) fn numbered(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 8);
    let mut rest = sql;
    let mut count = 0;
    while let Some(at) = rest.find(['?', '\'', '"', '-', '/']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let skipped = match from.as_bytes()[0] {
            b'?' => {
                count += 1;
                // Writing to a String cannot fail.
                let _ = write!(out, "${count}");
                rest = &from[1..];
                continue;
            }
            b'\'' => from[1..].find('\'').map(|end| end + 2),
            b'"' => from[1..].find('"').map(|end| end + 2),
            b'-' if from.starts_with("--") => from.find('\n'),
            b'/' if from.starts_with("/*") => from.find("*/").map(|end| end + 2),
            _ => Some(1),
        };
        let (quoted, after) = from.split_at(skipped.unwrap_or(from.len()));
        out.push_str(quoted);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Writes out the list arguments: as many placeholders as values in the place of each `?*`.
pub(crate) fn spread(sql: &str, args: Vec<Value>) -> (Cow<'_, str>, Vec<Value>) {
    if !args.iter().any(|arg| matches!(arg, Value::List(_))) {
        return (Cow::Borrowed(sql), args);
    }
    let (mut text, mut flat) = (sql.to_owned(), Vec::with_capacity(args.len()));
    for arg in args {
        let Value::List(mut values) = arg else {
            flat.push(arg);
            continue;
        };
        // `in (null)` matches nothing, on every database.
        let mut placeholders = "null".to_owned();
        if let Some(last) = values.last().cloned() {
            // SQLite takes 32,766 arguments: long lists are left as they are.
            let rounded = if values.len() > 16_384 { values.len() } else { values.len().next_power_of_two() };
            values.resize(rounded, last);
            placeholders = vec!["?"; values.len()].join(", ");
        }
        text = text.replacen("?*", &placeholders, 1);
        flat.append(&mut values);
    }
    (Cow::Owned(text), flat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_words_are_found_behind_comments_and_case() {
        for sql in ["COMMIT", "  -- a\n set x = 1", "/* a */ Begin", ";rollback", "(savepoint a"] {
            assert!(control_word(sql).is_some(), "{sql}");
        }
        for sql in ["select 1", "insert into settings values (1)", "with a as (select 1) select 2", "", "--"] {
            assert_eq!(control_word(sql), None, "{sql}");
        }
    }

    #[test]
    fn placeholders_are_numbered_outside_quotes_and_comments() {
        let sql = "select '?''?', \"?\", ? -- ?\n, ?/*?*/ - ?";
        assert_eq!(numbered(sql), "select '?''?', \"?\", $1 -- ?\n, $2/*?*/ - $3");
        assert_eq!(numbered("select ? 'open ?"), "select $1 'open ?");
    }

    #[test]
    fn lists_grow_by_powers_of_two() {
        let int = Value::Int;
        let three = Value::List(vec![int(1), int(2), int(3)]);
        let (sql, args) = spread("a = ? and b in (?*) and c = ?", vec![int(7), three, int(8)]);
        assert_eq!(sql, "a = ? and b in (?, ?, ?, ?) and c = ?");
        assert_eq!(args, [7, 1, 2, 3, 3, 8].map(int));
        let (sql, args) = spread("b in (?*) or c in (?*)", vec![Value::List(vec![]), Value::List(vec![int(1)])]);
        assert_eq!((sql.as_ref(), args), ("b in (null) or c in (?)", vec![int(1)]));
    }
}

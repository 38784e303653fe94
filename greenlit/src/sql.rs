//! The little that greenlit has to know of SQL's text.

mod logged;

use std::{borrow::Cow, fmt::Write};

pub(crate) use self::logged::without_values;
use crate::Value;

/// The words that begin a statement which ends a transaction, commits it silently, or changes the connection for
/// whoever borrows it next.
#[rustfmt::skip]
const CONTROL_WORDS: [&str; 67] = [
    "abort", "alter", "analyze", "attach", "backup", "begin", "binlog", "cache",
    "call", "case", "change", "check", "checkpoint", "checksum", "cluster", "comment",
    "commit", "copy", "create", "deallocate", "declare", "detach", "discard", "do",
    "drop", "end", "execute", "flush", "for", "grant", "handler", "if",
    "import", "install", "kill", "listen", "load", "lock", "loop", "optimize",
    "pragma", "prepare", "purge", "reassign", "refresh", "reindex", "release", "rename",
    "repair", "repeat", "reset", "revoke", "rollback", "savepoint", "security", "set",
    "shutdown", "start", "stop", "truncate", "uninstall", "unlisten", "unlock", "use",
    "vacuum", "while", "xa",
];

/// Functions that leave something behind in the session, where no rollback undoes it: settings, locks that outlive the
/// transaction, connections to elsewhere, libraries.
#[rustfmt::skip]
const SESSION_FUNCTIONS: [&str; 18] = [
    "set_config", "setseed", "set_limit",
    "pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared",
    "pg_advisory_unlock", "pg_advisory_unlock_shared", "pg_advisory_unlock_all",
    "dblink", "dblink_exec", "dblink_connect", "dblink_connect_u",
    "get_lock", "release_lock", "release_all_locks",
    "load_extension",
];

/// What a session must not run of this statement: its first word, or what changes the session behind its back.
///
/// By its text, outside of quotes and comments: it finds mistakes, not malice.
pub(crate) fn refused(sql: &str) -> Option<String> {
    control_word(sql).or_else(|| session_change(sql)).map(str::to_ascii_lowercase)
}

/// The first word of the statement, if it controls the transaction or the connection.
pub(crate) fn control_word(sql: &str) -> Option<&str> {
    let rest = skip_comments(sql);
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let word = &rest[..end];
    // What begins with no word is no statement that we know.
    let unknown = word.is_empty() && !rest.is_empty();
    // Few have the same first letter, and a script has many statements.
    let first = word.bytes().next().map(|b| b.to_ascii_lowercase());
    let is = |control: &&str| control.bytes().next() == first && word.eq_ignore_ascii_case(control);
    (unknown || CONTROL_WORDS.iter().any(is)).then_some(word)
}

/// The word of the statement that would change the session: a function, a variable, or `select .. into`, which makes a
/// table, a file or a variable of its rows.
fn session_change(sql: &str) -> Option<&str> {
    let (bytes, mut at, mut inserts) = (sql.as_bytes(), 0, false);
    while let Some(&first) = bytes.get(at) {
        match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => {
                let start = at;
                while bytes.get(at).is_some_and(|b| IN_NAMES[usize::from(*b)]) {
                    at += 1;
                }
                let word = &sql[start..at];
                let is = |wanted: &&str| word.eq_ignore_ascii_case(wanted);
                // Few words get further than their first letter and their length.
                match (first | 0x20, word.len()) {
                    (b'e', 1) if bytes.get(at) == Some(&b'\'') => at += escaped(&sql[at..]),
                    (b'i', 4) if is(&"into") && !std::mem::take(&mut inserts) => return Some(word),
                    (b'm', 5) | (b'i', 6) | (b'r', 7) if ["merge", "insert", "replace"].iter().any(is) => {
                        inserts |= !sql[at..].trim_start().starts_with('('); // replace(..) is a function as well
                    }
                    (b'd' | b'g' | b'l' | b'p' | b'r' | b's', 6..) if SESSION_FUNCTIONS.iter().any(is) => {
                        return Some(word);
                    }
                    _ => {}
                }
            }
            b':' if bytes.get(at + 1) == Some(&b'=') => return Some(":="),
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let comment = &sql[at..at + comment(&sql[at..])];
                match comment {
                    // What MariaDB runs of it, such as the hint of an index, is looked at like all the rest.
                    _ if comment.starts_with("/*!") || comment.starts_with("/*M!") => at += 3,
                    _ if is_run(comment) => return Some("/*"),
                    _ => at += comment.len(),
                }
            }
            b'`' => at += 2 + sql[at + 1..].find('`').unwrap_or(sql.len()),
            b'\'' | b'"' | b'-' | b'$' => at += quoted(&sql[at..]),
            _ => at += 1,
        }
    }
    None
}

/// The bytes that names go on with.
const IN_NAMES: [bool; 256] = {
    let (mut table, mut b) = ([false; 256], 0);
    while b < 256 {
        let byte = b as u8;
        table[b] = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80;
        b += 1;
    }
    table
};

/// Whether what stands in the comment may be run: MariaDB runs comments of its own, and does not nest any, so that the
/// databases differ over where the comment ends.
fn is_run(comment: &str) -> bool {
    comment.starts_with("/*!") || comment.starts_with("/*M!") || comment[1..].contains("/*")
}

fn skip_comments(mut sql: &str) -> &str {
    loop {
        sql = sql.trim_start_matches(|c: char| c.is_whitespace() || c == ';' || c == '(');
        if !sql.starts_with("--") && !sql.starts_with("/*") {
            return sql;
        }
        let (comment, rest) = sql.split_at(quoted(sql));
        if is_run(comment) {
            return sql; // it begins with no word
        }
        sql = rest;
    }
}

/// The statements of a script, without those that are empty.
pub(crate) fn statements(script: &str) -> Vec<&str> {
    let (mut statements, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(next) = script[at..].find([';', '\'', '"', '-', '/', '$']) {
        at += next;
        if script[at..].starts_with(';') {
            statements.push(&script[start..at]);
            start = at + 1;
        }
        at += quoted(&script[at..]);
    }
    statements.push(&script[start..]);
    statements.into_iter().map(str::trim).filter(|statement| !skip_comments(statement).is_empty()).collect()
}

/// Turns `?` into `$1`, `$2` ..., leaving quoted text and comments alone.
pub(crate) fn numbered(sql: &str) -> String {
    let mut count = 0;
    replace_placeholders(sql, |out, starred| {
        count += 1;
        // Lists were written out before, so a star is a multiplication. Writing to a String cannot fail.
        let _ = write!(out, "${count}{}", if starred { "*" } else { "" });
    })
}

/// How many `?` there are outside of quotes and comments.
pub(crate) fn placeholders(sql: &str) -> usize {
    let mut count = 0;
    replace_placeholders(sql, |_, _| count += 1);
    count
}

/// Writes out the list arguments: as many placeholders as values in the place of each `?*`.
pub(crate) fn spread(sql: &str, args: Vec<Value>) -> (Cow<'_, str>, Vec<Value>) {
    if !args.iter().any(|arg| matches!(arg, Value::List(_))) {
        return (Cow::Borrowed(sql), args);
    }
    let (mut flat, mut args) = (Vec::with_capacity(args.len()), args.into_iter());
    let text = replace_placeholders(sql, |out, starred| match args.next() {
        Some(Value::List(mut values)) if starred => {
            pad(&mut values);
            // `in (null)` matches nothing, on every database.
            out.push_str(if values.is_empty() { "null" } else { "?" });
            out.push_str(&", ?".repeat(values.len().saturating_sub(1)));
            flat.append(&mut values);
        }
        arg => {
            out.push_str(if starred { "?*" } else { "?" });
            flat.extend(arg);
        }
    });
    flat.extend(args);
    (Cow::Owned(text), flat)
}

/// Fills a list up to a power of two, so that lists of many lengths share few statements.
fn pad(values: &mut Vec<Value>) {
    // SQLite takes 32,766 arguments: long lists are left as they are.
    if let Some(last) = values.last().filter(|_| values.len() <= 16_384).cloned() {
        values.resize(values.len().next_power_of_two(), last);
    }
}

/// Puts what `replace` writes in the place of every `?` and `?*` outside of quotes and comments; it is told which.
fn replace_placeholders(sql: &str, mut replace: impl FnMut(&mut String, bool)) -> String {
    let mut out = String::with_capacity(sql.len() + 8);
    let mut rest = sql;
    while let Some(at) = rest.find(['?', '\'', '"', '-', '/', '$']) {
        // PostgreSQL's escape strings: a quote behind a backslash does not end them.
        let escapes = rest[at..].starts_with('\'') && ends_with_word_e(&rest[..at]);
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let length = match from.strip_prefix('?') {
            Some(after) => {
                let starred = after.starts_with('*');
                replace(&mut out, starred);
                rest = &after[usize::from(starred)..];
                continue;
            }
            None if escapes => escaped(from),
            None => quoted(from),
        };
        let (kept, after) = from.split_at(length);
        out.push_str(kept);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// How long the quoted text, the comment or, where neither begins, the single character at the start of `from` is. What is
/// never closed goes on to the end.
fn quoted(from: &str) -> usize {
    let until = |skip: usize, end: &str| from[skip..].find(end).map_or(from.len(), |at| skip + at + end.len());
    match from.as_bytes()[0] {
        b'\'' => until(1, "'"),
        b'"' => until(1, "\""),
        b'-' if from.starts_with("--") => until(2, "\n"),
        b'/' if from.starts_with("/*") => comment(from),
        b'$' => match from[1..].find(|c: char| !c.is_alphanumeric() && c != '_') {
            Some(end) if from[1 + end..].starts_with('$') && !from[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let tag = &from[..end + 2];
                until(tag.len(), tag)
            }
            _ => 1,
        },
        _ => 1,
    }
}

/// The length of a comment; those of PostgreSQL nest.
fn comment(from: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(next) = from[at..].find(['/', '*']) {
        at += next;
        let two = from.get(at..at + 2).unwrap_or_default();
        match two {
            "/*" => depth += 1,
            "*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    from.len()
}

/// The length of a string in which a backslash takes the meaning of what follows.
fn escaped(from: &str) -> usize {
    let mut chars = from.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '\'' => return at + 1,
            _ => {}
        }
    }
    from.len()
}

fn ends_with_word_e(before: &str) -> bool {
    let mut chars = before.chars().rev();
    matches!(chars.next(), Some('e' | 'E')) && !chars.next().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_words_are_found_behind_comments_and_case() {
        for sql in [
            "COMMIT",
            "  -- a\n set x = 1",
            "/* a */ Begin",
            ";rollback",
            "(savepoint a",
            "/* /* */ */ commit",
            "/* /* */ commit -- */ */",
            "/*! commit */",
            "/*M!100000 commit */",
            "# a\ncommit",
            "if 1 = 1 then commit; end if",
            "§ x",
        ] {
            assert!(refused(sql).is_some(), "{sql}");
        }
        for sql in ["select 1", "insert into settings values (1)", "with a as (select 1) select 2", "", "--"] {
            assert_eq!(refused(sql), None, "{sql}");
        }
    }

    #[test]
    fn what_changes_the_session_is_found_outside_quotes_and_comments() {
        for (sql, word) in [
            ("select set_config('a.b', ?, false)", "set_config"),
            ("select pg_catalog.SET_CONFIG ('a.b', ?, false)", "set_config"),
            ("select e'it\\'s', pg_try_advisory_lock(1)", "pg_try_advisory_lock"),
            ("select 'a' as \"b\", `c`, get_lock('d', 1) -- e", "get_lock"),
            ("select v INTO copy from item", "into"),
            ("select v into @x from item", "into"),
            ("select replace(v, 'a', 'b') into outfile 'c' from item", "into"),
            ("with a as (insert into b values (1) returning c) select c into d from a", "into"),
            ("select @x := v from item", ":="),
            ("select v /*!50000 into @x */ from item", "into"),
            ("select v /* /* */ , get_lock('a', 1) /* */ */ from item", "/*"),
        ] {
            assert_eq!(refused(sql).as_deref(), Some(word), "{sql}");
        }
        for sql in [
            "insert into a (b) select c from d -- into e",
            "with a as (select 1) insert into b select * from a",
            "insert or replace into a values ('set_config(''a'', ''b'', false)')",
            "replace into a values ($$ select b into c $$, e'\\' into')",
            "merge into a using b on a.c = b.c when not matched then insert values (b.c)",
            "select pg_advisory_xact_lock(1), replace(a, 'b', 'c'), \"into\", `into`, a::text /* into */ from b",
            "select b from a /*M! force index (ix_a__b) */ where c = ?",
            "select into_it, a1into, setting, set_config_key, @x, @@y, 한into from get_locks",
        ] {
            assert_eq!(refused(sql), None, "{sql}");
        }
    }

    #[test]
    fn placeholders_are_numbered_outside_quotes_and_comments() {
        let sql = "select '?''?', \"?\", ? -- ?\n, ?/*?*/ - ?";
        assert_eq!(numbered(sql), "select '?''?', \"?\", $1 -- ?\n, $2/*?*/ - $3");
        for (sql, expected) in [
            ("select ? 'open ?", "select $1 'open ?"),
            ("select $$what?$$, ?, $t$ ? $$ ? $t$, ?", "select $$what?$$, $1, $t$ ? $$ ? $t$, $2"),
            (r"select E'it\'s ?', e'?', name'\', ?", r"select E'it\'s ?', e'?', name'\', $1"),
            ("/* a /* ? */ ? */ ? /*/ ? */ ?", "/* a /* ? */ ? */ $1 /*/ ? */ $2"),
            ("select ?*2, 한글 - ?/?, $1", "select $1*2, 한글 - $2/$3, $1"),
            ("? /* open ?", "$1 /* open ?"),
        ] {
            assert_eq!(numbered(sql), expected);
        }
    }

    #[test]
    fn scripts_are_cut_between_statements() {
        let script = "-- a; b\ninsert into a values (';', \";\"); /* c;; */ ;\n; update a set b = 'd' -- e;\n; -- f";
        let expected = ["-- a; b\ninsert into a values (';', \";\")", "update a set b = 'd' -- e;"];
        assert_eq!(statements(script), expected);
        assert!(statements(" ; ").is_empty());
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
        let (sql, args) =
            spread("glob '?*' and ?*2 < b and c in (?*)", vec![int(5), Value::List(vec![int(1), int(2)])]);
        assert_eq!((sql.as_ref(), args), ("glob '?*' and ?*2 < b and c in (?, ?)", [5, 1, 2].map(int).to_vec()));
    }
}

//! The architecture, checked: who may use whom, and what stands in one place alone.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::support::on_each_database;

/// Features from left to right: one may use those before it, and none after it.
const FEATURES: [&str; 11] =
    ["account", "idempotency", "admin", "media", "feed", "comment", "like", "follow", "notification", "line", "mypage"];
/// What features stand on. It knows none of them, except where joining them is its very purpose.
const FLOOR: [&str; 16] = [
    "clock",
    "config",
    "error",
    "fault",
    "http",
    "limits",
    "markdown",
    "migration",
    "openapi",
    "paging",
    "secret",
    "store_url",
    "totals",
    "turns",
    "wakes",
    "web",
];

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// The module of the first level that a file belongs to.
fn room(path: &Path) -> String {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let first = path.strip_prefix(src).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The rooms that a source names by `crate::room`, also inside `use crate::{...}`.
fn used(source: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let mut rooms = Vec::new();
    for (at, _) in source.match_indices("crate::") {
        let rest = &source[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            rooms.push(word(rest));
            continue;
        };
        let (mut depth, mut expecting) = (1, true);
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => expecting = true,
                c if expecting && c.is_ascii_lowercase() => {
                    rooms.push(word(&list[i..]));
                    expecting = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    rooms
}

#[test]
fn features_use_only_what_stands_left_of_them() {
    let place = |room: &str| FEATURES.iter().position(|feature| *feature == room);
    let mut edges = 0;
    for (path, source) in sources() {
        let from = room(&path);
        for to in used(&source) {
            let Some(right) = place(&to) else { continue };
            edges += 1;
            if let Some(left) = place(&from) {
                assert!(right <= left, "{}: {from} must not use {to}", path.display());
            }
            assert!(!FLOOR.contains(&from.as_str()), "{}: {from} must know no feature, but uses {to}", path.display());
        }
    }
    assert!(edges > 5, "the edges were not found");
}

#[test]
fn no_prefix_is_stated_twice() {
    // A route's path stands in its `path = "..."` alone, once for each method, which stand together. Whoever else needs it
    // takes it from there.
    let mut seen: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (path, source) in sources() {
        let routes = source.match_indices("path = \"").map(|(at, key)| {
            let rest = &source[at + key.len()..];
            rest[..rest.find('"').unwrap()].to_owned()
        });
        for route in routes {
            // The methods of one route stand together.
            if let Some(other) = seen.insert(route.clone(), path.clone()).filter(|other| *other != path) {
                panic!("{route} stands in {} and in {}", other.display(), path.display());
            }
        }
        let tests = source.find("#[cfg(test)]").unwrap_or(source.len());
        let code = source[..tests].lines().filter(|line| !line.trim_start().starts_with("//"));
        let stray: Vec<&str> = code
            .filter(|line| line.replace("\"/api/\"", "").contains("\"/api/") && !line.contains("path = \""))
            .collect();
        assert!(stray.is_empty(), "{}: {stray:?}", path.display());
    }
    assert!(seen.len() > 5, "the routes were not found");
}

#[test]
fn openapi_document() {
    let document = madang::router::document().to_pretty_json().unwrap();
    insta::assert_snapshot!("openapi", document);
}

on_each_database! {
    async fn every_statement_is_prepared(app: TestApp) {
        let mut count = 0;
        for (name, sql) in madang::sql::statements() {
            app.app.db.prepare(sql).await.unwrap_or_else(|e| panic!("{name}: {e}: {sql}"));
            count += 1;
        }
        assert!(count > 20, "the statements were not found");
    }
}

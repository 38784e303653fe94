//! The pages have all their words, in every language.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use fluent_bundle::FluentResource;

use super::Lang;
use crate::error::Code;

/// The keys of a language, each with the parameters of its text.
fn keys(lang: Lang) -> BTreeMap<String, BTreeSet<String>> {
    let resource = FluentResource::try_new(lang.source().to_owned()).unwrap_or_else(|(_, e)| panic!("{lang:?}: {e:?}"));
    let mut keys = BTreeMap::new();
    for entry in resource.entries() {
        let fluent_syntax::ast::Entry::Message(message) = entry else { continue };
        let text = format!("{:?}", message.value);
        let parameters = text.match_indices("VariableReference { id: Identifier { name: \"");
        let name = |at: usize| text[at..].split('"').nth(1).unwrap_or_default().to_owned();
        let parameters = parameters.map(|(at, _)| name(at)).collect();
        let twice = keys.insert(message.id.name.to_owned(), parameters);
        assert!(twice.is_none(), "{lang:?}: {} stands twice", message.id.name);
    }
    keys
}

#[test]
fn every_language_has_the_same_keys_with_the_same_parameters() {
    let [korean, english, japanese] = Lang::ALL.map(keys);
    assert!(english.len() > 100);
    for other in [korean, japanese] {
        assert_eq!(other.keys().collect::<Vec<_>>(), english.keys().collect::<Vec<_>>());
        for (key, parameters) in &other {
            assert_eq!(parameters, &english[key], "{key}");
        }
    }
}

#[test]
fn every_text_that_is_asked_for_is_there() {
    let known = keys(Lang::English);
    let mut used = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
    used.extend(Code::ALL.iter().map(|code| format!("error-{}", code.as_str().replace('_', "-"))));
    assert!(used.len() > 100);
    for key in &used {
        assert!(known.contains_key(key), "{key} is nowhere");
    }
}

/// The keys that templates and sources name: `t("..")`, `n("..", ..)`, `named("..", ..)`.
fn collect(folder: &Path, keys: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, keys);
        } else if path.extension().is_some_and(|extension| extension == "html" || extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for call in ["frame.t(\"", "frame.n(\"", "frame.named(\"", "lang.t(\"", "lang.n(\""] {
                let found = text.match_indices(call).map(|(at, _)| &text[at + call.len()..]);
                keys.extend(found.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
            }
        }
    }
}

#[test]
fn languages_are_negotiated() {
    let preferred = |text: &str| {
        let headers = [(axum::http::header::ACCEPT_LANGUAGE, text.parse().unwrap())];
        Lang::preferred(&headers.into_iter().collect()).code()
    };
    for (header, lang) in [
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("ja", "ja"),
        ("fr;q=1, en;q=0.2, ja;q=0.4", "ja"),
        ("fr", "en"),
        ("*", "en"),
        ("ko;q=0", "en"),
        ("en, ko", "en"),
        ("KO_kr, ja;q=x", "en"),
        ("", "en"),
    ] {
        assert_eq!(preferred(header), lang, "{header}");
    }
}

#[test]
fn numbers_are_said_as_each_language_does() {
    assert_eq!(Lang::English.n("comments-count", 1), "1 comment");
    assert_eq!(Lang::English.n("comments-count", 0), "0 comments");
    assert_eq!(Lang::Korean.n("comments-count", 1), "댓글 1개");
    assert_eq!(Lang::Japanese.n("time-days", 1), "昨日");
    assert_eq!(Lang::Korean.t("js-photo"), "사진 {n}");
}

use proptest::prelude::*;

use super::*;
use crate::line::command::{Command, parse};

const URL: &str = "https://board.example/feed/12";

fn card<'a>(text: &'a str, url: &'a str) -> Card<'a> {
    let thumbnail = Some(url);
    Card { id: i64::MAX, title: text, excerpt: text, author: text, thumbnail, url, likes: i64::MAX, comments: i64::MAX }
}

fn draft_of(text: &str) -> Draft<'_> {
    Draft { name: text, title: text, content: text, photos: 10 }
}

/// All that we say with this text in it.
fn messages(lang: Lang, said: &str, url: &str) -> Vec<Value> {
    let actions = [Action::Newest, Action::Notifications, Action::Help, Action::Link, Action::Unlink, Action::KeepLink];
    let quick: Vec<Quick> = actions.into_iter().map(Quick::Do).chain([Quick::Write]).collect();
    let card = card(said, url);
    vec![
        with_quick(text(said), lang, &quick),
        carousel(said, (0..12).map(|_| bubble(lang, &card)).collect()).unwrap(),
        feed(lang, &card),
        draft(lang, &draft_of(said)),
        link_button(lang, url),
        unlink_question(lang),
    ]
}

/// The limits that LINE's documentation names, wherever they apply.
fn assert_taken(value: &Value) {
    if let Value::Array(values) = value {
        values.iter().for_each(assert_taken);
    }
    let Value::Object(fields) = value else { return };
    for (key, value) in fields {
        assert_taken(value);
        let Value::String(text) = value else { continue };
        let most = match (key.as_str(), value_type(fields)) {
            ("text", "text") if fields.contains_key("size") => MOST_DRAFT,
            ("text", "text") => 5_000,
            ("text", "confirm") => 240,
            ("text", "buttons") => 160,
            ("text", "message") | ("displayText", _) | ("data", _) => 300,
            ("altText", _) => 400,
            ("label", _) => 20,
            ("uri" | "url", _) => 1_000,
            _ => 50,
        };
        assert!(text.encode_utf16().count() <= most, "{key}: {text}");
        assert!(!text.trim().is_empty(), "{key} is empty");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{key}: {text:?}");
        assert!(!text.contains(['\u{202e}', '\u{2066}', '\u{fffe}']), "{key}: {text:?}");
    }
    let bytes = value.to_string().len();
    match value_type(fields) {
        "bubble" => assert!(bytes <= 30_000, "{bytes}"),
        "carousel" => assert!(bytes <= 50_000 && fields["contents"].as_array().unwrap().len() <= 10, "{bytes}"),
        "box" => assert!(!fields["contents"].as_array().unwrap().is_empty()),
        "uri" => assert!(fields["uri"].as_str().unwrap().starts_with("http")),
        "image" => assert!(fields["url"].as_str().unwrap().starts_with("https://")),
        _ => {}
    }
}

fn value_type(fields: &serde_json::Map<String, Value>) -> &str {
    fields.get("type").and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn l06_texts_are_cut_by_utf16_units_and_never_in_a_letter() {
    for (text, units, short) in [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", 1, "…"),
        ("abcd", 0, ""),
        ("", 0, ""),
        ("가나다", 3, "가나다"),
        ("가나다라", 3, "가나…"),
        ("😀😀", 4, "😀😀"),
        ("😀😀", 3, "😀…"),
        ("😀😀", 2, "…"),
        ("ae\u{301}b", 3, "a…"),
        ("a👩\u{200d}👧b", 5, "a…"),
        ("🇰🇷🇯🇵", 6, "🇰🇷…"),
        ("a b", 2, "a…"),
        ("ab c", 3, "ab…"),
    ] {
        assert_eq!(cut(text, units), short, "{text} {units}");
    }
    let text_of = |message: Value| message["text"].as_str().unwrap().to_owned();
    assert_eq!(text_of(text(&"가".repeat(5_000))).encode_utf16().count(), 5_000);
    let long = text_of(text(&"😀".repeat(2_501)));
    assert!(long.ends_with("😀…") && long.encode_utf16().count() == 4_999);
    for blank in ["", " \n", "\u{200b}", "\u{3164}", "\0", "\u{202e}"] {
        assert_eq!(text_of(text(blank)), "-");
    }
    assert_eq!(text_of(text("a\u{202e}b\u{7}\r\n\tc❤\u{fe0f}")), "ab\n\tc❤\u{fe0f}");
}

#[test]
fn l06_the_longest_feeds_go_into_a_carousel() {
    for filling in ["가", "😀", "\"", "\\", "\u{301}", "\u{202e}x", "\u{1}y", "a", "<script>", "\u{2028}z"] {
        let long = filling.repeat(5_001);
        let url = format!("https://board.example/{}", "a".repeat(MOST_URI - 22));
        for lang in Lang::ALL {
            let messages = messages(lang, &long, &url);
            messages.iter().for_each(assert_taken);
            assert_eq!(messages[1]["contents"]["contents"].as_array().unwrap().len(), 10, "{filling}");
        }
    }
}

#[test]
fn l06_a_carousel_drops_what_is_too_much() {
    let bubble = |bytes: usize| json!({"type": "bubble", "filling": "x".repeat(bytes)});
    let count = |bubbles| carousel("x", bubbles).map(|value| value["contents"]["contents"].as_array().unwrap().len());
    assert_eq!(count(vec![]), None);
    assert_eq!(count(vec![bubble(31_000)]), None);
    assert_eq!(count(vec![bubble(31_000), bubble(1)]), Some(1));
    assert_eq!(count(vec![bubble(29_000), bubble(29_000), bubble(1)]), Some(1));
    assert_eq!(count((0..13).map(|_| bubble(1)).collect()), Some(10));
}

#[test]
fn l06_only_addresses_of_pages_are_links() {
    for bad in [
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "/feed/1",
        "https://",
        "https://a b",
        "https://board.example/\u{202e}",
        "https://board.example/가",
        "https://board.example/\"",
        "line://msg/x",
        &format!("https://a/{}", "a".repeat(1_000)),
    ] {
        let bubble = bubble(Lang::English, &card("x", bad));
        assert!(bubble.get("hero").is_none());
        assert_eq!(bubble["footer"]["contents"].as_array().unwrap().len(), 1, "{bad}");
        assert_eq!(link_button(Lang::English, bad)["type"], "text", "{bad}");
    }
    let http = bubble(Lang::English, &card("x", "http://127.0.0.1:8000/feed/1"));
    assert!(http.get("hero").is_none());
    assert_eq!(http["footer"]["contents"].as_array().unwrap().len(), 2);
    assert!(bubble(Lang::English, &card("x", URL))["hero"]["url"] == URL);
}

#[test]
fn buttons_have_whole_labels_and_say_what_is_understood() {
    for lang in Lang::ALL {
        let all: Vec<Action> = vec![
            Action::Newest,
            Action::Notifications,
            Action::Help,
            Action::Feed(1),
            Action::Publish { draft: "d".to_owned() },
            Action::Cancel { draft: "d".to_owned() },
            Action::Link,
            Action::Unlink,
            Action::KeepLink,
        ];
        for action in &all {
            let button = postback(lang, action);
            assert!(!button["label"].as_str().unwrap().ends_with('…'), "{button}");
            assert_eq!(Action::parse(button["data"].as_str().unwrap()).as_ref(), Some(action));
        }
        let quick = with_quick(text("x"), lang, &[Quick::Write]);
        let action = &quick["quickReply"]["items"][0]["action"];
        assert_eq!(action["label"], action["text"]);
        assert_eq!(parse(action["text"].as_str().unwrap()), (Command::Write(String::new()), Some(lang)));
        for message in [unlink_question(lang), link_button(lang, URL)] {
            assert!(!message.to_string().contains('…'), "{message}");
        }
    }
    assert!(with_quick(text("x"), Lang::English, &[]).get("quickReply").is_none());
}

proptest! {
    #[test]
    fn any_text_is_taken(
        said in prop_oneof![
            any::<String>(),
            prop::collection::vec(any::<char>(), 0..2_000).prop_map(String::from_iter),
            "[\u{0}-\u{9f}\u{200b}-\u{206f}\u{300}-\u{310}😀🇰🇷👩]{0,400}",
        ],
        units in 0usize..60,
    ) {
        let short = cut(&said, units);
        prop_assert!(short.encode_utf16().count() <= units);
        for message in messages(Lang::Korean, &said, URL).iter().chain(&messages(Lang::English, "x", &said)) {
            assert_taken(message);
        }
    }
}

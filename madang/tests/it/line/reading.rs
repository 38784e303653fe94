//! Reading the board in a chat.

use serde_json::Value;

use crate::support::{line::text, on_each_database, pictures};

on_each_database! {
    async fn one_reads_in_one_s_language(app: LineApp) {
        let phone = app.phone(1, "ko-KR");
        assert!(text(&phone.say("최신").await).contains("아직"), "there is nothing");
        let ann = app.user("ann").await;
        ann.create_feed("**First** & <b>best</b>", &[pictures::png()]).await;
        for n in 2..=12 {
            ann.create_feed(&format!("feed {n}"), &[]).await;
        }
        app.work().await;
        for (words, title) in [("최신글", "새 글"), ("newest", "New posts"), ("新着", "新しい投稿")] {
            let messages = phone.say(words).await;
            let contents = &messages[0]["contents"];
            assert_eq!(contents["type"], "carousel", "{messages:?}");
            assert_eq!(contents["contents"].as_array().unwrap().len(), 10);
            assert!(messages[0]["altText"].as_str().unwrap().contains(title), "{words}: {messages:?}");
            assert!(text(&messages).contains("feed 12") && !text(&messages).contains("First"));
        }
        // By its number, and by the button of the carousel.
        for messages in [phone.say("글 1").await, phone.say("＃１").await, phone.press("feed:1").await] {
            assert!(text(&messages).contains("**First** & <b>best</b>"), "{messages:?}");
            assert!(text(&messages).contains("content"));
        }
        assert!(text(&phone.say("99").await).contains("글"), "there is no such feed");
        // The language is that of his words, and stays.
        assert!(text(&phone.say("help").await).contains("This is what you can say"));
        assert!(text(&phone.say("!?").await).contains("I did not understand"));
        assert!(text(&phone.say("ヘルプ").await).contains("投稿"));
        for (number, other) in ["help", "알림", "お知らせ"].into_iter().enumerate() {
            let anybody = app.phone(10 + number as u64, "de");
            assert!(!anybody.say(other).await.is_empty());
        }
        assert_eq!(app.parked().await, 0);
    }

    async fn l06_whatever_people_write_line_takes_it(app: LineApp) {
        let phone = app.phone(1, "en");
        let ann = app.user("ann").await;
        let hostile = [
            "javascript:alert(1)".to_owned(),
            "\u{202e}\u{200b}\u{feff}".to_owned() + "x",
            "👨‍👩‍👧".repeat(40),
            "a\u{301}".repeat(99),
            "\"}]}{\\".repeat(20),
        ];
        for (at, title) in hostile.iter().enumerate() {
            let content = title.repeat(5_001 / title.chars().count().max(1) + 1);
            let form = crate::support::form::FormData::new().text("title", title).text("content", &content);
            ann.form(axum::http::Method::POST, "/api/feed/create", form).await.expect(200);
            let messages = phone.say(&format!("{}", at + 1)).await;
            assert_eq!(messages.len(), 2, "{title:?}: {messages:?}");
            let words = messages[1]["text"].as_str().unwrap();
            assert!(words.encode_utf16().count() <= 5_000);
        }
        let messages = phone.say("newest").await;
        assert_eq!(messages[0]["contents"]["contents"].as_array().unwrap().len(), hostile.len());
        for uri in uris(&messages) {
            assert!(uri.starts_with("http://board.test/"), "{uri}");
        }
        // Whatever a button brings.
        let json = format!("{}{}", "[".repeat(150), "]".repeat(150));
        for data in ["x".repeat(300), json, "feed:-1".into(), "publish:../..".into(), "unlink".into(), "feed:9223372036854775807".into()] {
            assert!(!phone.press(&data).await.is_empty(), "{data}");
        }
        let requests = app.line.requests();
        assert!(requests.iter().all(|seen| seen.status != Some(400)), "LINE refuses nothing");
        assert_eq!(app.parked().await, 0);
    }
}

/// Every address in messages.
fn uris(messages: &[Value]) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| match value.as_str() {
                Some(uri) if key == "uri" || key == "url" => found.push(uri.to_owned()),
                _ => collect(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    messages.iter().for_each(|message| collect(message, &mut found));
    assert!(!found.is_empty());
    found
}

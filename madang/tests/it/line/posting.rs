//! Posting from a chat.

use std::time::Duration;

use line_stub::Content;
use serde_json::{Value, json};

use crate::support::{LineApp, line::text, on_each_database, pictures};

/// What the button with this data prefix of a question has as data.
fn button(messages: &[Value], prefix: &str) -> String {
    let all = json!(messages).to_string();
    let at = all.find(&format!("\"{prefix}:")).unwrap_or_else(|| panic!("no {prefix}: {all}"));
    all[at + 1..].split('"').next().unwrap().to_owned()
}

on_each_database! {
    async fn a_text_and_photos_become_a_feed_after_a_question(app: LineApp) {
        let (ann, phone) = app.linked(1, "ann").await;
        assert!(text(&phone.say("글쓰기").await).contains("글쓰기"), "how to do it");
        let question = phone.say("write A walk\nalong the **river**\n\nand back").await;
        assert!(text(&question).contains("A walk") && text(&question).contains("along the"), "{question:?}");
        let question = phone.photo("100", pictures::noise(700, 6)).await;
        assert!(text(&question).contains("there is 1 now"), "{question:?}");
        let question = phone.photo("101", pictures::png()).await;
        assert!(text(&question).contains("2 photos"), "{question:?}");
        assert_eq!((app.count("feeds").await, app.count("images").await), (0, 0), "nothing before he says yes");
        let yes = button(&question, "publish");
        let posted = phone.press(&yes).await;
        assert!(text(&posted).contains("Your post is there") && text(&posted).contains("A walk"), "{posted:?}");
        let feed = app.anonymous().get("/api/feed/read/1").await.expect(200);
        assert_eq!((&feed["title"], &feed["content"]), (&json!("A walk"), &json!("along the **river**\n\nand back")));
        assert_eq!((feed["images"].as_array().unwrap().len(), &feed["author_id"]), (2, &json!(ann.id)));
        assert_eq!(feed["images"][0]["width"], 700, "in the order in which they were sent");
        // Again it is not there.
        assert!(text(&phone.press(&yes).await).contains("gone now"));
        assert!(text(&phone.say("publish").await).contains("begun no post"));
        assert_eq!(app.count("feeds").await, 1);
        // By words, without photos; one line is title and text.
        phone.say("투고").await;
        phone.say("글쓰기 안녕하세요").await;
        assert!(text(&phone.say("등록").await).contains("안녕하세요"));
        assert_eq!(app.anonymous().get("/api/feed/read/2").await.expect(200)["content"], "안녕하세요");
        app.assert_consistent().await;
    }

    async fn a_draft_is_replaced_cancelled_and_forgotten(app: LineApp) {
        let (_, phone) = app.linked(1, "ann").await;
        let first = phone.say("write one").await;
        let second = phone.say("write two").await;
        assert!(text(&phone.press(&button(&first, "publish")).await).contains("gone now"));
        assert!(text(&phone.press(&button(&first, "cancel")).await).contains("gone now"));
        assert!(text(&phone.press(&button(&second, "cancel")).await).contains("discarded"));
        assert!(text(&phone.press(&button(&second, "publish")).await).contains("gone now"));
        assert!(text(&phone.photo("1", pictures::png()).await).contains("write first"));
        phone.say("write three").await;
        for n in 0..10 {
            phone.photo(&format!("2{n}"), pictures::png()).await;
        }
        assert!(text(&phone.photo("299", pictures::png()).await).contains("10 photos at most"));
        app.advance(Duration::from_secs(24 * 3_600 + 60));
        assert!(text(&phone.say("publish").await).contains("begun no post"));
        assert!(text(&phone.say(&format!("write {}", "x".repeat(201))).await).contains("200 characters"));
        assert_eq!(app.count("feeds").await, 0);
        app.assert_consistent().await;
    }

    async fn l04_what_was_taken_back_is_gone(app: LineApp) {
        let (_, phone) = app.linked(1, "ann").await;
        let write = app.line.text_message(&phone.id, "write secret\nwords");
        let message_id = write["message"]["id"].as_str().unwrap().to_owned();
        phone.send(write).await;
        phone.photo("7", pictures::png()).await;
        let drafts = async || app.app.db.fetch_one::<(Option<String>,)>("select draft from line_links", vec![]).await.unwrap().0;
        assert!(drafts().await.unwrap().contains("secret"));
        phone.send(app.line.unsend(&phone.id, "7")).await;
        assert!(!drafts().await.unwrap().contains("\"7\""));
        phone.send(app.line.unsend(&phone.id, &message_id)).await;
        assert_eq!(drafts().await, None);
        // It may be heard of before the message is.
        let late = app.line.text_message(&phone.id, "write late");
        let message_id = late["message"]["id"].as_str().unwrap().to_owned();
        phone.send(app.line.unsend(&phone.id, &message_id)).await;
        assert!(phone.send(late).await.is_empty());
        assert_eq!(drafts().await, None);
        let jobs: Vec<(String,)> = app.app.db.fetch("select payload from greenlit_outbox", vec![]).await.unwrap();
        assert!(jobs.is_empty(), "{jobs:?}");
    }

    async fn l06_nobody_posts_for_another(app: LineApp) {
        let (_, phone) = app.linked(1, "ann").await;
        let (_, other) = app.linked(2, "eve").await;
        let stranger = app.phone(3, "en");
        let question = phone.say("write mine").await;
        for phone in [&other, &stranger] {
            let answer = phone.press(&button(&question, "publish")).await;
            assert!(!text(&answer).contains("is there"), "{answer:?}");
        }
        assert_eq!(app.count("feeds").await, 0);
        assert!(text(&phone.press(&button(&question, "publish")).await).contains("Your post is there"));
        assert_eq!(app.anonymous().get("/api/feed/read/1").await.expect(200)["author_nickname"], "ann");
    }

    async fn u17_photos_come_from_line_alone_and_within_bounds(app: LineApp) {
        let (_, phone) = app.linked(1, "ann").await;
        phone.say("write a").await;
        // Somebody else keeps it, at whatever address.
        for url in ["http://127.0.0.1:1/a.jpg", "http://169.254.169.254/latest", "http://[::ffff:7f00:1]/", "http://0.0.0.0/"] {
            let answer = phone.send(app.line.image_elsewhere(&phone.id, "5", url)).await;
            assert!(text(&answer).contains("cannot be taken"), "{url}: {answer:?}");
        }
        let refused = async |message_id: &str| {
            phone.say("write b").await;
            phone.send(app.line.image_message(&phone.id, message_id)).await;
            let answer = phone.say("publish").await;
            assert!(text(&answer).contains("cannot be taken"), "{message_id}: {answer:?}");
        };
        app.line.put_content_as("10", Content::Redirect(app.line.api_url()));
        refused("10").await;
        app.line.put_content("11", "image/jpeg", b"<svg onload=alert(1)>".to_vec());
        refused("11").await;
        app.line.put_content("12", "image/jpeg", vec![0; 10 * 1024 * 1024 + 1]);
        refused("12").await;
        // LINE has it no more.
        refused("13").await;
        let asked: Vec<String> = app.line.requests().into_iter().map(|seen| seen.path).collect();
        assert!(asked.iter().all(|path| path.starts_with("/v2/bot/")), "{asked:?}");
        assert_eq!((app.count("feeds").await, app.count("images").await), (0, 0));
        app.assert_consistent().await;
    }
}

/// A photo that comes for ever is given up, and what was written is still there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u17_a_photo_without_an_end_ends() {
    let app = LineApp::sqlite().await;
    let (_, phone) = app.linked(1, "ann").await;
    let content =
        Content::Endless { content_type: "image/jpeg".to_owned(), piece: 1, pause: Duration::from_millis(50) };
    app.line.put_content_as("1", content);
    phone.say("write a").await;
    phone.send(app.line.image_message(&phone.id, "1")).await;
    let begun = std::time::Instant::now();
    assert!(phone.say("publish").await.is_empty());
    assert!(begun.elapsed() < Duration::from_secs(60), "bounded, whatever the machine");
    // It is tried again, and LINE has it whole by then.
    app.line.put_content("1", "image/jpeg", pictures::png());
    app.work_off().await;
    assert_eq!(app.count("feeds").await, 1);
    app.assert_consistent().await;
}

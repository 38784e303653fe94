//! A chat becomes somebody's, and nobody else's: L05 of the hostile cases.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use crate::support::{PASSWORD, line::text, on_each_database};

on_each_database! {
    async fn a_chat_is_linked_and_unlinked(app: LineApp) {
        let (mut ann, phone) = (app.member("ann").await, app.phone(1, "en"));
        assert!(text(&phone.say("notifications").await).contains("link your account first"));
        assert!(ann.page("/line").await.contains("Say “link”"), "whether LINE answers or not");
        app.app.line.as_ref().unwrap().introduce().await;
        let page = ann.page("/line").await;
        assert!(page.contains("Say “link”") && page.contains("https://line.me/R/oaMessage/%40"), "{page}");
        assert!(ann.page("/settings").await.contains("href=\"/line\""));
        let path = phone.ask_for_link().await;
        // Whoever is not logged in is led to the log-in, and back.
        assert!(app.browser().get(&path).await.leads().starts_with("/login?next=%2Fline%2Flink%3FlinkToken%3D"));
        let question = ann.page(&path).await;
        assert!(question.contains("LINE 1") && question.contains("ann@example.com"), "both names: {question}");
        let agreed = phone.agree(&mut ann, &path).await;
        assert_eq!(app.count("line_links").await, 0, "LINE has not said so yet");
        assert!(text(&phone.arrive(&agreed).await).contains("account of ann"));
        assert!(ann.page("/line").await.contains("linked with a chat"));
        assert!(text(&phone.say("link").await).contains("account of ann already"));
        assert!(text(&phone.say("notifications").await).contains("Nothing is new"));

        // From the chat, after a question.
        let question = phone.say("unlink").await;
        assert_eq!(question[0]["template"]["type"], "confirm");
        phone.press("keep-link").await;
        assert_eq!(app.count("line_links").await, 1);
        assert!(text(&phone.press("unlink").await).contains("unlinked"));
        assert_eq!(app.count("line_links").await, 0);
        // From the settings.
        phone.link(&mut ann).await;
        let leads = ann.submit("/line/unlink", &[("user", &ann.id.to_string())]).await.leads().to_owned();
        assert!(ann.page(&leads).await.contains("not linked with a chat any more"));
        assert_eq!(app.count("line_links").await, 0);
        // With the account.
        phone.link(&mut ann).await;
        ann.submit("/settings/delete", &[("password", PASSWORD)]).await;
        app.work().await;
        assert_eq!(app.count("line_links").await, 0);
        assert!(text(&phone.say("write a").await).contains("link your account first"));
    }

    async fn l05_a_nonce_is_good_once_for_one_chat_one_log_in_and_ten_minutes(app: LineApp) {
        let (mut ann, mut eve) = (app.member("ann").await, app.member("eve").await);
        let (phone, other) = (app.phone(1, "en"), app.phone(2, "en"));
        let failed = |messages: &[serde_json::Value]| text(messages).contains("could not be linked");

        // Guessed.
        let guessed = app.line.account_link(&phone.id, "ok", &"A".repeat(43));
        assert!(failed(&phone.send(guessed).await));
        // LINE says no.
        let path = phone.ask_for_link().await;
        let (_, nonce) = phone.agree(&mut ann, &path).await;
        assert!(failed(&phone.send(app.line.account_link(&phone.id, "failed", &nonce)).await));
        assert!(failed(&phone.send(app.line.account_link(&phone.id, "ok", &nonce)).await), "it was used");
        // Of another chat.
        let path = phone.ask_for_link().await;
        let (_, nonce) = phone.agree(&mut ann, &path).await;
        assert!(failed(&other.send(app.line.account_link(&other.id, "ok", &nonce)).await));
        assert!(failed(&phone.send(app.line.account_link(&phone.id, "ok", &nonce)).await), "it was used");
        // The address was sent to somebody else: LINE sees that it is not he who asked.
        let path = other.ask_for_link().await;
        let (token, nonce) = phone.agree(&mut ann, &path).await;
        let event = app.line.visit_account_link(&token, &nonce, &phone.id).unwrap();
        assert_eq!(event["link"]["result"], "failed");
        assert!(failed(&phone.send(event).await));
        // Too late.
        let path = phone.ask_for_link().await;
        let agreed = phone.agree(&mut ann, &path).await;
        app.clock.advance(Duration::from_secs(601)); // LINE's own is behind
        assert!(text(&phone.arrive(&agreed).await).contains("took too long"));
        app.line.advance(Duration::from_secs(601));
        // The log-in has ended.
        let path = phone.ask_for_link().await;
        let agreed = phone.agree(&mut ann, &path).await;
        ann.submit("/logout", &[]).await.leads();
        assert!(failed(&phone.arrive(&agreed).await));
        // Two who agree to the same: the page is good once.
        let path = phone.ask_for_link().await;
        let agreed = phone.agree(&mut eve, &path).await;
        assert_eq!(eve.get(&path).await.status.as_u16(), 404);
        assert_eq!(app.count("line_links").await, 0);
        assert!(text(&phone.arrive(&agreed).await).contains("account of eve"));
        // And once more, by a replay of the same event under another id.
        assert!(failed(&phone.send(app.line.account_link(&phone.id, "ok", &agreed.1)).await));
        let links: Vec<(i64,)> = app.app.db.fetch("select user_id from line_links", vec![]).await.unwrap();
        assert_eq!(links, [(eve.id,)]);
    }

    async fn l05_the_page_asks_for_the_password_and_is_of_whoever_is_logged_in(app: LineApp) {
        let (mut ann, phone) = (app.member("ann").await, app.phone(1, "en"));
        let path = phone.ask_for_link().await;
        let token = percent_encoding::percent_decode_str(path.split('=').nth(1).unwrap()).decode_utf8().unwrap().into_owned();
        for fields in [
            vec![("linkToken", token.as_str())],
            vec![("linkToken", token.as_str()), ("password", "wrong password")],
            vec![("linkToken", token.as_str()), ("password", PASSWORD), ("user", "999")],
        ] {
            let answer = ann.submit("/line/link", &fields).await;
            assert!(answer.status.is_client_error(), "{fields:?}: {}", answer.status);
            assert!(!answer.text().contains("access.line.me"));
        }
        for token in ["", "x", &"x".repeat(300)] {
            assert_eq!(ann.submit("/line/link", &[("linkToken", token), ("password", PASSWORD)]).await.status.as_u16(), 404);
        }
        let foreign = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("content-type", "application/x-www-form-urlencoded")];
        let body = format!("linkToken={token}&password={}", PASSWORD.replace(' ', "+"));
        let answer = ann.send(Method::POST, "/line/link", &foreign, axum::body::Body::from(body)).await;
        answer.status.is_client_error().then_some(()).unwrap();
        assert_eq!(app.count("line_nonces").await, 0);
        // The question is good for ten minutes, too.
        app.clock.advance(Duration::from_secs(601));
        assert_eq!(ann.get(&path).await.status.as_u16(), 404);
        app.clock.advance(Duration::from_secs(3_600));
        app.work().await;
        assert_eq!(app.count("line_link_tokens").await, 0);
    }

    async fn l05_a_chat_that_is_somebody_s_stays_his(app: LineApp) {
        let (mut ann, phone) = app.linked(1, "ann").await;
        let mut eve = app.member("eve").await;
        // She asked before it was linked.
        let other = app.phone(2, "en");
        let path = other.ask_for_link().await;
        let agreed = other.agree(&mut eve, &path).await;
        // LINE never says so; if it did, or she agreed to a chat that became another's meanwhile:
        let sql = "update line_links set line_id = ? where user_id = ?";
        let swap = async |tx: &mut greenlit::Tx| tx.exec(sql, greenlit::args![&other.id, ann.id]).await;
        app.app.db.tx(greenlit::Opts::default(), swap).await.unwrap();
        assert!(text(&other.arrive(&agreed).await).contains("could not be linked"));
        let links: Vec<(i64,)> = app.app.db.fetch("select user_id from line_links", vec![]).await.unwrap();
        assert_eq!(links, [(ann.id,)]);
        // A user's other chat takes the place of the one that he had.
        let third = app.phone(3, "en");
        third.link(&mut ann).await;
        assert_eq!(app.count("line_links").await, 1);
        assert!(text(&other.say("notifications").await).contains("link your account first"));
        assert!(!text(&third.say("notifications").await).contains("link your account first"));
        let _ = phone;
    }

    async fn a_suspended_user_is_nobody_in_his_chat(app: LineApp) {
        let (ann, phone) = app.linked(1, "ann").await;
        let suspend = async |tx: &mut greenlit::Tx| tx.exec("update users set suspended_dt = 1 where id = ?", greenlit::args![ann.id]).await;
        app.app.db.tx(greenlit::Opts::default(), suspend).await.unwrap();
        for words in ["write a", "publish", "cancel", "notifications", "unlink"] {
            assert!(text(&phone.say(words).await).contains("link your account first"), "{words}");
        }
        // But whoever ended his log-ins need not unlink him for that.
        assert_eq!(app.count("line_links").await, 1);
        assert_eq!(app.anonymous().post("/api/auth/login", json!({"email": "ann@example.com", "password": PASSWORD})).await.status.as_u16(), 401);
    }
}

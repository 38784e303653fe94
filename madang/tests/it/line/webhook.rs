//! What is delivered is verified, taken once, and answered.

use std::time::Duration;

use futures_util::future::join_all;
use line_stub::redelivered;
use madang::{config::Switch, limits::Quota, router};
use serde_json::json;

use crate::support::{
    Client, LineApp, TestApp,
    line::{WEBHOOK, text},
    on_each_database,
};

#[tokio::test]
async fn without_an_account_at_line_there_is_nothing() {
    let app = TestApp::sqlite().await;
    app.anonymous().post(WEBHOOK, json!({"events": []})).await.refused(404, "not_found");
    let mut ann = app.member("ann").await;
    for path in ["/line", "/line/link?linkToken=x"] {
        assert_eq!(ann.get(path).await.status.as_u16(), 404, "{path}");
    }
    assert!(!ann.page("/settings").await.contains("href=\"/line\""));
}

#[tokio::test]
async fn l01_only_what_line_signed_is_taken() {
    let app = LineApp::sqlite().await;
    let phone = app.phone(1, "en");
    let signed = app.line.webhook(vec![app.line.text_message(&phone.id, "help")]);
    let json: serde_json::Value = serde_json::from_slice(&signed.body).unwrap();
    let spaced = serde_json::to_vec_pretty(&json).unwrap();
    let hex: String = signed.signature.bytes().map(|byte| format!("{byte:02x}")).collect();
    let other =
        line_stub::Stub::start(line_stub::Channel { secret: "0".repeat(32), ..Default::default() }).await.unwrap();
    let foreign = other.signed(&signed.body);
    for (body, signature) in [
        (&signed.body, None),
        (&signed.body, Some("")),
        (&signed.body, Some(foreign.as_str())),
        (&signed.body, Some(&signed.signature[1..])),
        (&signed.body, Some(hex.as_str())),
        (&signed.body, Some("ünreadable")),
        (&spaced, Some(signed.signature.as_str())),
    ] {
        app.deliver_signed(body.clone(), signature).await.refused(401, "invalid_signature");
    }
    assert_eq!((app.count("greenlit_outbox").await, app.count("line_events").await), (0, 0));
    // Too much is not even hashed.
    let huge = vec![b' '; 1024 * 1024 + 1];
    let signature = app.line.signed(&huge);
    app.deliver_signed(huge, Some(&signature)).await.refused(413, "body_too_large");
    let most = vec![b' '; 1024 * 1024];
    let signature = app.line.signed(&most);
    app.deliver_signed(most, Some(&signature)).await.refused(400, "broken_body");
    app.deliver_signed(signed.body.clone(), Some(&signed.signature)).await.expect(200);
    let spaced_signature = app.line.signed(&spaced);
    app.deliver_signed(spaced, Some(&spaced_signature)).await.expect(200);
    app.work().await;
    assert_eq!(app.said(&phone.id).len(), 1, "the same event, whatever its spaces");
}

#[tokio::test]
async fn l01_whoever_cannot_sign_is_counted_and_line_is_not() {
    let app = LineApp::with(|flags| {
        flags.limits.limits = Some(Switch::On);
        let few = std::num::NonZeroU32::new(3).unwrap();
        flags.limits.network = Some(Quota { burst: few, per_minute: std::num::NonZeroU32::MIN });
    })
    .await;
    let phone = app.phone(1, "en");
    for _ in 0..10 {
        app.deliver(vec![app.line.follow(&phone.id)]).await.expect(200);
    }
    for _ in 0..3 {
        app.deliver_signed(b"{}".to_vec(), Some("no")).await.refused(401, "invalid_signature");
    }
    app.deliver_signed(b"{}".to_vec(), Some("no")).await.refused(429, "too_many_requests");
}

on_each_database! {
    async fn l02_whatever_line_sends_is_taken(app: LineApp) {
        let phone = app.phone(1, "ja-JP");
        app.deliver(vec![]).await.expect(200);
        let mut odd = app.line.text_message(&phone.id, "안녕 👨‍👩‍👧 ヘルプ");
        odd["unknown"] = json!({"deep": [[[{}]]]});
        let mut alien = app.line.text_message(&phone.id, "help");
        alien["source"] = json!({"type": "alien", "userId": phone.id});
        let mut event = app.line.follow(&phone.id);
        event["type"] = json!("hologram");
        let mut sticker = app.line.text_message(&phone.id, "");
        sticker["message"] = json!({"id": "9", "type": "sticker", "packageId": "1", "stickerId": "2"});
        let signed = app.line.webhook_escaped(vec![odd, alien, event, sticker]);
        assert!(signed.body.is_ascii());
        app.deliver_signed(signed.body, Some(&signed.signature)).await.expect(200);
        // Half of a character, which only JSON's escapes can say.
        let body = String::from_utf8(app.line.webhook(vec![app.line.text_message(&phone.id, "HALF")]).body).unwrap();
        let body = body.replace("HALF", "a\\ud83d").into_bytes();
        let signature = app.line.signed(&body);
        app.deliver_signed(body, Some(&signature)).await.expect(200);
        app.work().await;
        let said = app.said(&phone.id);
        assert_eq!(said.len(), 2, "the two texts are not understood: {said:?}");
        assert!(text(&said[0].messages).contains("ヘルプ"), "in the language that he told LINE: {said:?}");
        assert_eq!(app.parked().await, 0);
    }

    async fn l03_an_event_takes_effect_once_however_often_it_comes(app: LineApp) {
        let phone = app.phone(1, "en");
        let event = app.line.text_message(&phone.id, "help");
        let node = app.second_node().await;
        let other = Client::of(router::router(node.clone()));
        let again = redelivered(event.clone());
        // At once, on two nodes; twice in one delivery.
        let signed = app.line.webhook(vec![event.clone(), again.clone()]);
        let deliver = |client: Client| {
            let request = axum::http::Request::post(WEBHOOK).header("x-line-signature", &signed.signature);
            let request = request.body(axum::body::Body::from(signed.body.clone())).unwrap();
            async move { client.send(request).await.status.as_u16() }
        };
        let sent = (0..8).map(|n| deliver(if n % 2 == 0 { app.anonymous() } else { other.clone() }));
        let statuses = join_all(sent).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        let (one, two) = tokio::join!(madang::jobs::run_all(&app.app), madang::jobs::run_all(&node));
        assert_eq!(one.unwrap() + two.unwrap(), 2, "the event, and its answer");
        assert_eq!(app.said(&phone.id).len(), 1);
        // Days later.
        app.clock.advance(Duration::from_secs(20 * 24 * 3_600));
        app.work().await;
        app.deliver(vec![again.clone()]).await.expect(200);
        // And when its id is forgotten it is too old.
        app.clock.advance(Duration::from_secs(11 * 24 * 3_600));
        app.work().await;
        assert_eq!(app.count("line_events").await, 0);
        app.deliver(vec![again]).await.expect(200);
        app.work().await;
        assert_eq!((app.said(&phone.id).len(), app.count("greenlit_outbox").await), (1, 0));
    }

    async fn l04_how_things_stand_is_what_happened_last(app: LineApp) {
        let phone = app.phone(1, "ko");
        let now = app.line.now() as i64;
        let at = |mut event: serde_json::Value, ms: i64| {
            event["timestamp"] = json!(now + ms);
            event
        };
        let is_friend = async || app.app.db.fetch_one::<(bool,)>("select is_friend from line_chats", vec![]).await.unwrap().0;
        // The later arrives first.
        phone.send(at(app.line.unfollow(&phone.id), 2)).await;
        let said = phone.send(at(app.line.follow(&phone.id), 1)).await;
        assert!(said.is_empty() && !is_friend().await, "{said:?}");
        let said = phone.send(at(app.line.follow(&phone.id), 3)).await;
        assert!(text(&said).contains("도움말") && is_friend().await, "{said:?}");
        // In a chat where somebody else answers we say nothing.
        let mut event = app.line.text_message(&phone.id, "help");
        event["mode"] = json!("standby");
        assert!(phone.send(event).await.is_empty());
        assert_eq!(app.parked().await, 0);
    }
}

#[tokio::test]
async fn l04_events_for_another_account_are_left_alone() {
    let bot = line_stub::user_id(4_711);
    let other = bot.clone();
    let app = LineApp::with(|flags| flags.line.line_bot_user_id = Some(other)).await;
    let phone = app.phone(1, "en");
    assert!(phone.say("help").await.is_empty());
    assert_eq!(app.count("line_events").await, 0);
    let mut body: serde_json::Value =
        serde_json::from_slice(&app.line.webhook(vec![app.line.text_message(&phone.id, "help")]).body).unwrap();
    body["destination"] = json!(bot);
    let body = serde_json::to_vec(&body).unwrap();
    let signature = app.line.signed(&body);
    app.deliver_signed(body, Some(&signature)).await.expect(200);
    app.work().await;
    assert_eq!(app.said(&phone.id).len(), 1);
}

/// Whoever says too much is not answered, and costs nothing.
#[tokio::test]
async fn a_flood_in_one_chat_is_not_answered() {
    let app = LineApp::with(|flags| {
        flags.limits.limits = Some(Switch::On);
        let few = |n| std::num::NonZeroU32::new(n).unwrap();
        flags.limits.user = Some(Quota { burst: few(5), per_minute: few(1) });
    })
    .await;
    let (phone, other) = (app.phone(1, "en"), app.phone(2, "en"));
    let events = (0..50).map(|_| app.line.text_message(&phone.id, "newest")).collect();
    app.deliver(events).await.expect(200);
    app.work().await;
    assert_eq!(app.said(&phone.id).len(), 5);
    assert_eq!(other.say("help").await.len(), 1);
    // What only notes how things stand is noted all the same.
    phone.send(app.line.unfollow(&phone.id)).await;
    let (friends,) = app
        .app
        .db
        .fetch_one::<(bool,)>("select is_friend from line_chats where line_id = ?", greenlit::args![&phone.id])
        .await
        .unwrap();
    assert!(!friends);
    assert_eq!(app.count("greenlit_outbox").await, 0);
}

on_each_database! {
    async fn events_of_a_chat_are_seen_to_in_their_order(app: LineApp) {
        let (_, phone) = app.linked(1, "ann").await;
        let node = app.second_node().await;
        let mut events = Vec::new();
        for at in 0..20 {
            let mut event = app.line.text_message(&phone.id, &format!("write title {at}"));
            event["timestamp"] = json!(app.line.now() as i64 + at);
            events.push(event);
        }
        events.reverse();
        app.deliver(events).await.expect(200);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while app.count("greenlit_outbox").await > 0 && tokio::time::Instant::now() < deadline {
            app.hasten().await;
            let (one, two) = tokio::join!(madang::jobs::run_all(&app.app), madang::jobs::run_all(&node));
            one.and(two).unwrap();
        }
        let (draft,) = app.app.db.fetch_one::<(String,)>("select draft from line_links", vec![]).await.unwrap();
        assert!(draft.contains("title 19"), "{draft}");
    }
}

//! What LINE would send to us.

use line_stub::{redelivered, user_id};
use serde_json::{Value, json};

use crate::{Line, read};

/// One event of each kind.
fn events(line: &Line) -> Vec<Value> {
    let (stub, user) = (&line.stub, user_id(1));
    vec![
        stub.text_message(&user, "안녕 😀"),
        stub.image_message(&user, "1"),
        stub.image_elsewhere(&user, "2", "https://example.com/a.png"),
        stub.postback(&user, "like=1"),
        stub.unfollow(&user),
        stub.follow(&user),
        stub.unsend(&user, "1"),
        stub.account_link(&user, "ok", "a-nonce-of-some-length"),
        stub.account_link(&user, "failed", "a-nonce-of-some-length"),
    ]
}

#[tokio::test]
async fn events_have_what_line_gives_each() {
    let line = Line::new().await;
    let events = events(&line);
    let mut ids = Vec::new();
    for event in &events {
        assert_eq!((&event["mode"], &event["source"]["userId"]), (&json!("active"), &json!(user_id(1))));
        assert_eq!(event["deliveryContext"], json!({"isRedelivery": false}));
        assert!(event["timestamp"].as_u64().unwrap().abs_diff(line.stub.now()) < 60_000);
        ids.push(event["webhookEventId"].as_str().unwrap());
        assert_eq!(ids.last().unwrap().len(), 26);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), events.len());
    let answerable: Vec<_> = events.iter().map(|event| event.get("replyToken").is_some()).collect();
    assert_eq!(answerable, [true, true, true, true, false, true, false, true, false]);
    assert_eq!(events[5]["follow"], json!({"isUnblocked": true}));
    let again = redelivered(events[0].clone());
    assert_eq!(again["deliveryContext"], json!({"isRedelivery": true}));
    assert_eq!(again["webhookEventId"], events[0]["webhookEventId"]);
}

#[tokio::test]
async fn both_bodies_say_the_same_and_are_signed() {
    let line = Line::new().await;
    let events = events(&line);
    let (plain, escaped) = (line.stub.webhook(events.clone()), line.stub.webhook_escaped(events));
    let parse = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap();
    assert_eq!(parse(&plain.body), parse(&escaped.body));
    assert!(escaped.body.is_ascii() && !plain.body.is_ascii());
    assert_eq!(parse(&plain.body)["destination"], line.stub.channel().bot_user_id);
    for signed in [plain, escaped] {
        assert_eq!(line.stub.signed(&signed.body), signed.signature);
        assert_eq!(signed.signature.len(), 44);
    }
}

#[tokio::test]
async fn it_is_driven_over_http_too() {
    let line = Line::new().await;
    let user = user_id(7);
    let told = |command: &str, body: Value| read(line.post(&format!("/_stub/{command}"), &body));
    assert_eq!(told("user", json!({"userId": user, "displayName": "하나"})).await.status, 200);
    assert_eq!(told("user", json!({"userId": "7", "displayName": "하나"})).await.status, 400);
    let event = told("event", json!({"kind": "text", "userId": user, "text": "안녕"})).await.body;
    let hook = told("webhook", json!({"events": [event]})).await.body;
    assert_eq!(line.stub.signed(hook["body"].as_str().unwrap().as_bytes()), hook["signature"]);
    told("fault", json!({"kind": "lost-answer-status", "status": 500, "path": "/push"})).await;
    assert_eq!(read(line.push(&user, "a")).await.status, 500);
    let accepted = line.get("/_stub/accepted").await.body;
    assert_eq!((&accepted[0]["to"], &accepted[0]["how"]), (&json!(user), &json!("push")));
    let requests = line.get("/_stub/requests").await.body;
    assert_eq!(requests.as_array().unwrap().len(), 1, "what the stub is told is no request to LINE");
}

//! What is accepted once, what is refused, and what is delivered.

use std::time::Duration;

use line_stub::{How, user_id};
use serde_json::{Value, json};

use crate::{Line, read};

const KEY: &str = "123e4567-e89b-12d3-a456-426614174000";

#[tokio::test]
async fn a_retry_key_is_accepted_once() {
    let line = Line::new().await;
    let first = read(line.push(&user_id(1), "a").header("x-line-retry-key", KEY)).await;
    assert_eq!((first.status, first.body["sentMessages"].as_array().unwrap().len()), (200, 1));
    let again = read(line.push(&user_id(1), "b").header("x-line-retry-key", KEY.to_uppercase())).await;
    assert_eq!((again.status, &again.body["message"]), (409, &json!("The retry key is already accepted")));
    assert_eq!(again.headers["x-line-accepted-request-id"], first.headers["x-line-request-id"]);
    assert_ne!(again.headers["x-line-request-id"], first.headers["x-line-request-id"]);
    let accepted = line.stub.accepted();
    assert_eq!(accepted.len(), 1);
    assert_eq!((accepted[0].how, accepted[0].retry_key.as_deref()), (How::Push, Some(KEY)));
    assert_eq!(accepted[0].messages, [json!({"type": "text", "text": "a"})]);

    line.stub.advance(Duration::from_hours(24));
    assert_eq!(read(line.push(&user_id(1), "c").header("x-line-retry-key", KEY)).await.status, 200);
    let seen: Vec<_> = line.stub.requests().into_iter().map(|seen| (seen.status, seen.retry_key)).collect();
    let key = |text: &str| Some(text.to_owned());
    assert_eq!(seen, [(Some(200), key(KEY)), (Some(409), key(&KEY.to_uppercase())), (Some(200), key(KEY))]);
}

#[tokio::test]
async fn a_refused_request_spends_no_key() {
    let line = Line::new().await;
    assert_eq!(read(line.push(&user_id(1), "").header("x-line-retry-key", KEY)).await.status, 400);
    assert_eq!(read(line.push(&user_id(2), "a").header("x-line-retry-key", KEY)).await.status, 400);
    assert_eq!(read(line.push(&user_id(1), "a").header("x-line-retry-key", "1")).await.status, 400);
    assert_eq!(read(line.push(&user_id(1), "a").header("x-line-retry-key", KEY)).await.status, 200);
}

#[tokio::test]
async fn a_reply_token_is_good_once_and_for_a_minute() {
    let line = Line::new().await;
    let reply = |token: &str| {
        line.post("/v2/bot/message/reply", &json!({"replyToken": token, "messages": [{"type": "text", "text": "a"}]}))
    };
    let token = line.stub.reply_token(&user_id(1));
    assert_eq!(read(reply(&token).header("x-line-retry-key", KEY)).await.status, 400, "a reply takes no retry key");
    assert_eq!(read(reply(&token)).await.status, 200);
    let again = read(reply(&token)).await;
    assert_eq!((again.status, again.body), (400, json!({"message": "Invalid reply token"})));
    let (old, expired) = (line.stub.reply_token(&user_id(1)), line.stub.reply_token(&user_id(1)));
    line.stub.advance(Duration::from_secs(60));
    assert_eq!(read(reply(&old)).await.status, 400);
    line.stub.expire_reply_tokens();
    assert_eq!(read(reply(&expired)).await.status, 400);
    let accepted = line.stub.accepted();
    assert_eq!((accepted.len(), accepted[0].how, &accepted[0].to), (1, How::Reply, &user_id(1)));
}

#[tokio::test]
async fn who_has_blocked_the_bot_gets_nothing() {
    let line = Line::new().await;
    line.stub.add_user(&user_id(2), "Aiko", "ja");
    line.stub.block(&user_id(1));
    assert_eq!(read(line.push(&user_id(1), "a")).await.status, 200);
    assert_eq!(line.get(&format!("/v2/bot/profile/{}", user_id(1))).await.status, 404);
    let to = [user_id(1), user_id(2), user_id(3), user_id(2)];
    let body = json!({"to": to, "messages": [{"type": "text", "text": "a"}]});
    assert_eq!(read(line.post("/v2/bot/message/multicast", &body)).await.status, 200);
    let accepted = line.stub.accepted();
    assert_eq!((accepted.len(), accepted[0].how, &accepted[0].to), (1, How::Multicast, &user_id(2)));
    let profile = line.get(&format!("/v2/bot/profile/{}", user_id(2))).await.body;
    assert_eq!(profile, json!({"userId": user_id(2), "displayName": "Aiko", "language": "ja"}));
}

#[tokio::test]
async fn the_quota_counts_what_is_pushed() {
    let line = Line::new().await;
    assert_eq!(line.get("/v2/bot/message/quota").await.body, json!({"type": "none"}));
    line.stub.set_quota(Some(10));
    line.stub.set_usage(9);
    assert_eq!(line.get("/v2/bot/message/quota").await.body, json!({"type": "limited", "value": 10}));
    assert_eq!(read(line.push(&user_id(1), "a")).await.status, 200);
    assert_eq!(line.get("/v2/bot/message/quota/consumption").await.body, json!({"totalUsage": 10}));
    let over = read(line.push(&user_id(1), "a")).await;
    assert_eq!((over.status, over.body), (429, json!({"message": "You have reached your monthly limit."})));
    let token = line.stub.reply_token(&user_id(1));
    let body = json!({"replyToken": token, "messages": [{"type": "text", "text": "a"}]});
    assert_eq!(read(line.post("/v2/bot/message/reply", &body)).await.status, 200, "replies are not counted");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let line = Line::new().await;
    let raw = |kind: &str, body: &str| {
        let request = line.request(reqwest::Method::POST, "/v2/bot/message/push");
        request.header("content-type", kind).body(body.to_owned())
    };
    let message = |text: &str| format!(r#"{{"to":"{}","messages":[{{"type":"text","text":"{text}"}}]}}"#, user_id(1));
    assert_eq!(read(raw("application/json; charset=utf-8", &message("\\ud83d\\ude00"))).await.status, 200);
    assert_eq!(read(raw("text/plain", &message("a"))).await.status, 415);
    for text in ["\\ud83d", "\\ude00", "\\ud83d a"] {
        let refused = read(raw("application/json", &message(text))).await;
        assert_eq!(refused.status, 400, "{text} is half a character");
        assert!(refused.body["message"].as_str().unwrap().contains("could not be parsed as JSON"));
    }
    let unknown = read(line.post("/v2/bot/message/push", &json!({"to": "somebody", "messages": [], "cc": 1}))).await;
    assert_eq!(unknown.body["message"], "The request body has 3 error(s)");
    let places: Vec<_> = unknown.body["details"].as_array().unwrap().iter().map(|detail| &detail["property"]).collect();
    assert_eq!(places, ["to", "messages", "cc"]);
    let imagemap = json!({"to": user_id(1), "messages": [{"type": "imagemap"}]});
    assert_eq!(read(line.post("/v2/bot/message/push", &imagemap)).await.status, 501);
    let huge = json!({"padding": "a".repeat(3 << 20)});
    assert_eq!(read(line.post("/v2/bot/message/push", &huge)).await.status, 413);
    assert_eq!(line.stub.accepted().len(), 1);
}

#[tokio::test]
async fn messages_are_validated_without_being_sent() {
    let line = Line::new().await;
    for way in ["reply", "push", "multicast"] {
        let path = format!("/v2/bot/message/validate/{way}");
        let good = json!({"messages": [{"type": "text", "text": "a"}]});
        assert_eq!(read(line.post(&path, &good)).await.status, 200);
        let bad: Value = json!({"messages": [{"type": "text", "text": ""}]});
        assert_eq!(read(line.post(&path, &bad)).await.status, 400);
    }
    assert_eq!(line.stub.accepted(), []);
}

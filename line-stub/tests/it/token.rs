//! Who may ask, and for how long.

use std::time::Duration;

use line_stub::user_id;
use reqwest::Method;
use serde_json::json;

use crate::{Line, read};

#[tokio::test]
async fn requests_need_a_token_of_the_channel() {
    let line = Line::new().await;
    assert_eq!(line.get("/v2/bot/info").await.body["userId"], line.stub.channel().bot_user_id);
    for url in [line.stub.api_url() + "/v2/bot/info", line.stub.data_url() + "/v2/bot/message/1/content"] {
        for token in [None, Some("another")] {
            let request = line.client.get(&url);
            let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
            let refused = read(request).await;
            assert_eq!(refused.status, 401);
            assert!(refused.headers.contains_key("x-line-request-id"));
        }
    }
}

#[tokio::test]
async fn a_stateless_token_is_good_for_a_quarter_of_an_hour() {
    let line = Line::new().await;
    let issue = |secret: &str| {
        let form = format!("grant_type=client_credentials&client_id=1&client_secret={secret}");
        let request = line.client.post(line.stub.api_url() + "/oauth2/v3/token");
        request.header("content-type", "application/x-www-form-urlencoded").body(form)
    };
    assert_eq!(read(issue("a guess")).await.status, 400);
    let issued = read(issue(&line.stub.channel().secret)).await.body;
    assert_eq!((&issued["token_type"], &issued["expires_in"]), (&json!("Bearer"), &json!(900)));
    let ask = || {
        let request = line.client.get(line.stub.api_url() + "/v2/bot/info");
        read(request.bearer_auth(issued["access_token"].as_str().unwrap()))
    };
    assert_eq!(ask().await.status, 200);
    line.stub.advance(Duration::from_secs(900));
    assert_eq!(ask().await.status, 401);
}

#[tokio::test]
async fn a_link_token_links_its_user_once() {
    let line = Line::new().await;
    let (user, other) = (user_id(1), user_id(2));
    line.stub.add_user(&other, "Aiko", "ja");
    let issue = async || {
        let answer = read(line.post(&format!("/v2/bot/user/{user}/linkToken"), &json!({}))).await;
        answer.body["linkToken"].as_str().unwrap().to_owned()
    };
    let visit = |token: &str, as_user: &str| {
        line.stub.visit_account_link(token, "a-nonce-of-some-length", as_user).unwrap()["link"]["result"].clone()
    };
    let token = issue().await;
    assert_eq!(line.stub.visit_account_link(&token, "too-short", &user), None);
    assert_eq!((visit(&token, &user), visit(&token, &user)), (json!("ok"), json!("failed")));
    assert_eq!(visit(&issue().await, &other), "failed");
    let old = issue().await;
    line.stub.advance(Duration::from_secs(600));
    assert_eq!(visit(&old, &user), "failed");
    assert_eq!(read(line.post(&format!("/v2/bot/user/{}/linkToken", user_id(3)), &json!({}))).await.status, 404);
}

#[tokio::test]
async fn the_webhook_endpoint_is_kept() {
    let line = Line::new().await;
    let path = "/v2/bot/channel/webhook/endpoint";
    assert_eq!(line.get(path).await.status, 404);
    let put = |url: &str| {
        let request = line.request(Method::PUT, path).header("content-type", "application/json");
        read(request.body(json!({"endpoint": url}).to_string()))
    };
    assert_eq!(put("http://example.com/line").await.status, 400);
    assert_eq!(put("https://example.com/line").await.status, 200);
    assert_eq!(line.get(path).await.body, json!({"endpoint": "https://example.com/line", "active": true}));
}

#[tokio::test]
async fn what_the_stub_does_not_play_is_told_from_what_line_has_not() {
    let line = Line::new().await;
    assert_eq!(line.get("/v2/bot/richmenu/list").await.status, 501);
    assert_eq!(line.get("/v2/bot/nothing").await.status, 404);
    assert_eq!(line.get("/").await.status, 404);
}

//! Notifications: who hears of what, once, and no longer than it is so.

mod live;
mod pages;
mod telling;

use serde_json::Value;

use crate::support::{Client, TestApp};

/// What a user's list has, as `kind people actor feed comment read`, the latest first.
async fn list(client: &Client) -> Vec<String> {
    let page = client.get("/api/notification/list?limit=100").await.expect(200);
    page["notifications"].as_array().unwrap().iter().map(line).collect()
}

fn line(notification: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let actor = text(&notification["actor"]["nickname"]);
    let state = if notification["read"] == true { "read" } else { "unread" };
    format!(
        "{} {} {actor} {} {} {state}",
        text(&notification["kind"]),
        notification["people"],
        notification["feed_id"],
        notification["comment_id"],
    )
}

async fn unread(client: &Client) -> i64 {
    client.get("/api/notification/unread").await.expect(200)["unread"].as_i64().unwrap()
}

async fn read(client: &Client, body: Value) -> i64 {
    client.patch("/api/notification/read", body).await.expect(200)["unread"].as_i64().unwrap()
}

async fn feed_of(client: &Client) -> i64 {
    client.create_feed("title", &[]).await["id"].as_i64().unwrap()
}

async fn comment_of(client: &Client, feed: i64) -> i64 {
    client.comment(feed, "comment").await["id"].as_i64().unwrap()
}

async fn follow(client: &Client, other: &Client) {
    client.bare(axum::http::Method::PUT, &format!("/api/follow/{}", other.id)).await.expect(200);
}

/// Three users.
async fn people(app: &TestApp) -> (Client, Client, Client) {
    (app.user("minsu").await, app.user("jiwoo").await, app.user("hana").await)
}

//! Who sees whose e-mail address, as the operator decides.

use axum::http::Method;
use greenlit::{Opts, args};
use serde_json::Value;

use crate::support::{Client, TestApp};

/// Every place where somebody's address stands, as this client sees it.
async fn addresses(client: &Client, feed: i64) -> Vec<Value> {
    let get = async |path: &str| client.get(path).await.expect(200);
    let read = get(&format!("/api/feed/read/{feed}")).await;
    let by_email = get("/api/feed/list-by-user?email=MINSU@example.com").await;
    vec![
        read["author_email"].clone(),
        get("/api/feed/list").await["feeds"][0]["author_email"].clone(),
        get("/api/feed/list-by-user?user_id=1").await["feeds"][0]["author_email"].clone(),
        get(&format!("/api/comment/feed/{feed}")).await[0]["author_email"].clone(),
        get("/api/mypage/2/followers").await["followers"][0]["email"].clone(),
        get("/api/mypage/2/followings").await["followings"][0]["email"].clone(),
        // Whether the address finds its owner tells it too.
        by_email["feeds"][0]["author_email"].clone(),
    ]
}

/// Minsu, whose address stands everywhere, and Jiwoo, whom he follows.
async fn neighbours(app: &TestApp) -> (Client, Client, i64) {
    let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
    let feed = minsu.create_feed("feed", &[]).await["id"].as_i64().unwrap();
    minsu.comment(feed, "comment").await;
    minsu.bare(Method::PUT, "/api/follow/2").await.expect(200);
    jiwoo.bare(Method::PUT, "/api/follow/1").await.expect(200);
    (minsu, jiwoo, feed)
}

#[tokio::test]
async fn an_address_is_seen_by_its_owner_and_administrators_alone() {
    let app = TestApp::with(|_| {}).await;
    let (minsu, jiwoo, feed) = neighbours(&app).await;
    assert_eq!(addresses(&minsu, feed).await, ["minsu@example.com"; 7]);
    assert_eq!(addresses(&jiwoo, feed).await, [const { Value::Null }; 7]);
    assert_eq!(addresses(&app.anonymous(), feed).await, [const { Value::Null }; 7]);
    let promote = async |tx: &mut greenlit::Tx| {
        tx.exec("update users set is_admin = ? where id = ?", args![true, jiwoo.id]).await
    };
    app.app.db.tx(Opts::default(), promote).await.unwrap();
    assert_eq!(addresses(&jiwoo, feed).await, ["minsu@example.com"; 7]);
}

#[tokio::test]
async fn an_operator_may_let_everybody_see_addresses() {
    let app = TestApp::with(|flags| flags.privacy.public_emails = Some(true)).await;
    let (minsu, jiwoo, feed) = neighbours(&app).await;
    for client in [minsu, jiwoo, app.anonymous()] {
        assert_eq!(addresses(&client, feed).await, ["minsu@example.com"; 7], "{:?}", client.name);
    }
}

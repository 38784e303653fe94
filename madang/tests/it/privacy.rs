//! Who sees whose address.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Client, TestApp};

/// The addresses of whoever wrote the first feed and comment, and of who follows the first user.
async fn addresses(client: &Client) -> [Value; 4] {
    let feed = client.get("/api/feed/read/1").await.expect(200);
    let list = client.get("/api/feed/list").await.expect(200);
    let comments = client.get("/api/comment/feed/1").await.expect(200);
    let followers = client.get("/api/mypage/1/followers").await.expect(200);
    let (feed, listed) = (&feed["author_email"], &list["feeds"][0]["author_email"]);
    [feed, listed, &comments[0]["author_email"], &followers["followers"][0]["email"]].map(Clone::clone)
}

#[tokio::test]
async fn addresses_are_public_only_if_the_operator_says_so() {
    for public in [None, Some(false), Some(true)] {
        let app = TestApp::with(|flags| flags.privacy.public_emails = public).await;
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        minsu.create_feed("title", &[]).await;
        minsu.comment(1, "comment").await;
        jiwoo.json(Method::PUT, "/api/follow/1", json!({})).await.expect(200);

        let [of_minsu, of_jiwoo] = ["minsu@example.com", "jiwoo@example.com"].map(Value::from);
        let shown = |email: &Value, own: bool| if own || public == Some(true) { email.clone() } else { Value::Null };
        let seen = |by_minsu, by_jiwoo| {
            let feeds = shown(&of_minsu, by_minsu);
            [feeds.clone(), feeds.clone(), feeds, shown(&of_jiwoo, by_jiwoo)]
        };
        assert_eq!(addresses(&app.anonymous()).await, seen(false, false), "{public:?}");
        assert_eq!(addresses(&minsu).await, seen(true, false), "{public:?}");
        assert_eq!(addresses(&jiwoo).await, seen(false, true), "{public:?}");
    }
}

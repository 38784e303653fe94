//! Idempotency keys: a repeated write takes effect once and is answered alike.

use axum::{body::Body, http::Method};
use futures_util::future::join_all;
use serde_json::Value;

use crate::support::{Answer, Client, form::FormData, on_each_database, pictures::png};

/// Creates a feed with a picture under this key.
async fn create(client: &Client, key: &str, title: &str, picture: &[u8]) -> Answer {
    let form = FormData::new().text("title", title).text("content", "content").file("images", "a.png", picture);
    let headers = [("content-type", &*form.content_type()), ("idempotency-key", key)];
    client.request(Method::POST, "/api/feed/create", &headers, Body::from(form.into_bytes())).await
}

async fn delete(client: &Client, key: &str, id: &Value) -> Answer {
    let path = format!("/api/feed/delete/{id}");
    client.request(Method::DELETE, &path, &[("idempotency-key", key)], Body::empty()).await
}

on_each_database! {
    async fn a_repeated_write_takes_effect_once(app: TestApp) {
        let minsu = app.user("minsu").await;
        let first = create(&minsu, "key", "title", &png()).await;
        assert_eq!((first.status.as_u16(), first.header("idempotent-replayed")), (200, ""));
        let again = create(&minsu, "key", "title", &png()).await;
        assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (200, "true"));
        assert_eq!((&again.body, again.header("content-type")), (&first.body, "application/json"));
        assert_eq!((app.count("feeds").await, app.count("images").await), (1, 1));

        // It is the first answer, even when the feed is gone.
        let id = &first.json()["id"];
        delete(&minsu, "delete", id).await.expect(200);
        let deleted = delete(&minsu, "delete", id).await;
        assert_eq!((deleted.expect(200)["message"].as_str(), deleted.header("idempotent-replayed")), (Some("Feed Deleted"), "true"));
        create(&minsu, "key", "title", &png()).await.expect(200);
        assert_eq!(app.count("feeds").await, 0);
        app.assert_consistent().await;
    }

    async fn another_request_under_the_same_key_is_refused(app: TestApp) {
        let minsu = app.user("minsu").await;
        let id = create(&minsu, "key", "title", &png()).await.expect(200)["id"].clone();
        let mut longer = png();
        longer.push(0);
        create(&minsu, "key", "another title", &png()).await.refused(422, "idempotency_key_reused");
        create(&minsu, "key", "title", &longer).await.refused(422, "idempotency_key_reused");
        delete(&minsu, "key", &id).await.refused(422, "idempotency_key_reused");
        // A key is its user's.
        let other = create(&app.user("jiwoo").await, "key", "another title", &png()).await;
        assert_eq!((other.status.as_u16(), other.header("idempotent-replayed")), (200, ""));
        assert_eq!(app.count("feeds").await, 2);
        app.assert_consistent().await;
    }

    async fn requests_that_say_the_same_in_other_bytes_are_the_same(app: TestApp) {
        let minsu = app.user("minsu").await;
        let replayed = async |content_type: &str, body: String| {
            let headers = [("content-type", content_type), ("idempotency-key", "key")];
            let answer = minsu.request(Method::POST, "/api/feed/create", &headers, Body::from(body)).await;
            answer.expect(200);
            answer.header("idempotent-replayed") == "true"
        };
        let form = |boundary: &str| {
            let part = |name: &str| format!("--{boundary}\r\nContent-Disposition: form-data; name={name}\r\n\r\nx\r\n");
            (format!("multipart/form-data; boundary={boundary}"), part("title") + &part("content") + &format!("--{boundary}--"))
        };
        let ((one, first), (other, again)) = (form("one"), form("other"));
        assert!(!replayed(&one, first).await);
        assert!(replayed(&other, again).await);
        assert!(replayed("application/x-www-form-urlencoded", "title=%78&content=x".to_owned()).await);
        assert_eq!(app.count("feeds").await, 1);
    }

    async fn a_failed_write_leaves_its_key_free(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        let id = create(&minsu, "key", "title", &png()).await.expect(200)["id"].clone();
        delete(&jiwoo, "theirs", &id).await.refused(403, "permission_denied");
        let own = jiwoo.create_feed("own", &[]).await["id"].clone();
        let answer = delete(&jiwoo, "theirs", &own).await;
        assert_eq!((answer.status.as_u16(), answer.header("idempotent-replayed")), (200, ""));
    }

    async fn of_many_copies_at_once_one_takes_effect(app: TestApp) {
        let minsu = app.user("minsu").await;
        let picture = png();
        let answers = join_all((0..8).map(|_| create(&minsu, "key", "title", &picture))).await;
        let firsts = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count();
        assert_eq!(firsts, 1);
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), &answer.body), (200, &answers[0].body), "{}", answer.text());
        }
        assert_eq!((app.count("feeds").await, app.count("images").await), (1, 1));
        app.assert_consistent().await;
    }

    async fn keys_are_checked(app: TestApp) {
        let minsu = app.user("minsu").await;
        for bad in ["", "a key", "clé", &"k".repeat(256)] {
            let answer = create(&minsu, bad, "title", &png()).await;
            assert_eq!(answer.problems(), ["header.Idempotency-Key: value_error"], "{bad}");
        }
        create(&minsu, &"k".repeat(255), "title", &png()).await.expect(200);
        // Not before it is known who asks.
        create(&app.anonymous(), "a key", "title", &png()).await.refused(401, "not_authenticated");
        assert_eq!(app.count("feeds").await, 1);
    }
}

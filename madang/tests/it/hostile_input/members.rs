//! Members that a client must not set, and members that it must not see.

use axum::http::Method;
use serde_json::json;

use super::Stage;
use crate::support::{PASSWORD, form::FormData, on_each_database, pictures::png};

/// Names of columns and members, with what somebody would like to have there.
const WISHES: [(&str, &str); 16] = [
    ("id", "77"),
    ("user_id", "2"),
    ("author_id", "2"),
    ("feed_id", "2"),
    ("author_email", "other@example.com"),
    ("author_nickname", "admin"),
    ("role", "admin"),
    ("is_admin", "true"),
    ("create_dt", "1999-01-01T00:00:00Z"),
    ("update_dt", "1999-01-01T00:00:00Z"),
    ("created_at", "1999-01-01T00:00:00Z"),
    ("like_count", "1000000"),
    ("token_epoch", "7"),
    ("password_hash", "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"),
    ("email_verified", "true"),
    ("image_urls", "http://evil.example/x.png"),
];

on_each_database! {
    async fn z04_what_is_not_the_clients_to_set_is_ignored(app: TestApp) {
        let stage = Stage::set(app).await;
        let mut account = json!({"email": "jiwoo@example.com", "password": PASSWORD, "nickname": "jiwoo"});
        account.as_object_mut().unwrap().extend(WISHES.map(|(name, value)| (name.to_owned(), json!(value))));
        let signed_up = stage.user.post("/api/auth/signup", account.clone()).await.expect(200);
        assert!(!signed_up["create_dt"].as_str().unwrap().starts_with("1999"));
        stage.user.post("/api/auth/login", account).await.expect(200);
        let sql = "select id, token_epoch, password_hash from users where nickname = 'jiwoo'";
        let (id, epoch, hash): (i64, i64, String) = stage.app.app.db.fetch_one(sql, vec![]).await.unwrap();
        assert_eq!((id, epoch), (2, 1));
        assert!(hash.starts_with("$argon2id$v=19$m=19456,"), "{hash}");

        let wishes = || WISHES.iter().fold(FormData::new(), |form, (name, value)| form.text(name, value));
        let form = wishes().text("title", "t").text("content", "c").file("image_url", "x", &png());
        let created = stage.user.form(Method::POST, "/api/feed/create", form).await.expect(200);
        let form = wishes().text("title", "t2").text("content", "c2");
        let updated = stage.user.form(Method::PATCH, "/api/feed/update/2", form).await.expect(200);
        for feed in [created, updated] {
            assert_eq!((&feed["id"], &feed["author_id"]), (&json!(2), &json!(1)));
            assert_eq!((&feed["author_nickname"], &feed["author_email"]), (&json!("minsu"), &json!("minsu@example.com")));
            assert_eq!((&feed["image_urls"], &feed["images"]), (&json!([]), &json!([])));
            for time in ["create_dt", "update_dt"] {
                assert!(!feed[time].as_str().unwrap().starts_with("1999"));
            }
        }
        stage.user.delete("/api/feed/delete/2").await.expect(200);
        assert_eq!(stage.user.get("/api/feed/read/1").await.expect(200), stage.feed);
        stage.app.assert_consistent().await;
    }

    async fn z05_nobody_sees_what_is_anothers(app: TestApp) {
        let mut stage = Stage::set(app).await;
        stage.user.create_feed("with an image", &[png()]).await;
        stage.rows = stage.app.rows().await;
        let jiwoo = stage.app.user("jiwoo").await;
        for client in [&jiwoo, &stage.app.anonymous()] {
            let mut answers = Vec::new();
            for path in [
                "/api/feed/read/1",
                "/api/feed/read/2",
                "/api/feed/read/99",
                "/api/feed/list",
                "/api/feed/list?sort_by=x",
                "/api/feed/list-by-user?user_id=1",
                "/api/feed/list-by-user?nickname=minsu",
                "/api/feed/list-by-user?email=minsu%40example.com",
                "/api/mypage/profile",
                "/images/x.png",
                "/openapi.json",
                "/healthz",
                "/readyz",
                "/",
            ] {
                answers.push(client.get(path).await);
            }
            answers.push(client.delete("/api/feed/delete/1").await);
            answers.push(client.urlencoded(Method::PATCH, "/api/feed/update/1", "title=t&content=c").await);
            let taken = json!({"email": "third@example.com", "password": PASSWORD, "nickname": "minsu"});
            answers.push(client.post("/api/auth/signup", taken).await);
            for answer in answers {
                let all = format!("{:?} {}", answer.headers, answer.text());
                for hidden in ["minsu@example.com", PASSWORD, "$argon2", "password_hash", "email_key", "token_epoch", "/tmp"] {
                    assert!(!all.contains(hidden), "{hidden} in {all}");
                }
            }
        }
        assert_eq!(stage.app.count("feeds").await, 2);
    }
}

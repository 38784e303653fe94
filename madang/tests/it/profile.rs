//! Changing one's own profile.

use axum::{body::Body, http::Method};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, assert_answer, on_each_database};

const PROFILE: &str = "/api/mypage/profile";

async fn change(client: &Client, body: Value) -> Answer {
    client.json(Method::PATCH, PROFILE, body).await
}

on_each_database! {
    async fn one_changes_name_and_address(app: TestApp) {
        let user = app.user("minsu").await;
        app.user("jiho").await;
        assert_answer!(change(&user, json!({"nickname": "민수"})).await, @r#"
        200
        {
          "create_dt": "[create_dt]",
          "email": "minsu@example.com",
          "id": 1,
          "nickname": "민수"
        }
        "#);
        let body = json!({"email": "Min.Su@example.com", "nickname": "Minsu", "password": PASSWORD});
        assert_answer!(change(&user, body).await, @r#"
        200
        {
          "create_dt": "[create_dt]",
          "email": "Min.Su@example.com",
          "id": 1,
          "nickname": "Minsu"
        }
        "#);
        assert_eq!(change(&user, json!({})).await.expect(200), user.get(PROFILE).await.expect(200));
        let login = async |email: &str| {
            app.anonymous().post("/api/auth/login", json!({"email": email, "password": PASSWORD})).await
        };
        login("min.su@EXAMPLE.com").await.expect(200);
        login("minsu@example.com").await.refused(401, "invalid_credentials");
        // One's own in other letters is one's own still; what was given up is another's to take.
        change(&user, json!({"email": "min.su@example.com", "nickname": "MINSU", "password": PASSWORD})).await.expect(200);
        let next = json!({"email": "minsu@example.com", "password": PASSWORD, "nickname": "민수"});
        app.anonymous().post("/api/auth/signup", next).await.expect(200);
    }

    async fn a_refused_change_changes_nothing(app: TestApp) {
        let user = app.user("minsu").await;
        app.user("jiho").await;
        let before = user.get(PROFILE).await.expect(200);
        let taken = json!({"nickname": "new", "email": "JIHO@example.com", "password": PASSWORD});
        change(&user, taken).await.refused(400, "email_already_registered");
        let taken = json!({"nickname": "ｊｉｈｏ", "email": "new@example.com", "password": PASSWORD});
        change(&user, taken).await.refused(400, "nickname_already_registered");
        let wrong = json!({"nickname": "new", "email": "new@example.com", "password": "wrong password"});
        change(&user, wrong).await.refused(403, "permission_denied");
        for (body, problems) in [
            (json!({"email": "new@example.com"}), vec!["body.password: missing"]),
            (json!({"email": "new", "password": 5}), vec!["body.email: value_error", "body.password: string_type"]),
            (json!({"nickname": ""}), vec!["body.nickname: string_too_short"]),
            (json!({"nickname": "a\u{202e}b"}), vec!["body.nickname: value_error"]),
            (json!({"nickname": 5, "email": 5, "password": "canary"}), vec!["body.nickname: string_type", "body.email: string_type"]),
        ] {
            let answer = change(&user, body).await;
            assert_eq!(answer.problems(), problems);
            assert!(!answer.text().contains("canary"));
        }
        change(&app.anonymous(), json!([])).await.refused(401, "not_authenticated");
        let broken = app.anonymous().request(Method::PATCH, PROFILE, &[], Body::from("{")).await;
        assert_eq!(broken.problems(), ["body.0: json_invalid"]);
        assert_eq!(user.get(PROFILE).await.expect(200), before);
    }

    async fn a_name_is_given_to_one_of_those_who_ask_at_once(app: TestApp) {
        let mut users = Vec::new();
        for name in ["ann", "ben", "cho", "dan"] {
            users.push(app.user(name).await);
        }
        let mut statuses: Vec<u16> =
            join_all(users.iter().map(|user| change(user, json!({"nickname": "The one"})))).await.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400, 400, 400]);
    }

    async fn a_change_takes_effect_once(app: TestApp) {
        let user = app.user("minsu").await;
        let send = async |body: Value| {
            let headers = [("idempotency-key", "one"), ("content-type", "application/json")];
            user.request(Method::PATCH, PROFILE, &headers, Body::from(body.to_string())).await
        };
        let body = json!({"email": "new@example.com", "password": PASSWORD});
        let first = send(body.clone()).await;
        change(&user, json!({"nickname": "later"})).await.expect(200);
        let again = send(body).await;
        assert_eq!((again.expect(200), again.header("idempotent-replayed")), (first.expect(200), "true"));
        send(json!({"email": "other@example.com", "password": PASSWORD})).await.refused(422, "idempotency_key_reused");
        // A right to look at an old answer is no less than one to make it.
        send(json!({"email": "new@example.com", "password": "wrong"})).await.refused(403, "permission_denied");
    }
}

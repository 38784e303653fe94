//! Signing up, logging in, and one's own profile.

use axum::{body::Body, http::Method};
use serde_json::json;

use crate::support::{PASSWORD, assert_answer, on_each_database};

on_each_database! {
    async fn one_signs_up_and_logs_in(app: TestApp) {
        let anyone = app.anonymous();
        let minsu = json!({"email": "Minsu@Example.com", "password": PASSWORD, "nickname": "민수", "is_admin": true});
        assert_answer!(anyone.post("/api/auth/signup", minsu).await, @r#"
        200
        {
          "create_dt": "[create_dt]",
          "email": "Minsu@Example.com",
          "nickname": "민수"
        }
        "#);

        // By the address in any case.
        let login = anyone.post("/api/auth/login", json!({"email": "minsu@example.com", "password": PASSWORD})).await;
        assert_answer!(login, @r#"
        200
        {
          "access_token": "[access_token]",
          "email": "Minsu@Example.com",
          "expires_in": 86400,
          "nickname": "민수"
        }
        "#);

        let mut minsu = anyone.clone();
        minsu.token = login.json()["access_token"].as_str().map(str::to_owned);
        assert_answer!(minsu.get("/api/mypage/profile").await, @r#"
        200
        {
          "create_dt": "[create_dt]",
          "email": "Minsu@Example.com",
          "id": 1,
          "nickname": "민수"
        }
        "#);
        for scheme in ["bearer", "BEARER"] {
            let header = format!("{scheme} {}", minsu.token.as_deref().unwrap());
            let answer = anyone
                .request(Method::GET, "/api/mypage/profile", &[("authorization", &header)], Body::empty())
                .await;
            answer.expect(200);
        }
    }

    async fn an_address_and_a_name_are_taken_once(app: TestApp) {
        app.user("admin").await;
        let anyone = app.anonymous();
        let rows = app.rows().await;
        let signup = async |email: &str, nickname: &str| {
            let body = json!({"email": email, "password": "another password", "nickname": nickname});
            anyone.post("/api/auth/signup", body).await
        };
        assert_answer!(signup("admin@example.com", "somebody").await, @r#"
        400
        {
          "code": "email_already_registered",
          "detail": "Email Already Registered",
          "request_id": "[request_id]"
        }
        "#);
        assert_answer!(signup("other@example.com", "admin").await, @r#"
        400
        {
          "code": "nickname_already_registered",
          "detail": "Nickname Already Registered",
          "request_id": "[request_id]"
        }
        "#);
        signup("ADMIN@Example.COM", "somebody").await.refused(400, "email_already_registered");
        // Cyrillic, wide and in capitals: each looks like the name that is taken.
        for nickname in ["аdmin", "ａｄｍｉｎ", "ADMIN"] {
            signup("other@example.com", nickname).await.refused(400, "nickname_already_registered");
        }
        assert_eq!(app.rows().await, rows);
        // What was refused took neither the address nor the name.
        signup("other@example.com", "somebody").await.expect(200);
    }

    async fn simultaneous_signups_make_one_account(app: TestApp) {
        let body = json!({"email": "twin@example.com", "password": PASSWORD, "nickname": "twin"});
        let anyone = app.anonymous();
        let attempts = (0..4).map(|_| anyone.post("/api/auth/signup", body.clone()));
        let mut statuses: Vec<u16> =
            futures_util::future::join_all(attempts).await.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400, 400, 400]);
        assert_eq!(app.count("users").await, 1);
    }

    async fn every_wrong_field_of_a_signup_is_told(app: TestApp) {
        let anyone = app.anonymous();
        let answer = anyone.post("/api/auth/signup", json!({"email": "minsu", "password": "canary7", "age": 7})).await;
        assert_answer!(answer, @r#"
        422
        {
          "code": "invalid_input",
          "detail": [
            {
              "input": "minsu",
              "loc": [
                "body",
                "email"
              ],
              "msg": "Value error, Invalid Email Format",
              "type": "value_error"
            },
            {
              "input": null,
              "loc": [
                "body",
                "password"
              ],
              "msg": "String should have at least 8 characters",
              "type": "string_too_short"
            },
            {
              "input": null,
              "loc": [
                "body",
                "nickname"
              ],
              "msg": "Field required",
              "type": "missing"
            }
          ],
          "request_id": "[request_id]"
        }
        "#);
        for (body, problems) in [
            (json!({}), vec!["body.email: missing", "body.password: missing", "body.nickname: missing"]),
            (json!([]), vec!["body: model_attributes_type"]),
            (
                json!({"email": 1, "password": ["canary"], "nickname": null}),
                vec!["body.email: string_type", "body.password: string_type", "body.nickname: string_type"],
            ),
            (
                json!({"email": "a@b.co", "password": PASSWORD, "nickname": "n".repeat(31)}),
                vec!["body.nickname: string_too_long"],
            ),
        ] {
            let answer = anyone.post("/api/auth/signup", body).await;
            assert_eq!(answer.problems(), problems);
            assert!(!answer.text().contains("canary"), "{}", answer.text());
        }
        assert_eq!(app.count("users").await, 0);
    }

    async fn a_wrong_login_tells_nothing(app: TestApp) {
        app.user("minsu").await;
        let anyone = app.anonymous();
        let login = async |email: &str, password: &str| {
            anyone.post("/api/auth/login", json!({"email": email, "password": password})).await
        };
        let wrong = login("minsu@example.com", "wrong password").await;
        assert_answer!(wrong, @r#"
        401
        {
          "code": "invalid_credentials",
          "detail": "Invalid Credentials",
          "request_id": "[request_id]"
        }
        "#);
        let unknown = login("nobody@example.com", PASSWORD).await;
        assert_eq!(unknown.snapshot(), wrong.snapshot());
        let names = |answer: &crate::support::Answer| answer.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&unknown), names(&wrong));

        // A password is never judged at a login: an old one may be short.
        for password in ["", "x", "a\0b", &"x".repeat(1_000)] {
            login("minsu@example.com", password).await.refused(401, "invalid_credentials");
        }
        assert_answer!(login("minsu", PASSWORD).await, @r#"
        422
        {
          "code": "invalid_input",
          "detail": [
            {
              "input": "minsu",
              "loc": [
                "body",
                "email"
              ],
              "msg": "Value error, Invalid Email Format",
              "type": "value_error"
            }
          ],
          "request_id": "[request_id]"
        }
        "#);
        let empty = anyone.post("/api/auth/login", json!({"password": 5})).await;
        assert_eq!(empty.problems(), ["body.email: missing", "body.password: string_type"]);
    }

    async fn a_profile_needs_a_token(app: TestApp) {
        let anyone = app.anonymous();
        let profile = async |headers: &[(&str, &str)]| {
            anyone.request(Method::GET, "/api/mypage/profile", headers, Body::empty()).await
        };
        let without = profile(&[]).await;
        assert_answer!(without, @r#"
        401
        {
          "code": "not_authenticated",
          "detail": "Not Authenticated",
          "request_id": "[request_id]"
        }
        "#);
        assert_eq!(without.header("www-authenticate"), "Bearer");
        profile(&[("authorization", "")]).await.refused(401, "not_authenticated");
        let wrong = profile(&[("authorization", "Bearer x.y.z")]).await;
        assert_answer!(wrong, @r#"
        401
        {
          "code": "invalid_token",
          "detail": "Invalid Token",
          "request_id": "[request_id]"
        }
        "#);
        assert_eq!(wrong.header("www-authenticate"), "Bearer");
    }
}

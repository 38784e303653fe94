//! Log-ins: going on with them, and the many ways they end.

use std::time::Duration;

use axum::{body::Body, http::Method};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, TestApp, assert_answer, on_each_database};

const PROFILE: &str = "/api/mypage/profile";
const REFRESH: &str = "/api/auth/refresh";
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A log-in of a user who is signed up already, and its refresh token.
async fn log_in(app: &TestApp, name: &str, password: &str) -> (Client, String) {
    let mut device = app.anonymous();
    let body = json!({"email": format!("{name}@example.com"), "password": password});
    let login = device.post("/api/auth/login", body).await.expect(200);
    device.token = login["access_token"].as_str().map(str::to_owned);
    (device, login["refresh_token"].as_str().unwrap().to_owned())
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.anonymous().post(REFRESH, json!({"refresh_token": token})).await
}

fn successor(answer: &Answer) -> String {
    answer.expect(200)["refresh_token"].as_str().unwrap().to_owned()
}

/// Neither token of a log-in is good any more.
async fn assert_ended(app: &TestApp, (device, token): &(Client, String)) {
    device.get(PROFILE).await.refused(401, "invalid_token");
    refresh(app, token).await.refused(401, "invalid_token");
}

async fn assert_lives(app: &TestApp, device: &mut (Client, String)) {
    device.0.get(PROFILE).await.expect(200);
    device.1 = successor(&refresh(app, &device.1).await);
}

async fn change_password(device: &Client, password: &str, new: &str) -> Answer {
    let body = json!({"password": password, "new_password": new});
    device.json(Method::PATCH, "/api/auth/password", body).await
}

on_each_database! {
    async fn one_goes_on_with_a_login(app: TestApp) {
        app.user("minsu").await;
        let (mut device, first) = log_in(&app, "minsu", PASSWORD).await;
        app.clock.advance(2 * DAY);
        device.get(PROFILE).await.refused(401, "invalid_token");
        let answer = refresh(&app, &first).await;
        assert_answer!(answer, @r#"
        200
        {
          "access_token": "[access_token]",
          "expires_in": 86400,
          "refresh_token": "[refresh_token]"
        }
        "#);
        device.token = answer.json()["access_token"].as_str().map(str::to_owned);
        device.get(PROFILE).await.expect(200);
        // Thirty days from the last time, and not from the first.
        app.clock.advance(29 * DAY);
        let third = successor(&refresh(&app, &successor(&answer)).await);
        app.clock.advance(31 * DAY);
        refresh(&app, &third).await.refused(401, "invalid_token");
        app.work().await;
        assert_eq!(app.count("logins").await, 0, "what expired is swept");
    }

    async fn a05_tokens_of_another_time_are_refused(app: TestApp) {
        let user = app.user("minsu").await;
        let signed = |iat: i64, epoch: i64| {
            let now = app.clock.now().seconds();
            let claims = json!({
                "sub": user.id.to_string(), "iss": "madang", "aud": "madang:access", "iat": iat, "nbf": now,
                "exp": now + 3 * 86_400, "epoch": epoch, "sid": 1,
            });
            let text = |json: &str| URL_SAFE_NO_PAD.encode(json);
            let message = format!("{}.{}", text(r#"{"typ":"JWT","alg":"HS256"}"#), text(&claims.to_string()));
            let key = EncodingKey::from_secret(app.key().bytes());
            format!("{message}.{}", crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap())
        };
        let with = async |token: &str| {
            let bearer = format!("Bearer {token}");
            user.request(Method::GET, PROFILE, &[("authorization", &bearer)], Body::empty()).await
        };
        let now = app.clock.now().seconds();
        with(&signed(now, 1)).await.expect(200);
        with(&signed(now + 86_400, 1)).await.refused(401, "invalid_token");
        // "Valid from" is a number that rises, so that no two clocks need to agree on it.
        user.post("/api/auth/logout", json!({"everywhere": true})).await.expect(200);
        for (iat, epoch) in [(now - 60, 1), (now, 1), (now, 2), (now, 3)] {
            with(&signed(iat, epoch)).await.refused(401, "invalid_token");
        }
        let (device, _) = log_in(&app, "minsu", PASSWORD).await;
        device.get(PROFILE).await.expect(200);
    }

    async fn a06_no_token_stands_for_another(app: TestApp) {
        let user = app.user("minsu").await;
        let (device, token) = log_in(&app, "minsu", PASSWORD).await;
        let bearer = format!("Bearer {token}");
        user.request(Method::GET, PROFILE, &[("authorization", &bearer)], Body::empty()).await.refused(401, "invalid_token");
        let access = device.token.clone().unwrap();
        let cut = &token[..token.len() - 1];
        for other in [access.as_str(), "", "x", cut, &format!("{token}x"), &token.to_lowercase(), &"A".repeat(96)] {
            refresh(&app, other).await.refused(401, "invalid_token");
        }
        let anyone = app.anonymous();
        for (body, problem) in [
            (json!({}), "body.refresh_token: missing"),
            (json!({"refresh_token": null}), "body.refresh_token: string_type"),
            (json!({"refresh_token": [token]}), "body.refresh_token: string_type"),
            (json!({"refresh_token": token.repeat(20)}), "body.refresh_token: string_too_long"),
            (json!([token]), "body: model_attributes_type"),
        ] {
            let answer = anyone.post(REFRESH, body).await;
            assert_eq!(answer.problems(), [problem]);
            assert!(!answer.text().contains(&token[..40]), "{}", answer.text());
        }
        // None of that was a use of it.
        refresh(&app, &token).await.expect(200);
    }

    async fn a07_a_token_used_again_ends_its_login_alone(app: TestApp) {
        app.user("minsu").await;
        let mut other = log_in(&app, "minsu", PASSWORD).await;
        let (device, first) = log_in(&app, "minsu", PASSWORD).await;
        let second = successor(&refresh(&app, &first).await);
        app.clock.advance(Duration::from_secs(11));
        refresh(&app, &first).await.refused(401, "invalid_token");
        assert_ended(&app, &(device, second)).await;
        assert_lives(&app, &mut other).await;

        // However old it is.
        let (device, first) = log_in(&app, "minsu", PASSWORD).await;
        let third = successor(&refresh(&app, &successor(&refresh(&app, &first).await)).await);
        refresh(&app, &first).await.refused(401, "invalid_token");
        assert_ended(&app, &(device, third)).await;
        assert_lives(&app, &mut other).await;
    }

    async fn a08_a_hundred_refreshes_make_one_successor(app: TestApp) {
        app.user("minsu").await;
        let (_, first) = log_in(&app, "minsu", PASSWORD).await;
        let answers = join_all((0..100).map(|_| refresh(&app, &first))).await;
        let mut successors: Vec<String> = answers.iter().map(successor).collect();
        successors.dedup();
        assert_eq!(successors.len(), 1);
        for answer in answers {
            let mut device = app.anonymous();
            device.token = answer.json()["access_token"].as_str().map(str::to_owned);
            device.get(PROFILE).await.expect(200);
        }
        // A retry within the grace gives it again, and does no harm to it. Real time counts as well: a busy machine needs some.
        app.clock.advance(Duration::from_secs(2));
        assert_eq!(successor(&refresh(&app, &first).await), successors[0]);
        let third = successor(&refresh(&app, &successors[0]).await);
        assert_ne!(third, successors[0]);
        assert_eq!(app.count("logins").await, 2);
    }

    async fn a_user_has_a_hundred_logins_at_most(app: TestApp) {
        let minsu = app.user("minsu").await;
        let login = "insert into logins (user_id, family_hash, generation, create_dt, rotate_dt, expire_dt) \
                     values (?, ?, 0, 0, 0, ?)";
        let many = async |tx: &mut greenlit::Tx| {
            for n in 0..120 {
                tx.insert(login, greenlit::args![minsu.id, format!("family {n}"), i64::MAX]).await?;
            }
            Ok::<_, greenlit::Error>(())
        };
        app.app.db.tx(greenlit::Opts::default(), many).await.unwrap();
        let mut device = log_in(&app, "minsu", PASSWORD).await;
        assert_eq!(app.count("logins").await, 100);
        assert_lives(&app, &mut device).await;
        minsu.get(PROFILE).await.refused(401, "invalid_token");
    }

    async fn a09_a_logout_ends_what_it_names(app: TestApp) {
        let minsu = app.user("minsu").await;
        app.user("jiho").await;
        let device = log_in(&app, "minsu", PASSWORD).await;
        let mut other = log_in(&app, "minsu", PASSWORD).await;
        let mut stranger = log_in(&app, "jiho", PASSWORD).await;

        // Without a body, as the old board's clients send it.
        let answer = device.0.request(Method::POST, "/api/auth/logout", &[], Body::empty()).await;
        assert_answer!(answer, @r#"
        200
        {
          "message": "Logged Out"
        }
        "#);
        assert_ended(&app, &device).await;
        assert_lives(&app, &mut other).await;

        // Another's token is no more than none.
        let device = log_in(&app, "minsu", PASSWORD).await;
        device.0.post("/api/auth/logout", json!({"refresh_token": stranger.1, "everywhere": false})).await.expect(200);
        assert_ended(&app, &device).await;
        assert_lives(&app, &mut stranger).await;

        let device = log_in(&app, "minsu", PASSWORD).await;
        device.0.post("/api/auth/logout", json!({"refresh_token": other.1})).await.expect(200);
        assert_ended(&app, &device).await;
        assert_ended(&app, &other).await;
        minsu.get(PROFILE).await.expect(200);

        let device = log_in(&app, "minsu", PASSWORD).await;
        minsu.post("/api/auth/logout", json!({"everywhere": true, "refresh_token": null})).await.expect(200);
        assert_ended(&app, &device).await;
        minsu.get(PROFILE).await.refused(401, "invalid_token");
        assert_lives(&app, &mut stranger).await;
        minsu.post("/api/auth/logout", json!({})).await.refused(401, "invalid_token");
        let broken = stranger.0.post("/api/auth/logout", json!({"everywhere": 1, "refresh_token": 2})).await;
        assert_eq!(broken.problems(), ["body.refresh_token: string_type", "body.everywhere: bool_type"]);
    }

    async fn a09_a_password_change_ends_the_other_logins(app: TestApp) {
        app.user("minsu").await;
        let mut device = log_in(&app, "minsu", PASSWORD).await;
        let other = log_in(&app, "minsu", PASSWORD).await;
        change_password(&device.0, "wrong", "another password").await.refused(403, "permission_denied");
        for (new, kind) in [
            ("short", "string_too_short"),
            (&"x".repeat(129), "string_too_long"),
            ("password1", "value_error"),
            ("minsu@example.com", "value_error"),
        ] {
            let answer = change_password(&device.0, PASSWORD, new).await;
            assert_eq!(answer.problems(), [format!("body.new_password: {kind}")]);
            assert!(!answer.text().contains(&format!("\"{new}\"")), "{}", answer.text());
        }
        other.0.get(PROFILE).await.expect(200);

        assert_answer!(change_password(&device.0, PASSWORD, "another password").await, @r#"
        200
        {
          "message": "Password Changed"
        }
        "#);
        assert_ended(&app, &other).await;
        assert_lives(&app, &mut device).await;
        let old = json!({"email": "minsu@example.com", "password": PASSWORD});
        app.anonymous().post("/api/auth/login", old).await.refused(401, "invalid_credentials");
        log_in(&app, "minsu", "another password").await;
        // Syntax, then who asks, then the fields.
        let anyone = app.anonymous();
        let broken = anyone.request(Method::PATCH, "/api/auth/password", &[], Body::from("{")).await;
        assert_eq!(broken.problems(), ["body.0: json_invalid"]);
        anyone.json(Method::PATCH, "/api/auth/password", json!([])).await.refused(401, "not_authenticated");
    }

    async fn a09_no_login_survives_a_password_change(app: TestApp) {
        let device = app.user("minsu").await;
        let login = async || {
            let body = json!({"email": "minsu@example.com", "password": PASSWORD});
            app.anonymous().post("/api/auth/login", body).await
        };
        let logins = join_all((0..6).map(|_| login()));
        let (changed, logins) = tokio::join!(change_password(&device, PASSWORD, "another password"), logins);
        changed.expect(200);
        for login in logins {
            if login.status.as_u16() == 401 {
                continue;
            }
            let body: Value = login.expect(200);
            let mut late = app.anonymous();
            late.token = body["access_token"].as_str().map(str::to_owned);
            assert_ended(&app, &(late, body["refresh_token"].as_str().unwrap().to_owned())).await;
        }
        device.get(PROFILE).await.expect(200);
        assert_eq!(app.count("logins").await, 1);
    }
}

//! Secrets stay where they are: neither a log line nor an answer has one.

use std::{
    io::{self, Write},
    sync::{Mutex, Once, PoisonError},
};

use axum::{body::Body, http::Method};
use greenlit::{Dialect, Migration};
use madang::migration::HISTORY;
use serde_json::json;

use crate::support::{Answer, Client, TestApp, form::FormData, on_each_database, pictures};

/// Everything that is logged in this process, by all tests.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Logger;

impl Write for Logger {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(|| Logger).init();
    });
}

fn logged() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// Makes every further sign-up fail inside the database; PostgreSQL would tell the whole row.
async fn break_signups(app: &TestApp) {
    let sql = match app.app.db.dialect() {
        Dialect::Sqlite | Dialect::MariaDb => "create unique index refuse_users on users (token_epoch)",
        _ => "alter table users add constraint refuse_users check (token_epoch > 5) not valid",
    };
    let migration = Migration { version: HISTORY.len() as i64 + 1, name: "refuse users", sql };
    app.app.db.migrate(&[HISTORY, &[migration]].concat()).await.unwrap();
}

/// A session of a clumsy user, who sends his secrets where they belong and where they do not.
async fn session(app: &TestApp, password: &str, token: &str) -> (Client, String, Vec<Answer>) {
    let mut user = app.anonymous();
    let mut answers = Vec::new();
    for account in [
        json!({"email": "minsu@example.com", "password": password, "nickname": "minsu"}),
        json!({"email": "minsu@example.com", "password": password, "nickname": "other"}),
        json!({"email": "other@example.com", "password": password, "nickname": "minsu"}),
        json!({"email": "x", "password": password}),
        json!({"email": "x", "password": [password]}),
        json!({"email": "x", "password": {"password": password}, "Password": password, "access_token": token}),
        json!({"email": "x", "refresh_token": token, "passwd": password, "nested": {"new_password": password}}),
        json!({"email": "a@b.co", "password": format!("{password}\0"), "nickname": ""}),
        json!({"email": "a@b.co", "password": password.repeat(20), "nickname": "n"}),
        json!([password]),
        json!(password),
    ] {
        answers.push(user.post("/api/auth/signup", account.clone()).await);
        let login = user.post("/api/auth/login", account).await;
        // The one answer that has a token is a good log-in's.
        answers.extend((login.status != 200).then_some(login));
    }
    let broken = Body::from(format!(r#"{{"password": "{password}"#));
    answers.push(user.request(Method::POST, "/api/auth/login", &[], broken).await);
    let wrong = json!({"email": "minsu@example.com", "password": format!("{password}!")});
    answers.push(user.post("/api/auth/login", wrong).await);

    let login = user.post("/api/auth/login", json!({"email": "minsu@example.com", "password": password})).await;
    user.token = login.expect(200)["access_token"].as_str().map(str::to_owned);
    answers.push(user.get("/api/mypage/profile").await);
    answers.push(user.get(&format!("/api/feed/list?access_token={token}&skip=x")).await);
    let bearer = format!("Bearer {token}");
    answers.push(user.request(Method::GET, "/api/mypage/profile", &[("authorization", &bearer)], Body::empty()).await);
    let form = FormData::new().text("title", "t").text("content", "c").text("password", password).text("token", token);
    answers.push(user.form(Method::POST, "/api/feed/create", form).await);
    user.create_feed("picture", &[pictures::png()]).await;
    let no_title = FormData::new().text("password", password).file("images", token, b"no picture");
    answers.push(user.form(Method::POST, "/api/feed/create", no_title).await);
    let refresh_token = login.json()["refresh_token"].as_str().unwrap().to_owned();
    answers.extend(change_secrets(&user, password, token, &refresh_token).await);
    (user, refresh_token, answers)
}

/// Refreshes, changes and deletes, wrongly first.
async fn change_secrets(user: &Client, password: &str, token: &str, refresh_token: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    for body in [
        json!({"refresh_token": token}),
        json!({"refresh_token": [refresh_token]}),
        json!({"refreshToken": refresh_token}),
        json!([refresh_token]),
        json!({"refresh_token": refresh_token.repeat(20)}),
    ] {
        answers.push(user.post("/api/auth/refresh", body).await);
    }
    answers.push(user.post("/api/auth/logout", json!({"refresh_token": [refresh_token], "everywhere": 1})).await);
    let new = format!("{password} new");
    for body in [
        json!({"password": new, "new_password": new}),
        json!({"password": [password], "new_password": [new]}),
        json!({"password": password, "newPassword": new}),
        json!({"password": password, "new_password": new.repeat(20)}),
        json!({"password": password, "new_password": new}),
        json!({"password": new, "new_password": password}),
    ] {
        answers.push(user.json(Method::PATCH, "/api/auth/password", body).await);
    }
    let email = json!({"email": "x", "password": password, "nickname": {"password": password}});
    answers.push(user.json(Method::PATCH, "/api/mypage/profile", email).await);
    answers.push(user.json(Method::DELETE, "/api/mypage/profile", json!({"password": new, "token": token})).await);
    // An exchange, and the use again that is logged.
    let once = json!({"refresh_token": refresh_token});
    user.post("/api/auth/refresh", once).await.expect(200);
    answers
}

on_each_database! {
    async fn s01_no_log_line_and_no_answer_has_a_secret(app: TestApp) {
        listen();
        let (password, token) = (format!("canary-{}", random()), format!("canary.{}.x", random()));
        let (user, refresh_token, mut answers) = session(&app, &password, &token).await;
        app.clock.advance(std::time::Duration::from_secs(60));
        let reused = user.post("/api/auth/refresh", json!({"refresh_token": refresh_token})).await;
        reused.refused(401, "invalid_token");
        answers.push(reused);
        assert!(logged().contains("a refresh token was used again"), "the reuse is not logged");
        break_signups(&app).await;
        let failed = json!({"email": "next@example.com", "password": password, "nickname": "next"});
        let failed = user.post("/api/auth/signup", failed).await;
        failed.refused(500, "internal");
        let failed_id = failed.header("x-request-id").to_owned();
        answers.push(failed);

        let key: String = app.key().bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let own_token = user.token.unwrap();
        let bucket_key = std::env::var("AWS_SECRET_ACCESS_KEY").unwrap_or_else(|_| random());
        let secrets = [password.as_str(), &token, &key, &own_token, &refresh_token, &bucket_key, "$argon2"];
        let hash: (String,) = app.app.db.fetch_one("select password_hash from users", vec![]).await.unwrap();
        assert!(hash.0.starts_with("$argon2"));
        for answer in &answers {
            let all = format!("{:?} {}", answer.headers, answer.text());
            for secret in secrets {
                assert!(!all.contains(secret), "{secret} in {all}");
            }
            // Neither does it speak of what is inside.
            for inside in ["refuse_users", "insert into", "token_epoch", "password_hash", "sqlite", "postgres", "/tmp", "src/"] {
                assert!(!all.contains(inside), "{inside} in {all}");
            }
        }
        let log = logged();
        let cause = log.lines().find(|line| line.contains(&failed_id)).expect("the failure is logged");
        assert!(cause.contains("refuse_users") || cause.contains("users.token_epoch"), "the log has no cause: {cause}");
        for secret in secrets {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is logged");
        }
        assert!(!cause.contains("next@example.com"), "an address is logged: {cause}");
    }
}

fn random() -> String {
    madang::secret::random_name()
}

//! The log-in of a browser: made anew each time, and ended by whatever ends others.

use std::time::Duration;

use crate::support::{PASSWORD, on_each_database};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const COOKIE: &str = "madang_session";

on_each_database! {
    async fn a09_a_cookie_is_dead_after_what_ends_its_log_in(app: TestApp) {
        let login = [("email", "ann@example.com"), ("password", PASSWORD)];
        let mut ann = app.member("ann").await;
        let mut old = ann.clone();
        ann.submit("/logout", &[]).await.leads();
        assert!(old.get("/my").await.leads().starts_with("/login?next=%2Fmy"));

        // A change of the password ends the others.
        let (mut here, mut there) = (app.browser(), app.browser());
        here.submit("/login", &login).await.leads();
        there.submit("/login", &login).await.leads();
        let change = [("password", PASSWORD), ("new_password", "another long one")];
        here.submit("/settings/password", &change).await.leads();
        here.page("/my").await;
        there.get("/my").await.leads();

        // So does the API's log-out everywhere, and a suspension.
        let client = app.anonymous();
        let body = serde_json::json!({"email": "ann@example.com", "password": "another long one"});
        let token = client.post("/api/auth/login", body).await.expect(200)["access_token"].as_str().unwrap().to_owned();
        let mut client = client;
        client.token = Some(token);
        client.post("/api/auth/logout", serde_json::json!({"everywhere": true})).await.expect(200);
        here.get("/my").await.leads();
    }

    async fn a_new_log_in_ends_the_one_before(app: TestApp) {
        let mut ann = app.member("ann").await;
        let mut old = ann.clone();
        ann.submit("/login", &[("email", "ann@example.com"), ("password", PASSWORD)]).await.leads();
        ann.page("/my").await;
        old.get("/my").await.leads();
        assert_eq!(app.count("logins").await, 1);
    }

    async fn a_log_in_lasts_as_long_as_it_is_used(app: TestApp) {
        let mut ann = app.member("ann").await;
        for _ in 0..4 {
            app.clock.advance(20 * DAY);
            ann.page("/my").await;
        }
        app.clock.advance(31 * DAY);
        ann.get("/my").await.leads();
    }

    async fn a19_a06_cookies_that_are_not_ours(app: TestApp) {
        let mut ann = app.member("ann").await;
        let cookie = ann.cookies[COOKIE].clone();

        // One that was there before the log-in is not gone on with.
        let mut fixed = app.browser();
        fixed.cookies.insert(COOKIE.to_owned(), "A".repeat(43));
        fixed.submit("/login", &[("email", "ann@example.com"), ("password", PASSWORD)]).await.leads();
        assert_ne!(fixed.cookies[COOKIE], "A".repeat(43));
        assert_ne!(fixed.cookies[COOKIE], cookie);

        // Tokens of the API are no cookies, and the cookie is no token.
        let body = serde_json::json!({"email": "ann@example.com", "password": PASSWORD});
        let tokens = app.anonymous().post("/api/auth/login", body).await.expect(200);
        let refresh = tokens["refresh_token"].as_str().unwrap();
        for bad in [tokens["access_token"].as_str().unwrap(), refresh, &refresh[..43], "", &"x".repeat(4_000)] {
            let mut browser = app.browser();
            browser.cookies.insert(COOKIE.to_owned(), bad.to_owned());
            browser.get("/my").await.leads();
        }
        let mut client = app.anonymous();
        client.token = Some(cookie.clone());
        client.get("/api/mypage/profile").await.refused(401, "invalid_token");
        let body = serde_json::json!({"refresh_token": cookie});
        app.anonymous().post("/api/auth/refresh", body).await.refused(401, "invalid_token");
        // Two of the name are none.
        ann.cookies.insert("a".to_owned(), format!("1; {COOKIE}={cookie}"));
        ann.get("/my").await.leads();
    }
}

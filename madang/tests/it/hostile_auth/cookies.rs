//! There are no cookies: none is given, and none is believed.

use axum::{body::Body, http::Method};
use serde_json::json;

use crate::support::{PASSWORD, on_each_database};

on_each_database! {
    async fn a19_no_route_gives_a_cookie_and_none_lets_anybody_in(app: TestApp) {
        let user = app.user("ann").await;
        user.create_feed("feed", &[]).await;
        let token = user.token.clone().unwrap();
        let login = json!({"email": "ann@example.com", "password": PASSWORD});
        let refresh_token = user.post("/api/auth/login", login.clone()).await.expect(200)["refresh_token"].clone();
        let oversize = "x".repeat(16 * 1024);
        for cookie in [
            "session=fixed".to_owned(),
            format!("session={token}"),
            format!("access_token={token}; access_token=other"),
            format!("Authorization=Bearer {token}; authorization=Bearer {token}"),
            format!("refresh_token={}", refresh_token.as_str().unwrap()),
            format!("session={oversize}"),
        ] {
            let headers = [("cookie", cookie.as_str()), ("content-type", "application/json")];
            let anyone = app.anonymous();
            for (method, path) in [
                (Method::GET, "/api/mypage/profile"),
                (Method::DELETE, "/api/feed/delete/1"),
                (Method::PUT, "/api/like/?feed_id=1"),
                (Method::POST, "/api/auth/logout"),
            ] {
                let answer = anyone.request(method, path, &headers, Body::empty()).await;
                answer.refused(401, "not_authenticated");
                assert!(!answer.headers.contains_key("set-cookie"), "{path}");
            }
            // It changes nothing for those who say who they are, or who do not need to.
            for (client, method, path, body) in [
                (&user, Method::GET, "/api/mypage/profile", Body::empty()),
                (&anyone, Method::GET, "/api/feed/list", Body::empty()),
                (&anyone, Method::POST, "/api/auth/login", Body::from(login.to_string())),
                (&anyone, Method::POST, "/api/auth/refresh", Body::from(json!({"refresh_token": "x"}).to_string())),
                (&anyone, Method::GET, "/docs/", Body::empty()),
                (&anyone, Method::GET, "/nowhere", Body::empty()),
            ] {
                let answer = client.request(method, path, &headers, body).await;
                assert!([200, 401, 404].contains(&answer.status.as_u16()), "{path}: {}", answer.status);
                assert!(!answer.headers.contains_key("set-cookie"), "{path}");
            }
        }
    }
}

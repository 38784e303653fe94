//! Which sites' scripts may use the board.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use futures_util::future::join_all;
use madang::metrics;

use crate::support::{Answer, Client, TestApp, on_each_database};

const GOOD: &str = "https://good.example";

async fn ask(client: &Client, method: Method, path: &str, origin: &str) -> Answer {
    client.request(method, path, &[("origin", origin), ("cookie", "session=1")], Body::empty()).await
}

async fn preflight(client: &Client, path: &str, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,content-type,idempotency-key"),
    ];
    client.request(Method::OPTIONS, path, &headers, Body::empty()).await
}

async fn app() -> TestApp {
    TestApp::with(|flags| {
        flags.cors.cors_origins = Some(vec![GOOD.parse().unwrap(), "http://localhost:3000".parse().unwrap()]);
    })
    .await
}

#[tokio::test]
async fn a_configured_site_may_use_the_board() {
    let app = app().await;
    let ann = app.user("ann").await;
    for origin in [GOOD, "http://localhost:3000"] {
        let allowed = preflight(&ann, "/api/feed/update/1", origin).await;
        assert!(allowed.status.is_success() && allowed.body.is_empty());
        assert_eq!(allowed.header("access-control-allow-origin"), origin);
        let (methods, headers) = ("access-control-allow-methods", "access-control-allow-headers");
        assert!(["GET", "POST", "PUT", "PATCH", "DELETE"].iter().all(|m| allowed.header(methods).contains(m)));
        for name in ["authorization", "content-type", "idempotency-key"] {
            assert!(allowed.header(headers).contains(name), "{}", allowed.header(headers));
        }
        assert!(!allowed.header("x-request-id").is_empty());

        // Errors too, or scripts could not tell them from a broken network.
        for (path, status) in
            [("/api/feed/list", 200), ("/api/feed/read/77", 404), ("/nowhere", 404), ("/api/feed/list?skip=x", 422)]
        {
            let answer = ask(&ann, Method::GET, path, origin).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("access-control-allow-origin"), origin, "{path}");
            let exposed = answer.header("access-control-expose-headers").to_ascii_lowercase();
            for name in ["link", "retry-after", "x-request-id", "idempotent-replayed"] {
                assert!(exposed.contains(name), "{exposed}");
            }
            // Caches keep the sites apart.
            assert!(answer.header("vary").contains("origin"), "{}", answer.header("vary"));
            assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        }
    }
}

#[tokio::test]
async fn w10_no_other_site_is_let_in() {
    let app = app().await;
    let ann = app.user("ann").await;
    for origin in [
        "https://evil.example",
        "null",
        "https://good.example.evil.example",
        "https://evilgood.example",
        "https://evil.example/https://good.example",
        "https://good.example:8443",
        "https://good.example/",
        "https://sub.good.example",
        "https://GOOD.example",
        "http://good.example",
        "good.example",
        "*",
        "",
        "https://good.example, https://evil.example",
    ] {
        for answer in [
            ask(&ann, Method::GET, "/api/mypage/profile", origin).await,
            ask(&ann, Method::GET, "/nowhere", origin).await,
            preflight(&ann, "/api/feed/update/1", origin).await,
        ] {
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}: {:?}", answer.headers);
            assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{origin}");
            assert!(!answer.status.is_server_error());
        }
    }
}

on_each_database! {
    async fn w10_by_default_there_are_no_other_sites(app: TestApp) {
        let ann = app.user("ann").await;
        let answer = ask(&ann, Method::GET, "/api/mypage/profile", GOOD).await;
        assert_eq!(answer.status, StatusCode::OK);
        let preflight = preflight(&ann, "/api/feed/list", GOOD).await;
        preflight.refused(405, "method_not_allowed");
        for answer in [answer, preflight] {
            assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{:?}", answer.headers);
        }
    }
}

#[tokio::test]
async fn f36_a_refusal_has_all_that_other_answers_have() {
    let app = app().await;
    let anyone = app.anonymous();
    let answers = join_all((0..1_100).map(|_| ask(&anyone, Method::GET, "/api/feed/list", GOOD))).await;
    let (good, refused): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((good.len(), refused.len()), (1_024, 76));
    for answer in &refused {
        answer.refused(503, "unavailable");
        for (name, value) in [
            ("retry-after", "1"),
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("access-control-allow-origin", GOOD),
        ] {
            assert_eq!(answer.header(name), value);
        }
    }
    // What does no work is answered.
    anyone.get("/healthz").await.expect(200);
    let figures = Client::of(metrics::router(app.app.clone())).get("/metrics").await.text();
    for figure in [
        "http_requests_total{method=\"GET\",route=\"refused\",status=\"503\"} 76",
        "madang_overload_refused_total{lane=\"others\"} 76",
    ] {
        assert!(figures.contains(figure), "{figures}");
    }
}

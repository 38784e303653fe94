//! What Prometheus is told, and that nobody else is told anything.

use axum::http::Method;
use greenlit::args;
use madang::metrics;

use crate::support::{Client, TestApp, on_each_database, pictures};

/// The figures as Prometheus gets them.
async fn figures(app: &TestApp) -> String {
    let prometheus = Client::of(metrics::router(app.app.clone()));
    let answer = prometheus.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    text
}

/// A figure by its name and labels.
#[track_caller]
fn figure(text: &str, name: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

on_each_database! {
    async fn what_happens_is_counted(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("a feed", &[pictures::jpeg(), pictures::png()]).await;
        for _ in 0..3 {
            ann.get(&format!("/api/feed/read/{}", feed["id"])).await.expect(200);
        }
        ann.get("/api/feed/read/987654321").await.expect(404);
        ann.get("/secret-path-987654321").await.expect(404);
        ann.request(Method::from_bytes(b"SECRETMETHOD").unwrap(), "/api/feed/list", &[], axum::body::Body::empty()).await.expect(405);

        let text = figures(&app).await;
        let read = "method=\"GET\",route=\"/api/feed/read/{feed_id}\"";
        assert_eq!(figure(&text, &format!("http_requests_total{{{read},status=\"200\"}}")), 3.0);
        assert_eq!(figure(&text, &format!("http_requests_total{{{read},status=\"404\"}}")), 1.0);
        assert_eq!(figure(&text, &format!("http_request_duration_seconds_count{{{read}}}")), 4.0);
        assert_eq!(figure(&text, "http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}"), 1.0);
        assert_eq!(figure(&text, "http_requests_total{method=\"other\",route=\"/api/feed/list\",status=\"405\"}"), 1.0);
        assert_eq!(figure(&text, "http_requests_in_flight"), 0.0);
        assert_eq!(figure(&text, "madang_images_stored_total"), 2.0);
        assert!(figure(&text, "greenlit_connections_opened_total") >= 1.0);
        let stats = app.app.db.stats();
        assert_eq!(figure(&text, "greenlit_commits_total"), stats.commits as f64);
        assert!(stats.commits >= 2 && figure(&text, "greenlit_statements_total") > 10.0, "{text}");
        for none in ["greenlit_retries_total", "greenlit_sessions_abandoned_total", "greenlit_warnings_total"] {
            assert_eq!(figure(&text, none), 0.0);
        }
        assert!(figure(&text, "greenlit_connection_wait_seconds_total") <= 60.0);
        assert!(figure(&text, "process_resident_memory_bytes") > 1e6);
        assert!(figure(&text, "process_open_fds") > 1.0);
        assert!(figure(&text, "process_cpu_seconds_total") > 0.0);
        // Nobody outside chooses a label.
        assert!(!text.contains("987654321") && !text.contains("SECRET"), "{text}");
    }

    async fn jobs_that_wait_are_counted(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("a feed", &[pictures::png()]).await;
        let counted = async || {
            let text = figures(&app).await;
            (figure(&text, "madang_jobs_due"), figure(&text, "madang_jobs_parked"))
        };
        assert_eq!(counted().await, (0.0, 0.0));
        ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        assert_eq!(counted().await, (1.0, 0.0));
        let park = "update greenlit_outbox set due = ?";
        app.app.db.tx(greenlit::Opts::default(), async |tx| tx.exec(park, args![i64::MAX]).await).await.unwrap();
        assert_eq!(counted().await, (0.0, 1.0));
        let due = "update greenlit_outbox set due = ?";
        app.app.db.tx(greenlit::Opts::default(), async |tx| tx.exec(due, args![0]).await).await.unwrap();
        app.work().await;
        assert_eq!(counted().await, (0.0, 0.0));
    }

    async fn z08_s05_the_public_listener_tells_nothing_of_the_inside(app: TestApp) {
        let anyone = app.anonymous();
        for path in [
            "/metrics", "/metrics/", "/.git/config", "/.git/HEAD", "/.env", "/data.db", "/madang.db", "/backup.sql", "/key",
            "/madang.toml", "/debug", "/debug/pprof", "/server-status", "/admin", "/stats", "/jobs", "/actuator/env",
        ] {
            anyone.get(path).await.refused(404, "not_found");
        }
        for path in ["/", "/docs/", "/api/feed/list", "/nowhere"] {
            let answer = anyone.get(path).await;
            for name in ["server", "x-powered-by", "via"] {
                assert!(!answer.headers.contains_key(name), "{path}: {name}");
            }
            let version = env!("CARGO_PKG_VERSION");
            assert!(!format!("{:?}", answer.headers).contains(version), "{path}: {:?}", answer.headers);
        }
    }
}

#[tokio::test]
async fn the_metrics_listener_answers_nothing_else() {
    let app = TestApp::sqlite().await;
    let prometheus = Client::of(metrics::router(app.app.clone()));
    for path in ["/", "/api/feed/list", "/healthz", "/docs"] {
        assert_eq!(prometheus.get(path).await.status, 404, "{path}");
    }
    assert_eq!(prometheus.delete("/metrics").await.status, 405);
}

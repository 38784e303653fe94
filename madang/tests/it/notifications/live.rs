//! Notifications as they come.

use axum::http::{Method, StatusCode};
use madang::router;
use serde_json::json;

use super::{comment_of, feed_of, follow, people, read};
use crate::support::{TestApp, listen::Listen, on_each_database};

on_each_database! {
    async fn a_stream_tells_what_comes_and_goes_on_where_it_ended(app: TestApp) {
        let (minsu, jiwoo, hana) = people(&app).await;
        let feed = feed_of(&minsu).await;
        let mut stream = Listen::open(&app.router, &minsu, None).await.unwrap();
        let first = stream.next().await.unwrap();
        assert_eq!((first.name.as_str(), first.id, first.data), ("unread", 0, json!({"unread": 0})));
        comment_of(&jiwoo, feed).await;
        app.work().await;
        let events = stream.until_unread(1).await;
        assert_eq!((events[0].name.as_str(), events[0].id), ("notification", 1));
        assert_eq!(events[0].data["actor"]["nickname"], "jiwoo");
        assert_eq!(events[0].data, minsu.get("/api/notification/list").await.expect(200)["notifications"][0]);
        assert_eq!(events[1].id, 1);
        drop(stream);

        // What happened meanwhile, in its order; and nothing twice.
        follow(&hana, &minsu).await;
        app.work().await;
        comment_of(&hana, feed).await;
        app.work().await;
        let mut stream = Listen::open(&app.router, &minsu, Some("1")).await.unwrap();
        let events = stream.until_unread(2).await;
        let told: Vec<_> = events.iter().map(|event| (event.name.as_str(), event.id)).collect();
        assert_eq!(told, [("notification", 2), ("notification", 3), ("unread", 3)]);
        assert_eq!((&events[0].data["kind"], &events[1].data["people"]), (&json!("follow"), &json!(2)));
        // Who knows everything, and who claims to know what is not there, or anything else.
        for last in ["3", "4", "-1", "x", "9223372036854775808"] {
            let mut stream = Listen::open(&app.router, &minsu, Some(last)).await.unwrap();
            assert_eq!(stream.next().await.unwrap().name, "unread", "{last}");
        }
    }

    async fn every_node_hears_of_it_and_every_window_of_what_was_read(app: TestApp) {
        let (minsu, jiwoo, _) = people(&app).await;
        let other = router::router(app.second_node().await);
        let mut here = Listen::open(&app.router, &minsu, None).await.unwrap();
        let mut there = Listen::open(&other, &minsu, None).await.unwrap();
        // A stream begins when it is read.
        for stream in [&mut here, &mut there] {
            stream.until_unread(0).await;
        }
        follow(&jiwoo, &minsu).await;
        app.work().await;
        for stream in [&mut here, &mut there] {
            let events = stream.until_unread(1).await;
            assert!(events.iter().any(|event| event.name == "notification"), "{events:?}");
        }
        assert_eq!(read(&minsu, json!({})).await, 0);
        here.until_unread(0).await;
        there.until_unread(0).await;
    }

    async fn a_stream_ends_with_its_log_in(app: TestApp) {
        let (minsu, jiwoo, hana) = people(&app).await;
        let mut streams = Vec::new();
        for user in [&minsu, &jiwoo, &hana] {
            let mut stream = Listen::open(&app.router, user, None).await.unwrap();
            stream.next().await.unwrap();
            streams.push(stream);
        }
        minsu.post("/api/auth/logout", json!({})).await.expect(200);
        assert_eq!(streams[0].next().await, None);
        let suspend = "update users set suspended_dt = 1 where id = ?";
        let suspend = async |tx: &mut greenlit::Tx| tx.exec(suspend, greenlit::args![jiwoo.id]).await;
        app.app.db.tx(greenlit::Opts::default(), suspend).await.unwrap();
        assert_eq!(streams[1].next().await, None);
        // The other goes on.
        follow(&jiwoo_again(&app).await, &hana).await;
        app.work().await;
        streams[2].until_unread(1).await;
        // And ends when the server does.
        app.app.drain();
        assert_eq!(streams[2].next().await, None);
        assert_eq!(Listen::open(&app.router, &hana, None).await.err(), Some(StatusCode::SERVICE_UNAVAILABLE));
    }
}

async fn jiwoo_again(app: &TestApp) -> crate::support::Client {
    app.user("jiwoo2").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_one_are_few_and_a_closed_one_counts_no_more() {
    let app = TestApp::sqlite().await;
    let (minsu, jiwoo, _) = people(&app).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut stream = Listen::open(&app.router, &minsu, None).await.unwrap();
        stream.next().await.unwrap();
        streams.push(stream);
    }
    let refused = minsu.get("/api/notification/live").await;
    refused.refused(429, "too_many_requests");
    assert_eq!(refused.header("retry-after"), "60");
    assert!(Listen::open(&app.router, &jiwoo, None).await.is_ok(), "others are not held up");
    streams.pop();
    assert!(Listen::open(&app.router, &minsu, None).await.is_ok());
    // However many are told: nobody is held up by one who does not read.
    for _ in 0..30 {
        for method in [Method::PUT, Method::DELETE] {
            jiwoo.bare(method, &format!("/api/follow/{}", minsu.id)).await.expect(200);
            app.work().await;
        }
    }
    follow(&jiwoo, &minsu).await;
    app.work().await;
    for stream in &mut streams {
        stream.until_unread(1).await;
    }
}

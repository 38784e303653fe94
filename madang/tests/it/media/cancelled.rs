//! Requests that are dropped at every point where they wait.

use std::time::Duration;

use axum::http::Method;

use super::{pictures_of, served, update, urls, widths};
use crate::support::{TestApp, dropped_after, form::FormData, on_each_database};

/// Waits for blocking work of dropped requests, and lets what they staged expire.
async fn settle(app: &TestApp) {
    tokio::time::sleep(Duration::from_millis(300)).await;
    app.clock.advance(Duration::from_secs(2 * 60 * 60));
    app.assert_consistent().await;
}

on_each_database! {
    async fn a_create_that_is_dropped_anywhere_is_whole_or_absent(app: TestApp) {
        let ann = app.user("ann").await;
        let mut polls = 0;
        loop {
            let form = FormData::new().text("title", "t").text("content", "c").files("images", &pictures_of(1..=2));
            let ended = dropped_after(polls, ann.form(Method::POST, "/api/feed/create", form)).await;
            if let Some(answer) = ended {
                answer.expect(200);
                break;
            }
            polls += 1;
        }
        assert!(polls > 5);
        settle(&app).await;
        let list = ann.get("/api/feed/list?limit=100").await.expect(200);
        for feed in list["feeds"].as_array().unwrap() {
            assert_eq!(widths(feed), [1, 2]);
            assert_eq!(served(&ann, feed).await, 2);
        }
        assert_eq!(list["pagination"]["total_count"], app.count("feeds").await);
        assert_eq!(app.app.db.stats().warnings, 0);
    }

    async fn an_update_that_is_dropped_anywhere_is_done_or_not(app: TestApp) {
        let ann = app.user("ann").await;
        let mut feed = ann.create_feed("feed", &pictures_of([1, 2])).await;
        let read = format!("/api/feed/read/{}", feed["id"]);
        let mut polls = 0;
        loop {
            let before = widths(&feed);
            let next = before.last().unwrap() + 1;
            let picture = pictures_of([u32::try_from(next).unwrap()]);
            let ended = dropped_after(polls, update(&ann, &feed, &urls(&feed)[..1], &picture)).await;
            // A commit that had begun when the request was dropped ends without it.
            tokio::time::sleep(Duration::from_millis(30)).await;
            feed = ann.get(&read).await.expect(200);
            let done = vec![before[1], next];
            if let Some(answer) = ended {
                answer.expect(200);
                assert_eq!(widths(&feed), done);
                break;
            }
            assert!([before, done].contains(&widths(&feed)), "{feed}");
            polls += 1;
        }
        settle(&app).await;
        assert_eq!(served(&ann, &feed).await, 2);
        assert_eq!(app.app.db.stats().warnings, 0);
    }
}

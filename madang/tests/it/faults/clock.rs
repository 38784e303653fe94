//! The clock jumps.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use crate::support::{Client, PASSWORD, TestApp, on_each_database, pictures};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Everything that a user does; nothing may fail by the server's fault. Returns whether his token was taken.
async fn use_board(app: &TestApp, client: &Client) -> bool {
    let answers = [
        client.get("/api/feed/list").await,
        client.get("/api/mypage/profile").await,
        client.bare(Method::PUT, "/api/like/?feed_id=1").await,
        client.post("/api/comment/create", json!({"content": "c", "feed_id": 1})).await,
        client.post("/api/auth/login", json!({"email": "ann@example.com", "password": PASSWORD})).await,
        client.post("/api/auth/refresh", json!({"refresh_token": "0".repeat(64)})).await,
    ];
    for answer in &answers {
        assert!(answer.status.as_u16() < 500, "{}", answer.text());
    }
    app.work().await;
    answers[1].status == 200
}

/// A new log-in, by the clock as it is.
async fn log_in(app: &TestApp) -> Client {
    let login = json!({"email": "ann@example.com", "password": PASSWORD});
    let login = app.anonymous().post("/api/auth/login", login).await.expect(200);
    let mut client = app.anonymous();
    client.token = login["access_token"].as_str().map(str::to_owned);
    client
}

/// Posts a feed with a picture that needs a thumbnail, and deletes another; the worker must do what there is to do, no
/// more and no less.
async fn assert_works(app: &TestApp) {
    let ann = log_in(app).await;
    let feed = ann.create_feed("jump", &[pictures::noise(700, 6)]).await;
    assert_eq!(app.work().await, 1, "the thumbnail");
    ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
    assert_eq!(app.work().await, 1, "the deletion");
    assert_eq!(app.work().await, 0);
}

/// All feeds by cursors, each of which must be there once.
async fn assert_listed(app: &TestApp, expected: usize) {
    for order in ["create_dt_desc", "create_dt_asc", "update_dt_desc", "update_dt_asc"] {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/feed/list?limit=2&sort_by={order}{cursor}");
            let page = app.anonymous().get(&path).await.expect(200);
            ids.extend(page["feeds"].as_array().unwrap().iter().map(|feed| feed["id"].as_i64().unwrap()));
            match page["pagination"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        ids.sort_unstable();
        assert_eq!(ids, (1..=expected as i64).collect::<Vec<_>>(), "{order}");
    }
}

on_each_database! {
    async fn f21_a_clock_that_jumps_stalls_nothing_and_keeps_no_token_alive(app: TestApp) {
        let ann = app.user("ann").await;
        for _ in 0..2 {
            ann.create_feed("before", &[]).await;
        }
        assert!(use_board(&app, &ann).await);
        // Forward: tokens end when their day is over, and not before.
        app.clock.advance(HOUR);
        assert!(use_board(&app, &ann).await);
        assert_works(&app).await;
        app.clock.advance(23 * HOUR + Duration::from_secs(61));
        assert!(!use_board(&app, &ann).await, "a day is over");
        let later = log_in(&app).await;
        app.clock.turn_back(DAY + Duration::from_secs(61));
        // Back where it was: what was made since then is not of this time.
        assert!(use_board(&app, &ann).await);
        assert!(!use_board(&app, &later).await, "made a day from now");

        for back in [HOUR, DAY, 57 * 366 * DAY] {
            app.clock.turn_back(back);
            assert!(!use_board(&app, &ann).await, "made in the future");
            assert_works(&app).await;
            app.clock.advance(back);
        }
        assert!(app.clock.now().seconds() > 0);
        assert!(use_board(&app, &ann).await);
        ann.create_feed("after", &[]).await;
        let ids = "select id from feeds order by id";
        let ids: Vec<(i64,)> = app.app.db.fetch(ids, vec![]).await.unwrap();
        assert_eq!(ids.len(), 3);
        app.assert_consistent().await;
    }

    async fn f21_feeds_of_a_clock_that_jumped_are_listed_once(app: TestApp) {
        app.user("ann").await;
        let jumps = [Some(HOUR), None, Some(DAY), None, None, Some(57 * 366 * DAY), None];
        for (n, jump) in jumps.into_iter().enumerate() {
            if let Some(back) = jump {
                app.clock.turn_back(back);
            }
            log_in(&app).await.create_feed(&format!("feed {n}"), &[]).await;
        }
        assert_eq!(app.clock.now().seconds(), 0, "before 1970 it stands still");
        assert_listed(&app, jumps.len()).await;
        app.clock.advance(58 * 366 * DAY);
        assert_listed(&app, jumps.len()).await;
    }
}

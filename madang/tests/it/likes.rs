//! Likes of feeds and comments, alone and in crowds.

use std::time::Duration;

use axum::http::Method;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Client, assert_answer, on_each_database};

/// Both things that can be liked, on a board whose only feed has one comment.
const TARGETS: [(&str, &str); 2] = [("feed_id=1", "feed"), ("comment_id=1", "comment")];

/// How many likes the feed or the comment says that it has, and whether this client's is among them.
async fn likes(client: &Client, kind: &str) -> (i64, bool) {
    let seen = match kind {
        "feed" => client.get("/api/feed/read/1").await.expect(200),
        _ => client.get("/api/comment/feed/1").await.expect(200)[0].clone(),
    };
    (seen["like_count"].as_i64().unwrap(), seen["liked"].as_bool().unwrap())
}

on_each_database! {
    async fn likes_are_toggled_set_and_taken_back(app: TestApp) {
        let (minsu, jiwoo, anyone) = (app.user("minsu").await, app.user("jiwoo").await, app.anonymous());
        minsu.create_feed("feed", &[]).await;
        minsu.comment(1, "comment").await;
        for (target, kind) in TARGETS {
            let path = format!("/api/like/?{target}");
            let toggled = jiwoo.bare(Method::PATCH, &path).await;
            assert_answer!(toggled, @r#"
            200
            {
              "message": "Like toggled successfully"
            }
            "#);
            assert_eq!(likes(&jiwoo, kind).await, (1, true));
            assert_eq!(likes(&minsu, kind).await, (1, false));
            assert_eq!(likes(&anyone, kind).await, (1, false));
            assert_eq!(jiwoo.bare(Method::PATCH, &path).await.text(), toggled.text());
            assert_eq!(likes(&jiwoo, kind).await, (0, false));
            // PUT and DELETE say what shall be, however often.
            for _ in 0..3 {
                assert_eq!(jiwoo.bare(Method::PUT, &path).await.expect(200), json!({"liked": true, "like_count": 1}));
            }
            assert_eq!(minsu.bare(Method::PUT, &path).await.expect(200), json!({"liked": true, "like_count": 2}));
            for _ in 0..3 {
                assert_eq!(jiwoo.bare(Method::DELETE, &path).await.expect(200), json!({"liked": false, "like_count": 1}));
            }
            assert_eq!(likes(&minsu, kind).await, (1, true));
        }
        app.assert_consistent().await;
    }

    async fn what_cannot_be_liked(app: TestApp) {
        let minsu = app.user("minsu").await;
        minsu.create_feed("feed", &[]).await;
        let rows = app.rows().await;
        for method in [Method::PATCH, Method::PUT, Method::DELETE] {
            for query in ["", "?", "?feed_id=1&comment_id=1", "?id=1"] {
                let answer = minsu.bare(method.clone(), &format!("/api/like/{query}")).await;
                assert_answer!(answer, @r#"
                400
                {
                  "code": "like_target_missing",
                  "detail": "Either feed_id or comment_id must be provided.",
                  "request_id": "[request_id]"
                }
                "#);
            }
            for (query, status, code) in [("feed_id=7", 404, "feed_not_found"), ("comment_id=7", 404, "comment_not_found")] {
                minsu.bare(method.clone(), &format!("/api/like/?{query}")).await.refused(status, code);
                let anyone = app.anonymous();
                anyone.bare(method.clone(), &format!("/api/like/?{query}")).await.refused(401, "not_authenticated");
            }
            let wrong = minsu.bare(method.clone(), "/api/like/?feed_id=x&comment_id=0").await;
            assert_eq!(wrong.problems(), ["query.feed_id: int_parsing", "query.comment_id: greater_than_equal"]);
            // The other spelling of the slash.
            let answer = minsu.bare(method, "/api/like?feed_id=1").await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "/api/like/?feed_id=1"));
        }
        assert_eq!(app.rows().await, rows);
    }

    async fn a_repeated_toggle_with_a_key_toggles_once(app: TestApp) {
        let minsu = app.user("minsu").await;
        minsu.create_feed("feed", &[]).await;
        let toggle = || minsu.request(Method::PATCH, "/api/like/?feed_id=1", &[("idempotency-key", "k")], "".into());
        for answer in join_all((0..5).map(|_| toggle())).await {
            answer.expect(200);
        }
        assert_eq!(likes(&minsu, "feed").await, (1, true));
        let other = minsu.request(Method::PATCH, "/api/like/?feed_id=2", &[("idempotency-key", "k")], "".into()).await;
        other.refused(422, "idempotency_key_reused");
    }

    async fn z06_a_hundred_clients_of_one_user_toggle_at_once(app: TestApp) {
        let minsu = &app.crowd(1).await[0];
        minsu.create_feed("feed", &[]).await;
        minsu.comment(1, "comment").await;
        for (target, kind) in TARGETS {
            let path = &format!("/api/like/?{target}");
            for odd in [0, 1] {
                for answer in join_all((0..100 + odd).map(|_| minsu.bare(Method::PATCH, path))).await {
                    answer.expect(200);
                }
                assert_eq!(likes(minsu, kind).await, (odd, odd == 1), "{kind}");
            }
            // 51 set it and 50 take it back, as they come; then all of them agree.
            let mixed = (0..101).map(|n| minsu.bare(if n % 2 == 0 { Method::PUT } else { Method::DELETE }, path));
            for answer in join_all(mixed).await {
                let now = answer.expect(200);
                assert_eq!(now["like_count"], i64::from(now["liked"].as_bool().unwrap()), "{now}");
            }
            for (method, count) in [(Method::PUT, 1), (Method::DELETE, 0)] {
                for answer in join_all((0..100).map(|_| minsu.bare(method.clone(), path))).await {
                    assert_eq!(answer.expect(200), json!({"liked": count == 1, "like_count": count}));
                }
            }
            app.assert_consistent().await;
        }
    }

    // For longer, set MADANG_TEST_SECONDS.
    async fn z06_a_hundred_clients_toggle_one_like_for_a_while(app: TestApp) {
        let crowd = &app.crowd(100).await;
        crowd[0].create_feed("feed", &[]).await;
        let seconds = std::env::var("MADANG_TEST_SECONDS").map_or(1, |seconds| seconds.parse().unwrap());
        let end = Instant::now() + Duration::from_secs(seconds);
        let toggle = async |client: &Client| {
            let mut toggles = 0;
            while Instant::now() < end {
                client.bare(Method::PATCH, "/api/like/?feed_id=1").await.expect(200);
                toggles += 1;
            }
            assert_eq!(likes(client, "feed").await.1, toggles % 2 == 1, "after {toggles} toggles");
            toggles
        };
        let toggles: Vec<i64> = join_all(crowd.iter().map(toggle)).await;
        #[allow(clippy::print_stdout)] // what whoever sets the time wants to know
        {
            println!("{} toggles in {seconds} s", toggles.iter().sum::<i64>());
        }
        let liked = toggles.iter().filter(|toggles| *toggles % 2 == 1).count();
        assert_eq!((likes(&crowd[0], "feed").await.0, app.count("feed_likes").await), (liked as i64, liked as i64));
        app.assert_consistent().await;
    }

    async fn z06_a_hundred_users_like_at_once(app: TestApp) {
        let crowd = &app.crowd(100).await;
        crowd[0].create_feed("feed", &[]).await;
        crowd[0].comment(1, "comment").await;
        for (target, kind) in TARGETS {
            let path = &format!("/api/like/?{target}");
            let mut counts: Vec<i64> = join_all(crowd.iter().map(|client| client.bare(Method::PUT, path)))
                .await
                .into_iter()
                .map(|answer| answer.expect(200)["like_count"].as_i64().unwrap())
                .collect();
            // Each was told a count of its own: they came one after another.
            counts.sort_unstable();
            assert_eq!(counts, (1..=100).collect::<Vec<i64>>());
            let half = join_all(crowd.iter().step_by(2).map(|client| client.bare(Method::PATCH, path))).await;
            half.iter().for_each(|answer| drop(answer.expect(200)));
            assert_eq!(likes(&crowd[0], kind).await, (50, false));
            assert_eq!(likes(&crowd[1], kind).await, (50, true));
        }
        app.assert_consistent().await;
        // The feed goes while they like it and its comment.
        let toggles = crowd.iter().flat_map(|client| {
            TARGETS.map(|(target, _)| async move {
                let answer = client.bare(Method::PATCH, &format!("/api/like/?{target}")).await;
                assert!([200, 404].contains(&answer.status.as_u16()), "{}", answer.text());
            })
        });
        let delete = async { crowd[0].delete("/api/feed/delete/1").await.expect(200) };
        tokio::join!(join_all(toggles), delete);
        assert_eq!((app.count("feed_likes").await, app.count("comment_likes").await), (0, 0));
        app.assert_consistent().await;
    }
}

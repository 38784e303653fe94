//! How many statements each request runs: as few as can be, and the same for one row and for a hundred.

use axum::http::Method;

use crate::support::{Client, TestApp, form::FormData, on_each_database, pictures::png};

/// How many statements this request runs, the check of its token included.
async fn cost(app: &TestApp, client: &Client, method: Method, path: &str) -> u64 {
    let before = app.app.db.stats().statements;
    client.bare(method, path).await.expect(200);
    app.app.db.stats().statements - before
}

/// How many statements are run meanwhile.
async fn cost_of<T>(app: &TestApp, request: impl Future<Output = T>) -> (u64, T) {
    let before = app.app.db.stats().statements;
    let done = request.await;
    (app.app.db.stats().statements - before, done)
}

/// What the routes that read cost somebody who is logged in; somebody who is not saves one statement where he may ask.
const READS: [(&str, u64, bool); 14] = [
    ("/api/feed/read/1", 2, true),
    ("/api/feed/list?limit=100", 3, true),
    ("/api/feed/list-by-user?user_id=1&limit=100", 3, true),
    ("/api/feed/list-by-user?nickname=crowd0&limit=100", 4, true),
    ("/api/comment/feed/1?limit=100", 2, true),
    ("/api/feed/timeline?limit=100", 3, false),
    ("/api/user/1", 2, true),
    ("/api/mypage/profile", 1, false),
    ("/api/mypage/feeds?limit=100", 3, false),
    ("/api/mypage/comments?limit=100", 3, false),
    ("/api/mypage/1/followers?limit=100", 3, true),
    ("/api/mypage/1/followings?limit=100", 3, true),
    ("/api/notification/list?limit=100", 5, false),
    ("/api/notification/unread", 2, false),
];

on_each_database! {
    async fn reads_cost_the_same_for_one_row_and_for_a_hundred(app: TestApp) {
        let crowd = app.crowd(101).await;
        let (reader, anyone) = (&crowd[0], app.anonymous());
        let mut rows = 0;
        for target in [1, 100] {
            for n in rows..target {
                reader.create_feed(&n.to_string(), &[png()]).await;
                reader.comment(1, &n.to_string()).await;
                let other = &crowd[n + 1];
                other.create_feed(&n.to_string(), &[png()]).await;
                other.bare(Method::PUT, "/api/follow/1").await.expect(200);
                reader.bare(Method::PUT, &format!("/api/follow/{}", other.id)).await.expect(200);
            }
            rows = target;
            app.work().await;
            for (path, expected, open) in READS {
                assert_eq!(cost(&app, reader, Method::GET, path).await, expected, "{path} with {target} rows");
                if open {
                    assert_eq!(cost(&app, &anyone, Method::GET, path).await, expected - 1, "{path} with {target} rows");
                }
            }
        }
    }

    async fn writes_cost_little(app: TestApp) {
        let crowd = app.crowd(2).await;
        let (minsu, jiwoo) = (&crowd[0], &crowd[1]);
        // The token; the feed, its author's count, the total; and for images: a row each, and one claim.
        let (cost_without, _) = cost_of(&app, minsu.create_feed("no image", &[])).await;
        assert_eq!(cost_without, 4);
        for n in [1, 3, 10] {
            let (cost_with, _) = cost_of(&app, minsu.create_feed("images", &vec![png(); n])).await;
            assert_eq!(cost_with, 5 + n as u64, "{n} images");
        }
        let change = FormData::new().text("title", "t").text("content", "c");
        let update = minsu.form(Method::PATCH, "/api/feed/update/1", change);
        let (cost_of_update, _) = cost_of(&app, update).await;
        // The token; a look before pictures are decoded; the text, the feed as it is now.
        assert_eq!(cost_of_update, 4);

        // The token; the counts of feed and author, the comment, the job that tells of it.
        let (cost_of_comment, comment) = cost_of(&app, jiwoo.comment(1, "comment")).await;
        assert_eq!(cost_of_comment, 5);
        let path = format!("/api/comment/update/{}", comment["id"]);
        let (cost_of_change, _) = cost_of(&app, jiwoo.patch(&path, serde_json::json!({"content": "new"}))).await;
        assert_eq!(cost_of_change, 3);

        for target in ["feed_id=1", "comment_id=1"] {
            let path = format!("/api/like/?{target}");
            // The token; the lock, what is; the like, its count, and the job that tells of it unless it is taken back.
            for (method, expected) in [(Method::PATCH, 6), (Method::PATCH, 5), (Method::PUT, 6)] {
                assert_eq!(cost(&app, jiwoo, method, &path).await, expected, "{target}");
            }
            assert_eq!(cost(&app, jiwoo, Method::PUT, &path).await, 3, "{target}: nothing to do");
            assert_eq!(cost(&app, jiwoo, Method::DELETE, &path).await, 5, "{target}");
        }
        // The token; two locks, what is; the follow, both counts, and the job that tells of it unless it ends.
        let path = format!("/api/follow/{}", minsu.id);
        for (method, expected) in [(Method::PATCH, 7), (Method::PATCH, 6), (Method::PUT, 7)] {
            assert_eq!(cost(&app, jiwoo, method, &path).await, expected);
        }
        assert_eq!(cost(&app, jiwoo, Method::PUT, &path).await, 4);
        assert_eq!(cost(&app, jiwoo, Method::DELETE, &path).await, 6);
        // The token; the comment, its feed's count, its end, its author's count.
        let path = format!("/api/comment/delete/{}", comment["id"]);
        assert_eq!(cost(&app, jiwoo, Method::DELETE, &path).await, 5);
        // The token; the lock, the feed with its images; its comments' authors, its end, its author's count, the total; and
        // for images their rows, and the job that deletes their objects.
        assert_eq!(cost(&app, minsu, Method::DELETE, "/api/feed/delete/1").await, 7);
        assert_eq!(cost(&app, minsu, Method::DELETE, "/api/feed/delete/4").await, 9);
        app.assert_consistent().await;
    }
}

//! Comments: writing, changing, deleting, and their lists.

use std::time::Duration;

use axum::http::Method;
use futures_util::future::join_all;
use greenlit::{Opts, args};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::sleep};

use crate::support::{Answer, Client, TestApp, assert_answer, on_each_database};

/// Comments `0`, `1`, ... of this author on a feed, made at these times and changed at those.
async fn insert(app: &TestApp, feed: i64, author: i64, times: &[(i64, i64)]) {
    let sql = "insert into comments (feed_id, author_id, content, create_dt, update_dt) values (?, ?, ?, ?, ?)";
    let all = async |tx: &mut greenlit::Tx| {
        for (n, (created, updated)) in times.iter().enumerate() {
            tx.insert(sql, args![feed, author, n.to_string(), *created, *updated]).await?;
        }
        let count = i64::try_from(times.len()).unwrap();
        tx.exec("update users set comment_count = comment_count + ? where id = ?", args![count, author]).await?;
        tx.exec("update feeds set comment_count = comment_count + ? where id = ?", args![count, feed]).await?;
        Ok::<_, greenlit::Error>(())
    };
    app.app.db.tx(Opts::default(), all).await.unwrap();
}

fn contents(comments: &Value) -> String {
    comments.as_array().unwrap().iter().map(|c| c["content"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

/// The query of the next page, as `Link` names it: `<?...>; rel="next"`.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link").strip_suffix(">; rel=\"next\"")?;
    Some(link.strip_prefix("<?").unwrap().to_owned())
}

/// The contents of all pages of a feed's comments, by their links.
async fn walk(client: &Client, query: &str) -> String {
    let mut page = client.get(&format!("/api/comment/feed/1?{query}")).await;
    let mut seen = vec![contents(&page.expect(200))];
    while let Some(query) = next(&page) {
        page = client.get(&format!("/api/comment/feed/1?{query}")).await;
        assert_ne!(page.expect(200), json!([]), "an empty page after {query}");
        seen.push(contents(&page.json()));
    }
    seen.join(" ")
}

/// Holds the feed's row until the clock was moved an hour, while somebody comments on it.
async fn comment_while_an_hour_passes(app: &TestApp, client: &Client, feed: i64) -> Value {
    let (locked, moved) = (Notify::new(), Notify::new());
    let hold = async |tx: &mut greenlit::Tx| {
        tx.exec("update feeds set title = title where id = ?", args![feed]).await?;
        locked.notify_one();
        moved.notified().await;
        Ok::<_, greenlit::Error>(())
    };
    let move_clock = async {
        // Long enough for the comment to have come as far as it can.
        sleep(Duration::from_millis(300)).await;
        app.clock.advance(Duration::from_secs(3_600));
        moved.notify_one();
    };
    let comment = async {
        locked.notified().await;
        tokio::join!(client.comment(feed, "waited"), move_clock).0
    };
    let (held, comment) = tokio::join!(app.app.db.tx(Opts::default().attempts(1), hold), comment);
    held.unwrap();
    comment
}

on_each_database! {
    async fn f01_a_comment_that_waited_for_its_feed_stands_behind_what_came_before(app: TestApp) {
        let minsu = app.user("minsu").await;
        let feed = minsu.create_feed("feed", &[]).await["id"].as_i64().unwrap();
        let first = app.clock.now();
        let waited = comment_while_an_hour_passes(&app, &minsu, feed).await;
        let an_hour_later = first.after(Duration::from_secs(3_600)).to_string();
        assert!(waited["create_dt"].as_str().unwrap() >= an_hour_later.as_str(), "{waited} before {an_hour_later}");
    }

    async fn a_comment_is_written_changed_and_deleted(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        minsu.create_feed("feed", &[]).await;
        let created = jiwoo.post("/api/comment/create", json!({"content": "좋아요 👩‍👩‍👧", "feed_id": 1})).await;
        assert_answer!(created, @r#"
        200
        {
          "author_email": "jiwoo@example.com",
          "author_id": 2,
          "author_nickname": "jiwoo",
          "content": "좋아요 👩‍👩‍👧",
          "create_dt": "[create_dt]",
          "feed_id": 1,
          "id": 1,
          "like_count": 0,
          "liked": false,
          "update_dt": "[update_dt]"
        }
        "#);
        let created = created.json();
        assert_eq!(created["create_dt"], created["update_dt"]);
        assert_eq!(jiwoo.get("/api/comment/feed/1").await.expect(200), json!([created]));
        // To others the address is null, the rest the same.
        let mut seen = created.clone();
        seen["author_email"] = Value::Null;
        for client in [&minsu, &app.anonymous()] {
            assert_eq!(client.get("/api/comment/feed/1").await.expect(200), json!([seen]));
            assert_eq!(client.get("/api/feed/read/1").await.expect(200)["comment_count"], 1);
        }

        app.clock.advance(std::time::Duration::from_secs(1));
        let changed = jiwoo.patch("/api/comment/update/1", json!({"content": "changed", "feed_id": 7})).await.expect(200);
        assert_eq!((&changed["content"], &changed["feed_id"]), (&json!("changed"), &json!(1)));
        assert_eq!(changed["create_dt"], created["create_dt"]);
        assert_ne!(changed["update_dt"], created["update_dt"]);
        // Null and an empty text keep what is there, and change nothing at all.
        for body in [json!({"content": null}), json!({"content": ""})] {
            assert_eq!(jiwoo.patch("/api/comment/update/1", body).await.expect(200), changed);
        }

        assert_answer!(jiwoo.delete("/api/comment/delete/1").await, @r#"
        200
        {
          "message": "Comment Deleted"
        }
        "#);
        assert_eq!(minsu.get("/api/feed/read/1").await.expect(200)["comment_count"], 0);
        assert_answer!(jiwoo.delete("/api/comment/delete/1").await, @r#"
        404
        {
          "code": "comment_not_found",
          "detail": "Comment Not Found",
          "request_id": "[request_id]"
        }
        "#);
        // Its id is never used again.
        assert_eq!(minsu.comment(1, "next").await["id"], 2);
        app.assert_consistent().await;
    }

    async fn only_its_author_changes_a_comment(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        minsu.create_feed("feed", &[]).await;
        let comment = jiwoo.comment(1, "jiwoo's").await;
        // Nor does the feed's author.
        minsu.patch("/api/comment/update/1", json!({"content": "mine"})).await.refused(403, "permission_denied");
        minsu.patch("/api/comment/update/1", json!({"content": null})).await.refused(403, "permission_denied");
        minsu.delete("/api/comment/delete/1").await.refused(403, "permission_denied");
        assert_eq!(jiwoo.get("/api/comment/feed/1").await.expect(200), json!([comment]));
        // An administrator deletes, and changes nothing.
        let promote = "update users set is_admin = ? where id = ?";
        app.app.db.tx(Opts::default(), async |tx| tx.exec(promote, args![true, 1]).await).await.unwrap();
        minsu.patch("/api/comment/update/1", json!({"content": "mine"})).await.refused(403, "permission_denied");
        minsu.delete("/api/comment/delete/1").await.expect(200);
        app.assert_consistent().await;
    }

    async fn wrong_comments_are_told(app: TestApp) {
        let minsu = app.user("minsu").await;
        minsu.create_feed("feed", &[]).await;
        minsu.comment(1, "kept").await;
        let rows = app.rows().await;
        for (body, problems) in [
            (json!({}), vec!["body.content: missing", "body.feed_id: missing"]),
            (json!({"content": "", "feed_id": 0}), vec!["body.content: string_too_short", "body.feed_id: greater_than_equal"]),
            (json!({"content": null, "feed_id": null}), vec!["body.content: string_type", "body.feed_id: int_type"]),
            (json!({"content": 7, "feed_id": 1.5}), vec!["body.content: string_type", "body.feed_id: int_from_float"]),
            (json!({"content": "가".repeat(5_001), "feed_id": 1}), vec!["body.content: string_too_long"]),
            (json!({"content": "a\0b", "feed_id": 1}), vec!["body.content: value_error"]),
            (json!([]), vec!["body: model_attributes_type"]),
        ] {
            assert_eq!(minsu.post("/api/comment/create", body).await.problems(), problems);
        }
        for (path, body, problems) in [
            ("1", json!({}), vec!["body.content: missing"]),
            ("x", json!({"content": 7}), vec!["path.comment_id: int_parsing", "body.content: string_type"]),
            ("7", json!({"content": "가".repeat(5_001)}), vec!["body.content: string_too_long"]),
        ] {
            assert_eq!(minsu.patch(&format!("/api/comment/update/{path}"), body).await.problems(), problems);
        }
        minsu.post("/api/comment/create", json!({"content": "c", "feed_id": 7})).await.refused(404, "feed_not_found");
        minsu.patch("/api/comment/update/7", json!({"content": null})).await.refused(404, "comment_not_found");
        // The syntax of the body, then who asks, then the fields.
        let anyone = app.anonymous();
        let broken = anyone.request(Method::POST, "/api/comment/create", &[], "{".into()).await;
        assert_eq!(broken.problems(), ["body.0: json_invalid"]);
        anyone.post("/api/comment/create", json!({})).await.refused(401, "not_authenticated");
        anyone.patch("/api/comment/update/x", json!({})).await.refused(401, "not_authenticated");
        assert_eq!(app.rows().await, rows);
        minsu.comment(1, &"👩".repeat(5_000)).await;
        app.assert_consistent().await;
    }

    async fn every_order_by_skip_and_by_cursor(app: TestApp) {
        let minsu = app.user("minsu").await;
        minsu.create_feed("feed", &[]).await;
        minsu.create_feed("another", &[]).await;
        let times = [(5, 9), (5, 1), (-7, 1), (5, 1), (5, 9), (i64::MAX, 1), (i64::MIN, 0)];
        insert(&app, 1, minsu.id, &times).await;
        insert(&app, 2, minsu.id, &[(5, 5); 3]).await;
        for (query, expected) in [
            ("limit=2&sort_by=create_dt_desc", "5 4 3 1 0 2 6"),
            ("limit=2", "5 4 3 1 0 2 6"),
            ("limit=2&sort_by=create_dt_asc", "6 2 0 1 3 4 5"),
            ("limit=7&sort_by=create_dt_asc", "6 2 0 1 3 4 5"),
            ("", "5 4 3 1 0 2 6"),
        ] {
            assert_eq!(walk(&minsu, query).await, expected, "{query}");
            let skipped = minsu.get(&format!("/api/comment/feed/1?{query}&limit=3&skip=2")).await.expect(200);
            let rest: Vec<&str> = expected.split(' ').skip(2).take(3).collect();
            assert_eq!(contents(&skipped), rest.join(" "), "{query}");
        }
        assert_eq!(minsu.get("/api/comment/feed/1?skip=7").await.expect(200), json!([]));
        // A feed that is not there has none.
        let missing = minsu.get("/api/comment/feed/99").await;
        assert_eq!((missing.text().as_str(), missing.header("link")), ("[]", ""));
        for (query, problem) in [
            ("sort_by=update_dt_desc", "query.sort_by: enum"),
            ("sort_by=id", "query.sort_by: enum"),
            ("limit=101", "query.limit: less_than_equal"),
            ("skip=-1", "query.skip: greater_than_equal"),
            ("cursor=x", "query.cursor: value_error"),
        ] {
            assert_eq!(minsu.get(&format!("/api/comment/feed/1?{query}")).await.problems(), [problem]);
        }
    }

    async fn a_hundred_write_and_delete_at_once(app: TestApp) {
        let crowd = app.crowd(20).await;
        crowd[0].create_feed("one", &[]).await;
        crowd[0].create_feed("two", &[]).await;
        let all = (0..100).map(|n| {
            let (client, other) = (&crowd[n % 20], &crowd[(n + 1) % 20]);
            async move {
                let comment = client.comment(1 + n as i64 % 2, "comment").await;
                let path = format!("/api/comment/delete/{}", comment["id"]);
                other.delete(&path).await.refused(403, "permission_denied");
                if n % 3 > 0 {
                    // Two at once: one deletes it, the other comes too late.
                    let (a, b) = tokio::join!(client.delete(&path), client.delete(&path));
                    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
                    statuses.sort_unstable();
                    assert_eq!(statuses, [200, 404], "{} {}", a.text(), b.text());
                }
            }
        });
        join_all(all).await;
        assert_eq!(app.count("comments").await, 34);
        app.assert_consistent().await;
        // A feed goes while people comment on it: they are told, and nothing of theirs is left.
        let comments = crowd.iter().map(|client| async {
            let answer = client.post("/api/comment/create", json!({"content": "late", "feed_id": 1})).await;
            assert!([200, 404].contains(&answer.status.as_u16()), "{}", answer.text());
        });
        let deletes = [1, 2].map(|id| {
            let author = &crowd[0];
            async move { author.delete(&format!("/api/feed/delete/{id}")).await.expect(200) }
        });
        tokio::join!(join_all(comments), join_all(deletes));
        assert_eq!(app.count("comments").await, 0);
        app.assert_consistent().await;
    }
}

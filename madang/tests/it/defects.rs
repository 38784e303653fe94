//! What the board before this one did wrong, tried on this one. Others of its defects have their tests where their subject
//! is: uploads, log-ins, the start of the server.

use std::collections::BTreeSet;

use axum::http::Method;
use futures_util::future::join_all;
use greenlit::{Opts, args};
use serde_json::json;

use crate::support::{Client, form::FormData, on_each_database, pictures::png};

async fn total(client: &Client, path: &str) -> i64 {
    let page = client.get(path).await.expect(200);
    page["pagination"]["total_count"].as_i64().or(page["total_count"].as_i64()).unwrap()
}

on_each_database! {
    async fn defect_01_comments_of_a_deleted_feed_go_with_it(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        minsu.create_feed("feed", &[]).await;
        minsu.create_feed("kept", &[]).await;
        for client in [&minsu, &jiwoo, &jiwoo] {
            client.comment(1, "comment").await;
        }
        let kept = jiwoo.comment(2, "kept").await;
        minsu.delete("/api/feed/delete/1").await.expect(200);
        assert_eq!(minsu.get("/api/mypage/comments").await.expect(200)["comments"], json!([]));
        assert_eq!(jiwoo.get("/api/mypage/comments").await.expect(200)["comments"], json!([kept]));
        assert_eq!(minsu.get("/api/comment/feed/1").await.expect(200), json!([]));
        assert_eq!(total(&jiwoo, "/api/mypage/comments").await, 1);
        app.assert_consistent().await;
    }

    async fn defect_02_likes_of_what_is_deleted_go_with_it(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        for id in 1..=2 {
            minsu.create_feed("feed", &[]).await;
            minsu.comment(id, "comment").await;
            for client in [&minsu, &jiwoo] {
                client.bare(Method::PATCH, &format!("/api/like/?feed_id={id}")).await.expect(200);
                client.bare(Method::PATCH, &format!("/api/like/?comment_id={id}")).await.expect(200);
            }
        }
        minsu.delete("/api/comment/delete/1").await.expect(200);
        assert_eq!((app.count("feed_likes").await, app.count("comment_likes").await), (4, 2));
        minsu.delete("/api/feed/delete/2").await.expect(200);
        assert_eq!((app.count("feed_likes").await, app.count("comment_likes").await), (2, 0));
        app.assert_consistent().await;
    }

    async fn defect_03_concurrent_toggles_never_fail_nor_stick(app: TestApp) {
        let crowd = app.crowd(2).await;
        crowd[0].create_feed("feed", &[]).await;
        for (path, table) in [("/api/like/?feed_id=1", "feed_likes"), ("/api/follow/2", "follows")] {
            for answer in join_all((0..20).map(|_| crowd[0].bare(Method::PATCH, path))).await {
                answer.expect(200);
            }
            assert_eq!(app.count(table).await, 0, "{path}: an even number of toggles");
            crowd[0].bare(Method::PATCH, path).await.expect(200);
            assert_eq!(app.count(table).await, 1, "{path}: and one more");
        }
        app.assert_consistent().await;
    }

    async fn defect_05_totals_count_what_is_listed(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        for _ in 0..3 {
            minsu.create_feed("minsu's", &[]).await;
            minsu.comment(1, "minsu's").await;
        }
        jiwoo.create_feed("jiwoo's", &[]).await;
        jiwoo.comment(1, "jiwoo's").await;
        jiwoo.bare(Method::PATCH, "/api/follow/1").await.expect(200);
        for (client, path, expected) in [
            (&jiwoo, "/api/feed/list-by-user?user_id=1", 3),
            (&jiwoo, "/api/feed/list-by-user?nickname=jiwoo", 1),
            (&jiwoo, "/api/feed/list-by-user?email=jiwoo@example.com", 1),
            (&minsu, "/api/mypage/feeds", 3),
            (&minsu, "/api/mypage/comments", 3),
            (&jiwoo, "/api/mypage/feeds", 1),
            (&jiwoo, "/api/mypage/comments", 1),
            (&jiwoo, "/api/mypage/1/followers", 1),
            (&jiwoo, "/api/mypage/2/followers", 0),
            (&jiwoo, "/api/mypage/2/followings", 1),
            (&jiwoo, "/api/feed/list", 4),
        ] {
            assert_eq!(total(client, path).await, expected, "{path}");
        }
    }

    async fn defect_06_a_feed_without_images_is_one_like_another(app: TestApp) {
        let minsu = app.user("minsu").await;
        let feed = minsu.create_feed("no images", &[]).await;
        assert_eq!((&feed["image_urls"], &feed["images"]), (&json!([]), &json!([])));
        assert_eq!(feed["update_dt"], feed["create_dt"]);
        minsu.create_feed("images", &[png()]).await;
        for order in ["create_dt_desc", "update_dt_desc"] {
            minsu.get(&format!("/api/feed/list?sort_by={order}")).await.expect(200);
            minsu.get(&format!("/api/mypage/feeds?sort_by={order}")).await.expect(200);
        }
        let form = FormData::new().text("title", "t").text("content", "c");
        assert_eq!(minsu.form(Method::PATCH, "/api/feed/update/1", form).await.expect(200)["image_urls"], json!([]));
        for id in 1..=2 {
            minsu.delete(&format!("/api/feed/delete/{id}")).await.expect(200);
        }
        app.assert_consistent().await;
    }

    async fn defect_09_pages_are_bounded_and_read_by_an_index(app: TestApp) {
        let minsu = app.user("minsu").await;
        let feed = "insert into feeds (author_id, title, content, create_dt, update_dt) values (1, 't', 'c', ?, ?)";
        let comment = "insert into comments (feed_id, author_id, content, create_dt, update_dt) values (?, 1, 'c', ?, ?)";
        let all = async |tx: &mut greenlit::Tx| {
            for n in 1..=300 {
                tx.exec(feed, args![n, n]).await?;
                tx.exec(comment, args![1, n, n]).await?;
            }
            Ok::<_, greenlit::Error>(())
        };
        app.app.db.tx(Opts::default(), all).await.unwrap();
        // Statements do not grow with the rows: see `budgets`. No list is longer than a hundred, whatever is asked for.
        for path in [
            "/api/feed/list",
            "/api/feed/list-by-user?user_id=1",
            "/api/comment/feed/1",
            "/api/feed/timeline",
            "/api/mypage/feeds",
            "/api/mypage/comments",
            "/api/mypage/1/followers",
            "/api/mypage/1/followings",
        ] {
            let and = if path.contains('?') { '&' } else { '?' };
            assert_eq!(minsu.get(&format!("{path}{and}limit=101")).await.problems(), ["query.limit: less_than_equal"]);
            assert_eq!(minsu.get(&format!("{path}{and}limit=1000000")).await.problems(), ["query.limit: less_than_equal"]);
            let page = minsu.get(&format!("{path}{and}limit=100")).await.expect(200);
            let rows = page.as_array().or(page["feeds"].as_array()).or(page["comments"].as_array());
            assert!(rows.is_none_or(|rows| rows.len() <= 100), "{path}");
        }
    }

    async fn defect_04_every_image_of_concurrent_updates_is_kept(app: TestApp) {
        let minsu = app.user("minsu").await;
        minsu.create_feed("feed", &[]).await;
        let updates = (0..5).map(|_| {
            let form = FormData::new().text("title", "t").text("content", "c").files("new_images", &[png()]);
            minsu.form(Method::PATCH, "/api/feed/update/1", form)
        });
        for answer in join_all(updates).await {
            answer.expect(200);
        }
        let feed = minsu.get("/api/feed/read/1").await.expect(200);
        let urls: BTreeSet<&str> = feed["image_urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap()).collect();
        assert_eq!(urls.len(), 5);
        app.assert_consistent().await; // five rows, five objects
    }

    async fn defect_08_a_title_that_no_index_could_take(app: TestApp) {
        let minsu = app.user("minsu").await;
        // Characters of four bytes that no compression makes shorter.
        let text = |length: u32| (0..length).map(|n| char::from_u32(0x20000 + n * 7_919 % 40_000).unwrap()).collect::<String>();
        let create = async |title: String| {
            let form = FormData::new().text("title", &title).text("content", "c");
            minsu.form(Method::POST, "/api/feed/create", form).await
        };
        assert_eq!(create(text(200)).await.expect(200)["title"], text(200));
        assert_eq!(create(text(3_000)).await.problems(), ["body.title: string_too_long"]);
        assert_eq!(app.count("feeds").await, 1);
    }

    async fn defect_17_a_long_list_is_read_to_its_end_by_cursor(app: TestApp) {
        app.crowd(1).await;
        let feed = "insert into feeds (author_id, title, content, create_dt, update_dt) values (1, 't', 'c', ?, ?)";
        let all = async |tx: &mut greenlit::Tx| {
            for n in 1..=2_000 {
                tx.exec(feed, args![n, n]).await?;
            }
            Ok::<_, greenlit::Error>(())
        };
        app.app.db.tx(Opts::default(), all).await.unwrap();
        // By cursor to the end, without a row twice or left out; the total is kept, not counted.
        let (anyone, mut seen, mut cursor) = (app.anonymous(), BTreeSet::new(), String::new());
        loop {
            let page = anyone.get(&format!("/api/feed/list?limit=100{cursor}")).await.expect(200);
            let feeds = page["feeds"].as_array().unwrap();
            assert!(feeds.iter().all(|feed| seen.insert(feed["id"].as_i64().unwrap())));
            let Some(next) = page["pagination"]["next_cursor"].as_str() else { break };
            assert_eq!(feeds.len(), 100);
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen.len(), 2_000);
        let beyond = anyone.get("/api/feed/list?skip=9223372036854775807").await.expect(200);
        assert_eq!(beyond["feeds"], json!([]));
    }
}

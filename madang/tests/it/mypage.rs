//! One's own feeds and comments.

use greenlit::{Opts, args};
use serde_json::{Value, json};

use crate::support::{Client, on_each_database, pictures::png};

fn ids(page: &Value, list: &str) -> Vec<i64> {
    page[list].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// The ids of all pages, by cursor.
async fn walk(client: &Client, list: &str, order: &str) -> Vec<i64> {
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = client.get(&format!("/api/mypage/{list}?limit=2&sort_by={order}{cursor}")).await.expect(200);
        assert_eq!(page["pagination"]["total_count"], 5);
        seen.extend(ids(&page, list));
        let Some(next) = page["pagination"]["next_cursor"].as_str() else { return seen };
        cursor = format!("&cursor={next}");
    }
}

on_each_database! {
    async fn own_feeds_and_comments(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        for list in ["feeds", "comments"] {
            let empty = minsu.get(&format!("/api/mypage/{list}")).await.expect(200);
            let pagination =
                json!({"current_page": 1, "total_pages": 0, "is_last_page": true, "total_count": 0, "next_cursor": null});
            assert_eq!(empty, json!({list: [], "pagination": pagination}));
            app.anonymous().get(&format!("/api/mypage/{list}")).await.refused(401, "not_authenticated");
        }
        let feed = minsu.create_feed("minsu's", &[png()]).await;
        jiwoo.create_feed("jiwoo's", &[]).await;
        jiwoo.comment(1, "jiwoo's").await;
        let comment = minsu.comment(2, "minsu's").await;
        let numbers =
            json!({"current_page": 1, "total_pages": 1, "is_last_page": true, "total_count": 1, "next_cursor": null});
        let mut feed = feed;
        feed["comment_count"] = json!(1);
        assert_eq!(minsu.get("/api/mypage/feeds").await.expect(200), json!({"feeds": [feed], "pagination": numbers}));
        assert_eq!(minsu.get("/api/mypage/comments").await.expect(200), json!({"comments": [comment], "pagination": numbers}));
        assert_eq!(comment["author_email"], "minsu@example.com");
        app.assert_consistent().await;
    }

    async fn every_order_by_skip_and_by_cursor(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        for n in 0..5 {
            minsu.create_feed(&n.to_string(), &[]).await;
            minsu.comment(1, &n.to_string()).await;
            jiwoo.create_feed("other", &[]).await;
            jiwoo.comment(1, "other").await;
        }
        for table in ["feeds", "comments"] {
            let sql = format!("update {table} set create_dt = ?, update_dt = ? where id = ?");
            let times = [(5, 1), (5, 2), (4, 2), (5, 1), (6, 2)];
            let all = async |tx: &mut greenlit::Tx| {
                for (n, (created, updated)) in (0..).zip(times) {
                    tx.exec(&sql, args![created, updated, 1 + 2 * n]).await?;
                }
                Ok::<_, greenlit::Error>(())
            };
            app.app.db.tx(Opts::default(), all).await.unwrap();
            for (order, expected) in [
                ("create_dt_desc", [9, 7, 3, 1, 5]),
                ("create_dt_asc", [5, 1, 3, 7, 9]),
                ("update_dt_desc", [9, 5, 3, 7, 1]),
                ("update_dt_asc", [1, 7, 3, 5, 9]),
            ] {
                assert_eq!(walk(&minsu, table, order).await, expected, "{table} {order}");
                let page = minsu.get(&format!("/api/mypage/{table}?skip=1&limit=3&sort_by={order}")).await.expect(200);
                assert_eq!(ids(&page, table), expected[1..4], "{table} {order}");
            }
            let page = minsu.get(&format!("/api/mypage/{table}?skip=5")).await.expect(200);
            assert_eq!((ids(&page, table), &page["pagination"]["total_count"]), (vec![], &json!(5)));
            let page = minsu.get(&format!("/api/mypage/{table}?limit=1")).await.expect(200);
            let next = page["pagination"]["next_cursor"].as_str().unwrap();
            for (client, query, problem) in [
                (&minsu, "sort_by=id_desc".to_owned(), "query.sort_by: enum"),
                (&minsu, "limit=101".to_owned(), "query.limit: less_than_equal"),
                (&minsu, format!("cursor={next}&skip=1"), "query.cursor: value_error"),
                (&minsu, format!("cursor={next}&sort_by=create_dt_asc"), "query.cursor: value_error"),
                (&jiwoo, format!("cursor={next}"), "query.cursor: value_error"),
            ] {
                let answer = client.get(&format!("/api/mypage/{table}?{query}")).await;
                assert_eq!(answer.problems(), [problem], "{table} {query}");
            }
        }
    }
}

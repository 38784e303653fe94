//! Lists of feeds: their orders, pages and cursors.

use greenlit::{Opts, args};
use serde_json::Value;

use crate::support::{Client, TestApp, assert_answer, on_each_database};

/// Feeds with the titles `0`, `1`, ... of this author, made at these times and changed at those.
async fn insert(app: &TestApp, author: i64, times: &[(i64, i64)]) {
    let sql = "insert into feeds (author_id, title, content, create_dt, update_dt) values (?, ?, ?, ?, ?)";
    let all = async |tx: &mut greenlit::Tx| {
        for (n, (created, updated)) in times.iter().enumerate() {
            tx.insert(sql, args![author, n.to_string(), "content", *created, *updated]).await?;
        }
        let count = i64::try_from(times.len()).unwrap();
        tx.exec("update users set feed_count = feed_count + ? where id = ?", args![count, author]).await?;
        tx.exec("insert into totals (name, delta) values ('feeds', ?)", args![count]).await?;
        Ok::<_, greenlit::Error>(())
    };
    app.app.db.tx(Opts::default(), all).await.unwrap();
}

fn titles(page: &Value) -> String {
    page["feeds"].as_array().unwrap().iter().map(|feed| feed["title"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

fn cursor(page: &Value) -> Option<String> {
    let next = page.get("pagination").unwrap_or(page).get("next_cursor").expect("every page has next_cursor");
    next.as_str().map(str::to_owned)
}

/// The titles of all pages, by cursor.
async fn walk(client: &Client, path: &str) -> String {
    let mut page = client.get(path).await.expect(200);
    let mut seen = vec![titles(&page)];
    while let Some(next) = cursor(&page) {
        page = client.get(&format!("{path}&cursor={next}")).await.expect(200);
        assert_ne!(titles(&page), "", "an empty page after {next}");
        seen.push(titles(&page));
    }
    seen.join(" ")
}

/// The titles of all pages, by skip.
async fn leaf(client: &Client, path: &str, limit: usize, total: usize) -> String {
    let mut seen = Vec::new();
    for skip in (0..total).step_by(limit) {
        seen.push(titles(&client.get(&format!("{path}&skip={skip}")).await.expect(200)));
    }
    seen.join(" ")
}

on_each_database! {
    async fn the_list_of_feeds(app: TestApp) {
        let anyone = app.anonymous();
        assert_answer!(anyone.get("/api/feed/list").await, @r#"
        200
        {
          "feeds": [],
          "pagination": {
            "current_page": 1,
            "is_last_page": true,
            "next_cursor": null,
            "total_count": 0,
            "total_pages": 0
          }
        }
        "#);
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        minsu.create_feed("minsu's", &[]).await;
        jiwoo.create_feed("jiwoo's", &[]).await;
        assert_answer!(minsu.get("/api/feed/list?limit=2&unknown=x").await, @r#"
        200
        {
          "feeds": [
            {
              "author_email": null,
              "author_id": 2,
              "author_nickname": "jiwoo",
              "comment_count": 0,
              "content": "content",
              "create_dt": "[create_dt]",
              "id": 2,
              "image_urls": [],
              "images": [],
              "like_count": 0,
              "liked": false,
              "title": "jiwoo's",
              "update_dt": "[update_dt]"
            },
            {
              "author_email": "minsu@example.com",
              "author_id": 1,
              "author_nickname": "minsu",
              "comment_count": 0,
              "content": "content",
              "create_dt": "[create_dt]",
              "id": 1,
              "image_urls": [],
              "images": [],
              "like_count": 0,
              "liked": false,
              "title": "minsu's",
              "update_dt": "[update_dt]"
            }
          ],
          "pagination": {
            "current_page": 1,
            "is_last_page": true,
            "next_cursor": null,
            "total_count": 2,
            "total_pages": 1
          }
        }
        "#);
    }

    async fn every_order_by_skip_and_by_cursor(app: TestApp) {
        let minsu = app.user("minsu").await;
        // Ties within pages and across their edges, times before 1970, and the largest there are.
        let times = [(5, 9), (5, 1), (-7, 1), (5, 1), (5, 9), (i64::MAX, 1), (-7, 0)];
        insert(&app, minsu.id, &times).await;
        insert(&app, app.user("jiwoo").await.id, &[]).await;
        let all = "/api/feed/list?limit=2&sort_by=".to_owned();
        let own = format!("/api/feed/list-by-user?user_id={}&limit=2&sort_by=", minsu.id);
        for (path, order, expected) in [
            (&all, "create_dt_desc", "5 4 3 1 0 6 2"),
            (&all, "create_dt_asc", "2 6 0 1 3 4 5"),
            (&all, "update_dt_desc", "4 0 5 3 2 1 6"),
            (&all, "update_dt_asc", "6 1 2 3 5 0 4"),
            (&own, "create_dt_desc", "5 4 3 1 0 6 2"),
            (&own, "create_dt_asc", "2 6 0 1 3 4 5"),
            (&own, "id_desc", "6 5 4 3 2 1 0"),
            (&own, "id_asc", "0 1 2 3 4 5 6"),
        ] {
            let path = format!("{path}{order}");
            assert_eq!(walk(&minsu, &path).await, expected, "{path}");
            assert_eq!(leaf(&minsu, &path, 2, times.len()).await, expected, "{path}");
        }
        // The defaults.
        assert_eq!(titles(&minsu.get("/api/feed/list").await.expect(200)), "5 4 3 1 0 6 2");
        assert_eq!(titles(&minsu.get("/api/feed/list-by-user?user_id=1").await.expect(200)), "6 5 4 3 2 1 0");
        // Of a repeated parameter the last counts.
        let path = "/api/feed/list?limit=5&sort_by=create_dt_desc&limit=1&sort_by=create_dt_asc";
        assert_eq!(titles(&minsu.get(path).await.expect(200)), "2");
    }

    async fn pages_are_counted(app: TestApp) {
        let minsu = app.user("minsu").await;
        insert(&app, minsu.id, &[(1, 1); 12]).await;
        for (query, shown, current, pages, last) in [
            ("", 10, 1, 2, false),
            ("?skip=10", 2, 2, 2, true),
            ("?limit=5", 5, 1, 3, false),
            ("?skip=5&limit=5", 5, 2, 3, false),
            ("?skip=7&limit=5", 5, 2, 3, true),
            ("?limit=12", 12, 1, 1, true),
            ("?limit=100", 12, 1, 1, true),
            ("?skip=12", 0, 2, 2, true),
            ("?skip=9223372036854775807&limit=1", 0, i64::MAX, 12, true),
        ] {
            let page = minsu.get(&format!("/api/feed/list{query}")).await.expect(200);
            assert_eq!(page["feeds"].as_array().unwrap().len(), shown, "{query}");
            let numbers = &page["pagination"];
            assert_eq!(numbers["current_page"], current, "{query}");
            assert_eq!(numbers["total_pages"], pages, "{query}");
            assert_eq!(numbers["is_last_page"], last, "{query}");
            assert_eq!(numbers["total_count"], 12, "{query}");
            assert_eq!(cursor(&page).is_none(), last, "{query}");
        }
    }

    async fn a_cursor_is_good_for_its_list_alone(app: TestApp) {
        let minsu = app.user("minsu").await;
        insert(&app, minsu.id, &[(1, 1); 3]).await;
        let page = minsu.get("/api/feed/list?limit=1").await.expect(200);
        let next = cursor(&page).unwrap();
        for query in [
            format!("list?skip=0&cursor={next}"),
            format!("list?sort_by=create_dt_asc&cursor={next}"),
            format!("list-by-user?user_id=1&cursor={next}"),
            format!("list?cursor={}", "A".repeat(150)),
            "list?cursor=1%20or%201=1".to_owned(),
        ] {
            let answer = minsu.get(&format!("/api/feed/{query}")).await;
            assert_eq!(answer.problems(), ["query.cursor: value_error"], "{query}");
        }
        let long = minsu.get(&format!("/api/feed/list?cursor={}", "A".repeat(10_000))).await;
        assert_eq!(long.problems(), ["query.cursor: string_too_long"]);
        // Rows that come or go between two pages move nothing.
        insert(&app, minsu.id, &[(2, 2)]).await;
        minsu.delete("/api/feed/delete/3").await.expect(200);
        let page = minsu.get(&format!("/api/feed/list?cursor={next}")).await.expect(200);
        assert_eq!(titles(&page), "1 0");
    }

    async fn feeds_of_one_user(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        insert(&app, minsu.id, &[(1, 1); 3]).await;
        insert(&app, jiwoo.id, &[(1, 1); 2]).await;
        let list = async |client: &Client, query: &str| {
            let page = client.get(&format!("/api/feed/list-by-user?{query}")).await.expect(200);
            (page["total_count"].as_i64().unwrap(), titles(&page))
        };
        let (minsus, nobodys) = ((3, "2 1 0".to_owned()), (0, String::new()));
        for query in ["user_id=1", "nickname=minsu", "nickname=MINSU", "user_id=1&nickname=jiwoo&email=jiwoo@example.com"]
        {
            assert_eq!(list(&jiwoo, query).await, minsus, "{query}");
            assert_eq!(list(&app.anonymous(), query).await, minsus, "{query}");
        }
        assert_eq!(list(&jiwoo, "nickname=jiwoo&email=minsu@example.com").await, (2, "1 0".to_owned()));
        assert_eq!(list(&jiwoo, "user_id=1&limit=1&skip=1").await, (3, "1".to_owned()));
        // An address is its owner's affair: beside administrators it finds him for nobody else.
        assert_eq!(list(&minsu, "email=Minsu@example.com").await, minsus);
        for (client, query) in [
            (&jiwoo, "email=minsu@example.com"),
            (&app.anonymous(), "email=minsu@example.com"),
            (&minsu, "user_id=99"),
            (&minsu, "nickname=nobody"),
            (&minsu, "nickname="),
            (&minsu, "email=no-address"),
        ] {
            assert_eq!(list(client, query).await, nobodys, "{query}");
        }
        let admin = app.user("admin").await;
        let make = async |tx: &mut greenlit::Tx| tx.exec("update users set is_admin = ? where id = ?", args![true, admin.id]).await;
        app.app.db.tx(Opts::default(), make).await.unwrap();
        assert_eq!(list(&admin, "email=Minsu@example.com").await, minsus);
        assert_eq!(list(&admin, "email=nobody@example.com").await, nobodys);
        assert_answer!(minsu.get("/api/feed/list-by-user?user_id=99").await, @r#"
        200
        {
          "feeds": [],
          "next_cursor": null,
          "total_count": 0
        }
        "#);
        for query in ["", "?skip=0&userid=1"] {
            let answer = minsu.get(&format!("/api/feed/list-by-user{query}")).await;
            assert_answer!(answer, @r#"
                400
                {
                  "code": "user_criterion_missing",
                  "detail": "Either user_id, nickname, or email must be provided",
                  "request_id": "[request_id]"
                }
                "#);
        }
        let wrong = minsu.get("/api/feed/list-by-user?user_id=x&limit=0").await;
        assert_eq!(wrong.problems(), ["query.user_id: int_parsing", "query.limit: greater_than_equal"]);
    }
}

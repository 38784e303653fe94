//! The timeline: the feeds of those whom one follows.

use greenlit::{Opts, args};
use serde_json::{Value, json};

use super::{follow, sql};
use crate::support::{Client, TestApp, on_each_database, pictures::png};

fn ids(page: &Value) -> Vec<i64> {
    page["feeds"].as_array().unwrap().iter().map(|feed| feed["id"].as_i64().unwrap()).collect()
}

/// The ids of all pages.
async fn walk(client: &Client, limit: usize) -> Vec<i64> {
    let (mut query, mut seen) = (format!("limit={limit}"), Vec::new());
    loop {
        let page = client.get(&format!("/api/feed/timeline?{query}")).await.expect(200);
        seen.extend(ids(&page));
        let Some(next) = page["pagination"]["next_cursor"].as_str() else { return seen };
        assert_eq!(ids(&page).len(), limit, "a short page that is not the last");
        query = format!("limit={limit}&cursor={next}");
    }
}

/// Feeds of these authors, one after another; returns their ids.
async fn insert(app: &TestApp, authors: &[i64]) -> Vec<i64> {
    let feed = "insert into feeds (author_id, title, content, create_dt, update_dt) values (?, 't', 'c', 1, 1)";
    let all = async |tx: &mut greenlit::Tx| {
        let mut ids = Vec::new();
        for author in authors {
            ids.push(tx.insert(feed, args![*author]).await?);
            tx.exec("update users set feed_count = feed_count + 1 where id = ?", args![*author]).await?;
        }
        let count = i64::try_from(authors.len()).unwrap();
        tx.exec("insert into totals (name, delta) values ('feeds', ?)", args![count]).await?;
        Ok::<_, greenlit::Error>(ids)
    };
    app.app.db.tx(Opts::default(), all).await.unwrap()
}

on_each_database! {
    async fn the_timeline_has_the_feeds_of_those_one_follows(app: TestApp) {
        let (minsu, jiwoo, hana) = (app.user("minsu").await, app.user("jiwoo").await, app.user("hana").await);
        let empty = json!({"feeds": [], "pagination": {"next_cursor": null}});
        assert_eq!(minsu.get("/api/feed/timeline").await.expect(200), empty);
        follow(&minsu, jiwoo.id).await;
        assert_eq!(minsu.get("/api/feed/timeline").await.expect(200), empty);
        minsu.create_feed("my own", &[]).await;
        let first = jiwoo.create_feed("first", &[png(), png()]).await["id"].clone();
        hana.create_feed("hana's", &[]).await;
        jiwoo.create_feed("second", &[]).await;
        minsu.bare(axum::http::Method::PUT, &format!("/api/like/?feed_id={first}")).await.expect(200);
        let page = minsu.get("/api/feed/timeline").await.expect(200);
        // As they look elsewhere, with their images, newest first.
        let read = async |id: i64| minsu.get(&format!("/api/feed/read/{id}")).await.expect(200);
        assert_eq!(page, json!({"feeds": [read(4).await, read(2).await], "pagination": {"next_cursor": null}}));
        assert_eq!((&page["feeds"][1]["liked"], &page["feeds"][1]["author_email"]), (&json!(true), &Value::Null));
        follow(&minsu, hana.id).await;
        assert_eq!(walk(&minsu, 1).await, [4, 3, 2]);
        sql(&app, "delete from follows where following_id = ? and follower_id = 1", jiwoo.id).await;
        sql(&app, "update users set follower_count = 0 where id = ?", jiwoo.id).await;
        sql(&app, "update users set following_count = 1 where id = ?", minsu.id).await;
        assert_eq!(walk(&minsu, 1).await, [3]);
        app.anonymous().get("/api/feed/timeline").await.refused(401, "not_authenticated");
        for (query, problem) in [
            ("limit=101", "query.limit: less_than_equal"),
            ("cursor=x", "query.cursor: value_error"),
            ("cursor=", "query.cursor: string_too_short"),
        ] {
            assert_eq!(minsu.get(&format!("/api/feed/timeline?{query}")).await.problems(), [problem]);
        }
        app.assert_consistent().await;
    }

    async fn every_page_has_the_newest_of_all_followed(app: TestApp) {
        let crowd = app.crowd(40).await;
        let reader = &crowd[0];
        for client in &crowd[1..30] {
            follow(reader, client.id).await;
        }
        // Some write once, some in rows, one all the time, and half of it is by people whom the reader does not follow.
        let mut state = 42_u64;
        let authors: Vec<i64> = (0..600)
            .map(|n| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let random = usize::try_from(state >> 40).unwrap();
                let place = if n % 7 == 0 { 5 } else if n / 50 % 3 == 0 { 1 + random % 3 } else { 1 + random % 39 };
                crowd[place].id
            })
            .collect();
        let ids = insert(&app, &authors).await;
        let followed = crowd[1..30].iter().map(|client| client.id).collect::<Vec<_>>();
        let mut expected: Vec<i64> =
            ids.into_iter().zip(authors).filter(|(_, author)| followed.contains(author)).map(|(id, _)| id).collect();
        expected.reverse();
        assert!(expected.len() > 300, "too few feeds to tell");
        for limit in [1, 2, 7, 10, 100] {
            assert_eq!(walk(reader, limit).await, expected, "seed 42, limit {limit}");
        }
        // What is new does not move a page that is being read.
        let page = reader.get("/api/feed/timeline?limit=5").await.expect(200);
        insert(&app, &[crowd[1].id]).await;
        let next = page["pagination"]["next_cursor"].as_str().unwrap();
        let next = reader.get(&format!("/api/feed/timeline?limit=5&cursor={next}")).await.expect(200);
        assert_eq!(self::ids(&next), expected[5..10]);
        // Another's cursor is none of this list.
        let cursor = next["pagination"]["next_cursor"].as_str().unwrap();
        let stolen = crowd[1].get(&format!("/api/feed/timeline?cursor={cursor}")).await;
        assert_eq!(stolen.problems(), ["query.cursor: value_error"]);
        app.assert_consistent().await;
    }
}

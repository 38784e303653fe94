//! Follows, alone and in crowds; who is seen by whom.

mod timeline;

use axum::http::Method;
use futures_util::future::join_all;
use greenlit::{Opts, args};
use serde_json::{Value, json};

use crate::support::{Client, TestApp, assert_answer, on_each_database};

async fn follow(client: &Client, whom: i64) {
    client.bare(Method::PUT, &format!("/api/follow/{whom}")).await.expect(200);
}

async fn sql(app: &TestApp, sql: &str, id: i64) {
    app.app.db.tx(Opts::default(), async |tx| tx.exec(sql, args![id]).await).await.unwrap();
}

/// The nicknames in a list of my page, and its total.
async fn people(client: &Client, user: i64, list: &str, query: &str) -> (String, i64) {
    let page = client.get(&format!("/api/mypage/{user}/{list}?{query}")).await.expect(200);
    let names: Vec<&str> = page[list].as_array().unwrap().iter().map(|p| p["nickname"].as_str().unwrap()).collect();
    (names.join(" "), page["pagination"]["total_count"].as_i64().unwrap())
}

on_each_database! {
    async fn follows_are_toggled_set_and_ended(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        assert_answer!(jiwoo.bare(Method::PATCH, "/api/follow/1").await, @r#"
        200
        {
          "action": "followed"
        }
        "#);
        assert_answer!(minsu.get("/api/user/1").await, @r#"
        200
        {
          "create_dt": "[create_dt]",
          "feed_count": 0,
          "followed": false,
          "follower_count": 1,
          "following_count": 0,
          "id": 1,
          "nickname": "minsu"
        }
        "#);
        assert_eq!(jiwoo.get("/api/user/1").await.expect(200)["followed"], true);
        assert_eq!(app.anonymous().get("/api/user/2").await.expect(200)["following_count"], 1);
        assert_answer!(jiwoo.bare(Method::PATCH, "/api/follow/1").await, @r#"
        200
        {
          "action": "unfollowed"
        }
        "#);
        for (method, followed) in [(Method::PUT, true), (Method::DELETE, false)] {
            for _ in 0..3 {
                let now = jiwoo.bare(method.clone(), "/api/follow/1").await.expect(200);
                assert_eq!(now, json!({"followed": followed, "follower_count": i64::from(followed)}));
            }
        }
        app.assert_consistent().await;
    }

    async fn whom_nobody_can_follow(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        let gone = app.crowd(2).await;
        follow(&jiwoo, gone[1].id).await;
        sql(&app, "update users set suspended_dt = 1 where id = ?", gone[0].id).await;
        sql(&app, "update users set erased_dt = 1 where id = ?", gone[1].id).await;
        let rows = app.rows().await;
        for method in [Method::PATCH, Method::PUT, Method::DELETE] {
            let own = minsu.bare(method.clone(), "/api/follow/1").await;
            assert_answer!(own, @r#"
            400
            {
              "code": "own_follow",
              "detail": "You cannot follow yourself",
              "request_id": "[request_id]"
            }
            "#);
            for id in [99, gone[1].id] {
                let answer = minsu.bare(method.clone(), &format!("/api/follow/{id}")).await;
                assert_answer!(answer, @r#"
                404
                {
                  "code": "user_not_found",
                  "detail": "User not found",
                  "request_id": "[request_id]"
                }
                "#);
            }
            let wrong = minsu.bare(method.clone(), "/api/follow/x").await;
            assert_eq!(wrong.problems(), ["path.following_id: int_parsing"]);
            app.anonymous().bare(method, "/api/follow/x").await.refused(401, "not_authenticated");
        }
        assert_eq!(app.rows().await, rows);
        // Who is erased is gone for everyone; who is suspended is still seen.
        for id in [99, gone[1].id] {
            minsu.get(&format!("/api/user/{id}")).await.refused(404, "user_not_found");
            assert_eq!(people(&minsu, id, "followers", "").await, (String::new(), 0));
        }
        assert_eq!(minsu.get("/api/user/x").await.problems(), ["path.id: int_parsing"]);
        minsu.get(&format!("/api/user/{}", gone[0].id)).await.expect(200);
        follow(&minsu, gone[0].id).await;
        app.assert_consistent().await;
    }

    async fn followers_and_followings_by_page(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        let crowd = app.crowd(5).await;
        for client in &crowd {
            follow(client, minsu.id).await;
            follow(&minsu, client.id).await;
        }
        follow(&jiwoo, minsu.id).await;
        assert_answer!(jiwoo.get("/api/mypage/1/followers?limit=2").await, @r#"
        200
        {
          "followers": [
            {
              "email": "jiwoo@example.com",
              "id": 2,
              "nickname": "jiwoo"
            },
            {
              "email": null,
              "id": 7,
              "nickname": "crowd4"
            }
          ],
          "pagination": {
            "current_page": 1,
            "is_last_page": false,
            "next_cursor": "Zm9sbG93ZXJzIG9mIDEgOSA5",
            "total_count": 6,
            "total_pages": 3
          }
        }
        "#);
        // Nobody's address is seen by another, the one who is asked about included.
        for client in [&minsu, &app.anonymous()] {
            let page = client.get("/api/mypage/1/followers").await.expect(200);
            assert!(page["followers"].as_array().unwrap().iter().all(|person| person["email"] == Value::Null));
        }
        for (list, expected, total) in [
            ("followers", "jiwoo crowd4 crowd3 crowd2 crowd1 crowd0", 6),
            ("followings", "crowd4 crowd3 crowd2 crowd1 crowd0", 5),
        ] {
            assert_eq!(people(&jiwoo, 1, list, "").await, (expected.to_owned(), total));
            let (mut query, mut seen) = ("limit=2".to_owned(), Vec::new());
            loop {
                seen.push(people(&jiwoo, 1, list, &query).await.0);
                let page = jiwoo.get(&format!("/api/mypage/1/{list}?{query}")).await.expect(200);
                let Some(next) = page["pagination"]["next_cursor"].as_str() else { break };
                query = format!("limit=2&cursor={next}");
            }
            assert_eq!(seen.join(" "), expected);
            let skipped: Vec<&str> = expected.split(' ').skip(3).take(2).collect();
            assert_eq!(people(&jiwoo, 1, list, "skip=3&limit=2").await, (skipped.join(" "), total));
        }
        assert_eq!(people(&jiwoo, 99, "followings", "").await, (String::new(), 0));
        let wrong = jiwoo.get("/api/mypage/x/followers?limit=0&cursor=x").await;
        assert_eq!(wrong.problems(), ["path.user_id: int_parsing", "query.limit: greater_than_equal", "query.cursor: value_error"]);
        app.assert_consistent().await;
    }

    async fn z06_a_hundred_follow_at_once(app: TestApp) {
        let crowd = &app.crowd(100).await;
        let (first, last) = (&crowd[0], &crowd[99]);
        // One user from a hundred clients.
        for odd in [0, 1] {
            let path = format!("/api/follow/{}", last.id);
            let answers = join_all((0..100 + odd).map(|_| first.bare(Method::PATCH, &path))).await;
            let followed = answers.iter().filter(|answer| answer.expect(200)["action"] == "followed").count();
            assert_eq!(followed, 50 + odd);
        }
        app.assert_consistent().await;
        // A hundred users follow one of them, and he all of them, at once: they lock the same rows from both ends.
        for (method, count) in [(Method::PUT, 99), (Method::PATCH, 0), (Method::PUT, 99), (Method::DELETE, 0)] {
            let there = crowd.iter().filter(|client| client.id != last.id);
            let both = there.map(|client| async {
                let (there, back) = (format!("/api/follow/{}", last.id), format!("/api/follow/{}", client.id));
                let (a, b) = tokio::join!(client.bare(method.clone(), &there), last.bare(method.clone(), &back));
                a.expect(200);
                b.expect(200);
            });
            join_all(both).await;
            let seen = first.get(&format!("/api/user/{}", last.id)).await.expect(200);
            assert_eq!((&seen["follower_count"], &seen["following_count"]), (&json!(count), &json!(count)), "{method}");
            app.assert_consistent().await;
        }
    }
}

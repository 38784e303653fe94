//! Who is told what.

use std::time::Duration;

use axum::http::Method;
use futures_util::future::join_all;
use greenlit::{Opts, Tx, args};
use serde_json::json;

use super::{comment_of, feed_of, follow, list, people, read, unread};
use crate::support::{PASSWORD, TestApp, assert_answer, on_each_database};

/// Has every job that has been done run once more, and everything that was claimed.
async fn push(app: &TestApp, topic: &'static str, payload: serde_json::Value) {
    app.app.db.tx(Opts::default(), async |tx: &mut Tx| tx.outbox(topic, &payload).await).await.unwrap();
}

/// So many users beside those who have signed up, each with a comment on this feed. Returns their ids.
async fn crowd_on(app: &TestApp, feed: i64, count: i64) -> Vec<i64> {
    let work = async |tx: &mut Tx| {
        let mut users = Vec::new();
        for at in 0..count {
            let sql = "insert into users (email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt, comment_count) \
                       values (?, ?, ?, ?, 'x', 0, 1, 1)";
            let (email, name) = (format!("crowd{at}@example.com"), format!("crowd{at}"));
            let user = tx.insert(sql, args![&email, &email, &name, &name]).await?;
            let sql =
                "insert into comments (feed_id, author_id, content, create_dt, update_dt) values (?, ?, 'c', 1, 1)";
            tx.exec(sql, args![feed, user]).await?;
            users.push(user);
        }
        tx.exec("update feeds set comment_count = comment_count + ? where id = ?", args![count, feed]).await?;
        Ok::<_, greenlit::Error>(users)
    };
    app.app.db.tx(Opts::default(), work).await.unwrap()
}

on_each_database! {
    async fn one_hears_of_comments_replies_likes_and_followers(app: TestApp) {
        let (minsu, jiwoo, hana) = people(&app).await;
        let feed = feed_of(&minsu).await;
        let first = comment_of(&jiwoo, feed).await;
        comment_of(&hana, feed).await;
        jiwoo.bare(Method::PUT, &format!("/api/like/?feed_id={feed}")).await.expect(200);
        minsu.bare(Method::PUT, &format!("/api/like/?comment_id={first}")).await.expect(200);
        follow(&hana, &minsu).await;
        app.work().await;
        assert_eq!(
            list(&minsu).await,
            ["follow 1 hana null null unread", "like 1 jiwoo 1 null unread", "comment 2 hana 1 2 unread"]
        );
        assert_eq!(list(&jiwoo).await, ["like 1 minsu 1 1 unread", "reply 1 hana 1 2 unread"]);
        assert!(list(&hana).await.is_empty(), "nobody spoke after her");
        assert_eq!((unread(&minsu).await, unread(&jiwoo).await, unread(&hana).await), (3, 2, 0));
        assert_answer!(jiwoo.get("/api/notification/list?limit=1").await, @r#"
        200
        {
          "next_cursor": "bm90aWZpY2F0aW9ucyBvZiAyIDIgNA",
          "notifications": [
            {
              "actor": {
                "id": 1,
                "nickname": "minsu"
              },
              "comment_id": 1,
              "create_dt": "[create_dt]",
              "excerpt": "comment",
              "feed_id": 1,
              "feed_title": "title",
              "id": 4,
              "kind": "like",
              "people": 1,
              "read": false,
              "update_dt": "[update_dt]",
              "version": 2
            }
          ],
          "unread": 2
        }
        "#);
        app.assert_consistent().await;
    }

    async fn nobody_hears_of_his_own_acts(app: TestApp) {
        let minsu = app.user("minsu").await;
        let feed = feed_of(&minsu).await;
        let comment = comment_of(&minsu, feed).await;
        comment_of(&minsu, feed).await;
        for target in [format!("feed_id={feed}"), format!("comment_id={comment}")] {
            minsu.bare(Method::PUT, &format!("/api/like/?{target}")).await.expect(200);
        }
        app.work().await;
        assert!(list(&minsu).await.is_empty());
        assert_eq!(app.count("notification_causes").await, 0);
    }

    async fn what_is_unread_gathers_and_what_comes_later_begins_anew(app: TestApp) {
        let (minsu, jiwoo, hana) = people(&app).await;
        let feed = feed_of(&minsu).await;
        for user in [&jiwoo, &hana] {
            comment_of(user, feed).await;
            comment_of(user, feed).await;
            app.work().await;
        }
        assert_eq!(list(&minsu).await, ["comment 2 hana 1 4 unread"]);
        let seen = minsu.get("/api/notification/list").await.expect(200)["notifications"][0].clone();
        // Somebody speaks after he looked, and before he says so.
        comment_of(&jiwoo, feed).await;
        app.work().await;
        assert_eq!(read(&minsu, json!({"id": seen["id"], "until": seen["version"]})).await, 1);
        assert_eq!(list(&minsu).await, ["comment 2 jiwoo 1 5 unread"]);
        assert_eq!(read(&minsu, json!({})).await, 0);
        comment_of(&hana, feed).await;
        app.work().await;
        assert_eq!(list(&minsu).await, ["comment 1 hana 1 6 unread", "comment 2 jiwoo 1 5 read"]);
        // Without a body at all it is all of them.
        assert_eq!(minsu.bare(Method::PATCH, "/api/notification/read").await.expect(200), json!({"unread": 0}));
        assert_eq!(unread(&minsu).await, 0);
    }

    async fn it_goes_with_its_cause(app: TestApp) {
        let (minsu, jiwoo, hana) = people(&app).await;
        let feed = feed_of(&minsu).await;
        let (first, second) = (comment_of(&jiwoo, feed).await, comment_of(&hana, feed).await);
        for (user, target) in [(&jiwoo, format!("feed_id={feed}")), (&hana, format!("feed_id={feed}")), (&minsu, format!("comment_id={first}"))] {
            user.bare(Method::PUT, &format!("/api/like/?{target}")).await.expect(200);
        }
        follow(&jiwoo, &minsu).await;
        app.work().await;
        assert_eq!((list(&minsu).await.len(), list(&jiwoo).await.len()), (3, 2));

        // At once, without any work.
        hana.bare(Method::DELETE, &format!("/api/like/?feed_id={feed}")).await.expect(200);
        assert_eq!(list(&minsu).await[1], "like 1 jiwoo 1 null unread");
        hana.delete(&format!("/api/comment/delete/{second}")).await.expect(200);
        assert_eq!(list(&minsu).await[2], format!("comment 1 jiwoo {feed} {first} unread"));
        assert_eq!(list(&jiwoo).await, ["like 1 minsu 1 1 unread"]);
        jiwoo.bare(Method::DELETE, &format!("/api/follow/{}", minsu.id)).await.expect(200);
        jiwoo.delete(&format!("/api/comment/delete/{first}")).await.expect(200);
        assert_eq!(list(&minsu).await, ["like 1 jiwoo 1 null unread"]);
        assert!(list(&jiwoo).await.is_empty(), "the comment that was liked is gone");
        assert_eq!((unread(&minsu).await, unread(&jiwoo).await), (1, 0));
        minsu.delete(&format!("/api/feed/delete/{feed}")).await.expect(200);
        assert!(list(&minsu).await.is_empty());
        assert_eq!(app.count("notification_causes").await, 0);
        app.assert_consistent().await;
    }

    async fn it_goes_with_whoever_it_is_of_or_about(app: TestApp) {
        let (minsu, jiwoo, hana) = people(&app).await;
        let feed = feed_of(&minsu).await;
        for user in [&jiwoo, &hana] {
            comment_of(user, feed).await;
            follow(user, &minsu).await;
        }
        follow(&minsu, &jiwoo).await;
        app.work().await;
        assert_eq!(list(&minsu).await, ["follow 2 hana null null unread", "comment 2 hana 1 2 unread"]);
        for gone in [&hana, &jiwoo] {
            gone.json(Method::DELETE, "/api/mypage/profile", json!({"password": PASSWORD})).await.expect(200);
            app.work().await;
        }
        assert!(list(&minsu).await.is_empty());
        // What those who are gone were told.
        let theirs = "select count(*) from notifications where user_id <> ?";
        assert_eq!(app.app.db.fetch_one::<(i64,)>(theirs, args![minsu.id]).await.unwrap(), (0,));
        app.clock.advance(Duration::from_secs(2 * 3_600 + 1));
        app.assert_consistent().await;
        assert_eq!((app.count("users").await, app.count("notification_inboxes").await), (1, 1));
    }

    async fn what_is_told_twice_is_heard_once(app: TestApp) {
        let (minsu, jiwoo, hana) = people(&app).await;
        let feed = feed_of(&minsu).await;
        let comment = comment_of(&jiwoo, feed).await;
        comment_of(&hana, feed).await;
        for user in [&jiwoo, &hana] {
            user.bare(Method::PUT, &format!("/api/like/?feed_id={feed}")).await.expect(200);
        }
        follow(&jiwoo, &minsu).await;
        app.work().await;
        let before = (list(&minsu).await, list(&jiwoo).await);
        let version = |client: &crate::support::Client| {
            let client = client.clone();
            async move { client.get("/api/notification/list").await.expect(200)["notifications"][0]["version"].clone() }
        };
        let versions = (version(&minsu).await, version(&jiwoo).await);
        assert_eq!(read(&jiwoo, json!({})).await, 0);
        // As if workers had died after their work and before its end was told.
        for _ in 0..2 {
            push(&app, "comment.written", json!({"id": comment})).await;
            push(&app, "comment.written", json!({"id": comment + 1})).await;
            push(&app, "notification.more", json!({"comment": comment + 1, "after": 0})).await;
            push(&app, "like.given", json!({"feed": feed, "user": jiwoo.id})).await;
            push(&app, "follow.begun", json!({"follower": jiwoo.id, "following": minsu.id})).await;
            push(&app, "comment.written", json!({"id": 999})).await;
        }
        let (_, _) = tokio::join!(app.work(), app.work());
        app.assert_consistent().await;
        assert_eq!(list(&minsu).await, before.0);
        assert_eq!(list(&jiwoo).await, ["reply 1 hana 1 2 read"], "{:?}", before.1);
        assert_eq!((version(&minsu).await, version(&jiwoo).await), versions);
    }

    async fn many_at_once_are_all_counted(app: TestApp) {
        let (minsu, jiwoo, _) = people(&app).await;
        let feed = feed_of(&minsu).await;
        let comment = comment_of(&jiwoo, feed).await;
        let users = crowd_on(&app, feed, 20).await;
        let likes = users.iter().map(|user| push(&app, "like.given", json!({"feed": feed, "user": user})));
        let work = async |tx: &mut Tx| {
            for user in &users {
                tx.exec("insert into feed_likes (feed_id, user_id, create_dt) values (?, ?, 1)", args![feed, *user]).await?;
            }
            tx.exec("update feeds set like_count = 20 where id = ?", args![feed]).await
        };
        app.app.db.tx(Opts::default(), work).await.unwrap();
        join_all(likes).await;
        let (node, other) = (app.second_node().await, app.second_node().await);
        let (one, two, three) = tokio::join!(madang::jobs::run_all(&app.app), madang::jobs::run_all(&node), madang::jobs::run_all(&other));
        assert!(one.unwrap() + two.unwrap() + three.unwrap() >= 20);
        // A job that lost a race comes back after a pause.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while app.count("greenlit_outbox").await > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(100)).await;
            app.work().await;
        }
        let found = minsu.get("/api/notification/list").await.expect(200);
        let people: Vec<_> = found["notifications"].as_array().unwrap().iter().map(|n| (n["kind"].clone(), n["people"].clone())).collect();
        assert!(people.contains(&(json!("like"), json!(20))), "{people:?}");
        assert_eq!(people.len(), 2, "{people:?} of {comment}");
    }

    async fn everybody_who_spoke_hears_of_a_reply_however_many(app: TestApp) {
        let (minsu, jiwoo, _) = people(&app).await;
        let feed = feed_of(&minsu).await;
        let users = crowd_on(&app, feed, 120).await;
        comment_of(&jiwoo, feed).await;
        app.work().await;
        let told = "select count(*), count(distinct user_id) from notifications where kind = 'reply'";
        assert_eq!(app.app.db.fetch_one::<(i64, i64)>(told, vec![]).await.unwrap(), (120, 120));
        assert_eq!(users.len(), 120);
        assert_eq!(list(&minsu).await, [format!("comment 1 jiwoo {feed} 121 unread")]);
    }

    async fn a_notification_does_not_grow_for_ever(app: TestApp) {
        let (minsu, _, _) = people(&app).await;
        let feed = feed_of(&minsu).await;
        crowd_on(&app, feed, 130).await;
        for comment in 1..=130 {
            push(&app, "comment.written", json!({"id": comment})).await;
        }
        // For this test replies are of no interest.
        app.app.db.tx(Opts::default(), async |tx: &mut Tx| tx.exec("insert into notification_inboxes (user_id, version, on_reply) select id, 0, 0 from users", vec![]).await).await.unwrap();
        app.work().await;
        let page = minsu.get("/api/notification/list").await.expect(200);
        assert_eq!(page["notifications"][0]["people"], 100);
        assert_eq!(app.count("notification_causes").await, 100);
    }

    async fn one_hears_of_what_one_wants(app: TestApp) {
        let (minsu, jiwoo, hana) = people(&app).await;
        let all = json!({"comment": "all", "reply": "all", "like": "all", "follow": "all"});
        let path = "/api/notification/settings";
        assert_eq!(minsu.get(path).await.expect(200), all);
        let changed = minsu.patch(path, json!({"comment": "off", "like": "board"})).await.expect(200);
        assert_eq!(changed, json!({"comment": "off", "reply": "all", "like": "board", "follow": "all"}));
        assert_eq!(minsu.patch(path, json!({"reply": "off"})).await.expect(200)["comment"], "off");
        assert_eq!(minsu.get(path).await.expect(200)["reply"], "off");
        assert_eq!(hana.get(path).await.expect(200), all);
        let wrong = minsu.patch(path, json!({"comment": "loud", "like": 1, "follow": null})).await;
        assert_eq!(wrong.problems(), ["body.comment: enum", "body.like: string_type"]);

        let feed = feed_of(&minsu).await;
        comment_of(&jiwoo, feed).await;
        jiwoo.bare(Method::PUT, &format!("/api/like/?feed_id={feed}")).await.expect(200);
        app.work().await;
        assert_eq!(list(&minsu).await, ["like 1 jiwoo 1 null unread"]);
    }

    async fn z01_another_s_notifications_are_nobody_s_business(app: TestApp) {
        let (minsu, jiwoo, _) = people(&app).await;
        follow(&jiwoo, &minsu).await;
        app.work().await;
        assert_eq!(read(&jiwoo, json!({"id": 1})).await, 0);
        assert_eq!(read(&jiwoo, json!({})).await, 0);
        assert_eq!(unread(&minsu).await, 1);
        // A cursor is good for one's own list alone.
        follow(&minsu, &jiwoo).await;
        let feed = feed_of(&minsu).await;
        comment_of(&jiwoo, feed).await;
        app.work().await;
        let cursor = minsu.get("/api/notification/list?limit=1").await.expect(200)["next_cursor"].clone();
        let stolen = jiwoo.get(&format!("/api/notification/list?cursor={}", cursor.as_str().unwrap())).await;
        assert_eq!(stolen.problems(), ["query.cursor: value_error"]);
        let rest = minsu.get(&format!("/api/notification/list?cursor={}", cursor.as_str().unwrap())).await.expect(200);
        assert_eq!(rest["notifications"][0]["kind"], "follow");
        for path in ["list", "unread", "settings", "live"] {
            app.anonymous().get(&format!("/api/notification/{path}")).await.refused(401, "not_authenticated");
        }
        for body in [json!({"id": 0}), json!({"id": "x"}), json!({"until": -1}), json!([])] {
            assert_eq!(minsu.patch("/api/notification/read", body.clone()).await.problems().len(), 1, "{body}");
        }
    }

    async fn what_is_old_is_swept(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        follow(&jiwoo, &minsu).await;
        app.work().await;
        app.clock.advance(Duration::from_secs(89 * 24 * 3_600));
        follow(&app.user("hana").await, &minsu).await;
        app.work().await;
        app.clock.advance(Duration::from_secs(2 * 24 * 3_600));
        app.work().await;
        // It was joined meanwhile.
        assert_eq!(app.count("notification_causes").await, 2);
        app.clock.advance(Duration::from_secs(90 * 24 * 3_600));
        app.work().await;
        assert_eq!((app.count("notifications").await, app.count("notification_causes").await), (0, 0));
    }
}

//! Deleting one's account: at once nobody, and soon nothing.

use std::time::Duration;

use axum::{body::Body, http::Method};
use greenlit::{Opts, Tx, args};
use serde_json::json;

use crate::support::{Answer, Client, PASSWORD, TestApp, assert_answer, on_each_database, pictures};

const PROFILE: &str = "/api/mypage/profile";

async fn delete(client: &Client, password: &str) -> Answer {
    client.json(Method::DELETE, PROFILE, json!({"password": password})).await
}

async fn feed_of(client: &Client) -> i64 {
    client.create_feed("title", &[pictures::png()]).await["id"].as_i64().unwrap()
}

/// Two users who comment, like and follow whatever there is of each other; `extra` comments more on the first feed.
async fn entangle(app: &TestApp, users: [(i64, i64); 2], extra: i64) {
    let work = async |tx: &mut Tx| {
        for (user, _) in users {
            for (author, feed) in users {
                for _ in 0..(if feed == users[1].1 && user == users[0].0 { extra } else { 1 }) {
                    let sql = "insert into comments (feed_id, author_id, content, create_dt, update_dt) values (?, ?, 'c', 1, 1)";
                    let comment = tx.insert(sql, args![feed, user]).await?;
                    tx.exec("update feeds set comment_count = comment_count + 1 where id = ?", args![feed]).await?;
                    tx.exec("update users set comment_count = comment_count + 1 where id = ?", args![user]).await?;
                    for (liker, _) in users {
                        let sql = "insert into comment_likes (comment_id, user_id, create_dt) values (?, ?, 1)";
                        tx.exec(sql, args![comment, liker]).await?;
                        tx.exec("update comments set like_count = like_count + 1 where id = ?", args![comment]).await?;
                    }
                }
                tx.exec("insert into feed_likes (feed_id, user_id, create_dt) values (?, ?, 1)", args![feed, user])
                    .await?;
                tx.exec("update feeds set like_count = like_count + 1 where id = ?", args![feed]).await?;
                if author != user {
                    let sql = "insert into follows (follower_id, following_id, create_dt) values (?, ?, 1)";
                    tx.exec(sql, args![user, author]).await?;
                    tx.exec("update users set following_count = following_count + 1 where id = ?", args![user]).await?;
                    tx.exec("update users set follower_count = follower_count + 1 where id = ?", args![author]).await?;
                }
            }
        }
        Ok::<_, greenlit::Error>(())
    };
    app.app.db.tx(Opts::default(), work).await.unwrap();
}

/// Every count is what it counts.
async fn assert_counts(app: &TestApp) {
    for (table, column, rows) in [
        ("feeds", "like_count", "feed_likes r where r.feed_id = t.id"),
        ("feeds", "comment_count", "comments r where r.feed_id = t.id"),
        ("comments", "like_count", "comment_likes r where r.comment_id = t.id"),
        ("users", "feed_count", "feeds r where r.author_id = t.id"),
        ("users", "comment_count", "comments r where r.author_id = t.id"),
        ("users", "follower_count", "follows r where r.following_id = t.id"),
        ("users", "following_count", "follows r where r.follower_id = t.id"),
    ] {
        let sql = format!("select t.id from {table} t where t.{column} <> (select count(*) from {rows})");
        let wrong: Vec<(i64,)> = app.app.db.fetch(&sql, vec![]).await.unwrap();
        assert!(wrong.is_empty(), "{table}.{column}: {wrong:?}");
    }
}

/// How many rows there are with this user's id in them, beside his own.
async fn traces(app: &TestApp, user: i64) -> i64 {
    let mut found = 0;
    for place in [
        "feeds where author_id",
        "comments where author_id",
        "feed_likes where user_id",
        "comment_likes where user_id",
        "follows where follower_id",
        "follows where following_id",
        "images where owner_id",
        "logins where user_id",
    ] {
        let sql = format!("select count(*) from {place} = ?");
        found += app.app.db.fetch_one::<(i64,)>(&sql, args![user]).await.unwrap().0;
    }
    found
}

#[tokio::test]
async fn one_who_cannot_be_removed_keeps_nobody_else() {
    let app = TestApp::sqlite().await;
    for name in ["minsu", "jiwoo"] {
        delete(&app.user(name).await, PASSWORD).await.expect(200);
    }
    app.work().await;
    // Half a like cannot be read.
    let damaged = "insert into feeds (author_id, title, content, like_count, create_dt, update_dt) \
                   values (1, 't', 'c', 0.5, 1, 1)";
    app.app.db.tx(Opts::default(), async |tx: &mut Tx| tx.exec(damaged, vec![]).await).await.unwrap();
    app.clock.advance(Duration::from_secs(2 * 3_600 + 1));
    app.work().await;
    let left: Vec<(i64,)> = app.app.db.fetch("select id from users", vec![]).await.unwrap();
    assert_eq!(left, [(1,)]);
}

on_each_database! {
    async fn z10_a_deleted_account_is_nobody_at_once(app: TestApp) {
        let user = app.user("minsu").await;
        let feed = feed_of(&user).await;
        let body = json!({"email": "minsu@example.com", "password": PASSWORD});
        let login = app.anonymous().post("/api/auth/login", body.clone()).await.expect(200);
        delete(&user, "wrong password").await.refused(403, "permission_denied");
        assert_eq!(delete(&app.user("ben").await, "").await.status.as_u16(), 403);
        assert_eq!(user.json(Method::DELETE, PROFILE, json!({})).await.problems(), ["body.password: missing"]);
        user.get(PROFILE).await.expect(200);

        assert_answer!(delete(&user, PASSWORD).await, @r#"
        200
        {
          "message": "Account Deleted"
        }
        "#);
        user.get(PROFILE).await.refused(401, "invalid_token");
        delete(&user, PASSWORD).await.refused(401, "invalid_token");
        let refresh = json!({"refresh_token": login["refresh_token"]});
        app.anonymous().post("/api/auth/refresh", refresh).await.refused(401, "invalid_token");
        app.anonymous().post("/api/auth/login", body).await.refused(401, "invalid_credentials");
        // For seconds what he wrote may still be seen, but not who he was.
        let seen = app.anonymous().get(&format!("/api/feed/read/{feed}")).await;
        assert!(!seen.text().contains("minsu"), "{}", seen.text());
        let by_name = app.anonymous().get("/api/feed/list-by-user?nickname=minsu").await.expect(200);
        assert_eq!(by_name["feeds"], json!([]));
        let row: (String, String, String) =
            app.app.db.fetch_one("select email, nickname, password_hash from users where id = ?", args![user.id]).await.unwrap();
        assert_eq!(row, Default::default());

        // His address and name are free.
        let again = app.user("minsu").await;
        assert_ne!(again.id, user.id);
        app.assert_consistent().await;
        app.anonymous().get(&format!("/api/feed/read/{feed}")).await.refused(404, "feed_not_found");
        again.get(PROFILE).await.expect(200);
    }

    async fn what_an_account_held_goes_with_it(app: TestApp) {
        let (user, other) = (app.user("minsu").await, app.user("jiho").await);
        let (own, others) = (feed_of(&user).await, feed_of(&other).await);
        for _ in 0..11 {
            user.create_feed("more than a batch", &[]).await;
        }
        // More comments than a batch, on another's feed.
        entangle(&app, [(user.id, own), (other.id, others)], 120).await;
        assert_counts(&app).await;
        delete(&user, PASSWORD).await.expect(200);
        app.assert_consistent().await;

        assert_eq!(traces(&app, user.id).await, 0);
        assert_counts(&app).await;
        let feed = other.get(&format!("/api/feed/read/{others}")).await.expect(200);
        assert_eq!((&feed["like_count"], &feed["comment_count"]), (&json!(1), &json!(1)));
        assert_eq!((app.count("feeds").await, app.count("images").await, app.count("follows").await), (1, 1, 0));

        // His row stays until no request of his can be under way.
        assert_eq!(app.count("users").await, 2);
        app.clock.advance(Duration::from_secs(2 * 3_600 + 1));
        app.assert_consistent().await;
        assert_eq!(app.count("users").await, 1);
        other.get(&format!("/api/feed/read/{others}")).await.expect(200);
    }

    async fn a_job_that_is_killed_or_repeated_does_no_harm(app: TestApp) {
        let (user, other) = (app.user("minsu").await, app.user("jiho").await);
        let (own, others) = (feed_of(&user).await, feed_of(&other).await);
        entangle(&app, [(user.id, own), (other.id, others)], 150).await;
        delete(&user, PASSWORD).await.expect(200);
        // As if workers had died after their work and before its end was told, and two had gone on side by side.
        let again = async |tx: &mut Tx| tx.outbox("account.erase", &json!({"user": user.id})).await;
        for _ in 0..3 {
            app.app.db.tx(Opts::default(), again).await.unwrap();
        }
        let (one, two) = tokio::join!(app.work(), app.work());
        let mut done = one + two;
        // Two who found the same batch: one gives it up, and comes back after a pause. And MariaDB shows a worker no job while
        // another claims one.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while app.count("greenlit_outbox").await > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(100)).await;
            done += app.work().await;
        }
        assert!(done > 4, "{done}");
        app.assert_consistent().await;
        assert_eq!(traces(&app, user.id).await, 0);
        assert_counts(&app).await;
    }

    async fn what_a_late_request_writes_goes_too(app: TestApp) {
        let user = app.user("minsu").await;
        delete(&user, PASSWORD).await.expect(200);
        app.work().await;
        // A request that was under way when the account was deleted, with an image that it never claimed.
        let late = async |tx: &mut Tx| {
            let sql = "insert into feeds (author_id, title, content, create_dt, update_dt) values (?, 't', 'c', 1, 1)";
            tx.exec(sql, args![user.id]).await?;
            tx.exec("update users set feed_count = 1 where id = ?", args![user.id]).await?;
            tx.exec("insert into totals (name, delta) values ('feeds', 1)", vec![]).await?;
            let sql = "insert into images (image_key, extension, owner_id, position, width, height, expire_dt) values (?, 'png', ?, 0, 1, 1, ?)";
            let expires = app.clock.now().after(Duration::from_secs(3 * 3_600));
            tx.exec(sql, args!["0".repeat(32), user.id, expires]).await
        };
        app.app.db.tx(Opts::default(), late).await.unwrap();
        app.clock.advance(Duration::from_secs(2 * 3_600 + 1));
        app.work().await;
        assert_eq!((app.count("feeds").await, app.count("users").await), (0, 1), "the image is waited for");
        app.clock.advance(Duration::from_secs(3_600));
        app.assert_consistent().await;
        assert_eq!((app.count("images").await, app.count("users").await), (0, 0));
    }

    async fn a_deletion_needs_whole_json(app: TestApp) {
        let user = app.user("minsu").await;
        let broken = user.request(Method::DELETE, PROFILE, &[], Body::from("{")).await;
        assert_eq!(broken.problems(), ["body.0: json_invalid"]);
        app.anonymous().json(Method::DELETE, PROFILE, json!([])).await.refused(401, "not_authenticated");
        assert_eq!(user.json(Method::DELETE, PROFILE, json!([])).await.problems(), ["body: model_attributes_type"]);
        user.get(PROFILE).await.expect(200);
    }
}

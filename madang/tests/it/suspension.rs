//! Administrators, and whom they shut out.

use axum::http::Method;
use serde_json::json;

use crate::support::{Client, PASSWORD, TestApp, assert_answer, on_each_database, pictures};

const PROFILE: &str = "/api/mypage/profile";

async fn admin(app: &TestApp) -> Client {
    let admin = app.user("admin").await;
    let make = async |tx: &mut greenlit::Tx| {
        tx.exec("update users set is_admin = ? where id = ?", greenlit::args![true, admin.id]).await
    };
    app.app.db.tx(greenlit::Opts::default(), make).await.unwrap();
    admin
}

async fn put(client: &Client, id: i64) -> crate::support::Answer {
    client.json(Method::PUT, &format!("/api/user/{id}/suspension"), json!({})).await
}

async fn lift(client: &Client, id: i64) -> crate::support::Answer {
    client.delete(&format!("/api/user/{id}/suspension")).await
}

on_each_database! {
    async fn only_administrators_suspend(app: TestApp) {
        let (admin, user) = (admin(&app).await, app.user("minsu").await);
        put(&user, admin.id).await.refused(403, "permission_denied");
        put(&user, user.id).await.refused(403, "permission_denied");
        put(&user, 999).await.refused(403, "permission_denied");
        put(&app.anonymous(), user.id).await.refused(401, "not_authenticated");
        put(&admin, admin.id).await.refused(403, "permission_denied");
        put(&admin, 999).await.refused(404, "user_not_found");
        lift(&admin, 999).await.refused(404, "user_not_found");
        assert_eq!(put(&admin, 0).await.problems(), ["path.id: greater_than_equal"]);
        user.get(PROFILE).await.expect(200);
        for _ in 0..2 {
            assert_answer!(put(&admin, user.id).await, @r#"
            200
            {
              "message": "User Suspended"
            }
            "#);
        }
        assert_answer!(lift(&admin, user.id).await, @r#"
        200
        {
          "message": "Suspension Lifted"
        }
        "#);
    }

    async fn z10_who_is_suspended_is_nobody(app: TestApp) {
        let (admin, user) = (admin(&app).await, app.user("minsu").await);
        let body = json!({"email": "minsu@example.com", "password": PASSWORD});
        let login = app.anonymous().post("/api/auth/login", body.clone()).await.expect(200);
        let feed = user.create_feed("title", &[]).await;
        put(&admin, user.id).await.expect(200);

        user.get(PROFILE).await.refused(401, "invalid_token");
        let form = "title=t&content=c";
        user.urlencoded(Method::POST, "/api/feed/create", form).await.refused(401, "invalid_token");
        user.delete(&format!("/api/feed/delete/{}", feed["id"])).await.refused(401, "invalid_token");
        let refresh = json!({"refresh_token": login["refresh_token"]});
        app.anonymous().post("/api/auth/refresh", refresh.clone()).await.refused(401, "invalid_token");
        app.anonymous().post("/api/auth/login", body.clone()).await.refused(401, "invalid_credentials");
        // What he wrote stays, and so does his hold on address and name.
        app.anonymous().get(&format!("/api/feed/read/{}", feed["id"])).await.expect(200);
        let again = json!({"email": "minsu@example.com", "password": PASSWORD, "nickname": "other"});
        app.anonymous().post("/api/auth/signup", again).await.refused(400, "email_already_registered");

        // Let in again he must log in again: what ended does not come back.
        lift(&admin, user.id).await.expect(200);
        user.get(PROFILE).await.refused(401, "invalid_token");
        app.anonymous().post("/api/auth/refresh", refresh).await.refused(401, "invalid_token");
        app.anonymous().post("/api/auth/login", body).await.expect(200);
    }

    async fn z10_nothing_that_waits_acts_for_who_is_suspended(app: TestApp) {
        let (admin, user) = (admin(&app).await, app.user("minsu").await);
        let wide = pictures::picture(image::ImageFormat::Png, 800, 10);
        let feed = user.create_feed("title", &[wide]).await;
        let gone = user.create_feed("gone", &[pictures::png()]).await;
        let key = [("idempotency-key", "k"), ("content-type", "application/json")];
        let body = json!({"content": "c", "feed_id": feed["id"]}).to_string();
        let comment = async || user.request(Method::POST, "/api/comment/create", &key, body.clone().into()).await;
        comment().await.expect(200);
        user.delete(&format!("/api/feed/delete/{}", gone["id"])).await.expect(200);
        let before = app.rows().await;
        put(&admin, user.id).await.expect(200);

        // An answer that was stored for him is not his any more.
        comment().await.refused(401, "invalid_token");
        // Jobs that he left end what he had begun, and write nothing in his name.
        app.assert_consistent().await;
        let after = app.rows().await;
        let lasting = |rows: crate::support::Rows| rows.into_iter().filter(|(table, _)| *table != "greenlit_outbox").collect::<Vec<_>>();
        assert_eq!(lasting(after), lasting(before));
        let read = app.anonymous().get(&format!("/api/feed/read/{}", feed["id"])).await.expect(200);
        assert_eq!(read["update_dt"], feed["update_dt"]);
    }

    async fn a11_who_is_suspended_learns_no_more_than_a_stranger(app: TestApp) {
        let (admin, user) = (admin(&app).await, app.user("minsu").await);
        put(&admin, user.id).await.expect(200);
        let login = async |email: &str, password: &str| {
            app.anonymous().post("/api/auth/login", json!({"email": email, "password": password})).await
        };
        let answers = [
            login("minsu@example.com", PASSWORD).await,
            login("minsu@example.com", "wrong password").await,
            login("admin@example.com", "wrong password").await,
            login("nobody@example.com", PASSWORD).await,
        ];
        for answer in &answers {
            answer.refused(401, "invalid_credentials");
            assert_eq!(answer.snapshot(), answers[0].snapshot());
            let names = |answer: &crate::support::Answer| answer.headers.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(answer), names(&answers[0]));
        }
    }
}

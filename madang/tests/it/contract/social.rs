//! The shapes of comments, likes, follows and the lists of my page.

use axum::{body::Body, http::Method};
use serde_json::{Value, json};

use super::{members, schema::assert_documented};
use crate::support::{Answer, Client, on_each_database, pictures::png};

#[track_caller]
fn assert_status(document: &Value, operation: &str, status: u16, answer: &Answer) {
    assert_eq!(answer.status.as_u16(), status, "{operation}: {}", answer.text());
    assert_documented(document, operation, answer);
}

on_each_database! {
    async fn checks_come_in_order(app: TestApp) {
        let (minsu, jiwoo, anyone) = (app.user("minsu").await, app.user("jiwoo").await, app.anonymous());
        minsu.create_feed("feed", &[]).await;
        // JSON: its syntax, who asks, the fields of path, query and body, 404, 403.
        minsu.comment(1, "minsu's").await;
        let rows = app.rows().await;
        for (client, path, body, status, code) in [
            (&anyone, "/api/comment/update/x", "{", 422, "invalid_input"),
            (&anyone, "/api/comment/update/x", "{}", 401, "not_authenticated"),
            (&jiwoo, "/api/comment/update/7", "{}", 422, "invalid_input"),
            (&jiwoo, "/api/comment/update/7", r#"{"content":"c"}"#, 404, "comment_not_found"),
            (&jiwoo, "/api/comment/update/1", r#"{"content":"c"}"#, 403, "permission_denied"),
            (&anyone, "/api/like/?feed_id=x", "", 401, "not_authenticated"),
            (&jiwoo, "/api/like/?feed_id=x&comment_id=1", "", 422, "invalid_input"),
            (&jiwoo, "/api/like/?feed_id=7&comment_id=7", "", 400, "like_target_missing"),
            (&jiwoo, "/api/like/?feed_id=7", "", 404, "feed_not_found"),
        ] {
            client.request(Method::PATCH, path, &[], Body::from(body)).await.refused(status, code);
        }
        assert_eq!(app.rows().await, rows);
    }

    async fn answers_are_compact_with_the_old_members_first(app: TestApp) {
        let (client, other) = (app.user("minsu").await, app.user("jiwoo").await);
        let feed = "title content image_urls id author_email author_nickname create_dt update_dt \
                    author_id like_count comment_count liked images";
        let pagination = "pagination current_page total_pages is_last_page total_count next_cursor";
        client.create_feed("feed", &[png()]).await;
        let comment = "content feed_id id author_email author_nickname create_dt update_dt author_id like_count liked";
        let body = json!({"content": "<한글>", "feed_id": 1});
        let commented = client.post("/api/comment/create", body).await;
        assert_eq!(members(&commented), comment);
        assert!(commented.text().starts_with("{\"content\":\"<한글>\",\"feed_id\":1,\"id\":1,\"author_email\":\""));
        assert_eq!(members(&client.patch("/api/comment/update/1", json!({"content": null})).await), comment);
        let bare = client.get("/api/comment/feed/1").await;
        assert_eq!((members(&bare), bare.text()), (comment.to_owned(), format!("[{}]", commented.text())));
        let own = client.get("/api/mypage/feeds").await;
        assert_eq!(members(&own), format!("feeds {feed} url thumb_url width height {pagination}"));
        assert_eq!(members(&client.get("/api/mypage/comments").await), format!("comments {comment} {pagination}"));
        let toggle = async |client: &Client, path: &str| client.bare(Method::PATCH, path).await.text();
        let toggled = r#"{"message":"Like toggled successfully"}"#;
        for path in ["/api/like/?feed_id=1", "/api/like/?comment_id=1"] {
            assert_eq!([toggle(&client, path).await, toggle(&client, path).await], [toggled; 2]);
        }
        let follows = [toggle(&other, "/api/follow/1").await, toggle(&other, "/api/follow/1").await];
        assert_eq!(follows, [r#"{"action":"followed"}"#, r#"{"action":"unfollowed"}"#]);
        let put = async |path: &str| members(&other.bare(Method::PUT, path).await);
        assert_eq!(put("/api/like/?feed_id=1").await, "liked like_count");
        assert_eq!(put("/api/follow/1").await, "followed follower_count");
        let person = "email nickname id";
        let list = |list: &str| format!("{list} {person} {pagination}");
        assert_eq!(members(&client.get("/api/mypage/1/followers").await), list("followers"));
        assert_eq!(members(&client.get("/api/mypage/2/followings").await), list("followings"));
        let timeline = other.get("/api/feed/timeline").await;
        assert_eq!(members(&timeline), format!("feeds {feed} url thumb_url width height pagination next_cursor"));
        let user = "id nickname create_dt feed_count follower_count following_count followed";
        assert_eq!(members(&client.get("/api/user/2").await), user);
        assert_eq!(client.delete("/api/comment/delete/1").await.text(), r#"{"message":"Comment Deleted"}"#);
    }

    async fn z05_comments_have_exactly_the_documented_members(app: TestApp) {
        let (minsu, jiwoo, anyone) = (app.user("minsu").await, app.user("jiwoo").await, app.anonymous());
        minsu.create_feed("feed", &[]).await;
        let document = anyone.get("/openapi.json").await.expect(200);
        let check = |operation: &str, status: u16, answer: Answer| assert_status(&document, operation, status, &answer);
        let create = "POST /api/comment/create";
        check(create, 200, jiwoo.post("/api/comment/create", json!({"content": "c", "feed_id": 1})).await);
        check(create, 401, anyone.post("/api/comment/create", json!({})).await);
        check(create, 404, jiwoo.post("/api/comment/create", json!({"content": "c", "feed_id": 7})).await);
        check(create, 422, jiwoo.post("/api/comment/create", json!({})).await);
        let update = "PATCH /api/comment/update/{comment_id}";
        check(update, 200, jiwoo.patch("/api/comment/update/1", json!({"content": "d"})).await);
        check(update, 403, minsu.patch("/api/comment/update/1", json!({"content": "d"})).await);
        check(update, 404, minsu.patch("/api/comment/update/7", json!({"content": "d"})).await);
        check(update, 422, minsu.patch("/api/comment/update/x", json!({})).await);
        let delete = "DELETE /api/comment/delete/{comment_id}";
        check(delete, 401, anyone.delete("/api/comment/delete/1").await);
        check(delete, 403, minsu.delete("/api/comment/delete/1").await);
        check(delete, 200, jiwoo.delete("/api/comment/delete/1").await);
        check(delete, 404, jiwoo.delete("/api/comment/delete/1").await);
        check(delete, 422, jiwoo.delete("/api/comment/delete/x").await);
    }

    async fn z05_likes_and_follows_have_exactly_the_documented_members(app: TestApp) {
        let (minsu, jiwoo, anyone) = (app.user("minsu").await, app.user("jiwoo").await, app.anonymous());
        minsu.create_feed("feed", &[]).await;
        minsu.comment(1, "comment").await;
        let document = anyone.get("/openapi.json").await.expect(200);
        let check = |operation: &str, status: u16, answer: Answer| assert_status(&document, operation, status, &answer);
        for method in ["PATCH", "PUT", "DELETE"] {
            let send = async |client: &Client, path: &str| client.bare(method.parse().unwrap(), path).await;
            let like = &format!("{method} /api/like/");
            check(like, 200, send(&jiwoo, "/api/like/?feed_id=1").await);
            check(like, 200, send(&jiwoo, "/api/like/?comment_id=1").await);
            check(like, 400, send(&jiwoo, "/api/like/").await);
            check(like, 401, send(&anyone, "/api/like/").await);
            check(like, 404, send(&jiwoo, "/api/like/?feed_id=7").await);
            check(like, 422, send(&jiwoo, "/api/like/?feed_id=x").await);
            let follow = &format!("{method} /api/follow/{{following_id}}");
            check(follow, 200, send(&jiwoo, "/api/follow/1").await);
            check(follow, 400, send(&jiwoo, "/api/follow/2").await);
            check(follow, 401, send(&anyone, "/api/follow/1").await);
            check(follow, 404, send(&jiwoo, "/api/follow/99").await);
            check(follow, 422, send(&jiwoo, "/api/follow/x").await);
        }
    }

    async fn z05_lists_have_exactly_the_documented_members(app: TestApp) {
        let (minsu, jiwoo, anyone) = (app.user("minsu").await, app.user("jiwoo").await, app.anonymous());
        minsu.create_feed("feed", &[]).await;
        jiwoo.comment(1, "comment").await;
        let document = anyone.get("/openapi.json").await.expect(200);
        let check = |operation: &str, status: u16, answer: Answer| assert_status(&document, operation, status, &answer);
        jiwoo.bare(Method::PUT, "/api/follow/1").await.expect(200);
        for client in [&minsu, &jiwoo, &anyone] {
            check("GET /api/comment/feed/{feed_id}", 200, client.get("/api/comment/feed/1").await);
            check("GET /api/user/{id}", 200, client.get("/api/user/1").await);
            check("GET /api/mypage/{user_id}/followers", 200, client.get("/api/mypage/1/followers").await);
            check("GET /api/mypage/{user_id}/followings", 200, client.get("/api/mypage/2/followings").await);
        }
        check("GET /api/comment/feed/{feed_id}", 422, anyone.get("/api/comment/feed/x").await);
        check("GET /api/user/{id}", 404, anyone.get("/api/user/99").await);
        check("GET /api/user/{id}", 422, anyone.get("/api/user/x").await);
        check("GET /api/mypage/{user_id}/followers", 422, anyone.get("/api/mypage/x/followers").await);
        check("GET /api/mypage/{user_id}/followings", 422, anyone.get("/api/mypage/1/followings?limit=0").await);
        for path in ["/api/feed/timeline", "/api/mypage/feeds", "/api/mypage/comments"] {
            let route = &format!("GET {path}");
            for client in [&minsu, &jiwoo] {
                check(route, 200, client.get(path).await);
            }
            check(route, 401, anyone.get(path).await);
            check(route, 422, minsu.get(&format!("{path}?limit=x")).await);
        }
    }
}

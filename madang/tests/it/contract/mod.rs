//! What holds for every route: the order of checks, the shape of answers, redirects, and the documentation.

mod schema;
mod social;

use std::task::Poll;

use axum::{
    body::{Body, Bytes},
    http::Method,
};
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestApp, assert_answer, form::FormData, on_each_database, pictures::png};
use schema::assert_documented;

/// A body that must not be read.
fn untouched() -> Body {
    Body::from_stream(futures_util::stream::poll_fn(|_| -> Poll<Option<Result<Bytes, std::io::Error>>> {
        panic!("the body was read")
    }))
}

/// The names of the members in the order they are written.
fn members(answer: &Answer) -> String {
    let text = answer.text();
    let mut names: Vec<&str> = text.split("\":").map(|before| before.rsplit('"').next().unwrap()).collect();
    names.pop();
    names.join(" ")
}

on_each_database! {
    async fn checks_come_in_order(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        minsu.create_feed("minsu's", &[]).await;
        let rows = app.rows().await;
        let anyone = app.anonymous();
        let form = "application/x-www-form-urlencoded";
        let multipart = "multipart/form-data; boundary=XX";

        // 401 before anything else, and before a byte of the body is read.
        for (method, path) in [
            (Method::POST, "/api/feed/create"),
            (Method::PATCH, "/api/feed/update/1"),
            (Method::PATCH, "/api/feed/update/abc"),
            (Method::PATCH, "/api/feed/update/7"),
            (Method::DELETE, "/api/feed/delete/abc"),
        ] {
            for headers in [
                &[("content-type", multipart)][..],
                &[("content-type", form)],
                &[("content-type", "text/plain")],
                &[("content-type", "multipart/form-data")],
                &[("content-type", multipart), ("content-length", "10737418240")],
                &[("content-type", multipart), ("content-encoding", "gzip")],
                &[("content-type", multipart), ("expect", "100-continue")],
            ] {
                let answer = anyone.request(method.clone(), path, headers, untouched()).await;
                answer.refused(401, "not_authenticated");
            }
            let bad = [("content-type", multipart), ("authorization", "Bearer x.y.z")];
            anyone.request(method, path, &bad, untouched()).await.refused(401, "invalid_token");
        }
        // Then 422, of the path and the body together.
        let both = minsu.urlencoded(Method::PATCH, "/api/feed/update/abc", "title=t").await;
        assert_eq!(both.problems(), ["path.feed_id: int_parsing", "body.content: missing"]);
        assert_eq!(minsu.delete("/api/feed/delete/abc").await.problems(), ["path.feed_id: int_parsing"]);
        // Then of the body, whether the feed is there and whose it is or not.
        for (client, id) in [(&minsu, 1), (&minsu, 7), (&jiwoo, 1)] {
            let answer = client.urlencoded(Method::PATCH, &format!("/api/feed/update/{id}"), "title=t").await;
            assert_eq!(answer.problems(), ["body.content: missing"]);
        }
        // Then 404, then 403; pictures are looked at last.
        let with_file = || FormData::new().text("title", "t").text("content", "c").file("new_images", "a", b"<html>no picture</html>");
        jiwoo.form(Method::PATCH, "/api/feed/update/7", with_file()).await.refused(404, "feed_not_found");
        jiwoo.form(Method::PATCH, "/api/feed/update/1", with_file()).await.refused(403, "permission_denied");
        minsu.form(Method::PATCH, "/api/feed/update/1", with_file()).await.refused(415, "unsupported_image_type");
        assert_eq!(app.rows().await, rows);
        app.assert_consistent().await;
    }

    async fn what_is_no_route(app: TestApp) {
        let anyone = app.anonymous();
        assert_answer!(anyone.get("/api/nowhere").await, @r#"
        404
        {
          "code": "not_found",
          "detail": "Not Found",
          "request_id": "[request_id]"
        }
        "#);
        assert_answer!(anyone.get("/api/auth/signup").await, @r#"
        405
        {
          "code": "method_not_allowed",
          "detail": "Method Not Allowed",
          "request_id": "[request_id]"
        }
        "#);
        for (method, path, allowed) in [
            (Method::GET, "/api/auth/signup", "POST"),
            (Method::POST, "/api/feed/list", "GET,HEAD"),
            (Method::GET, "/api/feed/update/1", "PATCH"),
            (Method::PUT, "/api/feed/delete/1", "DELETE"),
            (Method::TRACE, "/api/mypage/profile", "GET,HEAD,PATCH,DELETE"),
            (Method::POST, "/openapi.json", "GET,HEAD"),
        ] {
            let answer = anyone.request(method, path, &[], Body::empty()).await;
            answer.refused(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), allowed, "{path}");
        }
        for path in ["//api/feed/list", "/api//feed/list", "/API/feed/list", "/api/feed/list;x", "/api/feed", "/.env"] {
            anyone.get(path).await.refused(404, "not_found");
        }
        let head = anyone.request(Method::HEAD, "/api/feed/list", &[], Body::empty()).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    }

    async fn redirects(app: TestApp) {
        let anyone = app.anonymous();
        for (method, path, location) in [
            (Method::GET, "/api/feed/list/?skip=1&limit=2", "/api/feed/list?skip=1&limit=2"),
            (Method::POST, "/api/auth/login/", "/api/auth/login"),
            (Method::PATCH, "/api/feed/update/1/", "/api/feed/update/1"),
            (Method::GET, "/redoc", "/docs"),
        ] {
            let answer = anyone.request(method, path, &[], Body::empty()).await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (307, location), "{path}");
        }
        for path in ["//evil.example/", "/\\evil.example/", "/nowhere/", "/api/feed/read//"] {
            let answer = anyone.get(path).await;
            assert_eq!(answer.status, 404, "{path}");
        }
    }

    async fn answers_are_compact_with_the_old_members_first(app: TestApp) {
        let anyone = app.anonymous();
        let minsu = json!({"email": "minsu@example.com", "password": PASSWORD, "nickname": "민수"});
        let signup = anyone.post("/api/auth/signup", minsu.clone()).await;
        assert_eq!(members(&signup), "email nickname create_dt");
        assert!(signup.text().starts_with(r#"{"email":"minsu@example.com","nickname":"민수","create_dt":""#));
        assert_eq!(signup.header("content-type"), "application/json");
        let login = anyone.post("/api/auth/login", minsu).await;
        assert_eq!(members(&login), "email nickname access_token refresh_token expires_in");
        let mut client = anyone.clone();
        client.token = login.json()["access_token"].as_str().map(str::to_owned);
        assert_eq!(members(&client.get("/api/mypage/profile").await), "email nickname id create_dt");

        let feed = "title content image_urls id author_email author_nickname create_dt update_dt \
                    author_id like_count comment_count liked images";
        let form = FormData::new().text("title", "한글 <&\u{2028}").text("content", "c").file("images", "a", &png());
        let created = client.form(Method::POST, "/api/feed/create", form).await;
        assert_eq!(members(&created), format!("{feed} url thumb_url width height"));
        assert!(created.text().starts_with("{\"title\":\"한글 <&\u{2028}\",\"content\":\"c\",\"image_urls\":[\"http"));
        let pagination = "pagination current_page total_pages is_last_page total_count next_cursor";
        assert_eq!(members(&client.get("/api/feed/list").await), format!("feeds {feed} url thumb_url width height {pagination}"));
        let own = client.get("/api/feed/list-by-user?user_id=1").await;
        assert_eq!(members(&own), format!("total_count feeds {feed} url thumb_url width height next_cursor"));
        assert_eq!(members(&client.get("/api/feed/read/7").await), "detail code request_id");
        assert_eq!(members(&client.get("/api/feed/read/x").await), "detail type loc msg input code request_id");
    }

    async fn z05_answers_have_exactly_the_documented_members(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        let anyone = app.anonymous();
        let document = anyone.get("/openapi.json").await.expect(200);
        let check = |operation: &str, status: u16, answer: Answer| {
            assert_eq!(answer.status.as_u16(), status, "{operation}: {}", answer.text());
            assert_documented(&document, operation, &answer);
        };
        let form = || FormData::new().text("title", "t").text("content", "c");
        let account = json!({"email": "a@b.co", "password": PASSWORD, "nickname": "a"});

        let signup = "POST /api/auth/signup";
        check(signup, 200, anyone.post("/api/auth/signup", account.clone()).await);
        check(signup, 400, anyone.post("/api/auth/signup", account.clone()).await);
        check(signup, 422, anyone.post("/api/auth/signup", json!({"password": 1})).await);
        let login = "POST /api/auth/login";
        check(login, 200, anyone.post("/api/auth/login", account).await);
        check(login, 401, anyone.post("/api/auth/login", json!({"email": "a@b.co", "password": "x"})).await);
        check(login, 422, anyone.post("/api/auth/login", json!([])).await);
        let again = json!({"email": "a@b.co", "password": PASSWORD});
        let token = anyone.post("/api/auth/login", again).await.expect(200)["refresh_token"].clone();
        let refresh = "POST /api/auth/refresh";
        check(refresh, 200, anyone.post("/api/auth/refresh", json!({"refresh_token": token})).await);
        check(refresh, 401, anyone.post("/api/auth/refresh", json!({"refresh_token": "x"})).await);
        check(refresh, 422, anyone.post("/api/auth/refresh", json!({})).await);
        let logout = "POST /api/auth/logout";
        check(logout, 200, app.user("leaver").await.post("/api/auth/logout", json!({})).await);
        check(logout, 401, anyone.post("/api/auth/logout", json!({})).await);
        let password = async |body: serde_json::Value| jiwoo.json(Method::PATCH, "/api/auth/password", body).await;
        let change = "PATCH /api/auth/password";
        check(change, 200, password(json!({"password": PASSWORD, "new_password": "another password"})).await);
        check(change, 403, password(json!({"password": PASSWORD, "new_password": "another password"})).await);
        check(change, 422, password(json!({})).await);
        let profile = async |method: Method, body: serde_json::Value| jiwoo.json(method, "/api/mypage/profile", body).await;
        let change = "PATCH /api/mypage/profile";
        check(change, 200, profile(Method::PATCH, json!({"nickname": "Jiwoo"})).await);
        check(change, 400, profile(Method::PATCH, json!({"nickname": "minsu"})).await);
        check(change, 422, profile(Method::PATCH, json!({"nickname": 1})).await);
        let delete = "DELETE /api/mypage/profile";
        check(delete, 403, profile(Method::DELETE, json!({"password": "x"})).await);
        check("PUT /api/user/{id}/suspension", 403, jiwoo.json(Method::PUT, "/api/user/1/suspension", json!({})).await);
        check("DELETE /api/user/{id}/suspension", 403, jiwoo.delete("/api/user/1/suspension").await);
        let create = "POST /api/feed/create";
        let with_images = form().files("images", &[png(), png()]);
        check(create, 200, minsu.form(Method::POST, "/api/feed/create", with_images).await);
        check(create, 401, anyone.form(Method::POST, "/api/feed/create", form()).await);
        check(create, 422, minsu.form(Method::POST, "/api/feed/create", FormData::new()).await);
        let no_picture = form().file("images", "a.png", b"<html>no picture</html>");
        check(create, 415, minsu.form(Method::POST, "/api/feed/create", no_picture).await);
        let broken = form().file("images", "a.png", &png()[..40]);
        check(create, 422, minsu.form(Method::POST, "/api/feed/create", broken).await);
        let update = "PATCH /api/feed/update/{feed_id}";
        check(update, 200, minsu.form(Method::PATCH, "/api/feed/update/1", form()).await);
        check(update, 403, jiwoo.form(Method::PATCH, "/api/feed/update/1", form()).await);
        check(update, 404, minsu.form(Method::PATCH, "/api/feed/update/7", form()).await);
        check(update, 422, minsu.form(Method::PATCH, "/api/feed/update/x", form()).await);
        let read = "GET /api/feed/read/{feed_id}";
        for client in [&minsu, &jiwoo, &anyone] {
            check(read, 200, client.get("/api/feed/read/1").await);
            check("GET /api/feed/list", 200, client.get("/api/feed/list").await);
            check("GET /api/feed/list-by-user", 200, client.get("/api/feed/list-by-user?nickname=minsu").await);
        }
        check(read, 404, anyone.get("/api/feed/read/7").await);
        check(read, 422, anyone.get("/api/feed/read/x").await);
        check("GET /api/feed/list", 422, anyone.get("/api/feed/list?limit=0&skip=-1&sort_by=&cursor=x").await);
        check("GET /api/feed/list-by-user", 400, anyone.get("/api/feed/list-by-user").await);
        check("GET /api/mypage/profile", 200, minsu.get("/api/mypage/profile").await);
        check("GET /api/mypage/profile", 401, anyone.get("/api/mypage/profile").await);
        check("DELETE /api/feed/delete/{feed_id}", 403, jiwoo.delete("/api/feed/delete/1").await);
        check("DELETE /api/feed/delete/{feed_id}", 200, minsu.delete("/api/feed/delete/1").await);
        check("DELETE /api/feed/delete/{feed_id}", 404, minsu.delete("/api/feed/delete/1").await);
        check("GET /images/{name}", 404, anyone.get("/images/x").await);
        check("GET /healthz", 200, anyone.get("/healthz").await);
        check("GET /readyz", 200, anyone.get("/readyz").await);
    }
}

#[tokio::test]
async fn the_documentation_works_offline_and_can_authorize() {
    let app = TestApp::sqlite().await;
    let anyone = app.anonymous();
    assert_eq!(anyone.get("/docs").await.header("location"), "/docs/");
    let page = anyone.get("/docs/").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html"));
    // Nothing of another server, and no script in the page: the policy would stop both.
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
    let html = page.text();
    assert_eq!(html.matches("<script").count(), html.matches("<script src=\"").count(), "{html}");
    let quoted =
        |key: &str| html.split(key).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect::<Vec<_>>();
    let parts = [quoted("src=\""), quoted("href=\"")].concat();
    assert!(parts.len() >= 4, "{html}");
    for part in &parts {
        assert!(!part.contains("//"), "{part} is elsewhere");
        let answer = anyone.get(&format!("/docs/{}", part.trim_start_matches("./"))).await;
        assert_eq!(answer.status, 200, "{part}");
        assert_eq!(answer.header("content-security-policy"), policy, "{part}");
    }
    let setup = anyone.get("/docs/swagger-initializer.js").await.text();
    assert!(setup.contains("\"/openapi.json\"") && !setup.contains("://"), "{setup}");
    // The other layout has a badge of a validator elsewhere.
    assert!(setup.contains("BaseLayout"), "{setup}");

    // The Authorize button is there if the document names a scheme; its padlocks stand at the operations that use it.
    let document = anyone.get("/openapi.json").await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let bearer = &document["components"]["securitySchemes"]["bearer"];
    assert_eq!((&bearer["type"], &bearer["scheme"]), (&json!("http"), &json!("bearer")));
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            // Some prove by other means who they are.
            let others = ["/login", "/refresh", "/webhook"].iter().any(|end| path.ends_with(end));
            if operation["responses"].get("401").is_some() && !others {
                assert_eq!(operation["security"], json!([{"bearer": []}]), "{method} {path}");
            }
        }
    }
    assert!(!document.to_string().contains("://"), "the document names other servers");
}

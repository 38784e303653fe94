//! Creating, reading, changing and deleting feeds.

mod lists;
mod ready;

use axum::http::Method;
use image::ImageFormat;
use serde_json::{Value, json};

use crate::support::{
    Client, assert_answer,
    form::FormData,
    on_each_database,
    pictures::{jpeg, picture, png},
};

/// Widths stand for pictures: they survive re-encoding, in order.
fn widths(feed: &Value) -> Vec<i64> {
    feed["images"].as_array().unwrap().iter().map(|image| image["width"].as_i64().unwrap()).collect()
}

fn urls(feed: &Value) -> Vec<String> {
    feed["image_urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect()
}

async fn read(client: &Client, id: i64) -> Value {
    client.get(&format!("/api/feed/read/{id}")).await.expect(200)
}

on_each_database! {
    async fn a_feed_is_created_and_read(app: TestApp) {
        let minsu = app.user("minsu").await;
        let form = FormData::new()
            .text("title", "첫 글 🍜")
            .text("content", "line\r\nline")
            .text("unknown", "x")
            .file("images", "a.png", &png())
            .file("images", "", b"")
            .file("images", "b.jpg", &jpeg());
        let created = minsu.form(Method::POST, "/api/feed/create", form).await;
        assert_answer!(created, @r#"
        200
        {
          "author_email": "minsu@example.com",
          "author_id": 1,
          "author_nickname": "minsu",
          "comment_count": 0,
          "content": "line\r\nline",
          "create_dt": "[create_dt]",
          "id": 1,
          "image_urls": [
            "http://board.test/images/[key].png",
            "http://board.test/images/[key].jpg"
          ],
          "images": [
            {
              "height": 6,
              "thumb_url": "http://board.test/images/[key].png",
              "url": "http://board.test/images/[key].png",
              "width": 8
            },
            {
              "height": 12,
              "thumb_url": "http://board.test/images/[key].jpg",
              "url": "http://board.test/images/[key].jpg",
              "width": 16
            }
          ],
          "like_count": 0,
          "liked": false,
          "title": "첫 글 🍜",
          "update_dt": "[update_dt]"
        }
        "#);

        let mut expected = created.json();
        assert_eq!(read(&minsu, 1).await, expected);
        // To others the address is null, the rest the same.
        expected["author_email"] = Value::Null;
        assert_eq!(read(&app.anonymous(), 1).await, expected);
        assert_eq!(read(&app.user("jiwoo").await, 1).await, expected);
        app.assert_consistent().await;
    }

    async fn a_form_of_pairs_does_for_a_feed_without_images(app: TestApp) {
        let minsu = app.user("minsu").await;
        let pairs = "title=first&title=%EC%A0%9C%EB%AA%A9&content=a+b&images=&x=1";
        let feed = minsu.urlencoded(Method::POST, "/api/feed/create", pairs).await.expect(200);
        assert_eq!((&feed["title"], &feed["content"]), (&json!("제목"), &json!("a b")));
        assert_eq!((&feed["image_urls"], &feed["images"]), (&json!([]), &json!([])));
        assert_eq!(feed["create_dt"], feed["update_dt"]);
    }

    async fn wrong_fields_of_a_feed_are_told(app: TestApp) {
        let minsu = app.user("minsu").await;
        let feed = minsu.create_feed("kept", &[]).await;
        let (create, update) = ("/api/feed/create", "/api/feed/update/1");
        for (method, path) in [(Method::POST, create), (Method::PATCH, update)] {
            for (pairs, problems) in [
                ("", vec!["body.title: missing", "body.content: missing"]),
                ("title=&content=c", vec!["body.title: missing"]),
                (&format!("title={}&content=c", "t".repeat(201)), vec!["body.title: string_too_long"]),
                (&format!("title=t&content={}", "c".repeat(50_001)), vec!["body.content: string_too_long"]),
            ] {
                let answer = minsu.urlencoded(method.clone(), path, pairs).await;
                assert_eq!(answer.problems(), problems, "{path} {pairs:.50}");
            }
            let other = minsu.request(method.clone(), path, &[("content-type", "text/plain")], "title=t".into()).await;
            assert_eq!(other.problems(), ["body.title: missing", "body.content: missing"]);
            let broken = [("content-type", "multipart/form-data; boundary=XX")];
            let answer = minsu.request(method.clone(), path, &broken, "--YY".into()).await;
            assert_answer!(answer, @r#"
                400
                {
                  "code": "broken_body",
                  "detail": "There was an error parsing the body",
                  "request_id": "[request_id]"
                }
                "#);
        }
        assert_eq!(read(&minsu, 1).await, feed);
        assert_eq!(app.count("feeds").await, 1);
    }

    async fn a_missing_feed_is_not_found(app: TestApp) {
        let minsu = app.user("minsu").await;
        // Clients compare the text, so the one route spells it its own way.
        assert_answer!(minsu.get("/api/feed/read/7").await, @r#"
        404
        {
          "code": "feed_not_found",
          "detail": "Feed not found",
          "request_id": "[request_id]"
        }
        "#);
        assert_answer!(minsu.delete("/api/feed/delete/7").await, @r#"
        404
        {
          "code": "feed_not_found",
          "detail": "Feed Not Found",
          "request_id": "[request_id]"
        }
        "#);
        let update = minsu.urlencoded(Method::PATCH, "/api/feed/update/7", "title=t&content=c").await;
        assert_eq!(update.refused(404, "feed_not_found")["detail"], "Feed Not Found");
    }

    async fn an_update_keeps_the_order_of_images_and_appends(app: TestApp) {
        let minsu = app.user("minsu").await;
        let of_width = |width| picture(ImageFormat::Png, width, 5);
        let feed = minsu.create_feed("before", &[of_width(1), of_width(2), of_width(3)]).await;
        let path = format!("/api/feed/update/{}", feed["id"]);
        app.clock.advance(std::time::Duration::from_secs(60));

        let form = FormData::new()
            .text("title", "after")
            .text("content", "new")
            .text("target_image_urls", "")
            .text("target_image_urls", &urls(&feed)[1])
            .text("target_image_urls", &urls(&feed)[1])
            .files("new_images", &[of_width(4), of_width(5)]);
        let updated = minsu.form(Method::PATCH, &path, form).await.expect(200);
        assert_eq!(widths(&updated), [1, 3, 4, 5]);
        assert_eq!(urls(&updated)[..2], [urls(&feed)[0].clone(), urls(&feed)[2].clone()]);
        assert_eq!((&updated["title"], &updated["content"]), (&json!("after"), &json!("new")));
        assert_eq!(updated["create_dt"], feed["create_dt"]);
        assert!(updated["update_dt"].as_str() > feed["update_dt"].as_str());
        assert_eq!(read(&minsu, 1).await, updated);

        // Without files the images stay as they are.
        let again = minsu.urlencoded(Method::PATCH, &path, "title=t&content=c").await.expect(200);
        assert_eq!(again["images"], updated["images"]);
        app.assert_consistent().await;
        let gone = urls(&feed)[1].replace("http://board.test", "");
        minsu.get(&gone).await.refused(404, "not_found");
    }

    async fn a_deleted_feed_is_gone(app: TestApp) {
        let minsu = app.user("minsu").await;
        let feed = minsu.create_feed("short-lived", &[png()]).await;
        assert_answer!(minsu.delete("/api/feed/delete/1").await, @r#"
        200
        {
          "message": "Feed Deleted"
        }
        "#);
        minsu.get("/api/feed/read/1").await.refused(404, "feed_not_found");
        minsu.delete("/api/feed/delete/1").await.refused(404, "feed_not_found");
        app.assert_consistent().await;
        minsu.get(&urls(&feed)[0].replace("http://board.test", "")).await.refused(404, "not_found");
        // Its id is never used again.
        assert_eq!(minsu.create_feed("next", &[]).await["id"], 2);
    }

    async fn only_its_author_changes_a_feed(app: TestApp) {
        let (minsu, jiwoo) = (app.user("minsu").await, app.user("jiwoo").await);
        let feed = minsu.create_feed("minsu's", &[png()]).await;
        let rows = app.rows().await;
        assert_answer!(jiwoo.delete("/api/feed/delete/1").await, @r#"
        403
        {
          "code": "permission_denied",
          "detail": "Permission Denied",
          "request_id": "[request_id]"
        }
        "#);
        let form = FormData::new()
            .text("title", "stolen")
            .text("content", "c")
            .text("target_image_urls", &urls(&feed)[0])
            .file("new_images", "a", &png());
        jiwoo.form(Method::PATCH, "/api/feed/update/1", form).await.refused(403, "permission_denied");
        assert_eq!(app.rows().await, rows);
        assert_eq!(read(&minsu, 1).await, feed);
        app.assert_consistent().await;
    }
}

//! Addresses of images to remove that are not images of the feed.

use axum::http::Method;

use super::Stage;
use crate::support::{form::FormData, on_each_database, pictures::png};

fn removing(urls: &[&str]) -> FormData {
    let form = FormData::new().text("title", "t").text("content", "c");
    urls.iter().fold(form, |form, url| form.text("target_image_urls", url))
}

on_each_database! {
    async fn z02_images_of_another_feed_stay(app: TestApp) {
        let mut stage = Stage::set(app).await;
        let jiwoo = stage.app.user("jiwoo").await;
        let own = stage.user.create_feed("own", &[png()]).await;
        let others = jiwoo.create_feed("other's", &[png()]).await;
        stage.rows = stage.app.rows().await;
        let mut before = Vec::new();
        for feed in [&own, &others] {
            let url = feed["image_urls"][0].as_str().unwrap();
            before.push((url, stage.user.get(&url.replace("http://board.test", "")).await.body));
        }
        // Of the feed 1, which has none; of the feed 2, beside its own.
        for (path, urls) in [
            ("/api/feed/update/1", [before[0].0].as_slice()),
            ("/api/feed/update/1", &[before[1].0]),
            ("/api/feed/update/2", &[before[0].0, before[1].0]),
        ] {
            let answer = stage.user.form(Method::PATCH, path, removing(urls).file("new_images", "a", &png())).await;
            assert_eq!(answer.problems(), [format!("body.target_image_urls.{}: value_error", urls.len() - 1)]);
        }
        jiwoo.form(Method::PATCH, "/api/feed/update/2", removing(&[before[0].0])).await.refused(403, "permission_denied");
        stage.assert_unharmed().await;
        for (url, bytes) in before {
            assert_eq!(stage.user.get(&url.replace("http://board.test", "")).await.body, bytes);
        }
    }

    async fn z03_addresses_that_are_no_images_are_refused(app: TestApp) {
        let mut stage = Stage::set(app).await;
        let feed = stage.user.create_feed("with an image", &[png()]).await;
        stage.rows = stage.app.rows().await;
        let url = feed["image_urls"][0].as_str().unwrap();
        let name = url.rsplit('/').next().unwrap();
        let path = url.replace("http://board.test", "");
        for target in [
            "../../../etc/passwd",
            "/etc/passwd",
            "file:///etc/passwd",
            "data:image/png;base64,AAAA",
            "http://169.254.169.254/latest/meta-data/",
            "s3://bucket/backup.sql",
            "backup.sql",
            name,
            &path,
            &format!("https://board.test{path}"),
            &format!("http://evil.example{path}"),
            &format!("http://board.test@evil.example{path}"),
            &format!("http://BOARD.test{path}"),
            &format!("//board.test{path}"),
            &format!("http://board.test/images/../images/{name}"),
            &format!("http://board.test/images/%2e%2e/images/{name}"),
            &format!("http://board.test/images//{name}"),
            &url.to_uppercase(),
            &format!("{url}?x=1"),
            &format!("{url}#x"),
            &format!("{url} "),
            &format!("{url}\0"),
            &url.replace(".png", ".jpg"),
            &url.replace(".png", ""),
            "http://board.test/images/",
            "%",
            "' or '1'='1",
        ] {
            let answer = stage.user.form(Method::PATCH, "/api/feed/update/2", removing(&[target])).await;
            let problems = answer.problems();
            assert!(problems.len() == 1 && problems[0].ends_with(": value_error"), "{target}: {problems:?}");
        }
        let long = format!("{url}{}", "x".repeat(2_048));
        let answer = stage.user.form(Method::PATCH, "/api/feed/update/2", removing(&[&long])).await;
        assert_eq!(answer.problems(), ["body.target_image_urls: string_too_long"]);
        for count in [33, 10_000] {
            let answer = stage.user.form(Method::PATCH, "/api/feed/update/2", removing(&vec![url; count])).await;
            answer.refused(413, "too_many_fields");
        }
        stage.assert_unharmed().await;
        assert_eq!(stage.user.get("/api/feed/read/2").await.expect(200), feed);
        assert_eq!(stage.user.get(&path).await.status, 200);
        // Named twice it goes once.
        let updated = stage.user.form(Method::PATCH, "/api/feed/update/2", removing(&[url, url])).await.expect(200);
        assert_eq!(updated["image_urls"], serde_json::json!([]));
        stage.app.assert_consistent().await;
        stage.user.get(&path).await.refused(404, "not_found");
    }
}

//! One's own data as a ZIP.

use std::io::{Cursor, Read};

use axum::http::Method;
use greenlit::{Opts, Tx, args};
use madang::media::store::Name;
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::support::{Answer, Client, on_each_database, pictures};

const EXPORT: &str = "/api/mypage/export";

fn file(answer: &Answer, name: &str) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(answer.body.clone())).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn json_of(answer: &Answer, name: &str) -> Value {
    serde_json::from_slice(&file(answer, name)).unwrap()
}

fn names(answer: &Answer) -> Vec<String> {
    let archive = ZipArchive::new(Cursor::new(answer.body.clone())).unwrap();
    archive.file_names().map(|name| name.unwrap().into_owned()).collect()
}

async fn export(client: &Client) -> Answer {
    let answer = client.get(EXPORT).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    answer
}

on_each_database! {
    async fn an_export_has_all_that_is_ones_own(app: TestApp) {
        let (user, other) = (app.user("minsu").await, app.user("jiho").await);
        let feed = user.create_feed("마당", &[pictures::jpeg(), pictures::png()]).await;
        for n in 0..45 {
            user.create_feed(&format!("feed {n}"), &[]).await;
        }
        let foreign = other.create_feed("another's", &[pictures::png()]).await;
        let social = async |tx: &mut Tx| {
            let id = foreign["id"].as_i64().unwrap();
            let sql = "insert into comments (feed_id, author_id, content, create_dt, update_dt) values (?, ?, ?, 1, 1)";
            let own = tx.insert(sql, args![id, user.id, "mine"]).await?;
            tx.insert(sql, args![id, other.id, "another's"]).await?;
            tx.exec("insert into feed_likes (feed_id, user_id, create_dt) values (?, ?, 1)", args![id, user.id]).await?;
            tx.exec("insert into comment_likes (comment_id, user_id, create_dt) values (?, ?, 1)", args![own, user.id]).await?;
            let sql = "insert into follows (follower_id, following_id, create_dt) values (?, ?, 1)";
            tx.exec(sql, args![user.id, other.id]).await?;
            tx.exec(sql, args![other.id, user.id]).await
        };
        app.app.db.tx(Opts::default(), social).await.unwrap();

        let answer = export(&user).await;
        assert_eq!(answer.header("content-type"), "application/zip");
        assert_eq!(answer.header("cache-control"), "no-store");
        let profile = json_of(&answer, "profile.json");
        assert_eq!((&profile["email"], &profile["nickname"]), (&json!("minsu@example.com"), &json!("minsu")));
        assert_eq!((&profile["notification_settings"]["like"], &profile["line_link_dt"]), (&json!("all"), &json!(null)));
        let feeds = json_of(&answer, "feeds.json");
        assert_eq!((feeds.as_array().unwrap().len(), &feeds[0]["title"], &feeds[45]["title"]), (46, &json!("마당"), &json!("feed 44")));
        let comments = json_of(&answer, "comments.json");
        assert_eq!((comments.as_array().unwrap().len(), &comments[0]["content"]), (1, &json!("mine")));
        assert_eq!(json_of(&answer, "feed_likes.json")[0]["id"], foreign["id"]);
        assert_eq!(json_of(&answer, "comment_likes.json")[0]["id"], comments[0]["id"]);
        let follow = json!([{"id": other.id, "nickname": "jiho", "create_dt": "1970-01-01T00:00:00.000001Z"}]);
        assert_eq!(json_of(&answer, "followings.json"), follow);
        assert_eq!(json_of(&answer, "followers.json"), follow);
        let images = json_of(&answer, "images.json");
        assert_eq!(images.as_array().unwrap().len(), 2);
        for (image, url) in images.as_array().unwrap().iter().zip(feed["image_urls"].as_array().unwrap()) {
            assert_eq!((&image["feed_id"], &image["missing"]), (&feed["id"], &json!(false)));
            let path = url.as_str().unwrap().strip_prefix("http://board.test").unwrap();
            let served = user.get(path).await.body;
            assert_eq!(file(&answer, image["file"].as_str().unwrap()), served);
        }
        // Nothing of anybody's secrets, and nobody's address but his own.
        for name in names(&answer) {
            let text = String::from_utf8_lossy(&file(&answer, &name)).into_owned();
            assert!(!text.contains("argon2") && !text.contains("jiho@"), "{name}: {text}");
        }
        user.json(Method::POST, EXPORT, json!({})).await.expect(405);
        app.anonymous().get(EXPORT).await.refused(401, "not_authenticated");
    }

    async fn an_export_of_nothing_is_an_export(app: TestApp) {
        let user = app.user("minsu").await;
        let answer = export(&user).await;
        assert_eq!(names(&answer).len(), 8);
        for name in names(&answer).iter().filter(|name| *name != "profile.json") {
            assert_eq!(json_of(&answer, name), json!([]), "{name}");
        }
    }

    async fn an_image_that_is_missing_is_told(app: TestApp) {
        let user = app.user("minsu").await;
        let feed = user.create_feed("title", &[pictures::png(), pictures::png()]).await;
        let gone = feed["image_urls"][0].as_str().unwrap().rsplit('/').next().unwrap();
        app.app.media.store.delete(&Name::parse(gone).unwrap()).await.unwrap();
        let answer = export(&user).await;
        let images = json_of(&answer, "images.json");
        assert_eq!((&images[0]["missing"], &images[1]["missing"]), (&json!(true), &json!(false)));
        assert_eq!(images[0]["file"], format!("images/{gone}"));
        let listed = names(&answer);
        assert!(!listed.contains(&format!("images/{gone}")) && listed.contains(&images[1]["file"].as_str().unwrap().to_owned()));
    }
}

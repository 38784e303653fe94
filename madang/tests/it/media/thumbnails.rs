//! Thumbnails: made by the worker, served like images, and gone with them.

use std::time::Duration;

use axum::{body::Body, http::Method};
use greenlit::Opts;
use image::{GenericImageView, ImageFormat};
use madang::{jobs, media::store::Name};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{make_due, path, pictures_of, update, urls};
use crate::support::{Client, TestApp, on_each_database, pictures};

fn thumbs(feed: &Value) -> Vec<String> {
    let images = feed["images"].as_array().unwrap().iter();
    images.map(|image| image["thumb_url"].as_str().unwrap().to_owned()).collect()
}

fn wide() -> Vec<u8> {
    pictures::picture(ImageFormat::Jpeg, 1_600, 900)
}

async fn again(client: &Client, feed: &Value) -> Value {
    client.get(&format!("/api/feed/read/{}", feed["id"])).await.expect(200)
}

/// Asks for a thumbnail as the claim of an image does.
async fn ask_for_thumbnail(app: &TestApp, url: &str) -> Name {
    let name = url.rsplit('/').next().unwrap();
    let job = json!({"name": name});
    app.app.db.tx(Opts::default(), async |tx| tx.outbox("media.thumbnail", &job).await).await.unwrap();
    Name::parse(name).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_do_not_wait_for_thumbnails() {
    let app = TestApp::sqlite().await;
    let ann = app.user("ann").await;
    let gone = ann.create_feed("gone", &pictures_of([1])).await;
    ann.create_feed("large", &vec![pictures::picture(ImageFormat::Jpeg, 4_000, 3_000); 3]).await;
    ann.delete(&format!("/api/feed/delete/{}", gone["id"])).await.expect(200);
    let (stop, stopped) = watch::channel(false);
    let worker = tokio::spawn(jobs::run(app.app.clone(), stopped));
    let url = urls(&gone).remove(0);
    while ann.get(path(&url)).await.status != 404 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(app.count("greenlit_outbox").await > 1, "the older jobs were first");
    stop.send(true).unwrap();
    worker.await.unwrap();
    app.assert_consistent().await;
}

on_each_database! {
    async fn wide_images_get_thumbnails_and_narrow_ones_are_their_own(app: TestApp) {
        let ann = app.user("ann").await;
        let files = [
            wide(),
            pictures::picture(ImageFormat::Png, 640, 700),
            pictures::picture(ImageFormat::WebP, 700, 1_400),
            pictures::picture(ImageFormat::Png, 1_000, 2),
        ];
        let feed = ann.create_feed("sizes", &files).await;
        assert_eq!(thumbs(&feed), urls(&feed), "as long as there are none");
        app.assert_consistent().await;

        let feed = again(&ann, &feed).await;
        let made = thumbs(&feed);
        let is_own: Vec<bool> = made.iter().zip(urls(&feed)).map(|(thumb, url)| *thumb == url).collect();
        assert_eq!(is_own, [false, true, false, false]);
        let sizes: Vec<_> = feed["images"].as_array().unwrap().iter().map(|image| image["width"].clone()).collect();
        assert_eq!(sizes, [1_600, 640, 700, 1_000], "of the images themselves");
        let listed = ann.get("/api/feed/list").await.expect(200);
        assert_eq!(thumbs(&listed["feeds"][0]), made);
        let changed = update(&ann, &feed, &[], &[]).await.expect(200);
        assert_eq!(thumbs(&changed), made);

        let expected = [("image/jpeg", 360), ("image/png", 700), ("image/webp", 1_280), ("image/png", 1)];
        for (url, (kind, height)) in made.iter().zip(expected) {
            let answer = app.anonymous().get(path(url)).await;
            assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, kind), "{url}");
            assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(answer.header("content-security-policy"), "default-src 'none'; sandbox");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(image::load_from_memory(&answer.body).unwrap().dimensions(), (640, height));
            let asked = async |name: &str, value: &str| {
                app.anonymous().request(Method::GET, path(url), &[(name, value)], Body::empty()).await.status
            };
            assert_eq!(asked("if-none-match", answer.header("etag")).await, 304);
            assert_eq!(asked("range", "bytes=0-9").await, 206);
        }
    }

    async fn thumbnails_go_with_their_images(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("gone", &[wide(), wide()]).await;
        app.work().await;
        let feed = again(&ann, &feed).await;
        let all = thumbs(&feed);
        update(&ann, &feed, &all[..1], &[]).await.refused(422, "invalid_input");
        update(&ann, &feed, &urls(&feed)[..1], &[]).await.expect(200);
        app.work().await;
        let found = async |url: &String| ann.get(path(url)).await.status.as_u16();
        assert_eq!([found(&all[0]).await, found(&all[1]).await], [404, 200]);
        ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        app.assert_consistent().await;
        assert_eq!([found(&all[0]).await, found(&all[1]).await], [404, 404]);
    }

    async fn a_job_may_come_again(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("twice", &[wide()]).await;
        let url = urls(&feed).remove(0);
        ask_for_thumbnail(&app, &url).await;
        assert_eq!(app.work().await, 2);
        let made = thumbs(&again(&ann, &feed).await);
        ask_for_thumbnail(&app, &url).await;
        assert_eq!(app.work().await, 1);
        assert_eq!(thumbs(&again(&ann, &feed).await), made);
        app.assert_consistent().await;
    }

    async fn a_job_that_was_killed_leaves_nothing_of_an_image_that_is_gone(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("killed", &[wide()]).await;
        ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        app.assert_consistent().await;
        // It was stored after the deletion, and its worker never came back.
        let name = ask_for_thumbnail(&app, &urls(&feed)[0]).await;
        app.app.media.store.put(&name.thumbnail(), b"late".to_vec()).await.unwrap();
        app.assert_consistent().await;
    }

    async fn removal_and_thumbnails_at_once_leave_nothing(app: TestApp) {
        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn(jobs::run(app.app.clone(), stopped));
        let ann = app.user("ann").await;
        for round in 0..12 {
            let feed = ann.create_feed("contested", &[wide()]).await;
            tokio::time::sleep(Duration::from_millis(round * 8)).await;
            ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        }
        stop.send(true).unwrap();
        worker.await.unwrap();
        make_due(&app).await;
        app.assert_consistent().await;
        assert_eq!(app.count("images").await, 0);
    }

    async fn an_image_that_is_damaged_holds_nobody_up(app: TestApp) {
        let ann = app.user("ann").await;
        let bad = ann.create_feed("bad", &[wide()]).await;
        let name = Name::parse(urls(&bad)[0].rsplit('/').next().unwrap()).unwrap();
        app.app.media.store.put(&name, b"damaged".to_vec()).await.unwrap();
        let good = ann.create_feed("good", &[wide()]).await;
        assert!(app.work().await >= 2, "more, if the bad one was due again");
        assert_eq!(thumbs(&again(&ann, &bad).await), urls(&bad));
        assert_ne!(thumbs(&again(&ann, &good).await), urls(&good));
        ann.delete(&format!("/api/feed/delete/{}", bad["id"])).await.expect(200);
        make_due(&app).await;
        app.assert_consistent().await;
    }

    async fn f20_a_store_that_fails_delays_thumbnails_and_nothing_else(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("later", &[wide()]).await;
        {
            let _broken = app.break_store();
            assert_eq!(app.work().await, 1);
            assert_eq!(thumbs(&again(&ann, &feed).await), urls(&feed));
        }
        make_due(&app).await;
        app.assert_consistent().await;
        assert_ne!(thumbs(&again(&ann, &feed).await), urls(&feed));
    }

    async fn u16_copies_stay_and_what_is_deleted_is_gone(app: TestApp) {
        let (ann, bob) = (app.user("ann").await, app.user("bob").await);
        let (mine, same, his) = (
            ann.create_feed("one", &[wide()]).await,
            ann.create_feed("two", &[wide()]).await,
            bob.create_feed("three", &[wide()]).await,
        );
        app.work().await;
        let mine = again(&ann, &mine).await;
        ann.delete(&format!("/api/feed/delete/{}", mine["id"])).await.expect(200);
        app.work().await;
        for url in urls(&mine).iter().chain(&thumbs(&mine)) {
            ann.get(path(url)).await.refused(404, "not_found");
        }
        for feed in [again(&ann, &same).await, again(&ann, &his).await] {
            for url in urls(&feed).iter().chain(&thumbs(&feed)) {
                assert_eq!(ann.get(path(url)).await.status, 200);
            }
        }
        app.assert_consistent().await;
    }
}

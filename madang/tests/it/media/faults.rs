//! A store that fails, and jobs that fail with it.

use std::{fs, path::PathBuf};

use axum::http::Method;
use greenlit::Opts;
use serde_json::json;

use super::{folder_of, make_due, path, pictures_of, served, update, urls};
use crate::support::{Blocked, TestApp, form::FormData, on_each_database};

#[tokio::test]
async fn f20_a_store_that_fails_on_the_way_leaves_nothing() {
    let app = TestApp::sqlite().await;
    let ann = app.user("ann").await;
    let folder = folder_of(&app);
    let shards: Vec<_> = (0..0x80).map(|shard| folder.join(format!("{shard:02x}"))).collect();
    {
        let _blocked: Vec<_> = shards.iter().map(|shard| Blocked::new(shard)).collect();
        let mut refused = 0;
        for _ in 0..10 {
            let form = FormData::new().text("title", "a").text("content", "b").files("images", &pictures_of(1..=4));
            let answer = ann.form(Method::POST, "/api/feed/create", form).await;
            assert!([200, 503].contains(&answer.status.as_u16()), "{}", answer.text());
            refused += usize::from(answer.status == 503);
        }
        assert!(refused > 0);
    }
    make_due(&app).await;
    app.assert_consistent().await;
    assert_eq!(app.count("images").await, 4 * app.count("feeds").await);
}

#[tokio::test]
async fn f19_an_object_that_cannot_be_deleted_keeps_no_other() {
    let app = TestApp::sqlite().await;
    let ann = app.user("ann").await;
    let feed = ann.create_feed("gone", &pictures_of(1..=3)).await;
    let objects: Vec<_> = urls(&feed).iter().map(|url| object_of(&app, url)).collect();
    // A folder in its place.
    fs::remove_file(&objects[0]).unwrap();
    fs::create_dir(&objects[0]).unwrap();
    ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
    app.work().await;
    let left: Vec<_> = objects.iter().map(|object| object.exists()).collect();
    assert_eq!(left, [true, false, false]);

    fs::remove_dir(&objects[0]).unwrap();
    make_due(&app).await;
    app.assert_consistent().await;
}

fn object_of(app: &TestApp, url: &str) -> PathBuf {
    let name = url.rsplit('/').next().unwrap();
    folder_of(app).join(&name[..2]).join(name)
}

on_each_database! {
    async fn f20_a_store_that_fails_leaves_nothing(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("before", &pictures_of([1])).await;
        {
            let _broken = app.break_store();
            let form = FormData::new().text("title", "a").text("content", "b").files("images", &pictures_of(1..=3));
            let answer = ann.form(Method::POST, "/api/feed/create", form).await;
            answer.refused(503, "unavailable");
            assert_eq!(answer.header("retry-after"), "5");
            update(&ann, &feed, &[], &pictures_of(1..=3)).await.refused(503, "unavailable");
            assert_eq!(app.count("images").await, 1, "rows are left");
            // What needs no store goes on.
            ann.create_feed("text alone", &[]).await;
            assert_eq!(ann.get("/api/feed/list").await.expect(200)["pagination"]["total_count"], 2);
            ann.get(path(&urls(&feed)[0])).await.refused(503, "unavailable");
        }
        make_due(&app).await;
        app.assert_consistent().await;
        assert_eq!(served(&ann, &feed).await, 1);
        assert_eq!(served(&ann, &ann.create_feed("after", &pictures_of([1])).await).await, 1);
    }

    async fn f19_a_deletion_is_retried_until_the_store_works_again(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("gone", &pictures_of(1..=2)).await;
        {
            let _broken = app.break_store();
            ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
            ann.get(&format!("/api/feed/read/{}", feed["id"])).await.refused(404, "feed_not_found");
            for _ in 0..3 {
                assert_eq!(app.work().await, 1);
                assert_eq!(app.work().await, 0, "it waits before the next attempt");
                make_due(&app).await;
            }
            assert_eq!(app.count("greenlit_outbox").await, 1);
        }
        app.assert_consistent().await;
        for url in urls(&feed) {
            ann.get(path(&url)).await.refused(404, "not_found");
        }
    }

    async fn f29_what_fails_for_ever_is_parked_and_holds_nobody_up(app: TestApp) {
        let ann = app.user("ann").await;
        let poison = async |tx: &mut greenlit::Tx| {
            tx.outbox("media.delete", &json!({"names": ["../../etc/passwd"]})).await?;
            tx.outbox("media.delete", &json!({"other": 1})).await?;
            // Of a newer version: not ours to touch.
            tx.outbox("media.paint", &json!({})).await.map(drop)
        };
        app.app.db.tx(Opts::default(), poison).await.unwrap();
        let nearly = "update greenlit_outbox set attempts = 54 where topic = 'media.delete'";
        app.app.db.tx(Opts::default(), async |tx| tx.exec(nearly, vec![]).await).await.unwrap();

        let feed = ann.create_feed("gone", &pictures_of([1])).await;
        ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        assert_eq!(app.work().await, 3);
        ann.get(path(&urls(&feed)[0])).await.refused(404, "not_found");
        let parked = app.app.db.outbox().parked(10).await.unwrap();
        let reasons: Vec<_> = parked.iter().map(|parked| parked.last_error.clone().unwrap_or_default()).collect();
        assert_eq!(parked.len(), 2, "{reasons:?}");
        assert_eq!(reasons[0], "not the name of an image");
        make_due(&app).await;
        assert_eq!(app.work().await, 0);
        assert_eq!(app.count("greenlit_outbox").await, 3);
    }

    async fn f19_a_job_that_was_parked_can_be_released(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("gone", &pictures_of([1])).await;
        {
            let _broken = app.break_store();
            ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
            let nearly = "update greenlit_outbox set attempts = 54";
            app.app.db.tx(Opts::default(), async |tx| tx.exec(nearly, vec![]).await).await.unwrap();
            assert_eq!(app.work().await, 1);
        }
        let parked = app.app.db.outbox().parked(10).await.unwrap();
        app.app.db.outbox().release(parked[0].job.id).await.unwrap();
        app.assert_consistent().await;
    }
}

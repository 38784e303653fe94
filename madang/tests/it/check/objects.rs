//! Rows against objects and jobs, both ways.

use std::time::Duration;

use axum::http::Method;
use futures_util::future::join_all;
use greenlit::{Opts, args};
use image::ImageFormat;
use indicatif::ProgressBar;
use madang::{
    check::{Failure, check},
    jobs,
    media::{picture::Format, store::Name},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{board, checked, findings, run};
use crate::support::{Client, TestApp, form::FormData, on_each_database, pictures};

const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);

fn wide() -> Vec<u8> {
    pictures::picture(ImageFormat::Png, 700, 3)
}

/// The objects of a feed's images.
fn names(feed: &Value) -> Vec<Name> {
    let urls = feed["image_urls"].as_array().unwrap().iter();
    urls.map(|url| Name::parse(url.as_str().unwrap().rsplit('/').next().unwrap()).unwrap()).collect()
}

/// As much of a picture as a check reads.
const END_OF_PNG: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";

async fn put(app: &TestApp, name: &Name, bytes: &[u8]) {
    app.app.media.store.put(name, bytes.to_vec()).await.unwrap();
}

async fn delete(app: &TestApp, name: &Name) {
    app.app.media.store.delete(name).await.unwrap();
}

async fn is_there(app: &TestApp, name: &Name) -> bool {
    app.app.media.store.head(name).await.is_ok()
}

async fn push(app: &TestApp, topic: &'static str, payload: Value) {
    app.app.db.tx(Opts::default(), async |tx| tx.outbox(topic, &payload).await).await.unwrap();
}

/// Posts, changes and deletes feeds with images.
async fn keep_busy(client: Client, rounds: u32) {
    for round in 0..rounds {
        let feed = client.create_feed("busy", &[wide(), pictures::png()]).await;
        let url = feed["image_urls"][(round % 2) as usize].as_str().unwrap();
        let form = FormData::new().text("title", "t").text("content", "c").text("target_image_urls", url);
        let update = format!("/api/feed/update/{}", feed["id"]);
        client.form(Method::PATCH, &update, form.files("new_images", &[wide()])).await.expect(200);
        if round % 3 > 0 {
            client.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        }
    }
}

/// Ends a job of this topic, as the worker does.
async fn end_job(app: &TestApp, topic: &str) {
    let job = app.app.db.outbox().claim(&[topic], 1, TWO_HOURS).await.unwrap().remove(0);
    app.app.db.outbox().acknowledge(&job).await.unwrap();
}

/// Gives images of a feed their thumbnails, then removes them; step by step, in the order in which the board does it.
async fn come_and_go(app: &TestApp, names: &[Name]) {
    let exec = async |sql: &'static str, name: &Name, then: Option<Value>| {
        let key = name.key().to_owned();
        let step = async |tx: &mut greenlit::Tx| {
            tx.exec(sql, args![&key]).await?;
            match &then {
                Some(job) => tx.outbox("media.delete", job).await.map(drop),
                None => Ok(()),
            }
        };
        app.app.db.tx(Opts::default(), step).await.unwrap();
    };
    for name in names {
        put(app, &name.thumbnail(), END_OF_PNG).await;
        exec("update images set thumb_width = 640, thumb_height = 1 where image_key = ?", name, None).await;
        end_job(app, "media.thumbnail").await;
        let job = json!({"names": [name.to_string(), name.thumbnail().to_string()]});
        exec("delete from images where image_key = ?", name, Some(job)).await;
        delete(app, name).await;
        delete(app, &name.thumbnail()).await;
        end_job(app, "media.delete").await;
    }
}

on_each_database! {
    async fn a_lost_image_is_found_and_cannot_be_repaired(app: TestApp) {
        let ann = app.user("ann").await;
        let kept = ann.create_feed("kept", &[pictures::png()]).await;
        let feed = ann.create_feed("lost", &[pictures::png(), wide(), pictures::jpeg()]).await;
        app.work().await;
        assert!(findings(&app, false).await.is_empty());
        let [lost, with_thumbnail, empty] = &names(&feed)[..] else { panic!("{feed}") };
        delete(&app, lost).await;
        delete(&app, with_thumbnail).await;
        delete(&app, &with_thumbnail.thumbnail()).await;
        put(&app, empty, b"").await;
        let mut expected = vec![
            format!("images.missing {lost}"),
            format!("images.missing {with_thumbnail}"),
            format!("thumbnails.missing {}", with_thumbnail.thumbnail()),
            format!("images.empty {empty}"),
        ];
        expected.sort();
        assert_eq!(checked(&app, false).await, (expected.clone(), 4));
        assert_eq!(checked(&app, true).await, (expected, 4));
        assert_eq!(app.count("greenlit_outbox").await, 0);
        // What there is to do about it.
        ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        assert!(findings(&app, false).await.is_empty());
        app.assert_consistent().await;
        assert!(is_there(&app, &names(&kept)[0]).await);
    }

    async fn a_lost_thumbnail_is_made_again(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("thumbnails", &[wide(), wide(), wide(), pictures::png()]).await;
        app.work().await;
        let [missing, empty, unmade, _] = &names(&feed)[..] else { panic!("{feed}") };
        delete(&app, &missing.thumbnail()).await;
        put(&app, &empty.thumbnail(), b"").await;
        let forget = format!("update images set thumb_width = null, thumb_height = null where image_key = '{}'", unmade.key());
        run(&app, &[&forget]).await;
        delete(&app, &unmade.thumbnail()).await;
        let mut expected = vec![
            format!("thumbnails.missing {}", missing.thumbnail()),
            format!("thumbnails.empty {}", empty.thumbnail()),
            format!("thumbnails.unmade {unmade}"),
        ];
        expected.sort();
        assert_eq!(findings(&app, false).await, expected);
        assert_eq!(app.count("greenlit_outbox").await, 0, "a check alone repairs nothing");
        assert_eq!(findings(&app, true).await, expected);
        assert!(findings(&app, true).await.is_empty(), "what a job will do is well");
        assert_eq!(app.work().await, 3);
        for name in [missing, empty, unmade] {
            assert!(app.app.media.store.head(&name.thumbnail()).await.unwrap().length > 0);
        }
        assert!(findings(&app, false).await.is_empty());
        app.assert_consistent().await;
    }

    async fn orphans_are_deleted_when_they_are_old(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("kept", &[wide()]).await;
        app.work().await;
        let (one, two) = (Name::random(Format::Png), Name::random(Format::Webp).thumbnail());
        // Named by the row of another object alone.
        let other = Name::parse(&format!("{}.webp", names(&feed)[0].key())).unwrap();
        for name in [&one, &two, &other] {
            put(&app, name, b"nobody's").await;
        }
        let mut expected = [&one, &two, &other].map(|name| format!("objects.orphan {name}")).to_vec();
        expected.sort();
        assert_eq!(findings(&app, false).await, expected);
        assert_eq!(checked(&app, true).await, (expected.clone(), 3), "they may still be on their way");
        assert_eq!(app.count("greenlit_outbox").await, 0);

        app.clock.advance(TWO_HOURS);
        assert_eq!(findings(&app, true).await, expected);
        assert!(is_there(&app, &one).await, "it is left to a job");
        assert!(findings(&app, true).await.is_empty(), "what a job will delete is well");
        assert_eq!(app.work().await, 1);
        for name in [&one, &two, &other] {
            assert!(!is_there(&app, name).await);
        }
        assert!(is_there(&app, &names(&feed)[0]).await && is_there(&app, &names(&feed)[0].thumbnail()).await);
        app.assert_consistent().await;
    }

    async fn what_is_on_its_way_is_well(app: TestApp) {
        let ann = app.user("ann").await;
        // Staged: with its object, without it yet, and expired.
        for (is_stored, seconds) in [(true, 60), (false, 60), (true, 0)] {
            let name = Name::random(Format::Png);
            let expires = app.clock.now().after(Duration::from_secs(seconds));
            let insert = "insert into images (image_key, extension, owner_id, position, width, height, expire_dt) \
                          values (?, 'png', ?, 0, 700, 1, ?)";
            let staged = args![name.key(), ann.id, expires];
            app.app.db.tx(Opts::default(), async move |tx| tx.exec(insert, staged).await).await.unwrap();
            if is_stored {
                put(&app, &name, END_OF_PNG).await;
            }
        }
        // Its thumbnail is being made: the object is there, the row does not tell of it yet.
        let feed = ann.create_feed("waits", &[wide()]).await;
        put(&app, &names(&feed)[0].thumbnail(), END_OF_PNG).await;
        // Deleted, and the jobs are due: of the image, and of a thumbnail that came late.
        let gone = ann.create_feed("gone", &[pictures::png()]).await;
        ann.delete(&format!("/api/feed/delete/{}", gone["id"])).await.expect(200);
        let late = Name::random(Format::Jpeg);
        push(&app, "media.thumbnail", json!({"name": late.to_string()})).await;
        put(&app, &late.thumbnail(), b"late").await;
        for _ in 0..2 {
            for repair in [false, true] {
                assert!(findings(&app, repair).await.is_empty());
            }
            // And when the jobs are leased.
            app.app.db.outbox().claim(&["media.delete", "media.thumbnail"], 10, TWO_HOURS).await.unwrap();
        }
        let rest = "select count(*) from greenlit_outbox where attempts = 1";
        assert_eq!(app.app.db.fetch_one::<(i64,)>(rest, vec![]).await.unwrap().0, 3);
    }

    async fn a_parked_job_waits_for_a_person(app: TestApp) {
        let orphan = Name::random(Format::Png);
        put(&app, &orphan, b"nobody's").await;
        push(&app, "media.delete", json!({"names": [orphan.to_string()]})).await;
        let job = app.app.db.outbox().claim(&["media.delete"], 1, TWO_HOURS).await.unwrap().remove(0);
        app.app.db.outbox().park(&job, "the bucket answered 403 (AccessDenied)").await.unwrap();
        app.clock.advance(TWO_HOURS);
        let expected = (vec!["outbox.parked media.delete".to_owned()], 1);
        assert_eq!(checked(&app, false).await, expected, "of the object the job is what there is to tell");
        assert_eq!(checked(&app, true).await, expected);
        run(&app, &[&format!("update greenlit_outbox set due = 0 where id = {}", job.id)]).await;
        assert!(findings(&app, false).await.is_empty());
        app.assert_consistent().await;
    }

    async fn a_store_that_fails_is_no_finding(app: TestApp) {
        let ann = app.user("ann").await;
        ann.create_feed("kept", &[pictures::png()]).await;
        let broken = app.break_store();
        let mut found = Vec::new();
        let failed = check(&board(&app), true, &ProgressBar::hidden(), |finding, _| found.push(finding.clone())).await;
        assert!(matches!(failed, Err(Failure::Store(_))) && found.is_empty(), "{failed:?} {found:?}");
        drop(broken);
        assert!(findings(&app, false).await.is_empty());
    }

    async fn what_comes_and_goes_under_the_look_is_well(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("large", &[]).await["id"].as_i64().unwrap();
        let names: Vec<Name> = (0..300).map(|_| Name::random(Format::Png)).collect();
        app.app.db.tx(Opts::default(), async |tx| {
            // What is looked at last goes first.
            for name in names.iter().rev() {
                let insert = "insert into images (image_key, extension, owner_id, feed_id, position, width, height) \
                              values (?, 'png', ?, ?, 0, 700, 1)";
                tx.exec(insert, args![name.key(), ann.id, feed]).await?;
            }
            for name in &names {
                tx.outbox("media.thumbnail", &json!({"name": name.to_string()})).await?;
            }
            Ok::<(), greenlit::Error>(())
        }).await.unwrap();
        join_all(names.iter().map(|name| put(&app, name, END_OF_PNG))).await;
        let looks = async {
            loop {
                assert!(findings(&app, true).await.is_empty());
            }
        };
        tokio::select! {
            () = come_and_go(&app, &names) => {}
            () = looks => {}
        }
        assert!(findings(&app, false).await.is_empty());
        app.assert_consistent().await;
    }

    async fn a_board_that_is_used_gives_no_false_alarm(app: TestApp) {
        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn(jobs::run(app.app.clone(), stopped));
        let mut busy = Vec::new();
        for name in ["ann", "bob", "eve"] {
            busy.push(tokio::spawn(keep_busy(app.user(name).await, 12)));
        }
        let mut checks = 0_u32;
        while busy.iter().any(|one| !one.is_finished()) {
            assert!(findings(&app, checks.is_multiple_of(2)).await.is_empty(), "after {checks} checks");
            checks += 1;
        }
        for one in busy {
            one.await.unwrap();
        }
        assert!(checks > 2, "{checks}");
        stop.send(true).unwrap();
        worker.await.unwrap();
        app.assert_consistent().await;
        assert!(findings(&app, false).await.is_empty());
    }
}

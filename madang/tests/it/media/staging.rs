//! Ten images a feed, in order, under any concurrency; and the end of those that nobody claims.

use std::time::Duration;

use greenlit::{Opts, args};
use madang::{
    jobs,
    media::{picture::Format, store::Name},
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::{path, pictures_of, served, update, urls, widths};
use crate::support::{Answer, Client, form::FormData, on_each_database};

const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);

/// Updates a feed so often at the same time, each time with one image.
async fn updates_at_once(client: &Client, feed: &serde_json::Value, count: u32) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    for width in 0..count {
        let (client, feed) = (client.clone(), feed.clone());
        tasks.spawn(async move { update(&client, &feed, &[], &pictures_of([width + 1])).await });
    }
    tasks.join_all().await
}

on_each_database! {
    async fn ten_images_keep_their_order_and_new_ones_are_appended(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("ten", &pictures_of(1..=10)).await;
        assert_eq!(widths(&feed), (1..=10).collect::<Vec<_>>());
        assert_eq!(served(&ann, &feed).await, 10);

        let form = FormData::new().text("title", "a").text("content", "b").files("images", &pictures_of(1..=11));
        ann.form(axum::http::Method::POST, "/api/feed/create", form).await.refused(422, "too_many_images");
        update(&ann, &feed, &[], &pictures_of([11])).await.refused(422, "too_many_images");

        let old = urls(&feed);
        let removed = [old[1].clone(), old[4].clone(), old[9].clone()];
        let too_many = update(&ann, &feed, &removed, &pictures_of(21..=24)).await;
        too_many.refused(422, "too_many_images");
        let changed = update(&ann, &feed, &removed, &pictures_of([21, 22])).await.expect(200);
        assert_eq!(widths(&changed), [1, 3, 4, 6, 7, 8, 9, 21, 22]);
        // From a gap at the end, positions go on without meeting another.
        let again = update(&ann, &feed, &[], &pictures_of([23])).await.expect(200);
        assert_eq!(widths(&again), [1, 3, 4, 6, 7, 8, 9, 21, 22, 23]);
        assert_eq!(ann.get(&format!("/api/feed/read/{}", feed["id"])).await.expect(200)["images"], again["images"]);
        app.assert_consistent().await;
        assert_eq!(served(&ann, &feed).await, 10);
    }

    async fn removed_and_deleted_images_answer_404(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("gone", &pictures_of(1..=3)).await;
        let all = urls(&feed);
        update(&ann, &feed, &all[..1], &[]).await.expect(200);
        app.work().await;
        let found = async |url: &String| ann.get(path(url)).await.status.as_u16();
        assert_eq!([found(&all[0]).await, found(&all[1]).await, found(&all[2]).await], [404, 200, 200]);
        // A target that is gone is not an image of this feed any more, and nothing else happens.
        update(&ann, &feed, &all, &[]).await.refused(422, "invalid_input");
        assert_eq!(served(&ann, &feed).await, 2);

        ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        app.work().await;
        assert_eq!([found(&all[0]).await, found(&all[1]).await, found(&all[2]).await], [404, 404, 404]);
        assert_eq!(app.count("images").await, 0);
        app.assert_consistent().await;
    }

    async fn a_running_worker_deletes_within_ten_seconds(app: TestApp) {
        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn(jobs::run(app.app.clone(), stopped));
        let ann = app.user("ann").await;
        let feed = ann.create_feed("gone", &pictures_of([1])).await;
        let url = urls(&feed).remove(0);
        ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        let gone = async {
            while ann.get(path(&url)).await.status != 404 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(10), gone).await.unwrap();
        stop.send(true).unwrap();
        timeout(Duration::from_secs(10), worker).await.unwrap().unwrap();
        app.assert_consistent().await;
    }

    async fn ten_updates_at_once_fill_a_feed_exactly(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("busy", &[]).await;
        for answer in updates_at_once(&ann, &feed, 10).await {
            answer.expect(200);
        }
        assert_eq!(served(&ann, &feed).await, 10);
        for answer in updates_at_once(&ann, &feed, 1).await {
            answer.refused(422, "too_many_images");
        }
        app.assert_consistent().await;
    }

    async fn of_twenty_updates_at_once_ten_are_refused(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("busy", &[]).await;
        let (good, bad): (Vec<_>, Vec<_>) =
            updates_at_once(&ann, &feed, 20).await.into_iter().partition(|answer| answer.status == 200);
        assert_eq!((good.len(), bad.len()), (10, 10));
        for answer in bad {
            answer.refused(422, "too_many_images");
        }
        assert_eq!(served(&ann, &feed).await, 10);
        app.assert_consistent().await;
    }

    async fn two_updates_cannot_both_remove_an_image(app: TestApp) {
        let ann = app.user("ann").await;
        let feed = ann.create_feed("swap", &pictures_of([1])).await;
        let mut tasks = JoinSet::new();
        for width in 10..15 {
            let (ann, feed) = (ann.clone(), feed.clone());
            let swap = async move { update(&ann, &feed, &urls(&feed), &pictures_of([width])).await };
            tasks.spawn(swap);
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 422)), "{answers:?}");
        assert_eq!(served(&ann, &feed).await, 1);
        app.assert_consistent().await;
    }

    async fn a_deletion_and_updates_at_once_leave_nothing(app: TestApp) {
        let ann = app.user("ann").await;
        for _ in 0..5 {
            let feed = ann.create_feed("contested", &pictures_of([1])).await;
            let updates = updates_at_once(&ann, &feed, 4);
            let delete = format!("/api/feed/delete/{}", feed["id"]);
            let (answers, deleted) = tokio::join!(updates, ann.delete(&delete));
            deleted.expect(200);
            for answer in answers {
                assert!([200, 404].contains(&answer.status.as_u16()), "{}", answer.text());
            }
        }
        assert_eq!(app.count("images").await, 0);
        app.assert_consistent().await;
    }

    async fn updates_that_are_refused_leave_nothing(app: TestApp) {
        let (ann, bob) = (app.user("ann").await, app.user("bob").await);
        let feed = ann.create_feed("mine", &pictures_of([1])).await;
        let other = ann.create_feed("other", &pictures_of([2])).await;
        update(&bob, &feed, &[], &pictures_of([3])).await.refused(403, "permission_denied");
        let missing = serde_json::json!({"id": 999_999});
        update(&ann, &missing, &[], &pictures_of([3])).await.refused(404, "feed_not_found");
        // Of the images to remove one is another feed's: none is removed.
        let targets = [urls(&feed), urls(&other)].concat();
        update(&ann, &feed, &targets, &pictures_of([3])).await.refused(422, "invalid_input");
        assert_eq!((app.count("images").await, app.count("greenlit_outbox").await), (2, 0));
        assert_eq!((served(&ann, &feed).await, served(&ann, &other).await), (1, 1));
        app.assert_consistent().await;
    }

    async fn what_a_dead_request_staged_is_swept_when_it_expires(app: TestApp) {
        let ann = app.user("ann").await;
        let kept = ann.create_feed("kept", &pictures_of([1])).await;
        let name = Name::random(Format::Png);
        let expires = app.clock.now().after(Duration::from_secs(60 * 60));
        let insert = "insert into images (image_key, extension, owner_id, position, width, height, expire_dt) \
                      values (?, 'png', ?, 0, 1, 1, ?)";
        let staged = args![name.key(), ann.id, expires];
        app.app.db.tx(Opts::default(), async move |tx| tx.exec(insert, staged).await).await.unwrap();
        app.app.media.store.put(&name, b"staged".to_vec()).await.unwrap();

        app.work().await;
        assert_eq!(app.count("images").await, 2, "its time is not over");
        app.clock.advance(TWO_HOURS);
        assert_eq!(app.work().await, 1);
        assert_eq!(app.count("images").await, 1);
        app.assert_consistent().await;
        assert_eq!(served(&ann, &kept).await, 1);
    }

    async fn a_claim_and_the_sweeper_never_both_win(app: TestApp) {
        let ann = app.user("ann").await;
        let mut created = Vec::new();
        for round in 0_u32..12 {
            let mut tasks = JoinSet::new();
            for number in 0..4 {
                let ann = ann.clone();
                let form = FormData::new().text("title", "race").text("content", "race");
                let form = form.files("images", &pictures_of(1 + number..6 + number));
                tasks.spawn(async move { ann.form(axum::http::Method::POST, "/api/feed/create", form).await });
            }
            // Somewhere between staging and claiming, an hour passes.
            tokio::time::sleep(Duration::from_millis(u64::from(round) * 4)).await;
            app.clock.advance(Duration::from_secs(61 * 60));
            while !tasks.is_empty() {
                app.work().await;
                if let Ok(Some(answer)) = timeout(Duration::from_millis(5), tasks.join_next()).await {
                    created.push(answer.unwrap());
                }
            }
        }
        let (good, late): (Vec<_>, Vec<_>) = created.into_iter().partition(|answer| answer.status == 200);
        for answer in late {
            answer.refused(503, "unavailable");
        }
        app.assert_consistent().await;
        assert_eq!(app.count("images").await, 5 * i64::try_from(good.len()).unwrap());
        for answer in good {
            assert_eq!(served(&ann, &answer.json()).await, 5);
        }
    }
}

//! Buckets that fail, and that say something else than what they do.

use std::time::Duration;

use axum::http::Method;
use tokio::time::{Instant, timeout};

use super::{make_due, path, pictures_of, s3::count_objects, s3::form, served, urls};
use crate::support::{Answer, Client, TestApp, bucket::Fault, pictures};

/// What an upload may take when the bucket does not work. A handler has 30 s.
const DEADLINE: Duration = Duration::from_secs(40);

async fn create(client: &Client, pictures: &[Vec<u8>]) -> Answer {
    let answer = client.form(Method::POST, "/api/feed/create", form(pictures));
    timeout(DEADLINE, answer).await.expect("a deadline")
}

mod s3 {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn f17_a_bucket_that_fails_holds_up_images_alone_and_is_used_again_at_once() {
        let app = TestApp::s3().await;
        let ann = app.user("ann").await;
        let before = ann.create_feed("before", &pictures_of([1])).await;
        // What may pass is tried three times; a refusal stays one.
        let faults = [
            (Fault::Broken, None),
            (Fault::Silent, None),
            (Fault::Refusing(500), Some(3)),
            (Fault::Refusing(503), Some(3)),
            (Fault::Refusing(403), Some(1)),
        ];
        for (images, (fault, attempts)) in (1..).zip(faults) {
            let refused = app.bucket().refused();
            app.bucket().set(fault);
            let uploading = tokio::spawn({
                let ann = ann.clone();
                async move { create(&ann, &pictures_of([2, 3])).await }
            });
            tokio::time::sleep(Duration::from_millis(50)).await;
            let began = Instant::now();
            ann.create_feed("text alone", &[]).await;
            ann.get(&format!("/api/feed/read/{}", before["id"])).await.expect(200);
            ann.get("/api/feed/list").await.expect(200);
            assert!(began.elapsed() < Duration::from_secs(5), "{fault:?}: {:?}", began.elapsed());
            let answer = uploading.await.unwrap();
            answer.refused(503, "unavailable");
            assert_eq!(answer.header("retry-after"), "5");
            if let Some(attempts) = attempts {
                assert_eq!(app.bucket().refused() - refused, attempts, "{fault:?}");
            }
            assert_eq!(app.count("images").await, images, "{fault:?} leaves no row");
            app.bucket().set(Fault::None);
            create(&ann, &pictures_of([4])).await.expect(200);
        }
        make_due(&app).await;
        app.assert_consistent().await;
        assert_eq!(served(&ann, &before).await, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn f17_a_bucket_whose_name_leads_nowhere_is_unavailable() {
        let nowhere = Some("s3://images?endpoint=http://bucket.invalid:9&region=us-east-1".parse().unwrap());
        let app = TestApp::with(|flags| flags.media.media = nowhere).await;
        let ann = app.user("ann").await;
        create(&ann, &pictures_of([1])).await.refused(503, "unavailable");
        assert_eq!((app.count("images").await, app.count("feeds").await), (0, 0));
        ann.create_feed("text alone", &[]).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn f18_no_feed_has_a_part_of_an_image() {
        let app = TestApp::s3().await;
        let ann = app.user("ann").await;
        for fault in [Fault::CutsObjects, Fault::HalvesObjects] {
            app.bucket().set(fault);
            create(&ann, &[pictures::noise(60, 60)]).await.refused(503, "unavailable");
            assert_eq!((app.count("images").await, app.count("feeds").await), (0, 0), "{fault:?}");
            app.bucket().set(Fault::None);
            make_due(&app).await;
            app.assert_consistent().await;
            assert_eq!(count_objects(&app).await, 0, "{fault:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn f18_an_answer_that_is_lost_makes_no_second_object() {
        let app = TestApp::s3().await;
        let ann = app.user("ann").await;
        app.bucket().set(Fault::LosesAnswers);
        let files = [pictures::noise(60, 60), pictures::png()];
        let feed = create(&ann, &files).await.expect(200);
        app.bucket().set(Fault::None);
        assert_eq!((served(&ann, &feed).await, count_objects(&app).await), (2, 2));
        let stored = ann.get(path(&urls(&feed)[0])).await.body;
        assert!(stored == madang::media::picture::reencode(&files[0]).unwrap().bytes);
        app.assert_consistent().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn f18_an_object_that_arrives_after_its_deletion_is_deleted_again() {
        let app = TestApp::s3().await;
        let ann = app.user("ann").await;
        app.bucket().set(Fault::KeepsObjects);
        create(&ann, &pictures_of([1])).await.refused(503, "unavailable");
        app.bucket().set(Fault::None);
        assert_eq!(app.work().await, 1, "nothing is there yet, and is deleted");
        assert!(app.bucket().deliver().await > 0);
        assert_eq!((app.work().await, count_objects(&app).await), (0, 1), "it has time to arrive");
        make_due(&app).await; // an hour later
        app.assert_consistent().await;
        assert_eq!(count_objects(&app).await, 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn f18_a_thumbnail_that_arrives_after_its_image_went_is_deleted_again() {
        let app = TestApp::s3().await;
        let ann = app.user("ann").await;
        let feed = ann.create_feed("wide", &pictures_of([700])).await;
        app.bucket().set(Fault::KeepsObjects);
        assert_eq!(app.work().await, 1, "it fails");
        app.bucket().set(Fault::None);
        ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        assert_eq!(app.work().await, 1, "the deletion");
        let retry = "update greenlit_outbox set due = 0 where attempts > 0";
        app.app.db.tx(greenlit::Opts::default(), async |tx| tx.exec(retry, vec![]).await).await.unwrap();
        assert_eq!(app.work().await, 2, "the thumbnail's second attempt finds no image, and has its object deleted");
        assert!(app.bucket().deliver().await > 0);
        assert_eq!(count_objects(&app).await, 1);
        make_due(&app).await;
        app.assert_consistent().await;
    }
}

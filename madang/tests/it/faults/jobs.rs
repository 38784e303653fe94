//! Jobs that cannot be done, beside those that can.

use std::time::Duration;

use greenlit::Opts;
use madang::jobs;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::tell;
use crate::support::{PASSWORD, TestApp, bucket::Fault, on_each_database, pictures};

on_each_database! {
    async fn f29_ten_megabytes_of_payload_hold_no_neighbour_up(app: TestApp) {
        let ann = app.user("ann").await;
        let payload = json!({"names": ["x".repeat(10 << 20)]});
        let push = async move |tx: &mut greenlit::Tx| tx.outbox("media.delete", &payload).await;
        app.app.db.tx(Opts::default(), push).await.unwrap();
        let feed = ann.create_feed("gone", &[pictures::png()]).await;
        ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        assert_eq!(app.work().await, 2);
        let rows = "select attempts, coalesce(last_error, '') from greenlit_outbox";
        let left: Vec<(i64, String)> = app.app.db.fetch(rows, vec![]).await.unwrap();
        assert_eq!(left, [(1, "not the name of an image".to_owned())], "it is tried again later");
        assert_eq!(app.work().await, 0);
        // After its last attempt it waits for a person.
        for sql in ["update greenlit_outbox set attempts = 54", "update greenlit_outbox set due = 0"] {
            app.app.db.tx(Opts::default(), async |tx| tx.exec(sql, vec![]).await).await.unwrap();
        }
        assert_eq!(app.work().await, 1);
        assert_eq!(app.app.db.outbox().parked(10).await.unwrap().len(), 1);
    }
}

mod s3 {
    use super::*;

    /// A bucket that never answers: each attempt ends by its time, and jobs of other kinds do not wait.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn f29_a_job_that_sleeps_for_ever_is_ended_and_holds_no_other_kind_up() {
        let app = TestApp::s3().await;
        let (ann, bob) = (app.user("ann").await, app.user("bob").await);
        let feed = ann.create_feed("gone", &[pictures::png()]).await;
        bob.create_feed("erased", &[]).await;
        app.bucket().set(Fault::Silent);
        ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn(jobs::run(app.app.clone(), stopped));
        let body = json!({"password": PASSWORD});
        bob.json(axum::http::Method::DELETE, "/api/mypage/profile", body).await.expect(200);
        let began = Instant::now();
        while app.count("feeds").await > 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "the other kind waits");
            sleep(Duration::from_millis(50)).await;
        }
        let erased = began.elapsed();
        let failed = "select count(*) from greenlit_outbox where topic = 'media.delete' and last_error is not null";
        while app.app.db.fetch_one::<(i64,)>(failed, vec![]).await.unwrap().0 == 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "it goes on for ever");
            sleep(Duration::from_millis(50)).await;
        }
        tell(&format!("the other kind was done after {erased:?}, the attempt ended after {:?}", began.elapsed()));
        app.bucket().set(Fault::None);
        while app.count("greenlit_outbox").await > 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "it is not done");
            sleep(Duration::from_millis(50)).await;
        }
        stop.send(true).unwrap();
        worker.await.unwrap();
        app.assert_consistent().await;
    }
}

//! COMMIT is sent, and its answer is lost.

use std::time::Duration;

use axum::{body::Body, http::Method};
use greenlit::testing::Scratch;
use serde_json::Value;
use tokio::time::sleep;

use super::proxy::{Proxy, Wire};
use crate::support::{Answer, Client, TestApp, form::FormData, pictures};

/// A board without a worker, so that the next COMMIT is a request's, and what stands between it and its database.
async fn board(scratch: Scratch) -> (TestApp, Proxy) {
    let proxy = Proxy::to(scratch.url()).await;
    let url = proxy.url.clone();
    let app = TestApp::on(scratch, None, |flags| flags.database.database_url = Some(url)).await;
    (app, proxy)
}

/// Makes a test on each database that has a wire.
macro_rules! on_each_wire {
    ($(async fn $name:ident($app:ident: TestApp, $proxy:ident: Proxy) $body:block)*) => {$(
        async fn $name($app: TestApp, $proxy: Proxy) $body
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let (app, proxy) = board(Scratch::postgres().await.unwrap()).await;
                super::$name(app, proxy).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb() {
                let (app, proxy) = board(Scratch::mariadb().await.unwrap()).await;
                super::$name(app, proxy).await;
            }
        }
    )*};
}

/// Creates a feed of this title, under a key of the same name if so asked.
async fn create(client: &Client, title: &str, keyed: bool, pictures: &[Vec<u8>]) -> Answer {
    let form = FormData::new().text("title", title).text("content", "content").files("images", pictures);
    let content_type = form.content_type();
    let mut headers = vec![("content-type", content_type.as_str())];
    headers.extend(keyed.then_some(("idempotency-key", title)));
    client.request(Method::POST, "/api/feed/create", &headers, Body::from(form.into_bytes())).await
}

/// The ids of the feeds of this title.
async fn ids(app: &TestApp, title: &str) -> Vec<i64> {
    let rows: Vec<(i64,)> =
        app.app.db.fetch("select id from feeds where title = ?", greenlit::args![title]).await.unwrap();
    rows.into_iter().map(|(id,)| id).collect()
}

fn id(feed: &Value) -> i64 {
    feed["id"].as_i64().unwrap()
}

/// The outcome is unknown, and nothing invites to repeat.
fn assert_unknown(answer: &Answer) {
    answer.refused(503, "outcome_unknown");
    assert_eq!(answer.header("retry-after"), "");
}

on_each_wire! {
    async fn f09_with_a_key_a_lost_answer_of_commit_is_found_out(app: TestApp, proxy: Proxy) {
        let ann = app.user("ann").await;
        for (wire, title) in [
            (Wire::LoseAnswerOfCommit, "answer-lost"),
            (Wire::LoseCommit, "never-arrived"),
            (Wire::LateCommit, "arrives-late"),
            (Wire::LateLoss, "lost-late"),
            (Wire::SilentAfterCommit, "no-end"),
        ] {
            proxy.set(wire);
            let first = create(&ann, title, true, &[]).await;
            let first = first.expect(200);
            let again = create(&ann, title, true, &[]).await;
            assert_eq!((again.header("idempotent-replayed"), &again.expect(200)), ("true", &first), "{title}");
            assert_eq!(ids(&app, title).await, [id(&first)], "{title}");
        }
        app.assert_consistent().await;
    }

    async fn f09_without_a_key_the_client_is_told_that_nobody_knows(app: TestApp, proxy: Proxy) {
        let ann = app.user("ann").await;
        for (wire, title, there) in
            [(Wire::LoseAnswerOfCommit, "answer-lost", 1), (Wire::LoseCommit, "never-arrived", 0)]
        {
            proxy.set(wire);
            assert_unknown(&create(&ann, title, false, &[]).await);
            assert_eq!(ids(&app, title).await.len(), there, "{title}");
        }
        app.assert_consistent().await;
    }

    async fn f09_what_could_not_be_found_out_is_told_to_the_next_who_asks(app: TestApp, proxy: Proxy) {
        let ann = app.user("ann").await;
        proxy.set(Wire::SilentAfterCommit);
        let silent = async {
            sleep(Duration::from_secs(2)).await;
            proxy.set(Wire::Silent); // so that nobody can ask what became of it
        };
        let (first, ()) = tokio::join!(create(&ann, "unknown", true, &[]), silent);
        assert_unknown(&first);
        proxy.set(Wire::Plain);
        // The connections that were silent all the time end one by one.
        let mut again = create(&ann, "unknown", true, &[]).await;
        for _ in 0..20 {
            if again.status == 200 {
                break;
            }
            again.refused(503, "unavailable");
            again = create(&ann, "unknown", true, &[]).await;
        }
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(ids(&app, "unknown").await, [id(&again.expect(200))]);
        app.assert_consistent().await;
    }

    async fn f09_pictures_whose_staging_was_lost_leave_one_feed_and_no_object(app: TestApp, proxy: Proxy) {
        let ann = app.user("ann").await;
        for (wire, title) in [(Wire::LoseAnswerOfCommit, "answer-lost"), (Wire::LoseCommit, "never-arrived")] {
            proxy.set(wire); // of the rows of the pictures, which commit first
            assert_unknown(&create(&ann, title, true, &[pictures::png()]).await);
            assert!(ids(&app, title).await.is_empty(), "{title}");
            let again = create(&ann, title, true, &[pictures::png()]).await.expect(200);
            assert_eq!(ids(&app, title).await, [id(&again)], "{title}");
        }
        app.clock.advance(Duration::from_secs(2 * 60 * 60));
        app.assert_consistent().await;
        assert_eq!(app.count("images").await, 2);
    }
}

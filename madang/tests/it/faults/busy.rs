//! Many want the same row, and somebody does not let go of it.

use std::time::Duration;

use axum::http::Method;
use futures_util::future::join_all;
use greenlit::{Db, Dialect, Opts, Tx};
use serde_json::json;
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

use super::tell;
use crate::support::{Client, TestApp, on_each_database};

/// Writers of one feed at once.
const WRITERS: usize = 64;
/// What each of them does.
const TURNS: i64 = 12;
/// A request's deadline is 10 s.
const ANSWERED: Duration = Duration::from_secs(13);

/// Likes, takes it back, comments, and deletes every third comment. Returns how many comments it leaves.
async fn use_feed(client: &Client) -> i64 {
    let mut left = 0;
    for turn in 0..TURNS {
        let method = [Method::PUT, Method::PATCH, Method::PATCH, Method::DELETE][turn as usize % 4].clone();
        client.bare(method, "/api/like/?feed_id=1").await.expect(200);
        let comment = client.comment(1, "hot").await["id"].clone();
        left += 1;
        if turn % 3 == 0 {
            client.delete(&format!("/api/comment/delete/{comment}")).await.expect(200);
            left -= 1;
        }
        client.get("/api/feed/read/1").await.expect(200);
    }
    client.bare(Method::PUT, "/api/like/?feed_id=1").await.expect(200);
    left
}

/// Somebody who has the first feed's row for himself.
struct Holder {
    let_go: oneshot::Sender<()>,
    task: JoinHandle<greenlit::Result<()>>,
}

impl Holder {
    /// Beside the board, on a connection of its own.
    async fn of(app: &TestApp) -> Holder {
        let db = Db::open(app.database_url()).await.unwrap();
        let ((holds, held), (let_go, end)) = (oneshot::channel(), oneshot::channel::<()>());
        let ends = std::sync::Arc::new(tokio::sync::Mutex::new(Some((holds, end))));
        let hold = async move |tx: &mut Tx| {
            tx.exec("update feeds set like_count = like_count where id = 1", vec![]).await?;
            let (holds, end) = ends.lock().await.take().expect("it runs once");
            holds.send(()).unwrap();
            end.await.unwrap();
            Ok::<_, greenlit::Error>(())
        };
        let task = tokio::spawn(async move { db.tx(Opts::default().within(Duration::from_secs(60)), hold).await });
        held.await.unwrap();
        Holder { let_go, task }
    }

    async fn let_go(self) {
        self.let_go.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

on_each_database! {
    async fn f12_sixty_four_writers_of_one_feed_all_succeed_and_are_counted(app: TestApp) {
        let crowd = &app.crowd(WRITERS).await;
        crowd[0].create_feed("hot", &[]).await;
        let began = Instant::now();
        let comments: i64 = join_all(crowd.iter().map(use_feed)).await.into_iter().sum();
        let took = began.elapsed();
        let feed = crowd[0].get("/api/feed/read/1").await.expect(200);
        assert_eq!((&feed["like_count"], &feed["comment_count"]), (&json!(WRITERS), &json!(comments)));
        let stats = app.app.db.stats();
        tell(&format!("{} commits in {took:?}, {} run again", stats.commits, stats.retries));
        app.assert_consistent().await;
    }

    async fn f13_connections_that_wait_for_a_lock_are_freed_at_their_deadlines(app: TestApp) {
        let crowd = &app.crowd(WRITERS).await;
        for title in ["held", "free"] {
            crowd[0].create_feed(title, &[]).await;
        }
        let holder = Holder::of(&app).await;
        let sqlite = app.app.db.dialect() == Dialect::Sqlite;
        let began = Instant::now();
        // More than there are connections.
        let likes = crowd.iter().map(async |client| {
            client.bare(Method::PUT, "/api/like/?feed_id=1").await.refused(503, "unavailable");
            assert!(began.elapsed() < ANSWERED, "{:?}", began.elapsed());
        });
        let others = crowd.iter().step_by(4).map(async |client| {
            // They come when the connections are gone.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let read = client.get("/api/feed/list").await;
            // SQLite's readers need no connection that a writer has.
            if sqlite || read.status == 200 {
                read.expect(200);
            } else {
                read.refused(503, "unavailable");
                assert!(!read.header("retry-after").is_empty());
            }
            assert!(began.elapsed() < ANSWERED, "{:?}", began.elapsed());
            read.status == 200
        });
        let (_, read) = tokio::join!(join_all(likes), join_all(others));
        let refused = began.elapsed();
        // The lock is held still, and nobody waits for it any more.
        crowd[0].get("/api/feed/list").await.expect(200);
        if !sqlite {
            crowd[0].bare(Method::PUT, "/api/like/?feed_id=2").await.expect(200);
            assert!(app.app.db.stats().cancelled > 0, "the server was told");
        }
        assert!(began.elapsed() < refused + Duration::from_secs(5), "{:?}", began.elapsed());
        holder.let_go().await;
        for answer in join_all(crowd.iter().map(|client| client.bare(Method::PUT, "/api/like/?feed_id=1"))).await {
            answer.expect(200);
        }
        assert_eq!(crowd[0].get("/api/feed/read/1").await.expect(200)["like_count"], WRITERS);
        let read = read.iter().filter(|read| **read).count();
        tell(&format!("{WRITERS} refused after {refused:?}, beside {read} of {} reads", WRITERS / 4));
        app.assert_consistent().await;
    }
}

//! The same request again: beside its first copy, after a crash, after a day, and without a key.

use std::{path::Path, time::Duration};

use axum::{body::Body, http::Method};
use futures_util::future::join_all;
use greenlit::{Dialect, Opts, Tx, args, testing::Scratch};
use serde_json::json;
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{assert_checked, logged, rounds, tell};
use crate::{
    process::folder,
    support::{
        Answer, Client, TestApp, on_each_database,
        wire::{Wire, with_key},
    },
};

async fn keyed(client: &Client, method: Method, path: &str, key: &str, body: serde_json::Value) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    client.request(method, path, &headers, Body::from(body.to_string())).await
}

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == "true"
}

/// Ages all keys by so much, by the clock that they are kept by.
async fn age_keys(app: &TestApp, by: Duration) {
    let sql = "update greenlit_commit_keys set taken = taken - ?";
    app.app.db.tx(Opts::default(), async |tx| tx.exec(sql, args![by.as_micros() as i64]).await).await.unwrap();
}

on_each_database! {
    async fn f30_of_fifty_copies_at_once_one_takes_effect(app: TestApp) {
        let ann = app.user("ann").await;
        ann.create_feed("feed", &[]).await;
        let comment = json!({"content": "comment", "feed_id": 1});
        for (method, path, body) in [
            (Method::POST, "/api/comment/create", comment),
            (Method::PATCH, "/api/like/?feed_id=1", json!(null)),
            (Method::DELETE, "/api/comment/delete/1", json!(null)),
        ] {
            let copies = (0..50).map(|_| keyed(&ann, method.clone(), path, path, body.clone()));
            let answers = join_all(copies).await;
            let first = answers.iter().find(|answer| answer.status == 200 && !is_replayed(answer)).expect("one is the first");
            for answer in &answers {
                // The rest of them waited two seconds for the first, or until it had ended.
                match answer.status.as_u16() {
                    409 => drop(answer.refused(409, "request_in_progress")),
                    _ => assert_eq!((answer.expect(200), &answer.body), (first.json(), &first.body)),
                }
            }
            let firsts = answers.iter().filter(|answer| answer.status == 200 && !is_replayed(answer)).count();
            assert_eq!(firsts, 1, "{path}");
        }
        assert_eq!((app.count("comments").await, app.count("feed_likes").await), (0, 1));
        app.assert_consistent().await;
    }

    async fn f30_a_copy_of_what_is_under_way_is_told_so(app: TestApp) {
        let ann = app.user("ann").await;
        ann.create_feed("feed", &[]).await;
        let like = || keyed(&ann, Method::PATCH, "/api/like/?feed_id=1", "key", json!(null));
        // Somebody else holds the feed, and with it the first copy.
        let ((locked, is_locked), (release, released)) = (oneshot::channel(), oneshot::channel::<()>());
        let db = app.app.db.clone();
        let holder = tokio::spawn(async move {
            let ends = std::sync::Arc::new(tokio::sync::Mutex::new(Some((locked, released))));
            let hold = async move |tx: &mut Tx| {
                tx.exec("update feeds set like_count = like_count where id = 1", vec![]).await?;
                let (locked, released) = ends.lock().await.take().expect("it runs once");
                locked.send(()).unwrap();
                released.await.unwrap();
                Ok::<_, greenlit::Error>(())
            };
            db.tx(Opts::default(), hold).await
        });
        is_locked.await.unwrap();
        let first = async { like().await.expect(200) };
        let second = async {
            sleep(Duration::from_millis(500)).await;
            let second = like().await;
            // SQLite's one writer is waited for, not the key.
            if app.app.db.dialect() != Dialect::Sqlite {
                second.refused(409, "request_in_progress");
                assert!(second.header("retry-after").parse::<u32>().unwrap() > 0);
            } else {
                assert!(is_replayed(&second), "{}", second.text());
            }
        };
        let releasing = async {
            sleep(Duration::from_secs(4)).await;
            release.send(()).unwrap();
        };
        let (first, (), ()) = tokio::join!(first, second, releasing);
        holder.await.unwrap().unwrap();
        let third = like().await;
        assert_eq!((is_replayed(&third), third.expect(200)), (true, first));
        assert_eq!(app.count("feed_likes").await, 1);
        app.assert_consistent().await;
    }

    async fn f30_a_key_is_forgotten_after_a_day(app: TestApp) {
        let ann = app.user("ann").await;
        ann.create_feed("feed", &[]).await;
        let comment = || keyed(&ann, Method::POST, "/api/comment/create", "key", json!({"content": "c", "feed_id": 1}));
        let first = comment().await.expect(200)["id"].clone();
        age_keys(&app, Duration::from_secs(24 * 60 * 60 - 60)).await;
        app.work().await;
        let again = comment().await;
        assert_eq!((is_replayed(&again), &again.expect(200)["id"]), (true, &first));
        age_keys(&app, Duration::from_secs(60)).await;
        app.work().await;
        let later = comment().await;
        assert!(!is_replayed(&later) && later.expect(200)["id"] != first);
        assert_eq!(app.count("comments").await, 2);
        app.assert_consistent().await;
    }

    async fn f30_an_answer_that_refused_is_not_kept(app: TestApp) {
        let ann = app.user("ann").await;
        let comment = || keyed(&ann, Method::POST, "/api/comment/create", "key", json!({"content": "c", "feed_id": 1}));
        comment().await.refused(404, "feed_not_found");
        let wrong = keyed(&ann, Method::POST, "/api/comment/create", "key", json!({"content": 7, "feed_id": 1})).await;
        wrong.refused(422, "invalid_input");
        assert_eq!(app.count("greenlit_commit_keys").await, 0);
        ann.create_feed("feed", &[]).await;
        assert!(!is_replayed(&comment().await));
        assert_eq!(app.count("comments").await, 1);
    }

    async fn f31_without_a_key_posts_are_two_and_likes_and_follows_are_one(app: TestApp) {
        let (ann, bob) = (app.user("ann").await, app.user("bob").await);
        for expected in [1, 2] {
            assert_eq!(ann.create_feed("the same", &[]).await["id"], expected);
            assert_eq!(ann.comment(1, "the same").await["id"], expected);
        }
        let follow = format!("/api/follow/{}", ann.id);
        for _ in 0..2 {
            let liked = bob.bare(Method::PUT, "/api/like/?feed_id=1").await.expect(200);
            assert_eq!(liked, json!({"liked": true, "like_count": 1}));
            let followed = bob.bare(Method::PUT, &follow).await.expect(200);
            assert_eq!(followed, json!({"followed": true, "follower_count": 1}));
        }
        // The old board's toggles are not idempotent by themselves: they have keys for that.
        bob.bare(Method::PATCH, "/api/like/?feed_id=1").await.expect(200);
        bob.bare(Method::PATCH, &follow).await.expect(200);
        assert_eq!((app.count("feed_likes").await, app.count("follows").await), (0, 0));
        app.assert_consistent().await;
    }
}

mod f30_copies_across_a_crash_take_effect_once {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        once(Scratch::sqlite().unwrap()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        once(Scratch::postgres().await.unwrap()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn mariadb() {
        once(Scratch::mariadb().await.unwrap()).await;
    }

    async fn once(scratch: Scratch) {
        let (outer, data) = folder();
        across_crashes(&data, &outer.path().join("log"), &["--database-url", scratch.url()]).await;
    }
}

/// Sends copies, kills the board when none, one, two ... of them were answered, and sends them again.
async fn across_crashes(data: &Path, log: &Path, arguments: &[&str]) {
    const COPIES: usize = 8;
    let (mut token, mut answered, mut replayed, rounds) = (None, 0, 0, rounds(5) as usize);
    for round in 0..rounds {
        let mut board = logged(data, log, arguments).await;
        if token.is_none() {
            board.log_in("ann").await;
            token = board.wire.token.clone();
        }
        board.wire.token = token.clone();
        let request = |wire: &Wire, n: usize| with_key(&wire.create_feed("title", &[]), &format!("key-{round}-{n}"));
        let (answer, mut answers) = mpsc::unbounded_channel();
        let copy = async |n: usize| {
            let reply = board.wire.send(&request(&board.wire, n)).await;
            answer.send(()).unwrap();
            reply
        };
        let killed = async {
            for _ in 0..round % COPIES {
                answers.recv().await;
            }
            board.signal("KILL").await;
        };
        let (first, ()) = tokio::join!(join_all((0..COPIES).map(copy)), killed);
        board.child.wait().await.unwrap();
        let mut board = logged(data, log, arguments).await;
        board.wire.token = token.clone();
        for (n, first) in first.into_iter().enumerate() {
            let again = board.wire.send(&request(&board.wire, n)).await.unwrap();
            let id = again.expect(200)["id"].clone();
            replayed += usize::from(again.header("idempotent-replayed").is_some());
            if let Ok(first) = first {
                assert_eq!(first.expect(200)["id"], id);
                answered += 1;
            }
        }
        let list = board.wire.get("/api/feed/list").await.unwrap().expect(200);
        assert_eq!(list["pagination"]["total_count"], (round + 1) * COPIES, "round {round}");
        board.kill().await;
    }
    let sent = rounds * COPIES;
    assert!(0 < answered && answered <= replayed, "{answered} {replayed}");
    tell(&format!("{sent} sent, {answered} answered before the crash, {replayed} had taken effect before it"));
    assert_checked(data, arguments).await;
}

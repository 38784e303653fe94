//! A reader on SQLite that does not end, beside writers.

use std::{fs, time::Duration};

use futures_util::future::join_all;
use greenlit::{Db, Opts, Read, Reader};
use tokio::{
    sync::{Mutex, oneshot},
    time::Instant,
};

use super::tell;
use crate::{
    process::PATIENCE,
    support::{Client, TestApp},
};

/// So many feeds of so many bytes are written in each part of the test.
const FEEDS: usize = 400;
const LENGTH: usize = 20_000;

/// The length of SQLite's log, in MiB.
fn log_length(app: &TestApp) -> f64 {
    let file = app.database_url().strip_prefix("sqlite:").unwrap();
    fs::metadata(format!("{file}-wal")).unwrap().len() as f64 / f64::from(1 << 20)
}

/// Some writers at once, beside readers. The slowest request.
async fn write(clients: &[Client]) -> Duration {
    let body = format!("title=t&content={}", "x".repeat(LENGTH));
    let work = clients.iter().map(async |client| {
        let mut slowest = Duration::ZERO;
        for _ in 0..FEEDS / clients.len() {
            let began = Instant::now();
            client.urlencoded(axum::http::Method::POST, "/api/feed/create", &body).await.expect(200);
            client.get("/api/feed/list?limit=1").await.expect(200);
            slowest = slowest.max(began.elapsed());
        }
        slowest
    });
    join_all(work).await.into_iter().max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f14_the_log_grows_no_longer_than_its_longest_reader_lasts() {
    let app = TestApp::sqlite().await;
    let clients = app.crowd(4).await;
    write(&clients).await;
    let usual = log_length(&app);

    // Another process's, which the board cannot end.
    let db = Db::open(app.database_url()).await.unwrap();
    let ((begun, has_begun), (end, ended)) = (oneshot::channel(), oneshot::channel::<()>());
    let ends = std::sync::Arc::new(Mutex::new(Some((begun, ended))));
    let reader = tokio::spawn(async move {
        let read = async move |r: &mut Read| {
            let count = "select count(*) from feeds";
            let (before,) = r.fetch_one::<(i64,)>(count, vec![]).await?;
            let (begun, ended) = ends.lock().await.take().expect("it runs once");
            begun.send(()).unwrap();
            ended.await.unwrap();
            let (after,) = r.fetch_one::<(i64,)>(count, vec![]).await?;
            Ok::<_, greenlit::Error>((before, after))
        };
        db.read(Opts::default().within(Duration::from_secs(300)), read).await
    });
    has_begun.await.unwrap();
    let slowest = write(&clients).await;
    let beside = log_length(&app);
    end.send(()).unwrap();
    let (before, after) = reader.await.unwrap().unwrap();
    assert_eq!((before, after), (FEEDS as i64, FEEDS as i64), "it saw one moment");

    // From now on the log is begun again, and does not grow further.
    for _ in 0..2 {
        write(&clients).await;
    }
    let afterwards = log_length(&app);
    tell(&format!(
        "log: {usual:.1} MiB without a reader, {beside:.1} with one, {afterwards:.1} after it and twice as much; {slowest:?}"
    ));
    assert!(usual < beside, "the reader held the log");
    assert!(afterwards < beside + usual, "the log is not begun again");
    assert!(slowest < PATIENCE);
    app.assert_consistent().await;
}

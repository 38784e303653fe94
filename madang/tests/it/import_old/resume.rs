//! An import that is killed again and again.

use std::{path::Path, time::Duration};

use greenlit::Db;
use tokio::time::timeout;

use super::{
    old::{BCRYPT, ImageServer, TABLES, database},
    problems,
};
use crate::{
    process::{Board, folder, images, madang},
    support::pictures,
};

const USERS: i64 = 1_300;
const FEEDS: i64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_import_goes_on_and_doubles_nothing() {
    let files = [("/a.png", pictures::png())];
    let server = ImageServer::start(&files, Duration::from_millis(20)).await;
    let base = &server.base;
    let old = database(format!(
        "{TABLES}
        insert into users (id, email, password, nickname, create_dt)
            select n, 'u' || n || '@example.com', '{BCRYPT}', 'u' || n, now() from generate_series(1, {USERS}) n;
        insert into feeds (id, title, content, image_urls, author_email, create_dt, update_dt)
            select n, 'feed ' || n, 'text', json_build_array('{base}/a.png', '{base}/' || n), 'u' || n || '@example.com',
                now(), now() from generate_series(1, {FEEDS}) n;
        insert into comments (content, feed_id, author_email, create_dt)
            select 'comment', case when n % 100 > 0 then n % {FEEDS} + 1 end, 'u' || n || '@example.com', now()
            from generate_series(1, {USERS}) n;
        insert into likes (user_id, feed_id) select n, n % {FEEDS} + 1 from generate_series(1, {USERS}) n;
        insert into likes (user_id, feed_id) select n, n % {FEEDS} + 1 from generate_series(1, {USERS}) n where n % 100 = 0;
        insert into follows select n, n % {USERS} + 1 from generate_series(1, {USERS}) n;"
    ))
    .await;
    let (_folder, data) = folder();
    let kills = run_until_done(&data, old.url()).await;
    assert!(kills > 2, "it was killed {kills} times only");
    eprintln!("killed {kills} times, {} images fetched", server.requests());

    let db = Db::open(&format!("sqlite:{}", data.join("madang.db").display())).await.unwrap();
    let count =
        async |sql: &str| db.fetch_one::<(i64,)>(&format!("select count(*) from {sql}"), vec![]).await.unwrap().0;
    assert_eq!((count("users").await, count("feeds").await), (USERS, FEEDS));
    assert_eq!(
        (count("comments").await, count("feed_likes").await, count("follows").await),
        (USERS - 13, USERS, USERS)
    );
    assert_eq!(count("images where feed_id is not null").await, FEEDS);
    let told = problems(&data.join("import-report.jsonl"));
    let times = |problem: &str| told.iter().filter(|line| line.starts_with(problem)).count();
    assert_eq!((times("duplicate_like"), times("comment_without_feed"), told.len()), (13, 13, 13 + 13 + 60));
    drop(db);

    let checked = madang(&["check", "--data", data.to_str().unwrap()]).output().await.unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let board = Board::start(&data).await;
    let list = board.wire.get("/api/feed/list?limit=100").await.unwrap().expect(200);
    assert_eq!(list["pagination"]["total_count"], FEEDS);
    for feed in list["feeds"].as_array().unwrap() {
        assert_eq!(images(&board.wire, feed).await.unwrap().len(), 1);
    }
    board.stop().await;
}

/// Starts the import and kills it, later each time, until it comes to its end. Returns how often it was killed.
async fn run_until_done(data: &Path, from: &str) -> u32 {
    let arguments = ["import-old", "--data", data.to_str().unwrap(), "--from", from, "--allow-private"];
    for kills in 0..40 {
        let mut child = madang(&arguments).stdout(std::process::Stdio::null()).spawn().unwrap();
        let patience = Duration::from_millis(400 + 250 * u64::from(kills));
        match timeout(patience, child.wait()).await {
            Ok(ended) => {
                assert!(ended.unwrap().success());
                return kills;
            }
            Err(_) => child.kill().await.unwrap(),
        }
    }
    panic!("it does not come to its end");
}

//! What a board finds damaged when it starts: files, objects, rows, pages of its database.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
};

use greenlit::{Db, Opts};
use serde_json::Value;

use super::logged;
use crate::{
    process::{folder, madang},
    support::{pictures, wire::Wire},
};

/// How many feeds there are, each with a picture.
const FEEDS: usize = 6;

/// A board that was stopped: its folder, and its feeds.
async fn stopped_board(data: &Path, log: &Path) -> Vec<Value> {
    let mut board = logged(data, log, &["--public-url", "http://board.test"]).await;
    board.log_in("ann").await;
    let mut feeds = Vec::new();
    for n in 0..FEEDS {
        feeds.push(board.create_feed(&format!("feed {n}"), &[pictures::noise(300, 40)]).await);
    }
    board.stop().await;
    feeds
}

async fn exec(data: &Path, sql: &str) {
    let db = Db::open(&format!("sqlite:{}", data.join("madang.db").display())).await.unwrap();
    assert_eq!(db.tx(Opts::default(), async |tx| tx.exec(sql, vec![]).await).await.unwrap(), 1, "{sql}");
}

fn path_of(feed: &Value) -> &str {
    feed["image_urls"][0].as_str().unwrap().strip_prefix("http://board.test").unwrap()
}

fn file_of(data: &Path, feed: &Value) -> PathBuf {
    let name = path_of(feed).strip_prefix("/images/").unwrap();
    data.join("images").join(&name[..2]).join(name)
}

/// The names of what `madang check` finds.
async fn findings(data: &Path) -> Vec<String> {
    let output = madang(&["check", "--json", "--data", data.to_str().unwrap()]).output().await.unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter_map(|line| line["what"].as_str().map(str::to_owned)).collect()
}

/// The feeds of these numbers are there, with their pictures.
async fn assert_served(wire: &Wire, feeds: &[Value], numbers: impl IntoIterator<Item = usize>) {
    wire.get("/healthz").await.unwrap().expect(200);
    wire.get("/readyz").await.unwrap().expect(200);
    for n in numbers {
        let feed = wire.get(&format!("/api/feed/read/{}", feeds[n]["id"])).await.unwrap().expect(200);
        assert_eq!(feed["title"], feeds[n]["title"]);
        assert_eq!(wire.get(path_of(&feeds[n])).await.unwrap().status, 200, "{n}");
    }
}

#[tokio::test]
async fn f05_objects_that_are_damaged_are_not_found_and_nothing_else_is() {
    let (outer, data) = folder();
    let log = outer.path().join("log");
    let feeds = stopped_board(&data, &log).await;
    fs::remove_file(file_of(&data, &feeds[0])).unwrap();
    fs::write(file_of(&data, &feeds[1]), b"").unwrap();
    let cut = OpenOptions::new().write(true).open(file_of(&data, &feeds[2])).unwrap();
    cut.set_len(cut.metadata().unwrap().len() / 2).unwrap();

    let board = logged(&data, &log, &["--public-url", "http://board.test"]).await;
    let list = board.wire.get("/api/feed/list").await.unwrap().expect(200);
    assert_eq!(list["feeds"].as_array().unwrap().len(), FEEDS);
    for damaged in &feeds[..2] {
        board.wire.get(path_of(damaged)).await.unwrap().expect(404);
    }
    assert_served(&board.wire, &feeds, 3..FEEDS).await;
    let mut found = findings(&data).await;
    found.sort();
    assert_eq!(found, ["images.cut", "images.empty", "images.missing"]);
    board.stop().await;
}

#[tokio::test]
async fn f05_a_row_with_a_bad_value_costs_itself_alone() {
    let (outer, data) = folder();
    let log = outer.path().join("log");
    let feeds = stopped_board(&data, &log).await;
    exec(&data, "update feeds set title = cast(x'fffe41' as text) where id = 1").await; // no UTF-8
    exec(&data, "update images set extension = 'exe' where feed_id = 2").await;
    exec(&data, "update feeds set create_dt = 'yesterday' where id = 3").await;
    let board = logged(&data, &log, &["--public-url", "http://board.test"]).await;
    let broken = board.wire.get("/api/feed/read/1").await.unwrap().expect(200);
    assert_eq!(broken["title"], "\u{fffd}\u{fffd}A");
    let strange = board.wire.get("/api/feed/read/2").await.unwrap().expect(200);
    board.wire.get(path_of(&strange)).await.unwrap().expect(404);
    // What is no time cannot be shown, and what shows all of them shows none.
    for path in ["/api/feed/read/3", "/api/feed/list"] {
        board.wire.get(path).await.unwrap().expect(500);
    }
    let page = board.wire.get("/api/feed/list?sort_by=create_dt_asc&limit=3").await.unwrap().expect(200);
    assert_eq!(page["feeds"].as_array().unwrap().len(), 3);
    let mut found = findings(&data).await;
    found.sort();
    assert_eq!(found, ["images.missing", "objects.orphan"]);
    assert_served(&board.wire, &feeds, 3..FEEDS).await;
    board.stop().await;
}

#[tokio::test]
async fn f05_a_flipped_page_costs_what_is_on_it() {
    let (outer, data) = folder();
    let log = outer.path().join("log");
    let feeds = stopped_board(&data, &log).await;
    let file = data.join("madang.db");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(6).position(|window| window == b"feed 0").unwrap();
    let page = at / 4096 * 4096;
    for byte in &mut bytes[page..page + 4096] {
        *byte ^= 0xff;
    }
    fs::write(&file, bytes).unwrap();
    let mut board = logged(&data, &log, &["--public-url", "http://board.test"]).await;
    board.log_in("ann").await;
    for path in ["/api/feed/read/1", "/api/feed/list"] {
        board.wire.get(path).await.unwrap().expect(500);
    }
    for path in ["/healthz", "/readyz", "/api/user/1", "/api/comment/feed/1"] {
        board.wire.get(path).await.unwrap().expect(200);
    }
    for feed in &feeds {
        assert_eq!(board.wire.get(path_of(feed)).await.unwrap().status, 200);
    }
    assert_eq!(findings(&data).await, ["database.integrity"]);
    board.stop().await;
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("malformed") && !log.contains("panicked"), "{log}");
}

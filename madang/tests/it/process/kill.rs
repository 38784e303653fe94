//! kill -9 in the middle of writing: what was acknowledged is there, what was not is whole or absent.

use std::{path::Path, sync::Arc, time::Duration};

use image::ImageFormat;
use madang::{
    app::App,
    clock::Clock,
    config::{Config, Flags, Server},
    media::picture::reencode,
};
use serde_json::Value;
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Board, PATIENCE, folder, images};
use crate::support::{Blocked, assert_consistent, form::FormData, pictures, wire::Wire};

const ROUNDS: u64 = 5;
const WRITERS: usize = 4;

/// Creates feeds with two pictures each until the server is gone. Notes what was acknowledged.
async fn write_until_the_end(wire: Wire, acknowledged: Arc<Mutex<Vec<i64>>>) {
    let request = wire.create_feed("crash", &files());
    while let Ok(answer) = wire.send(&request).await {
        let id = answer.expect(200)["id"].as_i64().unwrap();
        acknowledged.lock().await.push(id);
    }
}

/// One of them is wide enough for a thumbnail.
fn files() -> [Vec<u8>; 2] {
    [pictures::png(), pictures::noise(700, 6)]
}

/// Every feed of the board, page after page.
async fn all_feeds(wire: &Wire) -> Vec<Value> {
    let (mut feeds, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = wire.get(&format!("/api/feed/list?limit=100{cursor}")).await.unwrap().expect(200);
        feeds.extend(page["feeds"].as_array().unwrap().iter().cloned());
        match page["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return feeds,
        }
    }
}

/// Sweeps the board in this process, and compares rows with objects.
async fn reconcile(data: &Path) {
    let listen = "127.0.0.1:0".parse().unwrap();
    let server = Server { data: Some(data.to_owned()), ..Server::default() };
    let flags = Flags { server, ..Flags::default() };
    let config = Config::new(&flags, listen).unwrap();
    let clock = Clock::default();
    let app = App::open(&config, clock.clone()).await.unwrap();
    clock.advance(Duration::from_secs(2 * 60 * 60));
    // Leases of a worker that was killed would have to run out, by the database's clock.
    let due = "update greenlit_outbox set due = 0";
    app.db.tx(greenlit::Opts::default(), async |tx| tx.exec(due, vec![]).await).await.unwrap();
    assert_consistent(&app).await;
    let (verdict,) =
        app.db.fetch_one::<(String,)>("select integrity_check from pragma_integrity_check", vec![]).await.unwrap();
    assert_eq!(verdict, "ok");
    let broken: Vec<(String,)> = app.db.fetch("select \"table\" from pragma_foreign_key_check", vec![]).await.unwrap();
    assert!(broken.is_empty(), "{broken:?}");
}

#[tokio::test]
async fn f01_what_was_acknowledged_survives_kill_9() {
    let (_folder, data) = folder();
    let expected: Vec<Vec<u8>> = files().iter().map(|file| reencode(file).unwrap().bytes).collect();
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let mut token = None;
    for round in 0..ROUNDS {
        let mut board = Board::start(&data).await;
        match token {
            None => board.log_in("ann").await,
            token => board.wire.token = token,
        }
        token = board.wire.token.clone();
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            writers.spawn(write_until_the_end(board.wire.clone(), Arc::clone(&acknowledged)));
        }
        sleep(Duration::from_millis(300 + 70 * round)).await;
        board.kill().await;
        writers.join_all().await;

        let board = Board::start(&data).await;
        let feeds = all_feeds(&board.wire).await;
        let acknowledged = acknowledged.lock().await;
        println!("round {round}: {} feeds, {} acknowledged", feeds.len(), acknowledged.len());
        for id in acknowledged.iter() {
            assert!(feeds.iter().any(|feed| feed["id"] == *id), "feed {id} is lost");
        }
        for feed in &feeds {
            assert!(images(&board.wire, feed).await.unwrap() == expected, "{feed}");
        }
        board.kill().await;
    }
    assert!(acknowledged.lock().await.len() > 10);
    reconcile(&data).await;
}

/// The rows go with the answer, and the objects when the store can be reached again, by whichever process there is then.
#[tokio::test]
async fn f19_a_deletion_goes_on_after_kill_9() {
    let (_folder, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    let feed = board.create_feed("gone", &files()).await;
    let kept = board.create_feed("kept", &files()).await;
    // Of each feed two images and a thumbnail.
    while stored(&data) < 6 {
        sleep(Duration::from_millis(20)).await;
    }
    let blocked = Blocked::new(&data.join("images"));
    let path = format!("/api/feed/delete/{}", feed["id"]);
    board.wire.send(&board.wire.request("DELETE", &path, "text/plain", b"")).await.unwrap().expect(200);
    board.wire.get(&format!("/api/feed/read/{}", feed["id"])).await.unwrap().expect(404);
    sleep(Duration::from_millis(300)).await; // an attempt fails
    board.kill().await;
    drop(blocked);
    assert_eq!(stored(&data), 6);

    let board = Board::start(&data).await;
    let deleting = async {
        while stored(&data) > 3 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, deleting).await.expect("the job is claimed again");
    assert_eq!(images(&board.wire, &kept).await.unwrap().len(), 2);
    board.kill().await;
    reconcile(&data).await;
}

/// How many objects are in the image folder.
fn stored(data: &Path) -> usize {
    let shards = std::fs::read_dir(data.join("images")).unwrap();
    let shards = shards.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let names = shards.flat_map(|shard| std::fs::read_dir(shard).unwrap()).map(|entry| entry.unwrap().file_name());
    names.filter(|name| !name.to_string_lossy().starts_with('.')).count()
}

/// A picture that is known by its width.
fn numbered(width: i64) -> Vec<u8> {
    pictures::picture(ImageFormat::Png, u32::try_from(width).unwrap(), 2)
}

/// The width of the one image that a feed must have.
fn number(feed: &Value) -> i64 {
    let images = feed["images"].as_array().unwrap();
    assert_eq!(images.len(), 1, "{feed}");
    images[0]["width"].as_i64().unwrap()
}

/// Replaces the feed's image by the next until the server is gone. Returns the last feed that was acknowledged.
async fn replace_until_the_end(wire: Wire, mut feed: Value) -> Value {
    loop {
        let form = FormData::new().text("title", "swap").text("content", "swap");
        let form = form.text("target_image_urls", feed["image_urls"][0].as_str().unwrap());
        let form = form.files("new_images", &[numbered(number(&feed) + 1)]);
        let (path, kind) = (format!("/api/feed/update/{}", feed["id"]), form.content_type());
        match wire.send(&wire.request("PATCH", &path, &kind, &form.into_bytes())).await {
            Ok(answer) => feed = answer.expect(200),
            Err(_) => return feed,
        }
    }
}

#[tokio::test]
async fn f02_an_update_is_whole_or_absent_after_kill_9() {
    let (_folder, data) = folder();
    let (mut token, mut feeds) = (None, Vec::new());
    for round in 0..ROUNDS {
        // Addresses of images hold the port unless the board's own is given.
        let mut board = Board::start_with(&data, &["--public-url", "http://board.test"]).await;
        if token.is_none() {
            board.log_in("ann").await;
            token = board.wire.token.clone();
            for _ in 0..WRITERS {
                feeds.push(board.create_feed("swap", &[numbered(1)]).await);
            }
        }
        board.wire.token = token.clone();
        for acknowledged in &mut feeds {
            let path = format!("/api/feed/read/{}", acknowledged["id"]);
            let feed = board.wire.get(&path).await.unwrap().expect(200);
            let (was, is) = (number(acknowledged), number(&feed));
            assert!(is == was || is == was + 1, "{was} was acknowledged, and {is} is there");
            let expected = reencode(&numbered(is)).unwrap().bytes;
            assert!(images(&board.wire, &feed).await.unwrap() == [expected], "{feed}");
            *acknowledged = feed;
        }
        let mut writers = JoinSet::new();
        for feed in feeds.drain(..) {
            writers.spawn(replace_until_the_end(board.wire.clone(), feed));
        }
        sleep(Duration::from_millis(250 + 70 * round)).await;
        board.kill().await;
        feeds = writers.join_all().await;
    }
    println!("{:?} updates", feeds.iter().map(number).collect::<Vec<_>>());
    reconcile(&data).await;
}

//! kill -9 while a deletion waits for its store. At every other step: the crate `faults`.

use std::{path::Path, time::Duration};

use madang::{
    app::App,
    clock::Clock,
    config::{Config, Flags, Server},
};
use tokio::time::{sleep, timeout};

use super::{Board, PATIENCE, folder, images};
use crate::support::{Blocked, assert_consistent, pictures};

/// One of them is wide enough for a thumbnail.
fn files() -> [Vec<u8>; 2] {
    [pictures::png(), pictures::noise(700, 6)]
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

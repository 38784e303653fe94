//! The commands, beside a board that serves.

use std::{fs, path::Path};

use crate::{
    process::{Board, folder, images, madang},
    support::{pictures, wire::Wire},
};

/// Runs a command on this folder's board: its exit code, what it said, and what it complained of.
async fn run(data: &Path, command: &[&str]) -> (i32, String, String) {
    let arguments = [command, &["--data", data.to_str().unwrap()]].concat();
    let output = madang(&arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Creates feeds with two pictures, and deletes every other, until it is stopped.
async fn write(wire: Wire) {
    let request = wire.create_feed("under way", &[pictures::png(), pictures::noise(700, 6)]);
    for index in 0.. {
        let feed = wire.send(&request).await.unwrap().expect(200);
        if index % 2 == 0 {
            let delete = wire.request("DELETE", &format!("/api/feed/delete/{}", feed["id"]), "text/plain", b"");
            wire.send(&delete).await.unwrap().expect(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f39_a_backup_under_load_is_whole_and_restored_by_two_commands() {
    let (outer, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    let kept = board.create_feed("kept", &[pictures::jpeg()]).await;
    let bytes = images(&board.wire, &kept).await.unwrap();
    let writers: Vec<_> = (0..3).map(|_| tokio::spawn(write(board.wire.clone()))).collect();
    let place = outer.path().join("backups");
    let place = place.to_str().unwrap();
    for round in 0..5 {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let (code, said, told) = run(&data, &["backup", place, "--verify", "--keep", "2"]).await;
        assert_eq!(code, 0, "{round}: {said} {told}");
        assert!(said.contains("can be restored"), "{said}");
    }
    for writer in &writers {
        writer.abort();
    }
    board.stop().await;
    // By now what was under way when its client left has ended too.
    let board = Board::start(&data).await;
    let now = board.wire.get("/api/feed/list").await.unwrap().expect(200)["pagination"]["total_count"].clone();
    board.stop().await;
    assert_eq!(fs::read_dir(outer.path().join("backups/snapshots")).unwrap().count(), 2);
    let (code, said, _) = run(&data, &["backup", place]).await;
    assert_eq!(code, 0, "a board that does not serve is backed up too: {said}");

    let anew = outer.path().join("anew");
    let (code, said, told) = run(&anew, &["restore", place]).await;
    assert_eq!((code, said.lines().last()), (0, Some("All is well.")), "{said} {told}");
    let mut board = Board::start(&anew).await;
    board.log_in("ann").await;
    let list = board.wire.get("/api/feed/list?limit=100").await.unwrap().expect(200);
    assert_eq!(list["pagination"]["total_count"], now);
    for feed in list["feeds"].as_array().unwrap() {
        assert_eq!(images(&board.wire, feed).await.unwrap().len(), feed["images"].as_array().unwrap().len());
    }
    let read = board.wire.get(&format!("/api/feed/read/{}", kept["id"])).await.unwrap().expect(200);
    assert_eq!(images(&board.wire, &read).await.unwrap(), bytes);
    board.stop().await;

    let (code, _, told) = run(&anew, &["restore", place]).await;
    assert!(code == 2 && told.contains("holds a board already"), "{told}");
    let (code, said, _) = run(&data, &["backup", place, "--verify-only"]).await;
    assert!(code == 0 && said.contains("can be restored"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f39_a_half_restored_board_does_not_serve() {
    let (outer, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    let feed = board.create_feed("one", &[pictures::png()]).await;
    board.stop().await;
    let place = outer.path().join("backups");
    let place = place.to_str().unwrap();
    run(&data, &["backup", place]).await;
    let name = feed["image_urls"][0].as_str().unwrap().rsplit('/').next().unwrap();
    let object = outer.path().join("backups/images").join(&name[..2]).join(name);
    fs::rename(&object, outer.path().join("aside")).unwrap();

    let anew = outer.path().join("anew");
    let (code, _, told) = run(&anew, &["restore", place]).await;
    assert!(code == 2 && told.contains(name), "{told}");
    for command in ["serve", "backup"] {
        let arguments =
            if command == "serve" { vec!["serve", "--listen", "127.0.0.1:0"] } else { vec!["backup", place] };
        let (code, _, told) = run(&anew, &arguments).await;
        assert!(code == 2 && told.contains("did not end"), "{told}");
    }
    fs::rename(outer.path().join("aside"), &object).unwrap();
    assert_eq!(run(&anew, &["restore", place]).await.0, 0);
    Board::start(&anew).await.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_harm_a_board_is_refused() {
    let (outer, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    board.create_feed("one", &[pictures::png()]).await;
    board.stop().await;
    let images = format!("file:{}", data.join("images").display());
    let (place, anew) = (outer.path().join("backups"), outer.path().join("anew"));
    let place = place.to_str().unwrap();

    // Its own images are no place of backups, whose older ones are removed.
    let (code, _, told) = run(&data, &["backup", data.to_str().unwrap(), "--keep", "1"]).await;
    assert!(code == 2 && told.contains("the board's own images"), "{told}");
    // Nor are those of a board that serves the place for a trial.
    run(&data, &["backup", place]).await;
    let (code, _, told) = run(&anew, &["restore", place, "--media", &images]).await;
    assert!(code == 2 && told.contains("--keep-images"), "{told}");
    let pool = format!("file:{place}/images");
    let (code, _, told) = run(&anew, &["restore", place, "--media", &pool, "--keep-images"]).await;
    assert!(code == 2 && told.contains("name another place"), "{told}");
    // The database alone was lost.
    let (code, said, told) = run(&anew, &["restore", place, "--media", &images, "--keep-images"]).await;
    assert_eq!((code, said.lines().last()), (0, Some("All is well.")), "{said} {told}");
    fs::create_dir(anew.join("images")).unwrap();
    let (code, _, told) = run(&anew, &["check"]).await;
    assert!(
        code == 2 && told.contains("the images of this database"),
        "the place is known from the restore on: {told}"
    );

    // An image that was cut off takes no backup's place.
    let (code, said, _) = run(&data, &["backup", place, "--verify", "--keep", "1"]).await;
    assert!(code == 0 && said.contains("Removed 1"), "{said}");
    let other = outer.path().join("other");
    let object = walk(&data.join("images"));
    fs::write(&object, &fs::read(&object).unwrap()[..40]).unwrap();
    let (code, said, _) = run(&data, &["backup", other.to_str().unwrap(), "--keep", "1"]).await;
    assert!(code == 1 && said.contains("is missing"), "{said}");
    let (code, said, _) = run(&data, &["backup", place, "--verify"]).await;
    assert!(code == 0 && said.contains("can be restored"), "an earlier one has it: {said}");
}

/// The one object in a folder of images.
fn walk(folder: &Path) -> std::path::PathBuf {
    let shards = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    shards.flat_map(|shard| fs::read_dir(shard).unwrap()).next().unwrap().unwrap().path()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_place_of_backups_is_told_in_one_line() {
    let (outer, data) = folder();
    Board::start(&data).await.stop().await;
    let nowhere = outer.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    for (command, word) in [
        (vec!["restore", nowhere], "there are no backups"),
        (vec!["backup", nowhere, "--verify-only"], "there are no backups"),
        (vec!["backup", "s3://"], "must name a bucket"),
        (vec!["backup"], "PLACE"),
        (vec!["backup", nowhere, "--keep", "0"], "--keep"),
    ] {
        let (code, said, told) = run(&data, &command).await;
        assert!(code == 2 && said.is_empty() && told.lines().count() == 1 && told.contains(word), "{said} {told}");
    }
    run(&data, &["backup", nowhere]).await;
    let (code, _, told) =
        run(&outer.path().join("anew"), &["restore", nowhere, "--snapshot", "20200101T000000000Z"]).await;
    assert!(code == 2 && told.contains("there is no snapshot"), "{told}");
}

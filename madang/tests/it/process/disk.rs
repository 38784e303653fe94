//! A disk that takes no more in the middle of a file. The limit on the size of files does that to anybody, also to root, whom
//! permissions do not stop.

use tokio::process::Command;

use super::{Board, folder, images};
use crate::support::pictures;

/// Of 512 bytes each; 2 MiB.
const BLOCKS: usize = 4_096;

#[tokio::test]
async fn f20_a_write_that_fails_half_way_is_503_and_leaves_nothing() {
    let (_folder, data) = folder();
    // Ignored, the signal that would end the process becomes an error of the write.
    let script = format!("trap '' XFSZ; ulimit -f {BLOCKS}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_madang"), "serve", "--listen", "127.0.0.1:0"]);
    command.args(["--limits", "off", "--data", data.to_str().unwrap()]).env("MADANG_LOG", "error").kill_on_drop(true);
    let mut board = Board::run(command).await;
    board.log_in("ann").await;
    let large = pictures::noise(1_000, 1_000);
    assert!(large.len() > BLOCKS * 512);
    for _ in 0..3 {
        let refused =
            board.wire.send(&board.wire.create_feed("large", &[pictures::png(), large.clone()])).await.unwrap();
        assert_eq!(refused.expect(503)["code"], "unavailable");
    }
    let feed = board.create_feed("small", &[pictures::png()]).await;
    assert_eq!(images(&board.wire, &feed).await.unwrap().len(), 1);
    let list = board.wire.get("/api/feed/list").await.unwrap().expect(200);
    assert_eq!(list["pagination"]["total_count"], 1);
    board.stop().await;
    let mut left = Vec::new();
    for shard in std::fs::read_dir(data.join("images")).unwrap().map(|entry| entry.unwrap().path()) {
        if shard.is_dir() {
            left.extend(std::fs::read_dir(shard).unwrap().map(|entry| entry.unwrap().file_name()));
        }
    }
    assert_eq!(left.len(), 1, "{left:?}");
}

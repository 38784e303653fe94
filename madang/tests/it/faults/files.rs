//! There are no more open files.

use std::{fs, path::Path, time::Duration};

use futures_util::future::join_all;
use tokio::{
    net::TcpStream,
    process::Command,
    time::{Instant, sleep},
};

use super::tell;
use crate::{
    process::{Board, PATIENCE, folder},
    support::pictures,
};

/// So many files the program may have open: its own, those of its database, and connections.
const FILES: usize = 80;
/// More connections than that, and fewer than the system lets wait.
const CONNECTIONS: usize = 140;

async fn limited(data: &Path, log: &Path) -> Board {
    let script = format!(r#"ulimit -n {FILES} && exec "$0" "$@" 2>{}"#, log.display());
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_madang"), "--listen", "127.0.0.1:0", "--limits", "off"]);
    command.arg("--data").arg(data).env("MADANG_LOG", "warn").kill_on_drop(true);
    Board::run(command).await
}

#[tokio::test]
async fn f26_without_files_the_board_waits_and_comes_back() {
    let (outer, data) = folder();
    let log = outer.path().join("log");
    let mut board = limited(&data, &log).await;
    board.log_in("ann").await;
    let before = board.create_feed("before", &[pictures::png()]).await;
    for round in 0..3 {
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS {
            held.push(TcpStream::connect(board.wire.address).await.unwrap());
        }
        sleep(Duration::from_millis(500)).await;
        let cpu = processor_time(&board);
        sleep(Duration::from_secs(1)).await;
        let used = processor_time(&board) - cpu;
        assert!(used < Duration::from_millis(500), "it is busy with waiting: {used:?} of a second");
        drop(held);
        let freed = Instant::now();
        board.wire.get(&format!("/api/feed/read/{}", before["id"])).await.unwrap().expect(200);
        board.create_feed("after", &[pictures::png()]).await;
        tell(&format!("{used:?} of the processor in a second; a read and a write {:?} after", freed.elapsed()));
        assert!(freed.elapsed() < PATIENCE);
        let list = board.wire.get("/api/feed/list").await.unwrap().expect(200);
        assert_eq!(list["pagination"]["total_count"], round + 2);
    }
    board.stop().await;
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("accept failed") && !log.contains("panicked"), "{log}");
}

/// How long the program has used a processor.
fn processor_time(board: &Board) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", board.child.id().unwrap())).unwrap();
    // After the name, in brackets: the state is the first; the eleventh and twelfth are ticks of a hundredth second.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    Duration::from_millis(10 * (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()))
}

fn open_files(board: &Board) -> usize {
    fs::read_dir(format!("/proc/{}/fd", board.child.id().unwrap())).unwrap().count()
}

/// What has a file, and needs others: whoever asks while there are few is refused, and not for good.
#[tokio::test]
async fn f26_a_request_that_gets_no_file_is_told_to_come_again() {
    let (outer, data) = folder();
    let log = outer.path().join("log");
    let mut board = limited(&data, &log).await;
    board.log_in("ann").await;
    let feed = board.create_feed("before", &[pictures::png()]).await;
    let image = feed["image_urls"][0].as_str().unwrap().split_once("/images/").unwrap().1.to_owned();
    let (mut held, mut refused) = (Vec::new(), 0);
    for free in 1..=8 {
        let wanted = FILES - free;
        while open_files(&board) != wanted {
            if open_files(&board) < wanted {
                held.push(TcpStream::connect(board.wire.address).await.unwrap());
            } else {
                held.pop();
            }
            sleep(Duration::from_millis(20)).await;
        }
        let requests = [
            board.wire.create_feed("few files", &[pictures::png()]),
            board.wire.request("GET", "/api/feed/list", "text/plain", b""),
            board.wire.request("GET", &format!("/images/{image}"), "text/plain", b""),
        ];
        // All at once: each takes a file, and wants others.
        for reply in join_all(requests.iter().map(|request| board.wire.send(request))).await {
            let reply = reply.unwrap();
            if reply.status != 200 {
                assert_eq!((reply.status, &*reply.code()), (503, "unavailable"), "{reply:?}");
                refused += 1;
            }
        }
    }
    drop(held);
    board.create_feed("after", &[pictures::png()]).await;
    tell(&format!("{refused} refused"));
    board.stop().await;
    assert!(!fs::read_to_string(log).unwrap().contains("panicked"));
}

//! Signals: the first drains, the second does not wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

use super::{Board, PATIENCE, folder, images, madang};
use crate::support::{
    balancer::{head_of, message},
    pictures,
};

/// A connection on which half of an upload was sent, and the other half.
pub(super) async fn half_an_upload(board: &Board) -> (TcpStream, Vec<u8>) {
    let mut request = board.wire.create_feed("in flight", &[pictures::noise(300, 300)]);
    let rest = request.split_off(request.len() / 2);
    let mut stream = TcpStream::connect(board.wire.address).await.unwrap();
    stream.write_all(&request).await.unwrap();
    // Until the server has begun to read it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    (stream, rest)
}

#[tokio::test]
async fn f23_a_signal_lets_uploads_in_flight_end() {
    for signal in ["TERM", "INT"] {
        let (_folder, data) = folder();
        let mut board = Board::start(&data).await;
        board.log_in("ann").await;
        let _idle = TcpStream::connect(board.wire.address).await.unwrap();
        let (mut stream, rest) = half_an_upload(&board).await;
        board.signal(signal).await;
        board.refuses_connections().await;

        stream.write_all(&rest).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close\r\n"), "{answer}");
        // Well within the 20 s that requests in flight are given.
        assert_eq!(board.exit(Duration::from_secs(10)).await.code(), Some(0));

        let board = Board::start(&data).await;
        let feed = board.wire.get("/api/feed/list").await.unwrap().expect(200)["feeds"][0].clone();
        assert_eq!((feed["title"].as_str(), images(&board.wire, &feed).await.unwrap().len()), (Some("in flight"), 1));
        board.stop().await;
    }
}

/// What a proxy does that asks for /readyz: it sends requests, over connections that it keeps, until the answer is no.
#[tokio::test]
async fn f23_behind_a_proxy_that_looks_no_request_fails() {
    let (_folder, data) = folder();
    let mut board = Board::start_with(&data, &["--drain-delay", "5"]).await;
    board.log_in("ann").await;
    board.create_feed("one", &[]).await;
    let (ready, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let (address, ready, asked) = (board.wire.address, ready.clone(), asked.clone());
        clients.spawn(async move {
            let mut kept: Option<TcpStream> = None;
            while ready.load(Relaxed) {
                let mut stream = match kept.take() {
                    Some(stream) => stream,
                    None => TcpStream::connect(address).await.unwrap(),
                };
                stream.write_all(b"GET /api/feed/list HTTP/1.1\r\nHost: board.test\r\n\r\n").await.unwrap();
                let head = head_of(&timeout(PATIENCE, message(&mut stream)).await.unwrap().expect("an answer"));
                assert!(head.starts_with("http/1.1 200 "), "{head}");
                asked.fetch_add(1, Relaxed);
                kept = (!head.contains("connection: close")).then_some(stream);
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = asked.load(Relaxed);
    board.signal("TERM").await;
    while board.wire.get("/readyz").await.unwrap().status == 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await; // until the proxy looks
    let during = asked.load(Relaxed);
    assert!(0 < before && before < during, "it serves on: {before}, {during}");
    ready.store(false, Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert_eq!(board.wire.get("/healthz").await.unwrap().status, 200, "it lives");
    assert_eq!(board.exit(PATIENCE).await.code(), Some(0));
}

#[tokio::test]
async fn f23_a_second_signal_does_not_wait() {
    let (_folder, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    let (_stream, _rest) = half_an_upload(&board).await;
    board.signal("TERM").await;
    board.refuses_connections().await;
    board.signal("TERM").await;
    assert_eq!(board.exit(Duration::from_secs(5)).await.code(), Some(0));
    let board = Board::start(&data).await;
    assert_eq!(board.wire.get("/api/feed/list").await.unwrap().expect(200)["pagination"]["total_count"], 0);
    board.stop().await;
}

#[tokio::test]
async fn a_start_that_waits_for_its_database_can_be_stopped() {
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://ann@{}/x", silent.local_addr().unwrap());
    let (_folder, data) = folder();
    let arguments = ["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap(), "--database-url", &url];
    let mut child = madang(&arguments).spawn().unwrap();
    let _connection = timeout(PATIENCE, silent.accept()).await.unwrap().unwrap();
    let script = format!("kill -TERM {}", child.id().unwrap());
    assert!(tokio::process::Command::new("sh").args(["-c", &script]).status().await.unwrap().success());
    timeout(Duration::from_secs(5), child.wait()).await.expect("it ends").unwrap();
}

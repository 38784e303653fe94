//! Clients who hold connections, or send without an end, while others want an answer.

use std::time::Duration;

use madang::http::serve::raise_file_limit;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{Board, PATIENCE, folder};
use crate::support::{pictures, wire::Wire};

/// Heads must be there within 15 s; this is twice that.
const CLOSED_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h01_h02_slow_and_silent_connections_are_closed_while_others_are_served() {
    raise_file_limit().unwrap();
    let (_folder, data) = folder();
    let board = Board::start(&data).await;
    let address = board.wire.address;
    let mut slow = JoinSet::new();
    for index in 0..600 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        slow.spawn(async move {
            let drips = index % 2 == 0;
            let hold = async {
                if drips {
                    for byte in b"GET /healthz HTTP/1.1\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'a')) {
                        if stream.write_all(&[*byte]).await.is_err() {
                            return;
                        }
                        sleep(Duration::from_millis(250)).await;
                    }
                }
                let _ = stream.read_to_end(&mut Vec::new()).await;
            };
            timeout(CLOSED_WITHIN, hold).await.expect("the server closes");
        });
    }
    let began = Instant::now();
    board.wire.get("/healthz").await.unwrap().expect(200);
    board.wire.get("/api/feed/list").await.unwrap().expect(200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    slow.join_all().await;
    board.wire.get("/readyz").await.unwrap().expect(200);
    board.stop().await;
}

/// The most memory that the process ever had, in bytes.
pub(super) fn peak_memory(board: &Board) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", board.child.id().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h05_endless_bodies_end_early_and_cost_little() {
    let (_folder, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    let before = peak_memory(&board);
    let token = board.wire.token.clone().unwrap();
    let form = format!("Authorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary=XX\r\n");
    let part = |disposition: &str| format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
    let mut clients = JoinSet::new();
    for (path, headers, start) in [
        ("/api/auth/login", "Content-Type: application/json\r\n", "{\"email\":\"".to_owned()),
        ("/api/feed/create", form.as_str(), part("name=title")),
        ("/api/feed/create", form.as_str(), part("name=images; filename=a")),
        ("/api/feed/create", form.as_str(), String::new()),
        ("/api/feed/create", "Content-Type: multipart/form-data; boundary=XX\r\n", String::new()),
        ("/nowhere", "", String::new()),
    ] {
        for _ in 0..5 {
            let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Transfer-Encoding: chunked\r\n\r\n");
            let first = format!("{head}{:x}\r\n{start}\r\n", start.len());
            let first = if start.is_empty() { head } else { first };
            let address = board.wire.address;
            clients.spawn(async move {
                let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
                writer.write_all(first.as_bytes()).await.unwrap();
                let chunk = [&b"10000\r\n"[..], &[b'a'; 0x10000], b"\r\n"].concat();
                let endless = async { while writer.write_all(&chunk).await.is_ok() {} };
                let mut answer = Vec::new();
                // A reset may come after the answer.
                let read = async { drop(reader.read_to_end(&mut answer).await) };
                timeout(PATIENCE, async { tokio::join!(endless, read) }).await.expect("the server closes");
                let answer = String::from_utf8_lossy(&answer).into_owned();
                assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
            });
        }
    }
    clients.join_all().await;
    board.create_feed("after", &[pictures::png()]).await;
    let grown = peak_memory(&board).saturating_sub(before) >> 20;
    println!("the peak grew by {grown} MiB");
    assert!(grown < 256, "{grown} MiB");
    board.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a17_a_stampede_of_log_ins_costs_no_more_than_the_few_that_hash() {
    raise_file_limit().unwrap();
    let (_folder, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    let before = peak_memory(&board);
    let mut attempts = JoinSet::new();
    for _ in 0..500 {
        let wire = Wire::new(board.wire.address);
        attempts.spawn(async move {
            let guess = json!({"email": "ann@example.com", "password": "wrong"});
            let answer = wire.post("/api/auth/login", guess).await.unwrap();
            assert!([401, 503].contains(&answer.status), "{}", answer.status);
            answer.status
        });
    }
    let reads = async {
        for _ in 0..20 {
            board.wire.get("/api/feed/list").await.unwrap().expect(200);
        }
    };
    let answers = timeout(2 * PATIENCE, async { tokio::join!(attempts.join_all(), reads).0 }).await.expect("it ends");
    assert!(answers.contains(&401) && answers.contains(&503), "some are tried, and the surplus is refused");
    // Each turn of the hashing takes 19 MiB, and each of 500 connections some buffers.
    let turns = std::thread::available_parallelism().unwrap().get() as u64;
    let (grown, bound) = (peak_memory(&board).saturating_sub(before) >> 20, 19 * turns + 100);
    assert!(grown < bound, "{grown} of {bound} MiB");
    board.stop().await;
}

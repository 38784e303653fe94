//! Thousands of clients who hold what they have.

#![allow(clippy::print_stdout)]

use std::time::Duration;

use madang::http::serve::raise_file_limit;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{Board, PATIENCE, clients::peak_memory, folder};
use crate::support::{pictures, wire::Wire};

/// Bodies must be there within 120 s; this is twice that.
const CLOSED_WITHIN: Duration = Duration::from_secs(240);

fn open_files(board: &Board) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", board.child.id().unwrap())).unwrap().count()
}

/// What SQLite may open when more readers are wanted than before: a database, its log and its index for each of ten.
const OF_THE_DATABASE: usize = 30;

/// Waits until the server has no more open files than before.
async fn files_are_closed(board: &Board, before: usize) {
    let closed = async {
        while open_files(board) > before + OF_THE_DATABASE {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let closed = timeout(CLOSED_WITHIN, closed).await;
    assert!(closed.is_ok(), "{before} files were open, and {} are", open_files(board));
}

/// How long each of so many requests took, the fastest first.
async fn times_of_others(wire: &Wire, count: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        wire.get("/api/feed/list").await.unwrap().expect(200);
        times.push(began.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
    times.sort();
    times
}

/// Sends the beginning of a large upload, then a byte a second. Returns the answer.
async fn upload_slowly(mut stream: TcpStream, token: String) -> String {
    let head = format!(
        "POST /api/feed/create HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 10000000\r\n\
         Content-Type: multipart/form-data; boundary=XX\r\n\r\n\
         --XX\r\nContent-Disposition: form-data; name=images; filename=a\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[0; 40 << 10]).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let drip = async {
        while writer.write_all(b"a").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    let mut answer = Vec::new();
    let reading = async { reader.read_to_end(&mut answer).await };
    tokio::select! { _ = reading => {}, () = drip => {} }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Asks for a large image and takes a byte a second, until the server gives up.
async fn read_slowly(mut stream: TcpStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    while stream.read_u8().await.is_ok() {
        sleep(Duration::from_secs(1)).await;
        // What the server sent before it gave up is read at its leisure; whether it gave up is seen here.
        if stream.write_all(b"\r\n").await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f35_u13_slow_uploads_and_slow_readers_hold_up_nobody() {
    raise_file_limit().unwrap();
    let (_folder, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    let feed = board.create_feed("large", &[pictures::noise(1_700, 1_700)]).await;
    let url = feed["image_urls"][0].as_str().unwrap().to_owned();
    let path = url[url.find("/images/").unwrap()..].to_owned();
    let (files, memory) = (open_files(&board), peak_memory(&board));

    let mut slow = JoinSet::new();
    for _ in 0..1_000 {
        let (token, address) = (board.wire.token.clone().unwrap(), board.wire.address);
        slow.spawn(async move {
            loop {
                let stream = TcpStream::connect(address).await.unwrap();
                let upload = upload_slowly(stream, token.clone());
                let answer = timeout(CLOSED_WITHIN, upload).await.expect("the server closes");
                if !answer.starts_with("HTTP/1.1 503 ") {
                    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
                    break;
                }
                sleep(Duration::from_secs(1)).await; // as it was told: all came at once
            }
        });
        let path = path.clone();
        slow.spawn(async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(8 << 10).unwrap();
            let stream = socket.connect(address).await.unwrap();
            timeout(CLOSED_WITHIN, read_slowly(stream, &path)).await.expect("the server closes");
        });
        sleep(Duration::from_millis(5)).await;
    }
    // Until all of them hold something.
    sleep(Duration::from_secs(5)).await;
    let held = open_files(&board) - files;
    let times = times_of_others(&board.wire, 300).await;
    let p99 = times[times.len() * 99 / 100];
    slow.join_all().await;
    files_are_closed(&board, files).await;
    let grown = peak_memory(&board).saturating_sub(memory) >> 20;
    println!("{held} files held; p99 of others {p99:?}; the peak grew by {grown} MiB");
    assert!(held >= 2_000, "{held}");
    assert!(p99 < Duration::from_secs(2), "{p99:?}");
    assert!(grown < 256, "{grown} MiB");
    board.create_feed("after", &[pictures::png()]).await;
    board.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h06_ten_thousand_idle_connections_and_rude_ones_leave_nothing() {
    raise_file_limit().unwrap();
    let (_folder, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    let feed = board.create_feed("large", &[pictures::noise(700, 700)]).await;
    let url = feed["image_urls"][0].as_str().unwrap().to_owned();
    let path = url[url.find("/images/").unwrap()..].to_owned();
    let files = open_files(&board);
    let mut idle = JoinSet::new();
    for n in 0..10_000 {
        let address = board.wire.address;
        let path = if n % 10 == 0 { path.clone() } else { "/healthz".to_owned() };
        idle.spawn(async move {
            // Those who are too many wait in the backlog, or for a place in it, and some of them give up.
            let Ok(Ok(mut stream)) = timeout(PATIENCE, TcpStream::connect(address)).await else { return false };
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            if stream.write_all(request.as_bytes()).await.is_err() {
                return false;
            }
            let answered = matches!(timeout(PATIENCE, stream.read_u8()).await, Ok(Ok(b'H')));
            match n % 20 {
                0 => {} // dropped with unread bytes: a reset in the middle of the answer
                1 => drop(stream.shutdown().await),
                _ if answered => {
                    let closed = timeout(CLOSED_WITHIN, stream.read_to_end(&mut Vec::new())).await;
                    drop(closed.expect("it is closed"));
                }
                _ => {}
            }
            answered
        });
    }
    let answered = idle.join_all().await.into_iter().filter(|answered| *answered).count();
    println!("{answered} of 10,000 were answered");
    assert!(answered > 4_096, "one after the other");
    files_are_closed(&board, files).await;
    board.create_feed("after", &[pictures::png()]).await;
    board.stop().await;
}

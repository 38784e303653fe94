//! A board that is stopped under load, behind a proxy that asks whether it is ready.

#![allow(clippy::print_stdout)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{Board, PATIENCE, folder, stop::half_an_upload};
use crate::support::balancer::{Balancer, message};

const CLIENTS: usize = 50;
/// Of each client; 500 a second of all.
const EVERY: Duration = Duration::from_millis(100);
const UPLOADS: usize = 20;

/// Keeps a connection and asks over it until `stop`. Returns how many answers were no 200, or did not come.
async fn ask_until(balancer: std::net::SocketAddr, stop: Arc<AtomicBool>, asked: Arc<AtomicUsize>) -> usize {
    let mut failed = 0;
    let mut stream = TcpStream::connect(balancer).await.unwrap();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.load(Relaxed) {
        ticks.tick().await;
        let request = b"GET /api/feed/list?limit=1 HTTP/1.1\r\nHost: board.test\r\n\r\n";
        let sent = stream.write_all(request).await;
        let answer = timeout(PATIENCE, message(&mut stream)).await.expect("an answer or an end");
        asked.fetch_add(1, Relaxed);
        if sent.is_err() || !answer.is_some_and(|answer| answer.starts_with(b"HTTP/1.1 200 ")) {
            failed += 1;
            stream = TcpStream::connect(balancer).await.unwrap();
        }
    }
    failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f23_under_load_no_request_fails() {
    let (_folder, data) = folder();
    let (_other_folder, other_data) = folder();
    let mut board = Board::start_with(&data, &["--drain-delay", "4"]).await;
    let other = Board::start(&other_data).await;
    board.log_in("ann").await;
    let balancer = Balancer::of(&[board.wire.address, other.wire.address]).await;
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask_until(balancer.address, stop.clone(), asked.clone()));
    }
    let uploads: Vec<_> =
        futures_util::future::join_all((0..UPLOADS).map(|_| half_an_upload(&board))).await.into_iter().collect();
    sleep(Duration::from_secs(1)).await;
    let before = asked.load(Relaxed);
    board.signal("TERM").await;
    let noticed = async {
        while balancer.uses(0) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, noticed).await.expect("it says that it is not ready");
    let mut ending = JoinSet::new();
    for (mut stream, rest) in uploads {
        ending.spawn(async move {
            stream.write_all(&rest).await.unwrap();
            timeout(PATIENCE, message(&mut stream)).await.unwrap().expect("an answer")
        });
    }
    for answer in ending.join_all().await {
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(board.exit(PATIENCE).await.code(), Some(0));
    sleep(Duration::from_millis(500)).await;
    stop.store(true, Relaxed);
    let failed: usize = clients.join_all().await.into_iter().sum();
    let all = asked.load(Relaxed);
    println!("{all} requests, {} of them after the signal, {UPLOADS} uploads; {failed} failed", all - before);
    assert_eq!(failed, 0, "of {all}");
    assert!(before > 0 && all > before);
    other.stop().await;
    let board = Board::start(&data).await;
    let feeds = board.wire.get("/api/feed/list").await.unwrap().expect(200);
    assert_eq!(feeds["pagination"]["total_count"], UPLOADS);
    board.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f23_slow_clients_cannot_hold_the_exit() {
    let (_folder, data) = folder();
    let mut board = Board::start_with(&data, &["--drain-delay", "1"]).await;
    board.log_in("ann").await;
    let mut slow = JoinSet::new();
    for n in 0..40 {
        let address = board.wire.address;
        // A head, or a body, that goes on and on.
        let upload = board.wire.create_feed("slow", &[crate::support::pictures::noise(100, 100)]);
        slow.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            if n % 2 == 0 {
                stream.write_all(&upload[..upload.len() / 2]).await.unwrap();
            }
            let head = b"GET / HTTP/1.1\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'a'));
            for byte in head {
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(200)).await;
            }
        });
    }
    sleep(Duration::from_millis(500)).await;
    board.signal("TERM").await;
    // The delay and the 20 s that requests in flight are given, and some.
    assert_eq!(board.exit(PATIENCE).await.code(), Some(0));
}

#[tokio::test]
async fn f23_a_second_signal_ends_the_delay() {
    let (_folder, data) = folder();
    let mut board = Board::start_with(&data, &["--drain-delay", "600"]).await;
    board.signal("TERM").await;
    let draining = async { while board.wire.get("/readyz").await.unwrap().status == 200 {} };
    timeout(PATIENCE, draining).await.unwrap();
    let mut served = TcpStream::connect(board.wire.address).await.unwrap();
    served.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(served.read_u8().await.unwrap(), b'H', "it serves on");
    board.signal("TERM").await;
    assert_eq!(board.exit(Duration::from_secs(10)).await.code(), Some(0));
}

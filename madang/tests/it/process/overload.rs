//! More requests than the board carries.

#![allow(clippy::print_stdout)]

use std::time::Duration;

use madang::http::serve::raise_file_limit;
use tokio::time::{Instant, sleep};

use super::{Board, folder};
use crate::support::flood::{Tally, flood};

/// More than are answered at a time.
const CONNECTIONS: usize = 2_000;
/// Far more than it carries, and so what it carries is what is answered.
const TOO_MANY: usize = 50_000;

fn list() -> Vec<u8> {
    b"GET /api/feed/list?limit=20 HTTP/1.1\r\nHost: board.test\r\n\r\n".to_vec()
}

/// The processor time that the board has used, in seconds.
fn processor_time(board: &Board) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", board.child.id().unwrap())).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: f64 = [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

fn tell(name: &str, tally: &Tally, time: Duration) -> f64 {
    let good = tally.good.len() as f64 / time.as_secs_f64();
    let p = Tally::percentile;
    println!(
        "{name}: {good:.0} answered a second, p50 {:?}, p99 {:?}; {:.0} refused a second, p50 {:?}, p99 {:?}; {} failed",
        p(&tally.good, 50),
        p(&tally.good, 99),
        tally.refused.len() as f64 / time.as_secs_f64(),
        p(&tally.refused, 50),
        p(&tally.refused, 99),
        tally.failed
    );
    good
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f36_what_is_too_much_is_refused_and_the_rest_is_answered() {
    raise_file_limit().unwrap();
    let (_folder, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    for n in 0..20 {
        board.create_feed(&format!("feed {n}"), &[]).await;
    }
    let address = board.wire.address;
    // As many connections as are answered at a time without refusals: what it carries.
    let time = Duration::from_secs(5);
    let before = processor_time(&board);
    let tally = flood(address, &list(), TOO_MANY, time, 32).await;
    let between = processor_time(&board);
    let calm = tell("as many as it carries", &tally, time);
    let time = Duration::from_secs(20);
    let over = flood(address, &list(), (2.0 * calm) as usize, time, CONNECTIONS).await;
    let good = tell("twice as many", &over, time);
    let each = |tally: &Tally, used: f64| tally.good.len() as f64 / used;
    // The flood itself takes processor time from the board, so what that does with its own says more.
    println!(
        "answered: {:.0} % of what it carries; for a second of processor time {:.0}, before {:.0}",
        100.0 * good / calm,
        each(&over, processor_time(&board) - between),
        each(&tally, between - before),
    );
    assert!(!over.good.is_empty() && !over.refused.is_empty());
    assert_eq!(over.failed, 0);
    // Back to normal.
    let began = Instant::now();
    while board.wire.get("/api/feed/list").await.unwrap().status != 200 {
        assert!(began.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(50)).await;
    }
    board.wire.get("/healthz").await.unwrap().expect(200);
    board.wire.get("/readyz").await.unwrap().expect(200);
    board.stop().await;
}

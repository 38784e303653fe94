//! The database is there and says nothing.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    assert_checked,
    load::{History, Known, Load, known},
    logged, tell,
};
use crate::{
    process::folder,
    support::{
        server::{DatabaseServer, Kind},
        wire::Wire,
    },
};

/// Longer than a request waits for its database, so that each of them meets its deadline.
const SILENCE: Duration = Duration::from_secs(14);
/// A request's deadline is 10 s. It may pass while its COMMIT is under way, which is waited for; none of these gets so far.
const ANSWERED: Duration = Duration::from_secs(13);
/// Whether it is ready is asked by those who will not wait so long.
const TOLD: Duration = Duration::from_secs(5);
/// How long after the silence the first write must succeed.
const RECOVERY: Duration = Duration::from_secs(5);
/// More than there are connections to the database.
const REQUESTS: usize = 40;

mod f08_a_database_that_is_silent_holds_nobody_past_his_deadline {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        ends(Kind::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn mariadb() {
        ends(Kind::MariaDb).await;
    }
}

async fn ends(kind: Kind) {
    let server = DatabaseServer::start(kind).await;
    let ((outer, data), url) = (folder(), server.url());
    let arguments = ["--database-url", &url];
    let log = outer.path().join("log");
    let mut board = logged(&data, &log, &arguments).await;
    board.log_in("ann").await;
    let mut history = History::default();
    let load = Load::start(&board.wire, "load", 2);
    sleep(Duration::from_millis(500)).await;

    server.pause();
    let silent = Instant::now();
    let mut requests = JoinSet::new();
    for n in 0..REQUESTS {
        requests.spawn(one(board.wire.clone(), n));
    }
    while silent.elapsed() < SILENCE {
        let asked = Instant::now();
        board.wire.get("/readyz").await.unwrap().expect(503);
        assert!(asked.elapsed() < TOLD, "/readyz took {:?}", asked.elapsed());
        board.wire.get("/healthz").await.unwrap().expect(200);
        sleep(Duration::from_millis(300)).await;
    }
    let slowest = requests.join_all().await.into_iter().max().unwrap();
    assert!(slowest < ANSWERED, "{slowest:?}");

    server.resume();
    let back = Instant::now();
    while known(&board.wire.send(&board.wire.create_feed("first", &[])).await.unwrap()) != Known::Done {}
    let recovery = back.elapsed();
    assert!(recovery < RECOVERY, "{recovery:?}");
    board.wire.get("/readyz").await.unwrap().expect(200);
    load.end(&mut history).await;
    history.assert_true_of(&board.wire).await;
    assert_checked(&data, &arguments).await;
    tell(&format!("the slowest of {REQUESTS} was refused after {slowest:?}; the first write after {recovery:?}"));
    board.stop().await;
    assert!(!std::fs::read_to_string(log).unwrap().contains("panicked"));
}

/// A request of many kinds, which must be refused. How long that took.
async fn one(wire: Wire, n: usize) -> Duration {
    let sent = Instant::now();
    let request = match n % 3 {
        0 => wire.create_feed("silence", &[]),
        1 => wire.request("GET", "/api/feed/list", "text/plain", b""),
        _ => wire.request("PATCH", "/api/like/?feed_id=1", "text/plain", b""),
    };
    let reply = wire.send(&request).await.unwrap();
    assert_eq!(known(&reply), Known::NotDone, "{n}");
    sent.elapsed()
}

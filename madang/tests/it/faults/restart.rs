//! The database server is killed under load, again and again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    assert_checked,
    load::{History, Known, Load},
    logged, rounds, tell,
};
use crate::{
    process::folder,
    support::server::{DatabaseServer, Kind},
};

const WRITERS: usize = 4;
/// How long after the database is back the first write must succeed.
const RECOVERY: Duration = Duration::from_secs(5);

mod f07_a_database_that_is_killed_under_load_costs_503s_alone {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        survives(Kind::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn mariadb() {
        survives(Kind::MariaDb).await;
    }
}

async fn survives(kind: Kind) {
    let mut server = DatabaseServer::start(kind).await;
    let ((outer, data), url) = (folder(), server.url());
    let arguments = ["--database-url", &url];
    let log = outer.path().join("log");
    let mut board = logged(&data, &log, &arguments).await;
    board.log_in("ann").await;
    let (mut history, mut slowest) = (History::default(), Duration::ZERO);
    for round in 0..rounds(3) {
        let load = Load::start(&board.wire, &format!("round {round}"), WRITERS);
        sleep(Duration::from_millis(700)).await;
        server.crash();
        sleep(Duration::from_millis(500)).await;
        board.wire.get("/readyz").await.unwrap().expect(503);
        server.launch().await;
        let back = Instant::now();
        while board.wire.send(&board.wire.create_feed("first", &[])).await.unwrap().status != 200 {
            assert!(back.elapsed() < RECOVERY, "no write succeeds");
        }
        slowest = slowest.max(back.elapsed());
        load.end(&mut history).await;
    }
    board.wire.get("/readyz").await.unwrap().expect(200);
    history.assert_true_of(&board.wire).await;
    assert_checked(&data, &arguments).await;
    let [done, not_done, unknown] = [Known::Done, Known::NotDone, Known::Unknown].map(|known| history.count(known));
    tell(&format!("{done} done, {not_done} not done, {unknown} unknown; the first write after {slowest:?} at most"));
    assert!(done > 0 && not_done > 0);
    board.stop().await; // the same process
    assert!(!std::fs::read_to_string(log).unwrap().contains("panicked"));
}

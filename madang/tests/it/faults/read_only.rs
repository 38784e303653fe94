//! The database takes no writes for a while: it is a standby, or was started so.

use std::{fs::File, path::Path, time::Duration};

use greenlit::Db;
use tokio::time::{Instant, sleep};

use super::{
    assert_checked,
    load::{Known, known},
    logged, tell,
};
use crate::{
    process::{Board, folder},
    support::server::{DatabaseServer, Kind},
};

/// How long after writes are allowed again the first must succeed.
const RECOVERY: Duration = Duration::from_secs(10);

async fn board(server: &DatabaseServer, data: &Path, log: &Path) -> Board {
    let mut board = logged(data, log, &["--database-url", &server.url()]).await;
    board.log_in("ann").await;
    board.create_feed("before", &[]).await;
    board
}

/// Writes are refused, and reads are not.
async fn assert_read_only(board: &Board) {
    for _ in 0..10 {
        let refused = board.wire.send(&board.wire.create_feed("refused", &[])).await.unwrap();
        assert_eq!(known(&refused), Known::NotDone);
        let list = board.wire.get("/api/feed/list").await.unwrap().expect(200);
        assert_eq!(list["pagination"]["total_count"], 1);
    }
    board.wire.get("/readyz").await.unwrap().expect(200);
}

async fn assert_recovers(board: Board, data: &Path, server: &DatabaseServer) {
    let back = Instant::now();
    while known(&board.wire.send(&board.wire.create_feed("after", &[])).await.unwrap()) != Known::Done {
        assert!(back.elapsed() < RECOVERY, "nothing is written");
        sleep(Duration::from_millis(20)).await;
    }
    tell(&format!("the first write after {:?}", back.elapsed()));
    let list = board.wire.get("/api/feed/list").await.unwrap().expect(200);
    assert_eq!(list["pagination"]["total_count"], 2);
    assert_checked(data, &["--database-url", &server.url()]).await;
    board.stop().await;
}

mod f11_a_database_that_takes_no_writes_is_read_on {
    use super::*;

    /// A standby, which is made the primary at last.
    #[tokio::test]
    async fn postgres() {
        let (mut server, (outer, data)) = (DatabaseServer::start(Kind::Postgres).await, folder());
        let board = board(&server, &data, &outer.path().join("log")).await;
        server.crash();
        File::create(server.folder().join("data/standby.signal")).unwrap();
        server.launch().await;
        assert_read_only(&board).await;
        let promoted = Db::open(&server.url()).await.unwrap();
        promoted.fetch_one::<(bool,)>("select pg_promote()", vec![]).await.unwrap();
        assert_recovers(board, &data, &server).await;
    }

    #[tokio::test]
    async fn mariadb() {
        let (mut server, (outer, data)) = (DatabaseServer::start(Kind::MariaDb).await, folder());
        let board = board(&server, &data, &outer.path().join("log")).await;
        server.restart_with(&["--read-only"]).await;
        assert_read_only(&board).await;
        server.restart_with(&[]).await;
        assert_recovers(board, &data, &server).await;
    }
}

mod f11_a_default_that_forbids_writes_is_no_fault {
    use super::*;

    /// It binds those transactions that do not say what they want. Ours that write say so.
    #[tokio::test]
    async fn postgres() {
        let options = ["-c", "default_transaction_read_only=on"];
        let (server, (outer, data)) = (DatabaseServer::start_with(Kind::Postgres, &options).await, folder());
        let board = board(&server, &data, &outer.path().join("log")).await;
        board.create_feed("written", &[]).await;
        board.stop().await;
    }
}

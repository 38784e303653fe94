//! What is missing when the board starts.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use greenlit::{Db, Opts, Tx};
use madang::migration::HISTORY;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::{assert_checked, logged, tell};
use crate::{
    process::{PATIENCE, folder, madang},
    support::{
        pictures,
        server::{DatabaseServer, Kind},
    },
};

/// What the program says that cannot start.
async fn refused(data: &Path, arguments: &[&str]) -> String {
    let mut command = madang(&["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Output { status, stdout, stderr } = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.code() == Some(2) && stdout.is_empty(), "{said}");
    assert!(said.starts_with("madang: ") && said.lines().count() == 1, "{said}");
    said
}

/// A port on which nobody listens.
fn nobody() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn f25_a_database_that_is_not_there_ends_the_start_and_comes_to_no_harm() {
    let (_folder, data) = folder();
    for scheme in ["postgres", "mariadb"] {
        let url = format!("{scheme}://ann:canary@127.0.0.1:{}/board", nobody());
        let said = refused(&data, &["--database-url", &url]).await;
        assert!(said.contains("the database does not serve (--database-url)") && !said.contains("canary"), "{said}");
    }
}

#[tokio::test]
async fn f25_a_port_that_is_taken_ends_the_start_before_anything_is_made() {
    let (_folder, data) = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let said = refused(&data, &["--metrics-listen", &taken.local_addr().unwrap().to_string()]).await;
    assert!(said.contains("cannot listen on") && said.contains("--metrics-listen"), "{said}");
    assert!(!data.exists(), "nothing was begun");
}

#[tokio::test]
async fn f25_a_bucket_that_is_not_there_keeps_text_from_nothing() {
    let (outer, data) = folder();
    let media = format!("s3://images/board?endpoint=http://127.0.0.1:{}&region=eu-west-1", nobody());
    let log = outer.path().join("log");
    let mut board = logged(&data, &log, &["--media", &media]).await;
    board.log_in("ann").await;
    board.wire.get("/readyz").await.unwrap().expect(200);
    board.create_feed("text", &[]).await;
    let refused = board.wire.send(&board.wire.create_feed("picture", &[pictures::png()])).await.unwrap();
    assert_eq!((refused.status, &*refused.code()), (503, "unavailable"));
    board.stop().await;
    assert!(fs::read_to_string(log).unwrap().contains("images cannot be stored for now"));
}

/// Thousands of jobs wait: the board serves at once, and does them beside that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_ten_thousand_jobs_that_wait_hold_no_start_up() {
    const JOBS: usize = 10_000;
    // So many of them are waited for.
    const DONE: i64 = 1_000;
    let (outer, data) = folder();
    fs::create_dir(&data).unwrap();
    let db = Db::open(&format!("sqlite:{}", data.join("madang.db").display())).await.unwrap();
    db.migrate(HISTORY).await.unwrap();
    let push = async |tx: &mut Tx| {
        for n in 0..JOBS {
            tx.outbox("media.delete", &json!({"names": [format!("{n:032x}.png")]})).await?;
        }
        Ok::<_, greenlit::Error>(())
    };
    db.tx(Opts::default().within(Duration::from_secs(60)), push).await.unwrap();
    let log = outer.path().join("log");
    let began = Instant::now();
    let mut board = logged(&data, &log, &[]).await;
    let ready = began.elapsed();
    board.wire.get("/readyz").await.unwrap().expect(200);
    board.log_in("ann").await;
    let left = async || db.fetch_one::<(i64,)>("select count(*) from greenlit_outbox", vec![]).await.unwrap().0;
    let (mut writes, mut slowest) = (0, Duration::ZERO);
    while left().await > JOBS as i64 - DONE {
        let asked = Instant::now();
        board.create_feed("beside", &[]).await;
        slowest = slowest.max(asked.elapsed());
        writes += 1;
        assert!(began.elapsed() < 10 * PATIENCE, "{} jobs are left", left().await);
        sleep(Duration::from_millis(20)).await;
    }
    let took = began.elapsed();
    tell(&format!(
        "ready after {ready:?}; {DONE} of {JOBS} jobs in {took:?}, beside {writes} writes, the slowest {slowest:?}"
    ));
    assert!(writes > 1 && slowest < PATIENCE);
    board.stop().await;
    assert!(!fs::read_to_string(log).unwrap().contains("panicked"));
}

mod f25_a_start_that_is_killed_leaves_a_schema_with_which_the_next_goes_on {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        goes_on(Kind::Postgres).await;
    }

    #[tokio::test]
    async fn mariadb() {
        goes_on(Kind::MariaDb).await;
    }

    /// The database server is killed while the board makes its tables.
    async fn goes_on(kind: Kind) {
        let mut server = DatabaseServer::start(kind).await;
        let (outer, data) = folder();
        let log = outer.path().join("log");
        let mut ended = 0;
        for after in [20, 60, 100, 150, 250] {
            let url = server.url();
            let start = async { refused_or_serves(&data, &url).await };
            let crash = async {
                sleep(Duration::from_millis(after)).await;
                server.crash();
            };
            let (serves, ()) = tokio::join!(start, crash);
            ended += u32::from(!serves);
            server.launch().await;
        }
        tell(&format!("{ended} of 5 starts ended with their database"));
        let mut board = logged(&data, &log, &["--database-url", &server.url()]).await;
        board.log_in("ann").await;
        board.create_feed("one", &[]).await;
        assert_checked(&data, &["--database-url", &server.url()]).await;
        board.stop().await;
    }

    /// Whether the board came so far as to serve; else it must have said why it did not.
    async fn refused_or_serves(data: &Path, url: &str) -> bool {
        let mut command = madang(&["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap(), "--database-url", url]);
        command.env("MADANG_LOG", "off").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut first = [0; 16];
        let serves =
            timeout(PATIENCE, tokio::io::AsyncReadExt::read_exact(&mut out, &mut first)).await.unwrap().is_ok();
        if serves {
            child.kill().await.unwrap();
            return true;
        }
        let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains("the database does not serve"), "{said}");
        false
    }
}

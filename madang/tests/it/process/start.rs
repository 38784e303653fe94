//! From nothing to a board that serves, and configurations with which it does not.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Output, Stdio},
};

use greenlit::testing::Scratch;
use tokio::{net::TcpListener, time::timeout};

use super::{Board, PATIENCE, folder, images, madang};
use crate::support::{bucket::Bucket, pictures};

/// Everything that a first visitor does, then the same board after a crash.
async fn serves_and_survives(data: &Path, arguments: &[&str]) {
    let mut board = Board::start_with(data, arguments).await;
    board.wire.get("/readyz").await.unwrap().expect(200);
    board.log_in("ann").await;
    let feed = board.create_feed("holiday", &[pictures::jpeg(), pictures::png()]).await;
    let read = format!("/api/feed/read/{}", feed["id"]);
    let served = images(&board.wire, &feed).await.unwrap();
    assert_eq!(served.len(), 2);
    let list = board.wire.get("/api/feed/list").await.unwrap().expect(200);
    assert_eq!(list["feeds"][0]["id"], feed["id"]);
    let token = board.wire.token.clone();
    board.kill().await;

    let mut board = Board::start_with(data, arguments).await;
    board.wire.token = token;
    board.wire.get("/api/mypage/profile").await.unwrap().expect(200);
    let again = board.wire.get(&read).await.unwrap().expect(200);
    assert_eq!((&again["title"], &again["create_dt"]), (&feed["title"], &feed["create_dt"]));
    assert_eq!(images(&board.wire, &again).await.unwrap(), served);
    board.stop().await;
}

#[tokio::test]
async fn an_empty_folder_is_enough_and_a_crash_loses_nothing() {
    let (_folder, data) = folder();
    serves_and_survives(&data, &[]).await;
}

mod a_database_server_does_as_well {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        serves(Scratch::postgres().await.unwrap()).await;
    }

    #[tokio::test]
    async fn mariadb() {
        serves(Scratch::mariadb().await.unwrap()).await;
    }

    async fn serves(scratch: Scratch) {
        let (_folder, data) = folder();
        serves_and_survives(&data, &["--database-url", scratch.url()]).await;
        assert!(!data.join("madang.db").exists());
    }
}

mod defect_07_boards_that_start_at_once_on_an_empty_database_all_serve {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        serve(Scratch::postgres().await.unwrap()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn mariadb() {
        serve(Scratch::mariadb().await.unwrap()).await;
    }

    async fn serve(scratch: Scratch) {
        // Boards of one database share their key and their images.
        let (folders, bucket): (Vec<_>, _) = ((0..4).map(|_| folder()).collect(), Bucket::new().await.unwrap());
        for (_, data) in &folders {
            fs::create_dir(data).unwrap();
            fs::write(data.join("key"), "7a".repeat(32)).unwrap();
            fs::set_permissions(data.join("key"), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let arguments = ["--database-url", scratch.url(), "--media", &bucket.url()];
        let starts = folders.iter().map(|(_, data)| async { Board::start_with(data, &arguments).await });
        let mut boards = futures_util::future::join_all(starts).await;
        for (n, board) in boards.iter_mut().enumerate() {
            board.log_in(&format!("user{n}")).await;
            assert_eq!(board.create_feed("feed", &[]).await["id"], n + 1);
        }
        for board in boards {
            board.stop().await;
        }
    }
}

#[tokio::test]
async fn s03_the_key_is_private_and_every_installation_has_its_own() {
    let (_folder, data) = folder();
    let (_other, other) = folder();
    let mut board = Board::start(&data).await;
    let mut elsewhere = Board::start(&other).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&data.join("key"))), (0o700, 0o600));
    assert_ne!(fs::read(data.join("key")).unwrap(), fs::read(other.join("key")).unwrap());

    // The same user of the same number, whose token is yet another's.
    board.log_in("ann").await;
    elsewhere.log_in("ann").await;
    elsewhere.wire.get("/api/mypage/profile").await.unwrap().expect(200);
    elsewhere.wire.token = board.wire.token.clone();
    elsewhere.wire.get("/api/mypage/profile").await.unwrap().expect(401);

    let kept = fs::read(data.join("key")).unwrap();
    board.stop().await;
    let board = Board::start(&data).await;
    assert_eq!(fs::read(data.join("key")).unwrap(), kept);
    board.stop().await;
}

#[tokio::test]
async fn s03_a_new_key_ends_no_log_in_until_the_old_one_is_removed() {
    let (_folder, data) = folder();
    let (key, old) = (data.join("key"), data.join("key.old"));
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    let earlier = board.wire.token.clone();
    board.stop().await;

    fs::rename(&key, &old).unwrap();
    let mut board = Board::start(&data).await;
    assert_ne!(fs::read(&key).unwrap(), fs::read(&old).unwrap());
    board.wire.token = earlier.clone();
    board.wire.get("/api/mypage/profile").await.unwrap().expect(200);
    board.log_in("ann").await;
    let later = board.wire.token.clone();
    board.stop().await;

    fs::remove_file(&old).unwrap();
    let mut board = Board::start(&data).await;
    board.wire.token = later;
    board.wire.get("/api/mypage/profile").await.unwrap().expect(200);
    board.wire.token = earlier;
    board.wire.get("/api/mypage/profile").await.unwrap().expect(401);
    board.stop().await;

    fs::write(&old, "changeme").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o600)).unwrap();
    refuses(&["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()], None, "key.old").await;
}

/// Runs the program, which must end by itself.
async fn run(arguments: &[&str], log: Option<&str>) -> Output {
    let mut command = madang(arguments);
    command.envs(log.map(|levels| ("MADANG_LOG", levels))).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = timeout(PATIENCE, command.output()).await;
    ended.unwrap_or_else(|_| panic!("{arguments:?} {log:?}: it goes on")).unwrap()
}

/// The program must refuse to start, with one line for the operator that holds this word.
async fn refuses(arguments: &[&str], log: Option<&str>, word: &str) {
    let output = run(arguments, log).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}: announced itself");
    assert!(said.starts_with("madang: ") && said.ends_with('\n') && said.lines().count() == 1, "{arguments:?}: {said}");
    assert!(said.contains(word), "{arguments:?}: {said}");
    assert!(!said.contains("canary"), "{arguments:?}: {said}");
}

#[tokio::test]
async fn f25_a_bad_configuration_is_refused_in_one_line() {
    let (outer, data) = folder();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let file = outer.path().join("file");
    fs::write(&file, "not a database, and no folder either: ".repeat(100)).unwrap();
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let (in_file, of_file) = (format!("file:{file}/images"), format!("sqlite:{file}"));

    refuses(&["--data", data, "--listen", &taken], None, "cannot listen on").await;
    refuses(&["--data", file, "--listen", "127.0.0.1:0"], None, "data folder").await;
    let cases = [
        ("--database-url", "nonsense", "database"),
        ("--database-url", "mysql://root:canary@127.0.0.1/x", "database"),
        ("--database-url", "sqlite:", "database"),
        ("--database-url", "sqlite:/nonexistent/madang.db", "database"),
        ("--database-url", &of_file, "database"),
        ("--database-url", "postgres://ann:canary@127.0.0.1:1/x", "database"),
        ("--database-url", "postgres://ann:canary@127.0.0.1:99999/x", "database"),
        ("--media", "nonsense", "--media"),
        ("--media", "file:", "--media"),
        ("--media", "s3://", "--media"),
        ("--media", "s3://key:canary@bucket", "--media"),
        ("--media", "s3://bucket?endpoint=ftp://canary", "--media"),
        ("--media", "s3://bucket?secret=canary", "--media"),
        ("--media", "file:/proc/nope", "image folder"),
        ("--media", &in_file, "image folder"),
        ("--public-url", "board.example.org", "--public-url"),
        ("--public-url", "javascript:alert(1)", "--public-url"),
        ("--public-url", "", "--public-url"),
    ];
    for (flag, value, word) in cases {
        refuses(&["--listen", "127.0.0.1:0", "--data", data, flag, value], None, word).await;
    }
    for levels in ["madang=loud", "verbose", "warn,madang=shout", "warn, chatty"] {
        refuses(&["--listen", "127.0.0.1:0", "--data", data], Some(levels), "MADANG_LOG").await;
    }
}

#[tokio::test]
async fn s03_a_weak_key_is_refused() {
    let (_folder, data) = folder();
    fs::create_dir(&data).unwrap();
    let key = data.join("key");
    let flags = ["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    for weak in ["", "changeme", &"0".repeat(62)] {
        fs::write(&key, weak).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        refuses(&flags, None, "holds no key").await;
    }
    fs::write(&key, "5a".repeat(32)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refuses(&flags, None, "chmod 600").await;
    assert!(!data.join("madang.db").exists(), "nothing was begun");
}

#[tokio::test]
async fn f25_a_command_line_that_cannot_be_read_is_refused_in_one_line() {
    for arguments in
        [&["--listen", "nonsense"][..], &["--listen", "8000"], &["--unknown"], &["unknown"], &["serve", "x"]]
    {
        refuses(arguments, None, arguments.last().unwrap()).await;
    }
    for arguments in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        let output = run(arguments, None).await;
        assert!(output.status.success() && output.stderr.is_empty() && !output.stdout.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn one_process_serves_from_a_folder() {
    let (_folder, data) = folder();
    let board = Board::start(&data).await;
    refuses(&["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()], None, "another madang").await;
    board.wire.get("/readyz").await.unwrap().expect(200);
    board.kill().await;
    Board::start(&data).await.stop().await;
}

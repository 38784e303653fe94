//! The command, beside a board that serves and without one.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use greenlit::{Db, Migration, Opts};
use madang::{
    media::{picture::Format, store::Name},
    migration::HISTORY,
};
use serde_json::{Value, json};

use crate::{
    process::{Board, folder, images, madang},
    support::pictures,
};

/// Runs the command on this folder's board: its exit code, and what it said.
async fn run(data: &Path, more: &[&str]) -> (i32, String) {
    let arguments = [&["check", "--data", data.to_str().unwrap()], more].concat();
    let output = madang(&arguments).output().await.unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// The lines of the command with `--json`.
async fn lines(data: &Path, more: &[&str]) -> (i32, Vec<Value>) {
    let (code, text) = run(data, &[&["--json"], more].concat()).await;
    (code, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

async fn exec(data: &Path, sql: &str) {
    let db = Db::open(&format!("sqlite:{}", data.join("madang.db").display())).await.unwrap();
    db.tx(Opts::default(), async |tx| tx.exec(sql, vec![]).await).await.unwrap();
}

fn file_of(data: &Path, name: &Name) -> PathBuf {
    data.join("images").join(&name.key()[..2]).join(name.to_string())
}

/// Waits for what happens soon.
async fn until(happened: impl Fn() -> bool) {
    let waiting = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it happens");
}

/// An object of nobody's, so many hours old.
fn orphan(data: &Path, hours: u64) -> Name {
    let name = Name::random(Format::Png);
    let path = file_of(data, &name);
    fs::write(&path, b"nobody's").unwrap();
    #[allow(clippy::disallowed_methods)] // of the file system, whose clock no test moves
    let stored = SystemTime::now() - Duration::from_secs(hours * 60 * 60);
    File::options().write(true).open(&path).unwrap().set_modified(stored).unwrap();
    name
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_is_checked_while_it_serves() {
    let (_folder, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    board.create_feed("one", &[]).await;
    assert_eq!(run(&data, &[]).await, (0, "All is well.\n".to_owned()));
    exec(&data, "update users set feed_count = 3").await;
    assert_eq!(run(&data, &[]).await.0, 1);
    let (code, told) = lines(&data, &[]).await;
    let expected = [
        json!({"what": "users.feed_count", "id": 1, "kept": 3, "counted": 1}),
        json!({"found": 1, "repaired": false, "left": 1, "ok": false}),
    ];
    assert_eq!((code, &told[..]), (1, &expected[..]));
    let (code, text) = run(&data, &["--repair"]).await;
    assert_eq!((code, text.as_str()), (0, "users.feed_count of id 1 is 3 and should be 1\n1 found and repaired.\n"));
    assert_eq!(run(&data, &["--json"]).await.0, 0);
    board.stop().await;

    for (what, flags) in [
        ("there is no board at", ["--data", "/nonexistent"]),
        ("there are no images in", {
            let nowhere = "file:/nonexistent/images";
            ["--media", nowhere]
        }),
    ] {
        let board = if flags[0] == "--data" { vec![] } else { vec!["--data", data.to_str().unwrap()] };
        let nowhere = madang(&[&["check"], &board[..], &flags[..]].concat()).output().await.unwrap();
        assert_eq!(nowhere.status.code(), Some(2));
        assert!(String::from_utf8(nowhere.stderr).unwrap().contains(what));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_are_checked_while_the_board_serves_and_when_it_does_not() {
    let (_folder, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    let feed = board.create_feed("one", &[pictures::png()]).await;
    let (old, young) = (orphan(&data, 2), orphan(&data, 0));
    let found = |name: &Name| json!({"what": "objects.orphan", "name": name.to_string()});
    let (code, mut told) = lines(&data, &[]).await;
    told.sort_by_key(|line| (line["what"].is_null(), line["name"] != old.to_string()));
    let result = json!({"found": 2, "repaired": false, "left": 2, "ok": false});
    assert_eq!((code, told), (1, vec![found(&old), found(&young), result]));

    // One is repaired, by the board itself; the other is left.
    let (code, text) = run(&data, &["--repair"]).await;
    assert_eq!(code, 1);
    assert!(text.contains(&format!("{old} belongs to no image: a job deletes it\n")), "{text}");
    assert!(text.ends_with("2 found, 1 of them not repaired.\n"), "{text}");
    until(|| !file_of(&data, &old).exists()).await;
    assert!(file_of(&data, &young).exists());
    fs::remove_file(file_of(&data, &young)).unwrap();
    assert_eq!(images(&board.wire, &feed).await.unwrap().len(), 1);
    board.stop().await;

    assert_eq!(run(&data, &[]).await.0, 0);
    let url = feed["image_urls"][0].as_str().unwrap();
    let name = Name::parse(url.rsplit('/').next().unwrap()).unwrap();
    fs::remove_file(file_of(&data, &name)).unwrap();
    for more in [&[][..], &["--repair"]] {
        let (code, text) = run(&data, more).await;
        let expected = format!("{name} of feed {} is missing: put it back from a backup", feed["id"]);
        assert!(code == 1 && text.starts_with(&expected), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_file_that_contradicts_itself_is_found() {
    let (_folder, data) = folder();
    fs::create_dir_all(data.join("images")).unwrap();
    let sql = "create table notes (user_id integer /*                */, text text /*    */)";
    let notes = Migration { version: 1_000, name: "notes", sql };
    let db = Db::open(&format!("sqlite:{}", data.join("madang.db").display())).await.unwrap();
    db.migrate(&[HISTORY, &[notes]].concat()).await.unwrap();
    db.tx(Opts::default(), async |tx| tx.exec("insert into notes values (77, null)", vec![]).await).await.unwrap();
    drop(db);
    // Its last connection takes the log with it when it is closed.
    until(|| !data.join("madang.db-wal").exists()).await;
    // The rules come into the file behind the database's back, when the rows that break them are there.
    let path = data.join("madang.db");
    let mut file = fs::read(&path).unwrap();
    for (comment, rule) in [("/*                */", "references users(id)"), ("/*    */", "not null")] {
        let at = file.windows(comment.len()).position(|bytes| bytes == comment.as_bytes()).expect("it is in the file");
        file[at..at + comment.len()].copy_from_slice(format!("{rule:w$}", w = comment.len()).as_bytes());
    }
    fs::write(&path, file).unwrap();

    let (code, told) = lines(&data, &["--repair"]).await;
    let what: Vec<&Value> = told.iter().map(|line| &line["what"]).collect();
    assert_eq!(
        (code, &what[..2]),
        (1, &[&json!("database.integrity"), &json!("database.foreign_key")][..]),
        "{told:?}"
    );
    assert_eq!(told[1]["told"], "row 1 of notes refers to a row of users that is not there");
    assert_eq!(told[2], json!({"found": 2, "repaired": false, "left": 2, "ok": false}));
}

//! A disk is full, and has room again: that of the database, and that of the images.

use std::{fs, path::Path, process::Stdio, time::Duration};

use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use super::{assert_checked, logged, tell};
use crate::{
    process::{Board, folder, images, madang},
    support::{
        disk::{Disk, can_mount, mounting},
        pictures,
        server::{DatabaseServer, Kind},
        wire::Reply,
    },
};

/// As long as a text may be, so that writes need room.
const LONG: usize = 50_000;
/// MariaDB 10.11 ends itself when it finds no room for the pages of a long text: "[FATAL] InnoDB: Error (Out of disk space)
/// in rollback".
const LONG_ON_MARIADB: usize = 4_000;
/// How long after there is room again the first write must succeed.
const RECOVERY: Duration = Duration::from_secs(10);

/// A board that finds a small disk here.
async fn on_small_disk(place: &Path, options: &str, data: &Path, media: &str) -> (Board, Disk) {
    fs::create_dir_all(place).unwrap();
    let board =
        madang(&["--listen", "127.0.0.1:0", "--limits", "off", "--data", data.to_str().unwrap(), "--media", media]);
    let mut command = after(mounting(place, options), board);
    command.env("MADANG_LOG", "off");
    let mut board = Board::run(command).await;
    board.log_in("ann").await;
    let disk = Disk::of(board.child.id().unwrap(), place);
    (board, disk)
}

/// The program behind these words.
fn after(words: Vec<String>, program: Command) -> Command {
    let (mut command, program) = (Command::new(&words[0]), program.as_std());
    command.args(&words[1..]).arg(program.get_program()).args(program.get_args());
    for (name, _) in program.get_envs() {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// `madang check`, beside a board on this disk.
async fn assert_checked_on(disk: &Disk, data: &Path, media: &str) {
    let check = madang(&["check", "--data", data.to_str().unwrap(), "--media", media]);
    let output = after(disk.entering(), check).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}

async fn create(board: &Board, length: usize) -> Reply {
    let body = format!("title=full&content={}", "x".repeat(length));
    let form = "application/x-www-form-urlencoded";
    board.wire.send(&board.wire.request("POST", "/api/feed/create", form, body.as_bytes())).await.unwrap()
}

async fn create_with_picture(board: &Board) -> Reply {
    board.wire.send(&board.wire.create_feed("picture", &[pictures::noise(300, 300)])).await.unwrap()
}

fn id(reply: &Reply) -> i64 {
    reply.expect(200)["id"].as_i64().unwrap()
}

fn assert_full(reply: &Reply) {
    assert_eq!((reply.status, &*reply.code()), (503, "unavailable"), "{}", String::from_utf8_lossy(&reply.body));
    assert!(reply.header("retry-after").is_some());
}

async fn assert_reads(board: &Board, length: usize, written: &[i64]) {
    board.wire.get("/readyz").await.unwrap().expect(200);
    board.wire.get("/api/feed/list?limit=5").await.unwrap().expect(200);
    for id in written {
        let feed = board.wire.get(&format!("/api/feed/read/{id}")).await.unwrap().expect(200);
        assert_eq!(feed["content"].as_str().unwrap().len(), length);
    }
}

/// Writes until there is no room, and then some more.
async fn write_until_refused(board: &Board, length: usize) -> Vec<i64> {
    let (mut written, mut refused) = (Vec::new(), 0);
    while refused < 10 {
        let reply = create(board, length).await;
        if reply.status == 200 {
            written.push(id(&reply));
        } else {
            assert_full(&reply);
            refused += 1;
        }
        assert!(written.len() < 2_000, "there is room without an end");
    }
    written
}

/// Fills the disk of a board's database, and makes room again.
async fn fills_and_empties(board: &Board, disk: &Disk, length: usize) {
    let mut written = vec![id(&create(board, length).await)];
    for _ in 0..2 {
        disk.fill();
        written.extend(write_until_refused(board, length).await);
        assert_reads(board, length, &written).await;
        disk.clear();
        let cleared = Instant::now();
        let mut reply = create(board, length).await;
        while reply.status != 200 {
            assert_full(&reply);
            assert!(cleared.elapsed() < RECOVERY, "there is room, and nothing is written");
            sleep(Duration::from_millis(50)).await;
            reply = create(board, length).await;
        }
        written.push(id(&reply));
        tell(&format!("{} written; the first {:?} after there was room", written.len(), cleared.elapsed()));
    }
    assert_reads(board, length, &written).await;
}

#[tokio::test]
async fn f10_a_full_disk_under_sqlite_refuses_writes_until_there_is_room() {
    if !can_mount() {
        return;
    }
    let (outer, data) = folder();
    let media = format!("file:{}", outer.path().join("images").display());
    let (board, disk) = on_small_disk(&data, "size=24m", &data, &media).await;
    fills_and_empties(&board, &disk, LONG).await;
    assert_checked_on(&disk, &data, &media).await;
    board.stop().await;
}

mod f10_a_full_disk_under_a_server_refuses_writes_until_there_is_room {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        survives(Kind::Postgres, LONG).await;
    }

    #[tokio::test]
    async fn mariadb() {
        survives(Kind::MariaDb, LONG_ON_MARIADB).await;
    }

    async fn survives(kind: Kind, length: usize) {
        if !can_mount() {
            return;
        }
        let (server, disk) = DatabaseServer::start_on_small_disk(kind).await;
        let ((outer, data), url) = (folder(), server.url());
        let arguments = ["--database-url", &url];
        let mut board = logged(&data, &outer.path().join("log"), &arguments).await;
        board.log_in("ann").await;
        fills_and_empties(&board, &disk, length).await;
        assert_checked(&data, &arguments).await;
        board.stop().await;
    }
}

/// Temporary files among the images.
fn leftovers(disk: &Disk) -> usize {
    let shards = fs::read_dir(&disk.folder).unwrap().map(|shard| shard.unwrap().path()).filter(|path| path.is_dir());
    let files = shards.flat_map(|shard| fs::read_dir(shard).unwrap());
    files.filter(|file| file.as_ref().unwrap().file_name().to_str().unwrap().starts_with(".tmp")).count()
}

#[tokio::test]
async fn f10_a_full_disk_of_images_refuses_pictures_alone() {
    if !can_mount() {
        return;
    }
    let (outer, data) = folder();
    let place = outer.path().join("images");
    let media = format!("file:{}", place.display());
    // Little more than the 256 MB that must be free for an upload, and some more files than there are folders.
    let (board, disk) = on_small_disk(&place, "size=300m,nr_inodes=320", &data, &media).await;
    let before = create_with_picture(&board).await.expect(200);
    type Fill = fn(&Disk);
    let fills: [(&str, Fill); 2] = [("bytes", |disk| disk.fill_with(60 << 20)), ("files", Disk::fill_with_files)];
    for (what, fill) in fills {
        fill(&disk);
        for _ in 0..5 {
            assert_full(&create_with_picture(&board).await);
            create(&board, LONG).await.expect(200);
        }
        assert_eq!(images(&board.wire, &before).await.unwrap().len(), 1, "{what}");
        assert_eq!(leftovers(&disk), 0, "{what}");
        disk.clear();
        let after = create_with_picture(&board).await.expect(200);
        assert_eq!(images(&board.wire, &after).await.unwrap().len(), 1, "{what}");
    }
    assert_checked_on(&disk, &data, &media).await;
    board.stop().await;
}

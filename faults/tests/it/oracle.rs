//! The oracle can fail: what is broken on purpose is told.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use faults::{
    Breach,
    campaign::Campaign,
    history::{History, PASSWORD, Sent, Write},
    oracle::{Trace, look_at, look_inside, read_log, repeat, trace},
    place::{Inside, Objects::File, Place, Rows::Sqlite},
};
use futures_util::TryStreamExt;
use greenlit::{Opts, Tx, Value, args};
use madang::media::{
    picture::Format,
    store::{Name, Store},
};

use super::campaign;

/// A board that some have used for a while, and that nobody has broken yet.
async fn used() -> Campaign {
    let mut campaign = campaign(Place::new(Sqlite, File).await.unwrap()).await;
    // A busy machine takes more than one.
    for _ in 0..20 {
        let board = campaign.run(Duration::from_secs(1)).await.unwrap();
        let breaches = campaign.look(board).await.unwrap();
        assert!(breaches.is_empty(), "{breaches:#?}");
        let history = campaign.load().history().clone();
        if history.counts.acknowledged > 20 && !history.likes.is_empty() && has_images(&history) {
            return campaign;
        }
    }
    panic!("the board is hardly used");
}

fn has_images(history: &History) -> bool {
    history.feeds.values().any(|feed| !feed.images.is_empty())
}

/// Which promises were broken.
fn promises(breaches: &[Breach]) -> String {
    let mut letters: Vec<char> = breaches.iter().map(|breach| breach.promise).collect();
    letters.sort_unstable();
    letters.dedup();
    letters.into_iter().collect()
}

async fn exec(inside: &Inside, sql: &str, args: Vec<Value>) {
    let changed = inside.app.db.tx(Opts::default(), async |tx: &mut Tx| tx.exec(sql, args).await).await.unwrap();
    assert_eq!(changed, 1, "{sql}");
}

fn path(inside: &Inside, name: &Name) -> PathBuf {
    let Store::Local(store) = &inside.app.media.store else { panic!("the images are files") };
    store.path(name)
}

/// The file of an image that some feed has.
async fn some_file(inside: &Inside) -> PathBuf {
    let names: Vec<Name> = inside.app.media.store.list().try_collect().await.unwrap();
    path(inside, names.iter().find(|name| !name.to_string().contains(".640.")).expect("an image"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f01_what_the_board_holds_is_held_against_the_history() {
    let campaign = used().await;
    let history = campaign.load().history().clone();
    let inside = campaign.place().later().await.unwrap();
    let look = async || promises(&look_inside(&inside, &history).await.unwrap());
    assert_eq!(look().await, "");

    for (change, back, broken) in [
        ("feed_count = feed_count + 1", "feed_count = feed_count - 1", "d"),
        ("nickname = 'x' || nickname", "nickname = substr(nickname, 2)", "a"),
    ] {
        let first = "where id = (select min(id) from users)";
        exec(&inside, &format!("update users set {change} {first}"), vec![]).await;
        assert_eq!(look().await, broken, "{change}");
        exec(&inside, &format!("update users set {back} {first}"), vec![]).await;
    }
    let file = some_file(&inside).await;
    let aside = file.with_extension("aside");
    fs::rename(&file, &aside).unwrap();
    assert_eq!(look().await, "b", "an object is missing");
    fs::rename(&aside, &file).unwrap();

    let orphan = path(&inside, &Name::random(Format::Png));
    let unfinished = file.parent().unwrap().join(".tmp-left");
    for other in [orphan, unfinished] {
        fs::copy(&file, &other).unwrap();
        assert_eq!(look().await, "c", "{}", other.display());
        let _ = fs::remove_file(&other); // the look has swept what was unfinished
    }
    inside.app.db.tx(Opts::default(), async |tx: &mut Tx| tx.outbox("of nobody", &()).await).await.unwrap();
    assert_eq!(look().await, "d", "a job is left");
    exec(&inside, "delete from greenlit_outbox", vec![]).await;

    let like = "(select min(user_id * 1000000 + feed_id) from feed_likes)";
    exec(&inside, &format!("delete from feed_likes where user_id * 1000000 + feed_id = {like}"), vec![]).await;
    assert_eq!(look().await, "ad", "a like is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f01_what_the_board_shows_is_held_against_the_history() {
    let mut campaign = used().await;
    let history = campaign.load().history().clone();
    let inside = campaign.place().later().await.unwrap();
    let file = some_file(&inside).await;
    drop(inside);
    let board = campaign.start().await.unwrap();
    let client = &board.client;
    let look = async || promises(&look_at(client, &history).await.unwrap());
    assert_eq!(look().await, "");

    let bytes = fs::read(&file).unwrap();
    fs::write(&file, faults::pictures::served(1 << 20).unwrap()).unwrap();
    assert_eq!(look().await, "a", "another picture");
    fs::remove_file(&file).unwrap();
    assert_eq!(look().await, "b", "no picture");
    fs::write(&file, bytes).unwrap();
    assert_eq!(look().await, "");

    let db = campaign.place().db().await.unwrap();
    let (id, feed) = history.feeds.iter().next().unwrap();
    let rename = async |title: &str| {
        let sql = "update feeds set title = ? where id = ?";
        db.tx(Opts::default(), async |tx: &mut Tx| tx.exec(sql, args![title, *id]).await).await.unwrap();
    };
    rename("of neither state").await;
    assert_eq!(look().await, "a", "another title");
    let write = Write::Update { feed: *id, title: "after".to_owned(), removed: vec![], added: vec![] };
    let update = Sent { user: feed.author, write, key: "never-sent".to_owned() };
    assert_eq!(trace(client, &history, &update).await.unwrap().unwrap_err().promise, 'e', "neither before nor after");
    rename(&feed.title).await;
    assert_eq!(trace(client, &history, &update).await.unwrap(), Ok(Trace::None));

    let (_, committed, breaches) = repeat(client, &history, &update, Trace::Whole).await.unwrap();
    assert_eq!((committed, promises(&breaches)), (false, "e".to_owned()), "it was there, and is done again");
    assert_eq!(look().await, "a", "an update that nobody sent");

    // All of them: the load may remove a single one rightly, before the reader comes by.
    let folder = file.parent().and_then(Path::parent).unwrap();
    for shard in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        fs::read_dir(shard).unwrap().for_each(|entry| fs::remove_file(entry.unwrap().path()).unwrap());
    }
    board.stop().await.unwrap();
    for _ in 0..20 {
        campaign.run(Duration::from_secs(1)).await.unwrap().stop().await.unwrap();
        if promises(&campaign.load().breaches()).contains('b') {
            return;
        }
    }
    panic!("a reader who follows an address into nothing tells of it");
}

#[test]
fn f01_a_lost_feed_a_panic_and_a_secret_are_told() {
    let history = History::default();
    assert_eq!(promises(&read_log("all is well\n", &history)), "");
    assert_eq!(promises(&read_log("{\"message\":\"a task panicked\"}\n", &history)), "h");
    assert_eq!(promises(&read_log(&format!("log-in with {PASSWORD}\n"), &history)), "h");
}

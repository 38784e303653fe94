//! Backups: all that a board has comes back, on whichever database, and what is damaged is told.

mod command;
mod hold;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    path::Path,
};

use axum::http::Method;
use flate2::read::GzDecoder;
use greenlit::{Db, Dialect, Opts, testing::Scratch};
use indicatif::ProgressBar;
use madang::{
    backup::{self, Failure, Made, Place, SCHEMA, Source, Target, Verdict},
    check::{Board, Outcome, check},
    media::store::{LocalStore, Store},
    store_url::StoreUrl,
};
use serde_json::json;

use crate::support::{TestApp, on_each_database, pictures};

/// A folder of backups.
struct Backups {
    folder: tempfile::TempDir,
    place: Place,
}

impl Backups {
    async fn new() -> Backups {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::open(&StoreUrl::Folder(folder.path().to_owned())).await.unwrap();
        Backups { folder, place }
    }

    fn file(&self, snapshot: &str, name: &str) -> std::path::PathBuf {
        self.folder.path().join("snapshots").join(snapshot).join(name)
    }

    /// The rows of a snapshot, as text.
    fn rows(&self, snapshot: &str) -> String {
        let mut rows = String::new();
        GzDecoder::new(File::open(self.file(snapshot, "rows.jsonl.gz")).unwrap()).read_to_string(&mut rows).unwrap();
        rows
    }
}

async fn back_up(app: &TestApp, place: &Place) -> Made {
    let source = Source { db: app.app.db.clone(), store: app.app.media.store.clone() };
    back_up_of(&source, app, place).await
}

/// Each backup a second later than the one before.
async fn back_up_of(source: &Source, app: &TestApp, place: &Place) -> Made {
    app.clock.advance(std::time::Duration::from_secs(1));
    let missing = |name: &str| panic!("{name} is missing");
    backup::back_up(source, place, app.clock.now(), &ProgressBar::hidden(), missing).await.unwrap()
}

/// An empty board of this database, with its images in a folder.
async fn empty(dialect: Dialect) -> (Scratch, tempfile::TempDir, Target) {
    let scratch = match dialect {
        Dialect::Sqlite => Scratch::sqlite().unwrap(),
        Dialect::Postgres => Scratch::postgres().await.unwrap(),
        _ => Scratch::mariadb().await.unwrap(),
    };
    let folder = tempfile::tempdir().unwrap();
    let store = Store::Local(LocalStore::open(folder.path()).await.unwrap());
    let db = Db::open(scratch.url()).await.unwrap();
    (scratch, folder, Target { db, store, keep_images: false })
}

async fn restore(target: &Target, place: &Place) -> Result<(), Failure> {
    let (snapshot, manifest) = backup::find(place, None).await?;
    backup::restore(target, place, (&snapshot, &manifest), &ProgressBar::hidden()).await
}

async fn verify(place: &Place) -> Result<(Verdict, Vec<String>), Failure> {
    let mut wrong = Vec::new();
    let (snapshot, manifest) = backup::find(place, None).await?;
    let tell = |what: &str| wrong.push(what.to_owned());
    let verdict = backup::verify(place, (&snapshot, &manifest), &ProgressBar::hidden(), tell).await?;
    assert_eq!(verdict.wrong, wrong.len() as u64);
    Ok((verdict, wrong))
}

/// A board that has something of everything.
async fn full_board(app: &TestApp) {
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let feed = ann.create_feed("두 장, \"quoted\"\n\u{1F600}", &[pictures::noise(700, 30), pictures::jpeg()]).await;
    let id = feed["id"].as_i64().unwrap();
    let removed = bob.create_feed("removed", &[pictures::png()]).await;
    for index in 0..120 {
        bob.create_feed(&format!("feed {index}"), &[]).await;
    }
    let comment = bob.comment(id, "hello").await["id"].as_i64().unwrap();
    for client in [&ann, &bob] {
        client.bare(Method::PUT, &format!("/api/like/?feed_id={id}")).await.expect(200);
        client.bare(Method::PUT, &format!("/api/like/?comment_id={comment}")).await.expect(200);
    }
    bob.bare(Method::PUT, &format!("/api/follow/{}", ann.id)).await.expect(200);
    let key = [("content-type", "application/json"), ("idempotency-key", "once")];
    let body = json!({"content": "kept", "feed_id": id}).to_string();
    ann.request(Method::POST, "/api/comment/create", &key, body.into()).await.expect(200);
    app.work().await;
    // A job stays behind.
    bob.delete(&format!("/api/feed/delete/{}", removed["id"])).await.expect(200);
    let admin = "update users set is_admin = true where nickname = 'ann'";
    app.app.db.tx(Opts::default(), async |tx| tx.exec(admin, vec![]).await).await.unwrap();
}

on_each_database! {
    async fn f39_a_board_comes_back_on_any_database(app: TestApp) {
        full_board(&app).await;
        let backups = Backups::new().await;
        let made = back_up(&app, &backups.place).await;
        assert_eq!((made.manifest.objects, made.copied, made.manifest.missing), (3, 3, 0));
        assert_eq!(made.manifest.rows["feeds"], 121);
        let expected = backups.rows(&made.snapshot);
        assert_eq!(verify(&backups.place).await.unwrap(), (Verdict { objects: 3, wrong: 0 }, vec![]));

        // Onto SQLite, and from there back onto the database that it was on: not a letter differs.
        let place = &backups.place;
        for dialect in [Dialect::Sqlite, app.app.db.dialect()] {
            let (_scratch, _folder, target) = empty(dialect).await;
            restore(&target, place).await.unwrap();
            let source = Source { db: target.db.clone(), store: target.store.clone() };
            let again = back_up_of(&source, &app, place).await;
            assert_eq!((again.manifest.objects, again.copied), (3, 0), "every object is known by now");
            assert_eq!(backups.rows(&again.snapshot), expected);

            let board = Board { db: target.db.clone(), store: target.store.clone(), clock: app.clock.clone() };
            let outcome = check(&board, false, &ProgressBar::hidden(), |wrong, _| panic!("{wrong:?}")).await.unwrap();
            assert_eq!(outcome, Outcome::default());
            let ids: (i64,) = target.db.fetch_one("select max(id) from users", vec![]).await.unwrap();
            let add = "insert into users (email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt) \
                       values ('c', 'c', 'c', 'c', 'c', 0, 0)";
            let id = target.db.tx(Opts::default(), async |tx| tx.insert(add, vec![]).await).await.unwrap();
            assert_eq!(id, ids.0 + 1);
            assert!(matches!(restore(&target, place).await, Err(Failure::Refused(why)) if why.contains("board already")));
            let now = app.clock.now().before(std::time::Duration::from_secs(60));
            let early = backup::back_up(&source, place, now, &ProgressBar::hidden(), |_| {}).await;
            assert!(matches!(early, Err(Failure::Refused(why)) if why.contains("later time")));
        }
    }

    async fn tables_are_read_to_their_end(app: TestApp) {
        // More than a page of each kind: of one feed's likes, and of feeds with one each.
        let ann = app.user("ann").await;
        let id = ann.create_feed("liked", &[]).await["id"].as_i64().unwrap();
        let sql = "insert into users (email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt) \
                   values (?, ?, ?, ?, '-', 0, 0)";
        let fill = async |tx: &mut greenlit::Tx| {
            for index in 0..250 {
                let name = format!("user {index}");
                let user = tx.insert(sql, greenlit::args![&name, &name, &name, &name]).await?;
                let like = "insert into feed_likes (feed_id, user_id, create_dt) values (?, ?, 0)";
                tx.exec(like, greenlit::args![id, user]).await?;
                let feed = "insert into feeds (author_id, title, content, create_dt, update_dt) values (?, 't', 'c', 0, 0)";
                let feed = tx.insert(feed, greenlit::args![user]).await?;
                tx.exec(like, greenlit::args![feed, user]).await?;
            }
            Ok::<(), greenlit::Error>(())
        };
        app.app.db.tx(Opts::default(), fill).await.unwrap();
        let backups = Backups::new().await;
        let made = back_up(&app, &backups.place).await;
        let likes: Vec<String> = backups.rows(&made.snapshot).split("\"feed_likes\"}\n").nth(1).unwrap().lines()
            .take_while(|line| line.starts_with('[')).map(str::to_owned).collect();
        let distinct: std::collections::BTreeSet<&String> = likes.iter().collect();
        assert_eq!((likes.len(), distinct.len(), made.manifest.rows["feed_likes"]), (500, 500, 500));
    }

    async fn every_statement_is_prepared(app: TestApp) {
        for (name, sql) in backup::statements() {
            app.app.db.prepare(&sql).await.unwrap_or_else(|e| panic!("{name}: {e}: {sql}"));
        }
    }
}

#[tokio::test]
async fn no_table_and_no_column_is_forgotten() {
    let app = TestApp::sqlite().await;
    let sql = "select m.name, c.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table'";
    let mut real: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column) in app.app.db.fetch::<(String, String)>(sql, vec![]).await.unwrap() {
        real.entry(table).or_default().push(column);
    }
    // What a database says of itself, and of its servers.
    for table in ["sqlite_sequence", "greenlit_migrations", "installation"] {
        assert!(real.remove(table).is_some(), "{table}");
    }
    let known =
        SCHEMA.iter().map(|table| (table.name.to_owned(), table.columns.iter().map(|c| (*c).to_owned()).collect()));
    let sorted = |tables: BTreeMap<String, Vec<String>>| -> Vec<(String, Vec<String>)> {
        tables
            .into_iter()
            .map(|(table, mut columns)| {
                columns.sort();
                (table, columns)
            })
            .collect()
    };
    assert_eq!(sorted(known.collect()), sorted(real));
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f39_damage_is_told() {
    let app = TestApp::sqlite().await;
    let ann = app.user("ann").await;
    ann.create_feed("one", &[pictures::png(), pictures::jpeg()]).await;
    let backups = Backups::new().await;
    let made = back_up(&app, &backups.place).await;
    let objects: Vec<_> = futures_util::TryStreamExt::try_collect::<Vec<_>>(app.app.media.store.list()).await.unwrap();
    let object = |index: usize| {
        let name = objects[index].to_string();
        backups.folder.path().join("images").join(&name[..2]).join(name)
    };

    flip(&object(0));
    fs::remove_file(object(1)).unwrap();
    let (verdict, wrong) = verify(&backups.place).await.unwrap();
    assert_eq!((verdict.objects, wrong.len()), (0, 3), "{wrong:?}");
    assert!(wrong.iter().any(|what| what.contains("images.missing")), "{wrong:?}");
    assert!(wrong.iter().any(|what| what.contains(&objects[0].to_string()) && what.contains("damaged")), "{wrong:?}");
    let (_scratch, _folder, target) = empty(Dialect::Sqlite).await;
    assert!(matches!(restore(&target, &backups.place).await, Err(Failure::Refused(_))));

    // What is gone is copied again; what is damaged keeps its length, so it has to go first.
    fs::remove_file(object(0)).unwrap();
    let mended = back_up(&app, &backups.place).await;
    assert_eq!(mended.copied, 2);
    assert_eq!(verify(&backups.place).await.unwrap().1, Vec::<String>::new());
    // The restore that did not end is run again.
    restore(&target, &backups.place).await.unwrap();

    for name in ["rows.jsonl.gz", "objects.jsonl.gz"] {
        flip(&backups.file(&mended.snapshot, name));
        let told = verify(&backups.place).await.unwrap_err().to_string();
        assert!(told.contains(name) && told.contains("damaged"), "{told}");
        flip(&backups.file(&mended.snapshot, name));
    }
    fs::write(backups.file(&mended.snapshot, "manifest.json"), "{").unwrap();
    assert!(verify(&backups.place).await.unwrap_err().to_string().contains("manifest"));
    fs::remove_file(backups.file(&mended.snapshot, "manifest.json")).unwrap();
    assert_eq!(backup::find(&backups.place, None).await.unwrap().0, made.snapshot, "without a manifest it is none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_newest_backups_are_kept_with_what_they_name() {
    let app = TestApp::sqlite().await;
    let ann = app.user("ann").await;
    let first = ann.create_feed("first", &[pictures::noise(700, 10)]).await;
    app.work().await;
    let backups = Backups::new().await;
    back_up(&app, &backups.place).await;
    ann.delete(&format!("/api/feed/delete/{}", first["id"])).await.expect(200);
    app.work().await;
    ann.create_feed("second", &[pictures::png()]).await;
    let second = back_up(&app, &backups.place).await;
    assert_eq!((second.manifest.objects, second.copied), (1, 1));

    let told = Place::open(&StoreUrl::Folder(backups.folder.path().to_owned())).await.unwrap_err();
    assert!(told.contains("another backup"), "{told}");
    let pruned = backup::prune(&backups.place, 2).await.unwrap();
    assert_eq!((pruned.snapshots, pruned.objects), (0, 0));
    let pruned = backup::prune(&backups.place, 1).await.unwrap();
    assert_eq!((pruned.snapshots, pruned.objects), (1, 2), "the image and its thumbnail");
    assert_eq!(backup::find(&backups.place, None).await.unwrap().0, second.snapshot);
    assert_eq!(verify(&backups.place).await.unwrap().1, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_board_has_lost_comes_from_an_earlier_backup() {
    let app = TestApp::sqlite().await;
    app.user("ann").await.create_feed("one", &[pictures::png()]).await;
    let backups = Backups::new().await;
    back_up(&app, &backups.place).await;
    let objects: Vec<_> = futures_util::TryStreamExt::try_collect::<Vec<_>>(app.app.media.store.list()).await.unwrap();
    app.app.media.store.delete(&objects[0]).await.unwrap();
    let made = back_up(&app, &backups.place).await;
    assert_eq!((made.manifest.objects, made.manifest.missing), (1, 0));

    let elsewhere = Backups::new().await;
    let source = Source { db: app.app.db.clone(), store: app.app.media.store.clone() };
    let mut told = Vec::new();
    let missing = |name: &str| told.push(name.to_owned());
    let made =
        backup::back_up(&source, &elsewhere.place, app.clock.now(), &ProgressBar::hidden(), missing).await.unwrap();
    assert_eq!((made.manifest.missing, told), (1, vec![objects[0].to_string()]));
}

mod s3 {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn f39_backups_are_kept_in_a_bucket() {
        let app = TestApp::s3().await;
        let ann = app.user("ann").await;
        // Its rows are larger than what one request sends.
        let noise: String = (0..400).map(|_| madang::secret::random_name()).collect();
        for _ in 0..1_200 {
            let form = crate::support::form::FormData::new()
                .text("title", "t")
                .text("content", &format!("{noise}{}", madang::secret::random_name().repeat(100)));
            ann.form(Method::POST, "/api/feed/create", form).await.expect(200);
        }
        ann.create_feed("pictures", &[pictures::noise(700, 10), pictures::png()]).await;
        app.work().await;
        let url = app.bucket().url().replacen('?', "/backups?", 1);
        let place = Place::open(&StoreUrl::parse(&url).unwrap()).await.unwrap();
        back_up(&app, &place).await;
        let made = back_up(&app, &place).await;
        assert_eq!((made.manifest.objects, made.copied), (3, 0));
        println!("the rows are {} bytes", made.manifest.rows_file.bytes);
        assert_eq!(verify(&place).await.unwrap(), (Verdict { objects: 3, wrong: 0 }, vec![]));
        assert_eq!(backup::prune(&place, 1).await.unwrap().snapshots, 1);
        let (_scratch, _folder, target) = empty(Dialect::Sqlite).await;
        restore(&target, &place).await.unwrap();
        let (feeds,) = target.db.fetch_one::<(i64,)>("select count(*) from feeds", vec![]).await.unwrap();
        assert_eq!(feeds, 1_201);
        // The board's own objects are not those of its backups.
        app.assert_consistent().await;
    }
}

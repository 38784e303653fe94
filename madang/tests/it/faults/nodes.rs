//! Two boards over one database and one bucket: they start together, share their jobs, and see each other's keys.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join_all;
use greenlit::{Db, Dialect, Opts, Reader, args, testing::Scratch};
use madang::{migration::HISTORY, secret::Key};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use super::{assert_checked, logged, rounds, tell};
use crate::{
    process::Board,
    support::{
        bucket::Bucket,
        wire::{Reply, with_key},
    },
};

/// What two boards have in common, and a folder for each.
struct Site {
    scratch: Scratch,
    bucket: Bucket,
    outer: TempDir,
}

impl Site {
    async fn on(scratch: Scratch) -> Site {
        let bucket = Bucket::new().await.expect("MADANG_TEST_S3 names the S3 server of the tests");
        let site = Site { scratch, bucket, outer: tempfile::tempdir().unwrap() };
        for node in [0, 1] {
            fs::create_dir(site.data(node)).unwrap();
        }
        Key::load_or_create(&site.data(0).join("key")).unwrap();
        fs::copy(site.data(0).join("key"), site.data(1).join("key")).unwrap();
        site
    }

    fn data(&self, node: usize) -> PathBuf {
        self.outer.path().join(format!("node{node}"))
    }

    fn log(&self, node: usize) -> PathBuf {
        self.outer.path().join(format!("node{node}.log"))
    }

    async fn node(&self, node: usize, media: &str) -> Board {
        let arguments = ["--database-url", self.scratch.url(), "--media", media, "--public-url", "http://board.test"];
        logged(&self.data(node), &self.log(node), &arguments).await
    }

    /// Both at the same moment.
    async fn nodes(&self, media: &str) -> [Board; 2] {
        let (one, other) = tokio::join!(self.node(0, media), self.node(1, media));
        [one, other]
    }

    async fn db(&self) -> Db {
        Db::open(self.scratch.url()).await.unwrap()
    }

    async fn assert_checked(&self) {
        assert_checked(&self.data(0), &["--database-url", self.scratch.url(), "--media", &self.bucket.url()]).await;
    }

    fn logs(&self) -> String {
        let logs = [0, 1].map(|node| fs::read_to_string(self.log(node)).unwrap()).concat();
        assert!(!logs.contains("panicked"), "{logs}");
        logs
    }
}

/// Makes a test on each database. Boards in the same folder of images are refused, so each needs a bucket.
macro_rules! on_each_site {
    ($(async fn $name:ident($site:ident: Site) $body:block)*) => {$(
        async fn $name($site: Site) $body
        mod $name {
            use super::{Scratch, Site};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(Site::on(Scratch::postgres().await.unwrap()).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb() {
                super::$name(Site::on(Scratch::mariadb().await.unwrap()).await).await;
            }

            mod s3 {
                use super::{Scratch, Site};

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    super::super::$name(Site::on(Scratch::sqlite().unwrap()).await).await;
                }
            }
        }
    )*};
}

/// Each migration must be there once, and both boards able to write.
async fn assert_both_serve(site: &Site, mut nodes: [Board; 2]) {
    for (n, node) in nodes.iter_mut().enumerate() {
        node.wire.get("/readyz").await.unwrap().expect(200);
        node.log_in(&format!("user{n}")).await;
        node.create_feed("feed", &[]).await;
    }
    let sql = "select version from greenlit_migrations where history = 'application' order by version";
    let applied: Vec<(i64,)> = site.db().await.fetch(sql, vec![]).await.unwrap();
    let expected: Vec<(i64,)> = HISTORY.iter().map(|migration| (migration.version,)).collect();
    assert_eq!(applied, expected);
    for node in nodes {
        node.stop().await;
    }
    site.assert_checked().await;
    site.logs();
}

on_each_site! {
    async fn f32_two_nodes_start_together_on_an_empty_database(site: Site) {
        let nodes = site.nodes(&site.bucket.url()).await;
        assert_both_serve(&site, nodes).await;
    }

    async fn f32_two_nodes_start_together_on_an_old_schema(site: Site) {
        let db = site.db().await;
        db.migrate(&HISTORY[..1]).await.unwrap();
        // What was written by the old version is there afterwards.
        let sql = "insert into users (email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt) \
                   values ('old@example.com', 'old@example.com', 'old', 'old', '', 1, 0)";
        db.tx(Opts::default(), async |tx| tx.exec(sql, vec![]).await).await.unwrap();
        let nodes = site.nodes(&site.bucket.url()).await;
        nodes[1].wire.get("/api/user/1").await.unwrap().expect(200);
        assert_both_serve(&site, nodes).await;
    }

    async fn f30_copies_on_two_nodes_at_once_take_effect_once(site: Site) {
        const KEYS: usize = 20;
        let mut nodes = site.nodes(&site.bucket.url()).await;
        nodes[0].log_in("ann").await;
        nodes[1].wire.token = nodes[0].wire.token.clone();
        for key in 0..KEYS {
            let copy = async |n: usize| {
                let wire = &nodes[n % 2].wire;
                wire.send(&with_key(&wire.create_feed("title", &[]), &format!("key{key}"))).await.unwrap()
            };
            let replies: Vec<Reply> = join_all((0..8).map(copy)).await;
            let replayed = |reply: &&Reply| reply.header("idempotent-replayed") == Some("true");
            assert_eq!(replies.iter().filter(replayed).count(), replies.len() - 1);
            for reply in &replies {
                assert_eq!((reply.expect(200), &reply.body), (replies[0].expect(200), &replies[0].body));
            }
        }
        let list = nodes[1].wire.get("/api/feed/list").await.unwrap().expect(200);
        assert_eq!(list["pagination"]["total_count"], KEYS);
        for node in nodes {
            node.stop().await;
        }
        site.assert_checked().await;
        site.logs();
    }

    async fn f28_jobs_of_a_node_that_was_paused_are_done_once_and_its_late_word_is_refused(site: Site) {
        let jobs = 2_000 * rounds(1);
        let recorder = Recorder::start(&site.bucket.url()).await;
        let nodes = site.nodes(&recorder.url).await;
        let db = site.db().await;
        let names: Vec<String> = (0..jobs).map(|n| format!("{n:032x}.png")).collect();
        let push = async |tx: &mut greenlit::Tx| {
            for name in &names {
                tx.outbox("media.delete", &json!({"names": [name]})).await?;
            }
            Ok::<_, greenlit::Error>(())
        };
        db.tx(Opts::default(), push).await.unwrap();
        let began = Instant::now();
        let held = paused_with_a_job(&nodes[0], &db).await;
        // Until its lease has ended, and the other has done the job.
        let patience = Instant::now() + Duration::from_secs(60) * rounds(1);
        while db.fetch_optional::<(i64,)>("select id from greenlit_outbox where id = ?", args![held]).await.unwrap().is_some() {
            assert!(Instant::now() < patience, "job {held} is not done");
            sleep(Duration::from_millis(50)).await;
        }
        nodes[0].signal("CONT").await;
        while left(&db).await > 0 {
            assert!(Instant::now() < patience, "jobs are left");
            sleep(Duration::from_millis(50)).await;
        }
        let took = began.elapsed();
        // The word of the node that slept comes at once, or when its handler's time is over. It has none if it slept before
        // it had read the answer to its claim, or when it was about to tell.
        let words = ["a job outlived its lease", "the worker could not work"];
        while !words.iter().any(|word| site.logs().contains(word)) {
            assert!(Instant::now() < patience, "nothing was refused: {}", site.logs());
            sleep(Duration::from_millis(50)).await;
        }
        for node in nodes {
            node.stop().await;
        }
        let late: usize = words.iter().map(|word| site.logs().matches(word).count()).sum();
        let deleted = recorder.deleted();
        assert!(names.iter().all(|name| deleted.contains_key(name)), "{} of {jobs} were deleted", deleted.len());
        let twice = deleted.values().sum::<usize>() - names.len();
        assert!(twice <= late, "{twice} were deleted twice, and {late} words came late");
        tell(&format!("{jobs} jobs in {took:?}; {late} words came late, {twice} jobs had been done before"));
        site.assert_checked().await;
    }
}

async fn left(db: &Db) -> i64 {
    db.fetch_one::<(i64,)>("select count(*) from greenlit_outbox", vec![]).await.unwrap().0
}

/// Whether nobody has locked the job's row, as a node does that was stopped in a transaction: then it is not claimed before
/// that node goes on, or its connection ends.
async fn is_free(db: &Db, job: i64) -> bool {
    let sql = match db.dialect() {
        Dialect::Sqlite => return true,
        _ => "select id from greenlit_outbox where id = ? for update skip locked",
    };
    let locked = async |tx: &mut greenlit::Tx| tx.fetch_optional::<(i64,)>(sql, args![job]).await;
    db.tx(Opts::default(), locked).await.unwrap().is_some()
}

/// Stops a node in the middle of a job, which it holds from then on, while the other goes on. Returns the job.
async fn paused_with_a_job(node: &Board, db: &Db) -> i64 {
    let leased = async || {
        // What has failed waits for nobody.
        let sql = "select id from greenlit_outbox where attempts > 0 and last_error is null order by id";
        db.fetch::<(i64,)>(sql, vec![]).await.unwrap()
    };
    for _ in 0..20 {
        sleep(Duration::from_millis(100)).await;
        node.signal("STOP").await;
        let (before, there) = (leased().await, left(db).await);
        sleep(Duration::from_millis(500)).await;
        let after = leased().await;
        // On SQLite the other cannot go on if this one holds the one lock.
        if let Some((held,)) = after.iter().find(|job| before.contains(job))
            && left(db).await < there
            && is_free(db, *held).await
        {
            return *held;
        }
        node.signal("CONT").await;
    }
    panic!("it was never caught with a job");
}

/// Stands before a bucket, and keeps all that is asked of it.
struct Recorder {
    url: String,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    async fn start(bucket: &str) -> Recorder {
        let (before, rest) = bucket.split_once("http://").unwrap();
        let (server, after) = rest.split_once('&').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{before}http://{}&{after}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let (server, all) = (server.to_owned(), asked.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let connection = {
                    let mut all = all.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                tokio::spawn(pass_on(client, server.clone(), connection, all.clone()));
            }
        });
        Recorder { url, asked }
    }

    /// How often each object was asked to be deleted.
    fn deleted(&self) -> HashMap<String, usize> {
        let mut deleted = HashMap::new();
        for connection in &*self.asked.lock().unwrap() {
            let text = String::from_utf8_lossy(connection);
            for line in text.lines().filter(|line| line.starts_with("DELETE ")) {
                let path = Path::new(line.split(' ').nth(1).unwrap());
                *deleted.entry(path.file_name().unwrap().to_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        deleted
    }
}

async fn pass_on(client: TcpStream, server: String, connection: usize, asked: Arc<Mutex<Vec<Vec<u8>>>>) {
    let (mut from, mut to) = client.into_split();
    let (mut answers, mut questions) = TcpStream::connect(server).await.unwrap().into_split();
    let record = async {
        let mut piece = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            asked.lock().unwrap()[connection].extend_from_slice(&piece[..length]);
            if questions.write_all(&piece[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = record => {}
        _ = tokio::io::copy(&mut answers, &mut to) => {}
    }
}

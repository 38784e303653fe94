//! Tier `cluster`: a real MariaDB primary with a replica that follows it by GTID.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use greenlit::{Class, Config, Db, Error, Opts, Reader, Result, Token, Tx, args};
use mysql_async::prelude::Queryable as _;
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

use crate::support::{MARIADB_SCHEMA, eventually, item, open, raw_mariadb};

/// The servers are one for all: a law that stops one of them wants to be alone.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A database that several servers have.
pub(crate) struct Shared {
    servers: Vec<String>,
    name: String,
}

impl Shared {
    /// Makes it on the first of the servers that the environment variable names.
    pub(crate) async fn new(variable: &str) -> Shared {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let servers = std::env::var(variable).unwrap_or_else(|_| panic!("{variable}: run scripts/test cluster"));
        let name = format!("laws_{}_{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let shared = Shared { servers: servers.split_whitespace().map(str::to_owned).collect(), name };
        let create = format!("create database {} character set utf8mb4 collate utf8mb4_nopad_bin", shared.name);
        raw_mariadb(&shared.servers[0]).await.query_drop(create).await.unwrap();
        shared
    }

    /// Its URL on a server; the user may be another than root.
    pub(crate) fn url_as(&self, user: &str, server: usize) -> String {
        self.servers[server].replace("root@", &format!("{user}@")).replace("/mysql", &format!("/{}", self.name))
    }

    pub(crate) fn url(&self, server: usize) -> String {
        self.url_as("root", server)
    }

    /// Opens it on the first of these servers, with the others as replicas.
    pub(crate) async fn open(&self, primary: usize, replicas: &[usize]) -> Db {
        let mut config = Config::default();
        config.replicas = replicas.iter().map(|server| self.url(*server)).collect();
        Db::open_with(&self.url(primary), &config).await.unwrap()
    }

    /// Runs statements on a server, past greenlit.
    pub(crate) async fn raw(&self, server: usize, sql: &str) {
        raw_mariadb(&self.url(server)).await.query_drop(sql).await.unwrap();
    }

    /// Asks a server for one value, past greenlit.
    pub(crate) async fn ask(&self, server: usize, sql: &str) -> String {
        raw_mariadb(&self.url(server)).await.query_first(sql).await.unwrap().expect("a row")
    }
}

/// Which server answers, and how many items it sees.
async fn seen(db: &Db, token: &Token) -> Result<(i64, i64)> {
    let sql = "select @@server_id, (select count(*) from item)";
    let single: (i64, i64) = db.single().after(token.clone()).fetch_one(sql, args![]).await?;
    let read = db.read(Opts::default().after(token.clone()), async |r| r.fetch_one(sql, args![]).await).await?;
    assert_eq!(single, read, "a session is sent elsewhere than a statement");
    Ok(read)
}

/// Waits until the replica answers for a token.
async fn replica_answers(db: &Db, token: &Token) {
    eventually("the replica does not answer", async || seen(db, token).await.unwrap().0 == 2).await;
}

const REPLICA: &str = "GREENLIT_TEST_MARIADB_REPLICA";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_law_37_the_primary_answers_while_the_replica_lags() -> Result<()> {
    let _alone = ALONE.lock().await;
    let shared = Shared::new(REPLICA).await;
    let db = shared.open(0, &[1]).await;
    db.migrate(MARIADB_SCHEMA).await?;
    let start = db.token().await?;
    replica_answers(&db, &start).await;
    for round in 0..3 {
        shared.raw(1, "stop slave sql_thread").await;
        db.tx(Opts::default(), async |tx| item(tx, round).await).await?;
        let token = db.token().await?;
        // Without the token the replica answers, and has not seen it.
        assert_eq!(seen(&db, &Token::default()).await?, (2, round));
        for _ in 0..10 {
            assert_eq!(seen(&db, &token).await?, (1, round + 1));
        }
        shared.raw(1, "start slave sql_thread").await;
        replica_answers(&db, &token).await;
        for _ in 0..10 {
            assert_eq!(seen(&db, &token).await?, (2, round + 1));
        }
    }
    // A token that a client made up, or that is of another kind of server, or of another domain: the primary answers.
    for made_up in ["0/16B3748", "0-1-99999999", "9-9-9", "-"] {
        assert_eq!(seen(&db, &made_up.parse()?).await?, (1, 3), "{made_up}");
    }
    // The replica is not put aside for that.
    assert_eq!(seen(&db, &db.token().await?).await?, (2, 3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_law_37_writers_read_their_writes_on_the_replica() -> Result<()> {
    let _alone = ALONE.lock().await;
    let shared = Shared::new(REPLICA).await;
    let db = shared.open(0, &[1]).await;
    db.migrate(MARIADB_SCHEMA).await?;
    replica_answers(&db, &db.token().await?).await;
    let writers: Vec<_> = (0..4).map(|writer| tokio::spawn(write_and_read(db.clone(), writer))).collect();
    let (mut answers, mut stale_without) = (BTreeMap::new(), 0);
    for writer in writers {
        for (server, without) in writer.await.unwrap()? {
            *answers.entry(server).or_insert(0) += 1;
            stale_without += u32::from(without == 0);
        }
    }
    println!("300 reads with a token by server: {answers:?}, none stale; {stale_without} stale without");
    assert!(answers.contains_key(&2), "the replica never answered");
    Ok(())
}

/// Writes an item and looks for it, 75 times; tells who answered with the token, and what was seen without it.
async fn write_and_read(db: Db, writer: i64) -> Result<Vec<(i64, i64)>> {
    let mut seen = Vec::new();
    for n in 0..75 {
        let id = writer * 1_000 + n;
        db.tx(Opts::default(), async |tx| item(tx, id).await).await?;
        let sql = "select @@server_id, (select count(*) from item where id = ?)";
        let (_, without): (i64, i64) = db.single().after(Token::default()).fetch_one(sql, args![id]).await?;
        let token = db.token().await?;
        let (server, with): (i64, i64) = db.single().after(token).fetch_one(sql, args![id]).await?;
        assert_eq!(with, 1, "server {server} has not seen item {id}");
        seen.push((server, without));
    }
    Ok(seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_law_30_a_demoted_primary_keeps_no_connections() -> Result<()> {
    let _alone = ALONE.lock().await;
    let shared = Shared::new(REPLICA).await;
    let (app, set_up) = (shared.url_as("app", 0), shared.open(0, &[]).await);
    set_up.migrate(MARIADB_SCHEMA).await?;
    // As an application's user: whoever may do everything may write to a server that is read-only.
    let grant = format!("create user if not exists app; grant all on {}.* to app", shared.name);
    shared.raw(0, &grant).await;
    let db = open(&app, 3).await;
    let read_only = async |on: u8| shared.raw(0, &format!("set global read_only = {on}")).await;
    // A write finds out, at the statement.
    read_only(1).await;
    let before = db.stats();
    let refused = db.tx(Opts::default().attempts(2), async |tx| item(tx, 1).await).await;
    assert!(refused.as_ref().is_err_and(|e| e.class() == Class::Lost && e.is_transient()), "{refused:?}");
    eventually("its connections are kept", async || db.stats().discarded >= before.discarded + 2).await;
    // Readers need no primary.
    assert_eq!(db.fetch_one::<(i64,)>("select count(*) from item", args![]).await?, (0,));
    // When there is a primary again, the application has noticed nothing.
    let (writing, patient) = (db.clone(), Opts::default().attempts(100));
    let write = tokio::spawn(async move { writing.tx(patient, async |tx| item(tx, 2).await).await });
    sleep(Duration::from_millis(200)).await;
    read_only(0).await;
    write.await.unwrap()?;
    // Demoted between statement and COMMIT: that is refused, and not unknown.
    let work = async |tx: &mut Tx| {
        item(tx, 3).await?;
        let demote = timeout(Duration::from_secs(5), read_only(1)).await;
        demote.map_err(|_| Error::Deadline)
    };
    let refused = db.tx(Opts::default().attempts(1), work).await;
    read_only(0).await;
    assert!(refused.as_ref().is_err_and(|e| e.class() == Class::Retry), "{refused:?}");
    assert_eq!(db.fetch_one::<(i64,)>("select count(*) from item", args![]).await?, (1,));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_a_log_of_statements_is_refused_at_the_start() -> Result<()> {
    let _alone = ALONE.lock().await;
    let shared = Shared::new(REPLICA).await;
    shared.raw(0, "set global binlog_format = STATEMENT").await;
    let opened = Db::open(&shared.url(0)).await;
    shared.raw(0, "set global binlog_format = ROW").await;
    assert!(matches!(&opened, Err(Error::Config(why)) if why.contains("binlog_format")), "{:?}", opened.err());
    Db::open(&shared.url(0)).await.map(drop)
}

//! Laws of PostgreSQL that need several servers, which `scripts/test cluster` starts.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use greenlit::{Config, Db, Error, Opts, Reader, Result, Token, args, testing::Scratch};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::{
    raw::raw_postgres,
    support::{Count, SCHEMA, eventually, item, open},
};

/// The URLs of a primary and its replica that the tier started.
fn pair(variable: &str) -> (String, String) {
    let urls = std::env::var(variable).unwrap_or_else(|_| panic!("scripts/test cluster sets {variable}"));
    let (primary, replica) = urls.split_once(' ').unwrap();
    (primary.to_owned(), replica.to_owned())
}

/// The last value that a script brings back, past greenlit.
async fn ask(url: &str, script: &str) -> String {
    let messages = raw_postgres(url).await.simple_query(script).await.unwrap();
    let value = messages.iter().rev().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    value.unwrap_or_default()
}

/// How many items a reader behind the token sees, and whether a replica told it.
async fn look(db: &Db, token: &Token) -> (i64, bool) {
    const LOOK: &str = "select count(*), pg_is_in_recovery() from item";
    let read = db.read(Opts::default().after(token.clone()), async |r| r.fetch_one(LOOK, args![]).await).await;
    let single: Result<(i64, bool)> = db.single().after(token.clone()).fetch_one(LOOK, args![]).await;
    let (read, single): ((i64, bool), (i64, bool)) = (read.unwrap(), single.unwrap());
    assert_eq!(read.0, single.0);
    (read.0, read.1 && single.1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_law_37_a_replica_answers_what_it_has_replayed() {
    let (primary, replica) = pair("GREENLIT_TEST_POSTGRES_REPLICA");
    let scratch = Scratch::postgres().await.unwrap();
    assert!(scratch.url().starts_with(primary.split("/postgres?").next().unwrap()), "not the replica's primary");
    let database = scratch.url().rsplit_once('/').unwrap().1;
    let mut config = Config::default();
    config.replicas = vec![format!("{}/{database}", replica.rsplit_once('/').unwrap().0)];
    let db = Db::open_with(scratch.url(), &config).await.unwrap();
    db.migrate(SCHEMA).await.unwrap();

    let before = db.token().await.unwrap();
    eventually("the replica never answers", async || look(&db, &before).await == (0, true)).await;
    ask(&replica, "select pg_wal_replay_pause()").await;
    eventually("it replays", async || ask(&replica, "select pg_get_wal_replay_pause_state()").await == "paused").await;
    db.tx(Opts::default(), async |tx| item(tx, 1).await).await.unwrap();
    let token = db.token().await.unwrap();
    assert_eq!(look(&db, &token).await, (1, false), "the primary answers what the replica has not replayed");
    assert_eq!(look(&db, &before).await, (0, true), "a token taken before COMMIT does not see it");
    assert_eq!(look(&db, &Token::default()).await, (0, true), "nor does none");
    ask(&replica, "select pg_wal_replay_resume()").await;
    eventually("the replica never answers", async || look(&db, &token).await == (1, true)).await;

    // Under load, whoever answers knows what the reader wrote.
    let replicas = Count::default();
    for id in 2..200 {
        db.tx(Opts::default(), async move |tx| item(tx, id).await).await.unwrap();
        let (items, replica) = look(&db, &db.token().await.unwrap()).await;
        assert_eq!(items, id);
        if replica {
            replicas.up();
        }
    }
    println!("{} of 198 reads were answered by the replica", replicas.get());
    assert!(replicas.get() > 0);

    // Another history: what stands at this place is not known to be in it.
    let later: Token = format!("00000002{}", &token.to_string()[8..]).parse().unwrap();
    assert_eq!(look(&db, &later).await, (199, false));
    // Replicas cannot be serializable.
    let read = db.read(Opts::default().serializable().after(token), async |r| {
        r.fetch_one::<(bool,)>("select pg_is_in_recovery()", args![]).await
    });
    assert!(!read.await.unwrap().0);
}

/// Passes connections on to one server or another.
async fn switch(to: &Arc<Mutex<String>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = to.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let to = to.lock().unwrap().clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await.unwrap();
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    port
}

fn address(url: &str) -> &str {
    url.split_once('@').unwrap().1.split_once('/').unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_law_30_a_replica_behind_the_address_is_left() {
    let (primary, replica) = pair("GREENLIT_TEST_POSTGRES_REPLICA");
    let to = Arc::new(Mutex::new(address(&primary).to_owned()));
    let url = primary.replace(address(&primary), &format!("127.0.0.1:{}", switch(&to).await));
    ask(&primary, "drop table if exists left_behind; create table left_behind (id bigint)").await;
    let insert = async |db: &Db, attempts| {
        let opts = Opts::default().attempts(attempts);
        db.tx(opts, async |tx| tx.exec("insert into left_behind (id) values (1)", args![]).await).await
    };
    let lsn = ask(&primary, "select pg_current_wal_insert_lsn()").await;
    let replayed = format!("select pg_last_wal_replay_lsn() >= '{lsn}'");
    eventually("it was not replayed", async || ask(&replica, &replayed).await == "t").await;
    *to.lock().unwrap() = address(&replica).to_owned();
    let db = open(&url, 3).await;
    let refused = insert(&db, 2).await;
    assert!(matches!(&refused, Err(e) if e.is_transient()), "{refused:?}");
    // Its connections stay open, but nobody takes them for the primary's.
    let idle = db.fetch_one::<(bool,)>("select pg_is_in_recovery()", args![]).await.unwrap();
    assert!(idle.0);
    *to.lock().unwrap() = address(&primary).to_owned();
    assert_eq!(insert(&db, 2).await.unwrap(), 1);
    // A server that takes no writes is passed over, whatever stands first.
    let both = format!("{},{}", address(&replica), address(&primary));
    let url = format!("{}&target_session_attrs=read-write", primary.replace(address(&primary), &both));
    let db = open(&url, 3).await;
    assert_eq!(insert(&db, 1).await.unwrap(), 1);
    let reading = db.fetch::<(i64,)>("insert into left_behind (id) values (1) returning id", args![]).await;
    assert!(reading.is_err(), "such a connection reads only, too, outside of transactions");
    ask(&primary, "drop table left_behind").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_law_30_a_promoted_standby_takes_over() {
    let (primary, standby) = pair("GREENLIT_TEST_POSTGRES_FAILOVER");
    ask(&primary, "alter system set synchronous_standby_names = 'FIRST 1 (replica)'").await;
    ask(&primary, "select pg_reload_conf()").await;
    let sync = "select count(*) from pg_stat_replication where sync_state = 'sync'";
    eventually("the standby is not synchronous", async || ask(&primary, sync).await == "1").await;
    let both = format!("{},{}", address(&primary), address(&standby));
    let url = format!("{}&target_session_attrs=read-write", primary.replace(address(&primary), &both));
    let db = open(&url, 4).await;
    db.migrate(SCHEMA).await.unwrap();
    assert!(db.token().await.unwrap() == Token::default(), "there are no replicas to ask");

    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (db, acknowledged) = (db.clone(), acknowledged.clone());
            tokio::spawn(async move {
                for n in 0..200 {
                    let id = writer * 1000 + n;
                    let opts = Opts::default().once(id.to_string()).within(Duration::from_secs(60)).attempts(200);
                    db.tx(opts, async move |tx| item(tx, id).await).await?;
                    acknowledged.lock().unwrap().push(id);
                    sleep(Duration::from_millis(1)).await;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    eventually("nothing is written", async || acknowledged.lock().unwrap().len() > 100).await;
    // At once, as a machine that loses its power.
    let kill = "copy (select 1) to program 'kill -QUIT $(head -n 1 postmaster.pid)'";
    let _ended = raw_postgres(&primary).await.simple_query(kill).await;
    let before = acknowledged.lock().unwrap().len();
    sleep(Duration::from_millis(500)).await;
    ask(&standby, "select pg_promote()").await;
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    println!("{before} of 800 were acknowledged before the primary died; {:?}", db.stats());
    assert!(before < 800, "nothing was left to be taken over");
    let rows: Vec<(i64,)> = db.fetch("select id from item order by id", args![]).await.unwrap();
    let mut expected = acknowledged.lock().unwrap().clone();
    expected.sort_unstable();
    assert_eq!(rows.into_iter().map(|row| row.0).collect::<Vec<_>>(), expected, "each once, and none is lost");
    assert_eq!(ask(&standby, "select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)").await, "00000002");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_nothing_stays_behind_in_a_pooler() {
    let url = std::env::var("GREENLIT_TEST_PGBOUNCER").expect("scripts/test cluster sets it");
    let mut config = Config::default();
    config.named_statements = false;
    let db = Db::open_with(&url, &config).await.unwrap();
    ask(&url, "drop table if exists pooled; create table pooled (id bigint, name text)").await;
    for id in 0..20 {
        let work = db.tx(Opts::default(), async move |tx| {
            tx.exec("insert into pooled (id, name) values (?, ?)", args![id, "a"]).await?;
            tx.fetch::<(i64, String)>("select id, name from pooled where id = ?", args![id]).await
        });
        assert_eq!(work.await.unwrap(), [(id, "a".to_owned())]);
        let (count,): (i64,) = db.fetch_one("select count(*) from pooled", args![]).await.unwrap();
        assert_eq!(count, id + 1);
        db.prepare("select name from pooled where id = ?").await.unwrap();
    }
    let reading = db.fetch::<(i64,)>("delete from pooled returning id", args![]).await;
    assert!(reading.is_err_and(|e| e.to_string().contains("read-only")), "a single read cannot write");
    // Every connection that the pooler has to this database, each held by a transaction: as many as its pool is large.
    let mut clients = Vec::new();
    for _ in 0..20 {
        let client = raw_postgres(&url).await;
        client.batch_execute("begin").await.unwrap();
        for left in ["pg_prepared_statements", "pg_cursors", "pg_listening_channels()"] {
            let left_behind = client.simple_query(&format!("select * from {left}")).await.unwrap();
            let row = left_behind.iter().find(|m| matches!(m, tokio_postgres::SimpleQueryMessage::Row(_)));
            assert!(row.is_none(), "{left}: {row:?}");
        }
        clients.push(client);
    }
    drop(clients);
    ask(&url, "drop table pooled").await;
}

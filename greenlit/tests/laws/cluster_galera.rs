//! Tier `cluster`: a Galera cluster of three nodes.

use std::{collections::BTreeSet, process::Command, time::Duration};

use greenlit::{Db, Error, Opts, Reader, Result, Token, Tx, args};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, sleep},
};

use crate::{
    cluster_mariadb::Shared,
    proxy::{Proxy, Wire},
    support::{Count, MARIADB_SCHEMA, item, items, open},
};

/// The nodes are the same for all.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A database on all nodes, once they are together, with an item.
async fn cluster() -> Result<(Shared, MutexGuard<'static, ()>)> {
    let alone = ALONE.lock().await;
    let shared = Shared::new("GREENLIT_TEST_GALERA").await;
    together(&shared).await;
    let db = shared.open(0, &[]).await;
    db.migrate(MARIADB_SCHEMA).await?;
    db.tx(Opts::default(), async |tx| item(tx, 0).await).await?;
    together(&shared).await;
    Ok((shared, alone))
}

/// Waits until each node has all that any has.
async fn together(shared: &Shared) {
    let end = Instant::now() + Duration::from_secs(60);
    for node in 0..3 {
        let state = "select group_concat(variable_value order by variable_name) from information_schema.global_status \
                     where variable_name in ('wsrep_cluster_size', 'wsrep_ready')";
        while !alive(shared, node).await || shared.ask(node, state).await != "3,ON" {
            assert!(Instant::now() < end, "the cluster does not come together");
            sleep(Duration::from_millis(200)).await;
        }
        shared.raw(node, "set session wsrep_sync_wait = 15; select 1").await;
    }
}

/// Whether a node takes connections, and has the database.
async fn alive(shared: &Shared, node: usize) -> bool {
    let url = shared.url(node).split('?').next().unwrap().replacen("mariadb:", "mysql:", 1);
    #[allow(clippy::disallowed_methods)] // the laws look past greenlit
    let connected = mysql_async::Conn::from_url(&url).await;
    connected.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_law_25_a_hot_row_through_three_nodes_loses_nothing() -> Result<()> {
    const ROUNDS: u32 = 20;
    let (shared, _alone) = cluster().await?;
    let (begun, ended) = (Count::default(), Count::default());
    let mut writers = Vec::new();
    for writer in 0..6 {
        let db = shared.open(writer % 3, &[]).await;
        let (begun, ended) = (begun.clone(), ended.clone());
        writers.push(tokio::spawn(async move {
            for _ in 0..ROUNDS {
                let (begun, ended) = (begun.clone(), ended.clone());
                let work = async move |tx: &mut Tx| {
                    begun.up();
                    tx.exec("update item set v = v + 1 where id = 0", args![]).await?;
                    sleep(Duration::from_millis(1)).await;
                    ended.up();
                    Ok::<_, Error>(())
                };
                db.tx(Opts::default().attempts(500).within(Duration::from_secs(90)), work).await?;
            }
            Ok::<_, Error>(())
        }));
    }
    for writer in writers {
        writer.await.unwrap()?;
    }
    let acknowledged = 6 * ROUNDS;
    together(&shared).await;
    for node in 0..3 {
        assert_eq!(shared.ask(node, "select v from item where id = 0").await, acknowledged.to_string());
    }
    let (retries, at_commit) = (begun.get() - acknowledged, ended.get() - acknowledged);
    println!("{acknowledged} increments, {retries} retries, {at_commit} of them after a refused COMMIT");
    assert!(at_commit > 0, "no COMMIT was refused: the law shows nothing");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_law_37_writes_are_read_on_another_node() -> Result<()> {
    let (shared, _alone) = cluster().await?;
    // What the nodes have to do besides.
    let busy = tokio::spawn(insert_many(shared.open(2, &[]).await));
    let db = shared.open(0, &[1]).await;
    let (mut stale, mut by_replica) = (0, 0);
    let sql = "select @@server_id, (select count(*) from item where id = ?)";
    for id in 1..=300_i64 {
        db.tx(Opts::default(), async |tx| item(tx, id).await).await?;
        let (_, without): (i64, i64) = db.single().after(Token::default()).fetch_one(sql, args![id]).await?;
        let token = db.token().await?;
        let (server, with): (i64, i64) = db.single().after(token).fetch_one(sql, args![id]).await?;
        assert_eq!(with, 1, "server {server} has not seen item {id}");
        stale += u32::from(without == 0);
        by_replica += u32::from(server == 12);
    }
    busy.abort();
    println!("300 reads on another node: {stale} stale without a token, 0 with one, {by_replica} of them there");
    assert!(by_replica > 0, "the other node never answered");
    Ok(())
}

/// Writes until it is aborted.
async fn insert_many(db: Db) {
    for n in 0.. {
        let work = async move |tx: &mut Tx| {
            for row in 0..50 {
                tx.exec("insert into item (id, v) values (?, 0)", args![1_000_000 + 50 * n + row]).await?;
            }
            Ok::<_, Error>(())
        };
        let _ = db.tx(Opts::default(), work).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_law_39_a_key_taken_on_two_nodes_commits_once() -> Result<()> {
    let (shared, _alone) = cluster().await?;
    let nodes = [shared.open(0, &[]).await, shared.open(1, &[]).await, shared.open(2, &[]).await];
    for round in 0..20_i64 {
        let tries: Vec<_> = (0..3_i64)
            .map(|node| {
                let (db, key) = (nodes[node as usize].clone(), format!("key {round}"));
                let work = async move |tx: &mut Tx| {
                    item(tx, 10 * (round + 1) + node).await?;
                    tx.outcome(&[node as u8]).await
                };
                tokio::spawn(async move { db.tx(Opts::default().attempts(20).once(key), work).await })
            })
            .collect();
        let mut winners = Vec::new();
        for (node, done) in tries.into_iter().enumerate() {
            match done.await.unwrap() {
                Ok(()) => winners.push(node as u8),
                Err(e) => assert!(matches!(e, Error::AlreadyDone | Error::InFlight), "{e:?}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        together(&shared).await;
        for db in &nodes {
            assert_eq!(db.outcome(&format!("key {round}")).await?, Some(winners.clone()));
            assert_eq!(items(&mut db.single()).await?, round + 2);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_law_26_a_lost_commit_is_resolved_by_its_key() -> Result<()> {
    let (shared, _alone) = cluster().await?;
    let proxy = Proxy::to(&shared.url(0)).await;
    let db = open(&proxy.url, 2).await;
    for (id, wire, runs) in [(1, Wire::LoseAnswerOfCommit, 1), (2, Wire::LoseCommit, 2), (3, Wire::LateLoss, 2)] {
        let count = Count::default();
        let own = count.clone();
        proxy.set(wire);
        let work = async move |tx: &mut Tx| {
            own.up();
            item(tx, id).await
        };
        db.tx(Opts::default().once(format!("{wire:?}")), work).await?;
        assert_eq!(count.get(), runs, "{wire:?}");
    }
    together(&shared).await;
    for node in 0..3 {
        assert_eq!(items(&mut shared.open(node, &[]).await.single()).await?, 4);
    }
    Ok(())
}

/// What became of the items that a writer wrote.
#[derive(Default)]
struct Written {
    acknowledged: BTreeSet<i64>,
    /// Neither acknowledged nor refused.
    unknown: BTreeSet<i64>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test cluster"]
async fn cluster_law_35_a_killed_node_takes_nothing_along() -> Result<()> {
    const VICTIM: usize = 2;
    let (shared, _alone) = cluster().await?;
    let victim: u32 =
        std::fs::read_to_string(shared.ask(VICTIM, "select @@pid_file").await).unwrap().trim().parse().unwrap();
    let stop = Count::default();
    let mut writers = Vec::new();
    for writer in 0..6 {
        let (db, stop) = (shared.open(writer % 3, &[]).await, stop.clone());
        writers.push(tokio::spawn(write_until(db, writer as i64, stop)));
    }
    sleep(Duration::from_secs(2)).await;
    assert!(Command::new("kill").args(["-KILL", &victim.to_string()]).status().unwrap().success());
    // The other nodes go on without it after some seconds.
    sleep(Duration::from_secs(8)).await;
    stop.up();
    let (mut all, survivor) = (Written::default(), shared.open(0, &[]).await);
    for writer in writers {
        let written = writer.await.unwrap();
        all.acknowledged.extend(written.acknowledged);
        all.unknown.extend(written.unknown);
    }
    // Repeating with the same key finds out about the rest, on another node.
    let (mut repeated, mut done) = (0, 0);
    for &id in &all.unknown {
        let again = Opts::default().attempts(20).once(format!("item {id}"));
        match survivor.tx(again, async |tx| item(tx, id).await).await {
            Ok(_) => repeated += 1,
            Err(Error::AlreadyDone) => done += 1,
            Err(e) => return Err(e),
        }
    }
    println!(
        "{} acknowledged, {} unknown: {done} had committed, {repeated} were run again",
        all.acknowledged.len(),
        all.unknown.len()
    );
    // The killed node comes back as well.
    together(&shared).await;
    for node in 0..3 {
        let ids = shared.open(node, &[]).await.fetch::<(i64,)>("select id from item where id > 0", args![]).await?;
        let there: BTreeSet<i64> = ids.into_iter().map(|(id,)| id).collect();
        let expected: BTreeSet<i64> = all.acknowledged.union(&all.unknown).copied().collect();
        assert_eq!(there, expected, "node {node}");
    }
    assert!(all.acknowledged.len() > 100);
    Ok(())
}

/// Writes items with a commit key each until it shall stop.
async fn write_until(db: Db, writer: i64, stop: Count) -> Written {
    let mut written = Written::default();
    for n in 1.. {
        if stop.get() > 0 {
            break;
        }
        let id = writer + 6 * n;
        match db.tx(Opts::default().once(format!("item {id}")), async move |tx| item(tx, id).await).await {
            Ok(_) => drop(written.acknowledged.insert(id)),
            // It may have been committed, whatever the error was: the key tells.
            Err(_) => {
                written.unknown.insert(id);
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    written
}

//! Laws 26 and 30: connections that are lost, before COMMIT and in it.

use std::{sync::Arc, time::Duration};

use greenlit::{Db, Error, Opts, Result, args};

use crate::{
    proxy::{Proxy, Wire},
    support::{Count, TestDb, eventually, item, items, laws_on, open},
};

laws_on! { postgres:
    law_26_a_lost_commit_is_resolved_by_its_key,
    law_26_a_lost_commit_without_a_key_is_unknown,
    law_26_a_silent_commit_is_given_up_and_resolved,
    law_30_a_connection_lost_before_commit_is_replaced,
    law_30_a_restarted_server_fails_no_session,
}

/// Runs a transaction whose COMMIT the wire loses; tells the result, how often it ran and how many rows there are.
async fn lose_commit(t: &TestDb, wire: Wire, opts: Opts) -> Result<(Result<()>, u32, i64)> {
    let proxy = Proxy::to(t.url()).await;
    let (db, runs) = (open(&proxy.url, 1).await, Count::default());
    let own = runs.clone();
    proxy.set(wire);
    let result = db.tx(opts, async move |tx| {
        own.up();
        tx.insert("insert into note (body) values (?)", args![format!("{wire:?}")]).await?;
        Ok::<_, Error>(())
    });
    let result = result.await;
    // The same pool goes on.
    let (rows,) = db.fetch_one("select count(*) from note where body = ?", args![format!("{wire:?}")]).await?;
    Ok((result, runs.get(), rows))
}

async fn law_26_a_lost_commit_is_resolved_by_its_key(t: Arc<TestDb>) -> Result<()> {
    let (result, runs, rows) = lose_commit(&t, Wire::LoseAnswerOfCommit, Opts::default().once("a")).await?;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!((runs, rows), (1, 1), "it had been committed");
    let (result, runs, rows) = lose_commit(&t, Wire::LoseCommit, Opts::default().once("b")).await?;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!((runs, rows), (2, 1), "it had not been committed, so it was run again");
    t.assert_nothing_open().await;
    Ok(())
}

async fn law_26_a_lost_commit_without_a_key_is_unknown(t: Arc<TestDb>) -> Result<()> {
    let (result, runs, rows) = lose_commit(&t, Wire::LoseAnswerOfCommit, Opts::default()).await?;
    assert!(matches!(result, Err(Error::CommitUnknown)), "{result:?}");
    assert_eq!((runs, rows), (1, 1));
    let (result, runs, rows) = lose_commit(&t, Wire::LoseCommit, Opts::default()).await?;
    assert!(matches!(result, Err(Error::CommitUnknown)), "{result:?}");
    assert_eq!((runs, rows), (1, 0));
    Ok(())
}

async fn law_26_a_silent_commit_is_given_up_and_resolved(t: Arc<TestDb>) -> Result<()> {
    // A pool of one: the silent connection must be gone before its key can be asked for.
    let asked = lose_commit(&t, Wire::SilentAfterCommit, Opts::default().once("a"));
    let (result, runs, rows) = tokio::time::timeout(Duration::from_secs(60), asked).await.expect("it ends")?;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!((runs, rows), (1, 1), "it had been committed");
    t.assert_nothing_open().await;
    Ok(())
}

/// Terminates every session of this database but the asking one, and waits until they are gone.
async fn terminate_all(t: &TestDb) {
    let all = "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity \
        where datname = current_database() and pid <> pg_backend_pid()";
    t.raw(all).await;
}

/// Opens all ten of the pool's connections.
async fn fill(db: &Db) -> Result<()> {
    let readers: Vec<_> = (0..10)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.fetch::<(i32,)>("select 1 from pg_sleep(0.1)", args![]).await })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap()?;
    }
    Ok(())
}

async fn law_30_a_connection_lost_before_commit_is_replaced(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(10).await;
    for round in 0..5 {
        fill(&db).await?;
        terminate_all(&t).await;
        db.tx(Opts::default(), async |tx| item(tx, round).await).await?;
    }
    assert_eq!(items(&mut db.single()).await?, 5);
    Ok(())
}

async fn law_30_a_restarted_server_fails_no_session(t: Arc<TestDb>) -> Result<()> {
    let proxy = Proxy::to(t.url()).await;
    let db = open(&proxy.url, 10).await;
    // Ten dead connections, of which nobody knows yet, and five attempts.
    for round in 0..3 {
        fill(&db).await?;
        proxy.break_all();
        assert_eq!(items(&mut db.single()).await?, round);
        fill(&db).await?;
        proxy.break_all();
        assert_eq!(db.read(Opts::default(), async |r| items(r).await).await?, round);
        fill(&db).await?;
        proxy.break_all();
        db.tx(Opts::default(), async |tx| item(tx, round).await).await?;
    }
    eventually("connections were opened beyond the agreed number", async || {
        t.raw_number("select count(*) from pg_stat_activity where datname = current_database()").await <= 11
    })
    .await;
    Ok(())
}

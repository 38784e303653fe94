//! Laws 26 and 30: connections that are lost, before COMMIT and in it.

use std::{sync::Arc, time::Duration};

use greenlit::{Class, Db, Error, Opts, Result, Tx, args};

use crate::{
    proxy::{Proxy, Wire},
    support::{Count, Random, TestDb, eventually, item, items, laws_on, open},
};

laws_on! { [postgres mariadb]:
    law_25_a_commit_that_meets_a_conflict_is_run_again,
    law_26_a_commit_in_flight_is_waited_for,
    law_26_a_lost_commit_is_resolved_by_its_key,
    law_26_a_lost_commit_without_a_key_is_unknown,
    law_26_a_silent_commit_is_given_up_and_resolved,
    law_30_a_connection_lost_before_commit_is_replaced,
    law_30_a_restarted_server_fails_no_session,
    law_30_cut_off_after_any_number_of_bytes,
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

async fn law_26_a_commit_in_flight_is_waited_for(t: Arc<TestDb>) -> Result<()> {
    // The connection is gone, and the server does not know it yet: whoever looked at once would find nothing.
    let (result, runs, rows) = lose_commit(&t, Wire::LateCommit, Opts::default().once("a")).await?;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!((runs, rows), (1, 1), "it was on its way");
    let (result, runs, rows) = lose_commit(&t, Wire::LateLoss, Opts::default().once("b")).await?;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!((runs, rows), (2, 1), "it never arrived, so it was run again");
    t.assert_nothing_open().await;
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

async fn law_25_a_commit_that_meets_a_conflict_is_run_again(t: Arc<TestDb>) -> Result<()> {
    let proxy = Proxy::to(t.url()).await;
    for (attempts, expected) in [(2, Some(1)), (1, None)] {
        let (db, runs, effects) = (open(&proxy.url, 1).await, Count::default(), Count::default());
        let (own, effect) = (runs.clone(), effects.clone());
        proxy.set(Wire::RefuseCommit);
        let result = db.tx(Opts::default().attempts(attempts), async move |tx| {
            own.up();
            tx.after_commit(async move || {
                effect.up();
            });
            item(tx, attempts.into()).await
        });
        let result = result.await;
        assert_eq!(result.as_ref().ok(), expected.as_ref(), "{result:?}");
        assert!(result.is_ok() || result.is_err_and(|e| e.class() == Class::Retry));
        assert_eq!((runs.get(), effects.get()), (attempts, u32::from(attempts == 2)));
        assert_eq!(items(&mut db.single()).await?, 1, "the first is there, the second is not");
        assert_eq!(db.stats().discarded, 0);
    }
    t.assert_nothing_open().await;
    Ok(())
}

/// Opens all ten of the pool's connections.
async fn fill(t: &TestDb, db: &Db) -> Result<()> {
    let readers: Vec<_> = (0..10)
        .map(|_| {
            let (db, short) = (db.clone(), t.sleep("0.1"));
            tokio::spawn(async move { db.fetch::<(i32,)>(&short, args![]).await })
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
        fill(&t, &db).await?;
        t.terminate(&t.sessions().await).await;
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
        fill(&t, &db).await?;
        proxy.break_all();
        assert_eq!(items(&mut db.single()).await?, round);
        fill(&t, &db).await?;
        proxy.break_all();
        assert_eq!(db.read(Opts::default(), async |r| items(r).await).await?, round);
        fill(&t, &db).await?;
        proxy.break_all();
        db.tx(Opts::default(), async |tx| item(tx, round).await).await?;
    }
    eventually("connections were opened beyond the agreed number", async || t.sessions().await.len() <= 10).await;
    Ok(())
}

async fn law_30_cut_off_after_any_number_of_bytes(t: Arc<TestDb>) -> Result<()> {
    let (proxy, mut random) = (Proxy::to(t.url()).await, Random::new());
    let (db, mut unknown) = (open(&proxy.url, 2).await, 0);
    for round in 0..80_u32 {
        let (bytes, body) = (random.below(1_500), format!("round {round}"));
        let key = round % 2 == 0;
        let opts = if key { Opts::default().once(&body) } else { Opts::default() };
        let note = body.clone();
        proxy.cut_after(Some(bytes));
        let work = async move |tx: &mut Tx| {
            items(tx).await?;
            tx.savepoint(async |tx| tx.insert("insert into note (body) values (?)", args![note]).await).await
        };
        let result = db.tx(opts, work).await;
        proxy.cut_after(None);
        let (rows,) = db.fetch_one::<(i64,)>("select count(*) from note where body = ?", args![&body]).await?;
        match result {
            Ok(_) => assert_eq!(rows, 1, "round {round}, {bytes} bytes"),
            Err(Error::CommitUnknown) if !key => unknown += 1,
            Err(e) => panic!("round {round}, {bytes} bytes: {e}"),
        }
    }
    println!("{unknown} unknown; {:?}", db.stats());
    assert!(db.stats().discarded > 0, "nothing was cut off");
    t.assert_nothing_open().await;
    Ok(())
}

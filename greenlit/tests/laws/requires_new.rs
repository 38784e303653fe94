//! Law 21: a transaction of its own inside another.

use std::sync::Arc;

use greenlit::{Error, Opts, Result, Tx, args};
use tokio::sync::Barrier;

use crate::support::{Count, TestDb, item, items, laws, laws_on};

laws! { law_21_outside_of_a_session_it_is_an_ordinary_transaction }
laws_on! { [postgres mariadb]:
    law_21_it_commits_by_itself,
    law_21_it_cannot_deadlock_the_pool,
}
laws_on! { [sqlite]: law_21_a_single_writer_refuses_it }

async fn law_21_outside_of_a_session_it_is_an_ordinary_transaction(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let nested = db.requires_new(Opts::default(), async |tx| {
        item(tx, 1).await?;
        db.tx(Opts::default(), async |tx| item(tx, 2).await).await
    });
    assert!(matches!(nested.await, Err(Error::Nested)));
    assert_eq!(items(&mut db.single()).await?, 0);
    db.requires_new(Opts::default(), async |tx| item(tx, 1).await).await?;
    assert_eq!(items(&mut db.single()).await?, 1);
    Ok(())
}

async fn law_21_it_commits_by_itself(t: Arc<TestDb>) -> Result<()> {
    let (db, effects) = (t.open(1).await, Count::default());
    // The outer one fails: the inner one stays, with its effects.
    let failed = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        let effect = effects.clone();
        let inner = async move |tx: &mut Tx| {
            assert_eq!(items(tx).await?, 0, "it does not see what the outer one has not committed");
            tx.after_commit(async move || {
                effect.up();
            });
            item(tx, 2).await
        };
        db.requires_new(Opts::default(), inner).await?;
        assert_eq!(items(tx).await?, 2, "it has committed");
        Err::<(), _>(Error::NotFound)
    });
    assert!(matches!(failed.await, Err(Error::NotFound)));
    assert_eq!((items(&mut db.single()).await?, effects.get()), (1, 1));
    // The inner one fails: the outer one may go on.
    db.tx(Opts::default(), async |tx| {
        let failed = db.requires_new(Opts::default(), async |tx| item(tx, 2).await).await;
        assert!(failed.unwrap_err().unique().is_some());
        item(tx, 3).await
    })
    .await?;
    // In a read session as well.
    db.read(Opts::default(), async |r| {
        assert_eq!(items(r).await?, 2);
        db.requires_new(Opts::default(), async |tx| item(tx, 4).await).await?;
        assert_eq!(items(r).await?, 2, "a snapshot is a snapshot");
        Ok::<_, Error>(())
    })
    .await?;
    assert_eq!(items(&mut db.single()).await?, 3);
    // One within another would need a third connection, and so on.
    let third = db.tx(Opts::default(), async |tx| {
        item(tx, 5).await?;
        let second = async |tx: &mut Tx| {
            item(tx, 6).await?;
            db.requires_new(Opts::default(), async |tx| item(tx, 7).await).await
        };
        db.requires_new(Opts::default(), second).await
    });
    assert!(matches!(third.await, Err(Error::Nested)));
    assert_eq!(items(&mut db.single()).await?, 3);
    Ok(())
}

async fn law_21_it_cannot_deadlock_the_pool(t: Arc<TestDb>) -> Result<()> {
    const SESSIONS: i64 = 4;
    let db = t.open(SESSIONS as usize).await;
    let all_hold_one = Arc::new(Barrier::new(SESSIONS as usize));
    let sessions = (0..SESSIONS).map(|n| {
        let (db, all_hold_one) = (db.clone(), all_hold_one.clone());
        tokio::spawn(async move {
            let inner = db.clone();
            let outer = async move |tx: &mut Tx| {
                item(tx, n).await?;
                // No connection of the pool is left, and twice as many sessions as it has want another.
                all_hold_one.wait().await;
                for more in [100, 200] {
                    inner.requires_new(Opts::default(), async |tx| item(tx, more + n).await).await?;
                }
                Ok::<_, Error>(())
            };
            db.tx(Opts::default().attempts(1), outer).await
        })
    });
    for session in sessions.collect::<Vec<_>>() {
        session.await.unwrap()?;
    }
    assert_eq!(items(&mut db.single()).await?, 3 * SESSIONS);
    assert!(db.stats().opened <= SESSIONS as u64 + 2, "{:?}", db.stats());
    Ok(())
}

async fn law_21_a_single_writer_refuses_it(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let refused = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        let refused = db.requires_new(Opts::default(), async |tx| item(tx, 2).await).await;
        assert!(matches!(&refused, Err(Error::Refused(why)) if why.contains("one writer")), "{refused:?}");
        // It did not touch the outer one.
        item(tx, 3).await
    });
    refused.await?;
    let ids: Vec<(i64,)> = db.fetch("select id from item order by id", args![]).await?;
    assert_eq!(ids, [(1,), (3,)]);
    Ok(())
}

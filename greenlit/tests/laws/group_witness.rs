//! Law 41: who waits for whom. A session that failed by what it saw of another's work is answered as that work ends; and none
//! waits for one that does nothing.

use std::{sync::Arc, time::Duration};

use greenlit::{Class, Error, Opts, Reader, Result, Tx, args};

use tokio::time::timeout;

use crate::{
    group_commit::{Holder, queued, warm_up},
    group_failures::{limit_files, limited},
    support::{Count, TestDb, item, laws_on},
};

laws_on! { [sqlite]:
    law_41_a_failure_by_what_was_never_committed_is_no_answer,
    law_41_nobody_waits_for_a_session_that_does_nothing,
}

async fn law_41_a_failure_by_what_was_never_committed_is_no_answer(t: Arc<TestDb>) -> Result<()> {
    if !t.is_child() {
        t.child_of(limited()).join();
        return Ok(());
    }
    let db = t.open(1).await;
    warm_up(&db).await?;
    let seven = async |tx: &mut Tx| tx.fetch_one::<(i64,)>("select count(*) from item where id = 7", args![]).await;
    for round in 1.. {
        assert_eq!(t.raw_number("pragma wal_checkpoint(truncate)").await, 0);
        let (runs, holder) = (Count::default(), Holder::of(&db).await);
        let (first, second, own) = (db.clone(), db.clone(), runs.clone());
        let first = async move { first.tx(Opts::default().attempts(1), async |tx| item(tx, 7).await).await };
        let first = queued(first).await;
        let second = queued(async move {
            let work = async move |tx: &mut Tx| {
                if own.up() == 1 {
                    limit_files("unlimited"); // somebody made room
                }
                match seven(tx).await? {
                    (0,) => item(tx, 8).await,
                    _ => Err(Error::NotFound), // it is taken
                }
            };
            second.tx(Opts::default(), work).await
        })
        .await;
        limit_files("100"); // so that the log holds not one page
        holder.let_go().await?;
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        limit_files("unlimited");
        let seen = db.fetch::<(i64,)>("select id from item where id > 0", args![]).await?;
        if runs.get() == 2 {
            assert!(first.as_ref().is_err_and(|e| e.class() == Class::Retry), "{first:?}");
            assert_eq!((second?, seen), (1, vec![(8,)]), "it was not taken after all");
            return Ok(());
        }
        // They were in groups of their own, each of which the disk refused.
        assert!(first.is_err() && second.is_err() && seen.is_empty(), "{first:?} {second:?} {seen:?}");
        assert!(round < 20, "they never shared a transaction");
    }
    Ok(())
}

async fn law_41_nobody_waits_for_a_session_that_does_nothing(t: Arc<TestDb>) -> Result<()> {
    let (db, patient) = (t.open(1).await, Opts::default().within(Duration::from_secs(60)));
    warm_up(&db).await?;
    for id in 1..5 {
        let (holder, other, opts) = (Holder::of(&db).await, db.clone(), patient.clone());
        let quick = queued(async move { other.tx(opts, async |tx| item(tx, id).await).await }).await;
        let (other, opts) = (db.clone(), patient.clone());
        let idle = queued(async move {
            let work = async |tx: &mut Tx| {
                item(tx, 100).await?;
                std::future::pending::<Result<()>>().await
            };
            other.tx(opts, work).await
        })
        .await;
        holder.let_go().await?;
        let answered = timeout(Duration::from_secs(20), quick).await;
        answered.expect("it waits for the idle one's deadline").unwrap()?;
        idle.abort();
    }
    assert_eq!(db.fetch::<(i64,)>("select count(*) from item where id > 0", args![]).await?, [(4,)]);
    Ok(())
}

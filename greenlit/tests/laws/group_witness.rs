//! Law 41: a session that failed by what it saw of another's work is answered as that work ends.

use std::sync::Arc;

use greenlit::{Class, Error, Opts, Reader, Result, Tx, args};

use crate::{
    group_commit::{Holder, queued, warm_up},
    group_failures::{limit_files, limited},
    support::{Count, TestDb, item, laws_on},
};

laws_on! { [sqlite]:
    law_41_a_failure_by_what_was_never_committed_is_no_answer,
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

//! Laws 24 to 32: what `Ok` means, and what is run again. Laws 26 and 30 are in `lost.rs`.

use std::{sync::Arc, time::Duration};

use greenlit::{Class, Error, Opts, Reader, Result, Tx, args};
use tokio::{sync::Barrier, time::Instant};

use crate::{
    raw::Blocker,
    support::{Count, TestDb, item, items, laws, laws_on, next_borrower, raw_sqlite},
};

laws! {
    law_24_ok_means_a_commit,
    law_28_another_writer_is_waited_for_until_the_deadline,
    law_29_what_the_application_says_decides_nothing,
    law_31_write_skew_is_prevented,
}
laws_on! { [sqlite postgres]: law_25_a_refused_commit_is_an_error }
laws_on! { [postgres mariadb]:
    law_28_deadlocks_are_run_again,
    law_28_tries_are_counted_and_start_afresh,
}
laws_on! { [sqlite]: law_32_writers_begin_immediate }

async fn law_24_ok_means_a_commit(t: Arc<TestDb>) -> Result<()> {
    let (db, effects) = (t.open(1).await, Count::default());
    for in_savepoint in [false, true] {
        let own = effects.clone();
        let result = db.tx(Opts::default(), async move |tx| {
            item(tx, 1).await?;
            tx.after_commit(async move || {
                own.up();
            });
            if in_savepoint {
                let scope = tx.savepoint(async |tx| tx.exec("no statement at all", args![]).await).await;
                assert!(scope.is_err());
                item(tx, 1).await.expect_err("a duplicate");
            } else {
                tx.exec("no statement at all", args![]).await.expect_err("no statement");
            }
            Ok::<_, Error>("well done")
        });
        // PostgreSQL would answer ROLLBACK to the COMMIT, which drivers take for success.
        let result = result.await;
        assert!(matches!(result, Err(Error::RolledBack(_))), "{result:?}");
        assert_eq!(next_borrower(&db).await, (0, 0));
    }
    assert_eq!(effects.get(), 0);
    Ok(())
}

async fn law_25_a_refused_commit_is_an_error(t: Arc<TestDb>) -> Result<()> {
    let (db, effects) = (t.open(1).await, Count::default());
    let own = effects.clone();
    let result = db.tx(Opts::default(), async move |tx| {
        item(tx, 1).await?;
        tx.after_commit(async move || {
            own.up();
        });
        tx.outbox("topic", "payload").await?;
        // Checked at COMMIT.
        tx.exec("insert into link (id, target) values (1, 99)", args![]).await
    });
    let error = result.await.unwrap_err();
    assert!(matches!(error.class(), Class::ForeignKey(_)), "{error:?}");
    assert_eq!(next_borrower(&db).await, (0, 0));
    assert_eq!(effects.get(), 0);
    assert_eq!((db.stats().discarded, db.stats().warnings), (0, 0));
    t.assert_nothing_open().await;
    Ok(())
}

async fn law_28_deadlocks_are_run_again(t: Arc<TestDb>) -> Result<()> {
    let (db, runs, effects) = (t.open(4).await, Count::default(), Count::default());
    db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        item(tx, 2).await
    })
    .await?;
    let both_hold_one = Arc::new(Barrier::new(2));
    let tasks: Vec<_> = [(1, 2), (2, 1)]
        .map(|(first, second)| {
            let (db, runs, effects) = (db.clone(), runs.clone(), effects.clone());
            let (both_hold_one, own) = (both_hold_one.clone(), Count::default());
            tokio::spawn(async move {
                let work = async move |tx: &mut Tx| {
                    runs.up();
                    tx.after_commit(async move || {
                        effects.up();
                    });
                    tx.exec("update item set v = v + 1 where id = ?", args![first]).await?;
                    if own.up() == 0 {
                        both_hold_one.wait().await;
                    }
                    tx.exec("update item set v = v + 1 where id = ?", args![second]).await
                };
                db.tx(Opts::default().attempts(30), work).await
            })
        })
        .into();
    for task in tasks {
        task.await.unwrap()?;
    }
    assert!(runs.get() > 2, "no deadlock was made");
    assert_eq!(effects.get(), 2, "effects of failed tries are dropped");
    assert_eq!(db.fetch::<(i64,)>("select v from item", args![]).await?, [(2,), (2,)]);
    Ok(())
}

/// A function of the server's that gives up the transaction the first times it is called, as a serialization failure.
pub(crate) async fn give_up_first(t: &TestDb, times: u32) {
    if t.is_mariadb() {
        let script = format!(
            "drop sequence if exists tries; create sequence tries; \
            create or replace function give_up() returns int modifies sql data begin \
              if nextval(tries) <= {times} then \
                signal sqlstate '40001' set mysql_errno = 1213, message_text = 'in the way'; end if; \
              return 1; end"
        );
        return t.raw(&script).await;
    }
    let script = format!(
        "drop sequence if exists tries; create sequence tries; \
        create or replace function give_up() returns int language plpgsql as $$ begin \
          if nextval('tries') <= {times} then raise exception 'in the way' using errcode = '40001'; end if; \
          return 1; end $$"
    );
    t.raw(&script).await;
}

async fn law_28_tries_are_counted_and_start_afresh(t: Arc<TestDb>) -> Result<()> {
    let (db, effects) = (t.open(1).await, Count::default());
    for (fails, attempts, expected) in [(0, 1, Ok(1)), (2, 3, Ok(3)), (2, 5, Ok(3)), (3, 3, Err(3)), (9, 1, Err(1))] {
        give_up_first(&t, fails).await;
        let (runs, before) = (Count::default(), effects.get());
        let (own, effect, list) = (runs.clone(), effects.clone(), Vec::new());
        let work = async move |tx: &mut Tx| {
            own.up();
            let mut list = list;
            list.push(1);
            assert_eq!(list.len(), 1, "what is captured by value starts afresh");
            tx.after_commit(async move || {
                effect.up();
            });
            item(tx, 1).await?;
            tx.fetch::<(i32,)>("select give_up()", args![]).await
        };
        let result = db.tx(Opts::default().attempts(attempts), work).await;
        assert_eq!(result.as_ref().map(|_| runs.get()).map_err(|_| runs.get()), expected, "{result:?}");
        if let Err(e) = result {
            assert!(e.is_transient() && e.class() == Class::Retry, "{e:?}");
        }
        assert_eq!(effects.get() - before, u32::from(expected.is_ok()));
        assert_eq!(next_borrower(&db).await.0, i64::from(expected.is_ok()));
    }
    // The deadline ends the tries, however many there may be.
    give_up_first(&t, 1_000_000).await;
    let started = Instant::now();
    let opts = Opts::default().attempts(u32::MAX).within(Duration::from_millis(500));
    let result = db.tx(opts, async |tx| tx.fetch::<(i32,)>("select give_up()", args![]).await).await;
    assert!(result.is_err_and(|e| e.is_transient()));
    assert!(started.elapsed() < Duration::from_secs(5));
    Ok(())
}

async fn law_28_another_writer_is_waited_for_until_the_deadline(t: Arc<TestDb>) -> Result<()> {
    let (db, runs) = (t.open(1).await, Count::default());
    db.tx(Opts::default(), async |tx| item(tx, 1).await).await?;
    // Another process writes, and takes its time.
    let blocker = Blocker::on(&t).await;
    let own = runs.clone();
    let work = async move |tx: &mut Tx| {
        own.up();
        tx.exec("update item set v = v + 1 where id = 1", args![]).await
    };
    let started = Instant::now();
    let result = db.tx(Opts::default().within(Duration::from_millis(300)), work.clone()).await;
    assert!(result.as_ref().is_err_and(Error::is_transient), "{result:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "the deadline was missed");
    let waiting = tokio::spawn({
        let db = db.clone();
        async move { db.tx(Opts::default(), work).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    blocker.commit().await;
    assert_eq!(waiting.await.unwrap()?, 1);
    assert_eq!(db.fetch::<(i64,)>("select v from item", args![]).await?, [(101,)]);
    Ok(())
}

/// Says of every error that it is the application's own and final.
#[derive(Debug)]
struct Opaque;

impl From<Error> for Opaque {
    fn from(_: Error) -> Opaque {
        Opaque
    }
}

async fn law_29_what_the_application_says_decides_nothing(t: Arc<TestDb>) -> Result<()> {
    let (db, runs) = (t.open(1).await, Count::default());
    // An error of the application's without a reason at the database is not run again, whatever it looks like.
    let own = runs.clone();
    let result: Result<()> = db
        .tx(Opts::default(), async move |tx| {
            own.up();
            item(tx, 1).await?;
            Err(Error::Deadline)
        })
        .await;
    assert!(result.is_err());
    assert_eq!(runs.get(), 1);
    assert_eq!(next_borrower(&db).await, (0, 0));
    if !t.is_sqlite() {
        give_up_first(&t, 2).await;
        let (runs, own) = (Count::default(), Count::default());
        let counted = own.clone();
        let result = db.tx(Opts::default(), async move |tx| {
            counted.up();
            item(tx, 1).await?;
            // The reason is hidden from whoever looks at the error, and the session has seen it nevertheless.
            match tx.fetch::<(i32,)>("select give_up()", args![]).await {
                Ok(_) => Ok(runs.up()),
                Err(_) => Err(Opaque),
            }
        });
        assert!(result.await.is_ok());
        assert_eq!(own.get(), 3);
        assert_eq!(next_borrower(&db).await, (1, 0));
        // Swallowed altogether.
        give_up_first(&t, 1).await;
        let own = Count::default();
        let counted = own.clone();
        let result = db.tx(Opts::default(), async move |tx| {
            counted.up();
            item(tx, 1).await?;
            let _ = tx.fetch::<(i32,)>("select give_up()", args![]).await;
            Ok::<_, Opaque>(())
        });
        assert!(result.await.is_ok());
        assert_eq!(own.get(), 2);
        assert_eq!(next_borrower(&db).await, (1, 0));
    }
    Ok(())
}

async fn law_31_write_skew_is_prevented(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(4).await;
    db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        item(tx, 2).await
    })
    .await?;
    // Of two on call one may leave: each asks, waits, and leaves if the other is there.
    let leave = |id: i64| {
        let db = db.clone();
        tokio::spawn(async move {
            let work = async move |tx: &mut Tx| {
                let (on_call,): (i64,) = tx.fetch_one("select count(*) from item where v = 0", args![]).await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
                if on_call > 1 {
                    tx.exec("update item set v = 1 where id = ?", args![id]).await?;
                }
                Ok::<_, Error>(())
            };
            db.tx(Opts::default().serializable().attempts(20), work).await
        })
    };
    let (a, b) = (leave(1), leave(2));
    a.await.unwrap()?;
    b.await.unwrap()?;
    assert_eq!(db.fetch_one::<(i64,)>("select count(*) from item where v = 0", args![]).await?, (1,));
    Ok(())
}

async fn law_32_writers_begin_immediate(t: Arc<TestDb>) -> Result<()> {
    let (db, url) = (t.open(1).await, t.url().to_owned());
    let result = db.tx(Opts::default(), async move |tx| {
        // Only a read so far, and yet it is the writer: a deferred transaction would lose its snapshot to another
        // writer now, and fail at its own first write without a way to wait.
        items(tx).await?;
        let other = raw_sqlite(&url);
        other.busy_timeout(Duration::ZERO).unwrap();
        let begun = other.execute_batch("begin immediate");
        assert!(begun.is_err(), "another writer came between");
        item(tx, 1).await
    });
    assert_eq!(result.await?, 1);
    Ok(())
}

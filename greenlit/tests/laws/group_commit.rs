//! Law 41: SQLite's writing sessions share a COMMIT, and nothing else. What goes wrong at the disk is in `group_failures.rs`.

use std::{
    future::{Future, poll_fn},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use greenlit::{Class, Db, Error, Opts, Reader, Result, Tx, args};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::support::{Count, TestDb, item, items, laws_on, next_borrower};

laws_on! { [sqlite]:
    law_10_a_statement_that_runs_on_a_worker_is_stopped,
    law_41_writers_share_their_commit,
    law_41_a_deferred_constraint_fails_its_own_session_alone,
    law_41_a_lost_transaction_runs_its_sessions_again,
    law_41_a_turn_that_others_wait_behind_has_a_limit,
    short_statements_leave_the_worker_to_others,
    slow_statements_leave_the_worker_to_others,
}

/// A session that has the writer, so that others queue up behind it and then run as one group.
pub(crate) struct Holder {
    go: Arc<Notify>,
    session: JoinHandle<Result<()>>,
}

impl Holder {
    pub(crate) async fn of(db: &Db) -> Holder {
        let (db, holds, go) = (db.clone(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (holding, gone) = (holds.clone(), go.clone());
        let session = tokio::spawn(async move {
            let work = async move |tx: &mut Tx| {
                items(tx).await?; // it only reads: its own COMMIT has nothing to write
                holding.notify_one();
                gone.notified().await;
                gone.notify_one(); // it may be run again
                Ok(())
            };
            db.tx(Opts::default().within(Duration::from_secs(60)), work).await
        });
        holds.notified().await;
        Holder { go, session }
    }

    pub(crate) async fn let_go(self) -> Result<()> {
        self.go.notify_one();
        self.session.await.unwrap()
    }
}

/// Starts a session so far that it waits for its turn.
pub(crate) async fn queued<T: Send + 'static>(session: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let mut session = Box::pin(session);
    let waits = poll_fn(|cx| Poll::Ready(session.as_mut().poll(cx).is_pending())).await;
    assert!(waits);
    tokio::spawn(session)
}

/// Inserts an item in a session of its own.
async fn insert(db: Db, id: i64, runs: Count) -> Result<u64> {
    let work = async move |tx: &mut Tx| {
        runs.up();
        item(tx, id).await
    };
    db.tx(Opts::default(), work).await
}

/// Lets the statements of these laws earn to run where their session is: so that sessions are short and share a group
/// even on a busy machine.
pub(crate) async fn warm_up(db: &Db) -> Result<()> {
    for id in -20..0 {
        insert(db.clone(), id, Count::default()).await?;
    }
    next_borrower(db).await;
    Ok(())
}

async fn law_41_writers_share_their_commit(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    warm_up(&db).await?;
    // Who is alone does not wait for company.
    let before = db.stats().groups;
    for id in 0..10 {
        insert(db.clone(), id, Count::default()).await?;
    }
    assert_eq!(db.stats().groups - before, 10);
    let (before, holder) = (db.stats().groups, Holder::of(&db).await);
    let mut sessions = Vec::new();
    for id in 10..210 {
        sessions.push(queued(insert(db.clone(), id, Count::default())).await);
    }
    holder.let_go().await?;
    for session in sessions {
        session.await.unwrap()?;
    }
    let groups = db.stats().groups - before;
    println!("200 sessions in {groups} groups");
    assert!((4..200).contains(&groups), "{groups} groups: they did not share, or more than 64 did");
    // Opened anew, what was acknowledged is there.
    drop(db);
    assert_eq!(items(&mut t.open(1).await.single()).await?, 210);
    Ok(())
}

async fn law_41_a_deferred_constraint_fails_its_own_session_alone(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    warm_up(&db).await?;
    let (runs, holder, mut good, mut bad) = (Count::default(), Holder::of(&db).await, Vec::new(), Vec::new());
    for id in 0..20 {
        good.push(queued(insert(db.clone(), id, runs.clone())).await);
        let db = db.clone();
        let work = async move |tx: &mut Tx| {
            item(tx, 1_000 + id).await?;
            tx.exec("insert into link (id, target) values (?, 99)", args![id]).await?;
            if id % 2 == 0 {
                // What was violated and is mended is no violation.
                tx.exec("update link set target = ? where id = ?", args![1_000 + id, id]).await?;
            }
            Ok::<_, Error>(id)
        };
        bad.push(queued(async move { db.tx(Opts::default(), work).await }).await);
    }
    holder.let_go().await?;
    for session in good {
        session.await.unwrap()?;
    }
    for session in bad {
        match session.await.unwrap() {
            Ok(id) => assert_eq!(id % 2, 0),
            Err(e) => assert_eq!(e.class(), Class::ForeignKey(None), "{e:?}"),
        }
    }
    assert_eq!(runs.get(), 20, "nobody else was run again");
    assert_eq!(items(&mut db.single()).await?, 30);
    t.assert_nothing_open().await;
    Ok(())
}

async fn law_41_a_lost_transaction_runs_its_sessions_again(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    warm_up(&db).await?;
    for round in 1.. {
        let (runs, holder, mut sessions) = (Count::default(), Holder::of(&db).await, Vec::new());
        for id in 0..10 {
            sessions.push(queued(insert(db.clone(), id, runs.clone())).await);
        }
        let offender = {
            let db = db.clone();
            let work = async |tx: &mut Tx| {
                item(tx, 100).await?;
                // SQLite ends the whole transaction, which others share.
                let failed = tx.exec("insert or rollback into item (id, v) values (100, 1)", args![]).await;
                assert_eq!(failed.as_ref().unwrap_err().unique(), Some("item_pkey"), "{failed:?}");
                assert!(item(tx, 101).await.is_err(), "nothing runs in autocommit");
                failed
            };
            queued(async move { db.tx(Opts::default(), work).await }).await
        };
        holder.let_go().await?;
        let failed = offender.await.unwrap();
        assert!(failed.as_ref().is_err_and(|e| e.unique().is_some()), "its own error: {failed:?}");
        for session in sessions {
            session.await.unwrap()?;
        }
        assert_eq!(next_borrower(&db).await, (10, 0));
        if runs.get() > 10 {
            println!("round {round}: {} runs of 10 sessions", runs.get());
            return Ok(());
        }
        assert!(round < 20, "the offender never shared a transaction");
    }
    Ok(())
}

async fn law_41_a_turn_that_others_wait_behind_has_a_limit(t: Arc<TestDb>) -> Result<()> {
    let (db, patient) = (t.open(1).await, Opts::default().within(Duration::from_secs(60)));
    warm_up(&db).await?;
    for round in 1.. {
        let (runs, holder) = (Count::default(), Holder::of(&db).await);
        let quick = queued(insert(db.clone(), 1, Count::default())).await;
        let (own, other, opts) = (runs.clone(), db.clone(), patient.clone());
        let slow = queued(async move {
            let work = async move |tx: &mut Tx| {
                own.up();
                item(tx, 2).await?;
                sleep(Duration::from_millis(1_800)).await; // something else than the database
                item(tx, 3).await
            };
            other.tx(opts, work).await
        })
        .await;
        holder.let_go().await?;
        // It is answered, though the slow one's turn came before its COMMIT.
        quick.await.unwrap()?;
        let (db_too, opts) = (db.clone(), patient.clone());
        let waiting = async move |tx: &mut Tx| item(tx, 4).await;
        let waiting = tokio::spawn(async move { db_too.tx(opts, waiting).await });
        // The slow one runs again as the first of a group, and then may take its time: nobody has ended before it.
        slow.await.unwrap()?;
        waiting.await.unwrap()?;
        assert_eq!(next_borrower(&db).await, (4, 0));
        assert!(runs.get() <= 2);
        if runs.get() == 2 {
            return Ok(());
        }
        assert!(round < 10, "the slow one never shared a transaction");
    }
    Ok(())
}

/// Counts so far, on SQLite itself.
const COUNT: &str =
    "with recursive n (i) as (select 1 union all select i + 1 from n where i < ?) select count(*) from n";

/// Counts how often another task gets the only worker while this runs.
async fn ticks<T>(work: impl Future<Output = T>) -> (T, u32) {
    let ticks = Count::default();
    let own = ticks.clone();
    let ticker = tokio::spawn(async move {
        loop {
            own.up();
            sleep(Duration::from_millis(1)).await;
        }
    });
    let result = work.await;
    ticker.abort();
    (result, ticks.get())
}

/// Runs this on a runtime with one thread for everything.
async fn on_one_thread(work: impl AsyncFnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let run = move || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work());
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn slow_statements_leave_the_worker_to_others(t: Arc<TestDb>) -> Result<()> {
    on_one_thread(async move || {
        let db = t.open(1).await;
        for _ in 0..10 {
            assert_eq!(db.fetch::<(i64,)>(COUNT, args![5]).await?, [(5,)]);
        }
        // It was short so far. Now it is not: it goes on somewhere else, in the same snapshot.
        for _ in 0..2 {
            let read = db.read(Opts::default(), async |r| {
                items(r).await?;
                t.raw("insert into item (id, v) values ((select count(*) from item), 0)").await;
                r.fetch_one::<(i64,)>(COUNT, args![3_000_000]).await?;
                items(r).await
            });
            let before = items(&mut db.single()).await?;
            let (seen, ticks) = ticks(read).await;
            assert_eq!(seen?, before, "another snapshot");
            assert!(ticks > 1, "the worker was held");
        }
        let result = db.tx(Opts::default(), async |tx| {
            item(tx, 10).await?;
            for _ in 0..10 {
                tx.fetch::<(i64,)>(COUNT, args![5]).await?;
            }
            tx.fetch_one::<(i64,)>(COUNT, args![3_000_000]).await?;
            item(tx, 11).await
        });
        let (result, ticks) = ticks(result).await;
        result?;
        assert!(ticks > 1, "the worker was held");
        assert_eq!(next_borrower(&db).await, (4, 0));
        Ok(())
    })
    .await
}

async fn short_statements_leave_the_worker_to_others(t: Arc<TestDb>) -> Result<()> {
    on_one_thread(async move || {
        let db = t.open(1).await;
        let many = async |r: &mut greenlit::Read| {
            for _ in 0..2_000 {
                r.fetch_one::<(i64,)>(COUNT, args![20]).await?;
            }
            Ok::<_, Error>(())
        };
        let (result, ticks) = ticks(db.read(Opts::default(), many)).await;
        result?;
        assert!(ticks > 2, "the worker was held");
        Ok(())
    })
    .await
}

async fn law_10_a_statement_that_runs_on_a_worker_is_stopped(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    for round in 0..3 {
        for _ in 0..10 {
            db.fetch::<(i64,)>(COUNT, args![5]).await?;
        }
        let endless = args![i64::MAX];
        let read = db.fetch::<(i64,)>(COUNT, endless.clone());
        assert!(timeout(Duration::from_millis(100), read).await.is_err());
        let write = db.tx(Opts::default(), async |tx| {
            item(tx, round).await?;
            tx.fetch::<(i64,)>(COUNT, endless.clone()).await
        });
        assert!(timeout(Duration::from_millis(100), write).await.is_err());
        assert_eq!(next_borrower(&db).await, (0, 0));
        assert_eq!(items(&mut db.single()).await?, 0, "the only reader is free again");
    }
    Ok(())
}

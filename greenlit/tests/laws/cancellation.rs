//! Laws 8 to 14: whatever is dropped, whenever.

use std::{
    collections::HashSet,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use greenlit::{Db, Doom, Error, Opts, Reader, Result, Tx, args};
use tokio::time::timeout;

use crate::{
    proxy::{Proxy, Wire},
    support::{Count, Random, TestDb, eventually, item, items, laws, laws_on, next_borrower, open},
};

laws! {
    law_08_dropped_at_any_poll,
    law_08_dropped_reads_leave_a_clean_connection,
    law_09_a_statement_dropped_inside_dooms_the_transaction,
    law_09_a_scope_dropped_inside_dooms_the_transaction,
    law_10_a_cancelled_statement_is_stopped,
    law_12_from_commit_on_cancellation_changes_nothing,
    law_13_a_panic_is_a_rollback,
    law_14_a_storm_of_cancellations_conserves_sums,
}
laws_on! { [postgres mariadb]:
    law_08_dropped_while_answers_arrive_byte_by_byte,
    law_11_only_the_own_statement_is_stopped,
}

/// Everything that a transaction can do: four rows, a savepoint, an effect, a job, and waits for something else.
async fn everything(tx: &mut Tx, effects: Count) -> Result<()> {
    item(tx, 1).await?;
    tx.savepoint(async |tx| {
        item(tx, 2).await?;
        tokio::task::yield_now().await;
        Ok::<_, Error>(())
    })
    .await?;
    tokio::task::yield_now().await;
    tx.after_commit(move || async move {
        effects.up();
    });
    tx.outbox("topic", "payload").await?;
    tx.required(async |tx| item(tx, 3).await).await?;
    item(tx, 4).await?;
    Ok(())
}

/// Polls the future so often, with a pause in between, and tells its result if it had one by then.
pub(crate) async fn poll<T>(mut future: Pin<&mut impl Future<Output = T>>, polls: u32, pause: Duration) -> Option<T> {
    for poll in 1..=polls {
        if let Poll::Ready(result) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(result);
        }
        if poll < polls && pause.is_zero() {
            tokio::task::yield_now().await;
        } else if poll < polls {
            tokio::time::sleep(pause).await;
        }
    }
    None
}

/// Drops a transaction after 1, 2, ... polls until it completes, on a pool of one.
async fn drop_at_every_poll(t: &TestDb, db: &Db, pause: Duration) {
    let (effects, mut committed, mut polls) = (Count::default(), 0, 1);
    loop {
        let own = effects.clone();
        let work = async move |tx: &mut Tx| everything(tx, own).await;
        let result = poll(pin!(db.tx(Opts::default(), work)), polls, pause).await;
        let (rows, jobs) = next_borrower(db).await;
        assert!((rows, jobs) == (0, 0) || (rows, jobs) == (4, 1), "poll {polls}: {rows} rows, {jobs} jobs");
        committed += u32::from(rows == 4);
        eventually("an effect without its rows, or rows without their effect", async || effects.get() == committed)
            .await;
        match result {
            Some(Ok(())) => {
                assert_eq!(rows, 4, "acknowledged, and not there");
                break;
            }
            Some(Err(e)) => panic!("poll {polls}: {e}"),
            None => {}
        }
        // Without pauses there are thousands of polls in which nothing happens.
        polls += 1 + if pause.is_zero() { polls / 12 } else { polls / 40 };
    }
    println!("{polls} polls with pauses of {pause:?}: {committed} committed; {:?}", db.stats());
    assert_eq!(db.stats().warnings, 0);
    t.assert_nothing_open().await;
}

async fn law_08_dropped_at_any_poll(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    for micros in [0, 100, 2_000] {
        drop_at_every_poll(&t, &db, Duration::from_micros(micros)).await;
    }
    Ok(())
}

async fn law_08_dropped_while_answers_arrive_byte_by_byte(t: Arc<TestDb>) -> Result<()> {
    let proxy = Proxy::to(t.url()).await;
    let db = open(&proxy.url, 1).await;
    proxy.set(Wire::ByteByByte);
    drop_at_every_poll(&t, &db, Duration::from_micros(200)).await;
    Ok(())
}

async fn law_08_dropped_reads_leave_a_clean_connection(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    for polls in 1..20 {
        let read = db.read(Opts::default(), async |r| {
            items(r).await?;
            items(r).await
        });
        drop(poll(pin!(read), polls, Duration::from_micros(300)).await);
        drop(poll(pin!(items(&mut db.single())), polls, Duration::from_micros(300)).await);
        let next = timeout(Duration::from_secs(2), db.fetch_one::<(i64,)>("select count(*) from item", args![])).await;
        assert_eq!(next.expect("the next borrower waits")?, (0,));
    }
    assert_eq!(db.stats().warnings, 0);
    t.assert_nothing_open().await;
    Ok(())
}

async fn law_09_a_statement_dropped_inside_dooms_the_transaction(t: Arc<TestDb>) -> Result<()> {
    let (db, slow) = (t.open(1).await, t.slow_statement());
    let result = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        let dropped = timeout(Duration::from_millis(100), tx.fetch::<(i64,)>(slow, args![])).await;
        assert!(dropped.is_err());
        let next = item(tx, 2).await;
        assert!(matches!(next, Err(Error::Aborted(Doom::StatementDropped))), "{next:?}");
        Ok::<_, Error>(())
    });
    let result = result.await;
    assert!(matches!(result, Err(Error::RolledBack(Doom::StatementDropped))), "{result:?}");
    assert_eq!(next_borrower(&db).await, (0, 0));
    // Inside a savepoint it is no different: nobody knows what the statement did.
    let result = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        let scope = tx.savepoint(async |tx| {
            let _ = timeout(Duration::from_millis(100), tx.fetch::<(i64,)>(slow, args![])).await;
            Ok::<_, Error>(())
        });
        assert!(scope.await.is_err());
        assert!(item(tx, 2).await.is_err());
        Ok::<_, Error>(())
    });
    let result = result.await;
    assert!(matches!(result, Err(Error::RolledBack(Doom::StatementDropped))), "{result:?}");
    assert_eq!(next_borrower(&db).await, (0, 0));
    Ok(())
}

async fn law_09_a_scope_dropped_inside_dooms_the_transaction(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    for required in [false, true] {
        let result = db.tx(Opts::default(), async move |tx| {
            item(tx, 1).await?;
            let half = async |tx: &mut Tx| {
                item(tx, 2).await?;
                std::future::pending::<Result<()>>().await
            };
            let patience = Duration::from_millis(100);
            let dropped = match required {
                true => timeout(patience, tx.required(half)).await,
                false => timeout(patience, tx.savepoint(half)).await,
            };
            assert!(dropped.is_err());
            let next = item(tx, 3).await;
            assert!(matches!(next, Err(Error::Aborted(Doom::ScopeDropped))), "{next:?}");
            Ok::<_, Error>(())
        });
        let result = result.await;
        assert!(matches!(result, Err(Error::RolledBack(Doom::ScopeDropped))), "required {required}: {result:?}");
        assert_eq!(next_borrower(&db).await, (0, 0));
    }
    Ok(())
}

async fn law_10_a_cancelled_statement_is_stopped(t: Arc<TestDb>) -> Result<()> {
    let (db, slow) = (t.open(1).await, t.slow_statement());
    let started = std::time::Instant::now();
    let work = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        tx.fetch::<(i64,)>(slow, args![]).await
    });
    assert!(timeout(Duration::from_millis(200), work).await.is_err());
    // The only connection is free again only when the statement has stopped, or its connection is gone.
    assert_eq!(next_borrower(&db).await, (0, 0));
    let read = db.read(Opts::default(), async |r| r.fetch::<(i64,)>(slow, args![]).await);
    assert!(timeout(Duration::from_millis(200), read).await.is_err());
    let (one,): (i64,) = db.fetch_one(&format!("select cast(1 as {})", t.bigint()), args![]).await?;
    assert_eq!(one, 1);
    if !t.is_sqlite() {
        let running = t.says(
            "",
            "select count(*) from pg_stat_activity where datname = current_database() \
             and state = 'active' and query like '%pg_sleep%' and pid <> pg_backend_pid()",
            "select count(*) from information_schema.processlist where db = database() \
             and info like '%sleep(60)%' and id <> connection_id()",
        );
        eventually("the server still runs it", async || t.raw_number(running).await == 0).await;
        assert_eq!(db.stats().cancelled, 2);
    }
    assert!(started.elapsed() < Duration::from_secs(20), "it was waited for");
    Ok(())
}

async fn law_11_only_the_own_statement_is_stopped(t: Arc<TestDb>) -> Result<()> {
    // The pool's other connections keep running through fifty cancels, and what was cancelled is never used again.
    let (db, cuts, slow) = (t.open(4).await, 50, t.sleep("30"));
    let steady = tokio::spawn({
        let (db, short) = (db.clone(), t.sleep("0.05"));
        async move {
            for _ in 0..10 {
                db.fetch::<(i32,)>(&short, args![]).await?;
            }
            Ok::<_, Error>(())
        }
    });
    for _ in 0..cuts {
        let slow = db.fetch::<(i32,)>(&slow, args![]);
        assert!(timeout(Duration::from_millis(10), slow).await.is_err());
    }
    steady.await.unwrap()?;
    eventually("cancelled connections are kept", async || db.stats().discarded >= db.stats().cancelled).await;
    Ok(())
}

async fn law_12_from_commit_on_cancellation_changes_nothing(t: Arc<TestDb>) -> Result<()> {
    let (db, effects) = (t.open(1).await, Count::default());
    for round in 1..=20 {
        let (own, done) = (effects.clone(), Count::default());
        let ending = done.clone();
        let mut work = Box::pin(db.tx(Opts::default(), async move |tx| {
            everything(tx, own).await?;
            ending.up();
            Ok::<_, Error>(())
        }));
        // The poll in which the closure ends is the one that sends COMMIT.
        poll_fn(|cx| if work.as_mut().poll(cx).is_ready() || done.get() > 0 { Poll::Ready(()) } else { Poll::Pending })
            .await;
        drop(work);
        assert_eq!(next_borrower(&db).await, (4, 1));
        eventually("the effect is missing", async || effects.get() == round).await;
    }
    Ok(())
}

async fn law_13_a_panic_is_a_rollback(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    for inside_a_savepoint in [false, true] {
        let (task, effects) = (db.clone(), Count::default());
        let own = effects.clone();
        let work = async move |tx: &mut Tx| {
            everything(tx, own).await?;
            let scope = async |tx: &mut Tx| {
                item(tx, 9).await?;
                if true { panic!("a law's own panic") } else { Ok::<_, Error>(()) }
            };
            if inside_a_savepoint { tx.savepoint(scope).await } else { scope(tx).await }
        };
        let ended = tokio::spawn(async move { task.tx(Opts::default(), work).await }).await;
        assert!(ended.is_err_and(|e| e.is_panic()));
        assert_eq!(next_borrower(&db).await, (0, 0));
        assert_eq!(effects.get(), 0);
    }
    t.assert_nothing_open().await;
    Ok(())
}

const ACCOUNTS: u64 = 6;
const TASKS: u64 = 8;
const CUTS_PER_TASK: u64 = 50;

/// Moves an amount from one account to another and notes the move.
async fn transfer(tx: &mut Tx, (from, to, amount, number): (i64, i64, i64, i64)) -> Result<()> {
    // In a fixed order, since a deadlock is not what is tested here.
    let mut changes = [(from, -amount), (to, amount)];
    changes.sort_unstable();
    for (account, change) in changes {
        tx.exec("update item set v = v + ? where id = ?", args![change, account]).await?;
    }
    tx.savepoint(async |tx| tx.insert("insert into note (body) values (?)", args![number.to_string()]).await).await?;
    Ok(())
}

async fn law_14_a_storm_of_cancellations_conserves_sums(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(4).await;
    let set_up = db.tx(Opts::default(), async |tx| {
        for id in 0..ACCOUNTS {
            item(tx, id as i64).await?;
        }
        Ok::<_, Error>(())
    });
    set_up.await?;
    let mut random = Random::new();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let plan: Vec<_> = (0..CUTS_PER_TASK)
                .map(|n| {
                    let from = random.below(ACCOUNTS);
                    let to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS;
                    let number = (task * CUTS_PER_TASK + n) as i64;
                    let patience = 50 << random.below(11); // 50 us to 51 ms
                    ((from as i64, to as i64, 1 + random.below(99) as i64, number), Duration::from_micros(patience))
                })
                .collect();
            tokio::spawn(storm(db.clone(), plan))
        })
        .collect();
    let (mut acknowledged, mut failed, mut cut_off) = (HashSet::new(), HashSet::new(), TASKS * CUTS_PER_TASK);
    for task in tasks {
        let (ok, err) = task.await.unwrap();
        cut_off -= (ok.len() + err.len()) as u64;
        acknowledged.extend(ok);
        failed.extend(err);
    }
    // A commit that was cut off may still be on its way: the writer's turn, and every connection's, comes after it.
    let last = db.tx(Opts::default(), async |tx| items(tx).await);
    timeout(Duration::from_secs(2), last).await.expect("the pool is blocked")?;
    t.assert_nothing_open().await;

    let notes: HashSet<String> =
        db.fetch::<(String,)>("select body from note", args![]).await?.into_iter().map(|row| row.0).collect();
    let lost: Vec<_> = acknowledged.difference(&notes).collect();
    assert!(lost.is_empty(), "acknowledged, and not there: {lost:?}");
    let ghosts: Vec<_> = failed.intersection(&notes).collect();
    assert!(ghosts.is_empty(), "failed, and there: {ghosts:?}");
    let (sum,): (i64,) = db.fetch_one(&format!("select cast(sum(v) as {}) from item", t.bigint()), args![]).await?;
    assert_eq!(sum, 0);
    let stats = db.stats();
    println!("{} acknowledged, {} there, {cut_off} cut off; {stats:?}", acknowledged.len(), notes.len());
    // A request to stop is for what was cut off, once, and on SQLite there is none.
    let bound = if t.is_sqlite() { 0 } else { cut_off };
    assert!(stats.cancelled <= bound, "{cut_off} cut off: {stats:?}");
    assert!(stats.opened <= 4 + 1 + stats.discarded, "{stats:?}");
    assert_eq!(stats.warnings, 0);
    Ok(())
}

/// Runs the transfers one after another, cutting each off when its patience ends; tells which ended well and which not.
async fn storm(db: Db, plan: Vec<((i64, i64, i64, i64), Duration)>) -> (HashSet<String>, HashSet<String>) {
    let (mut ok, mut err) = (HashSet::new(), HashSet::new());
    for (order, patience) in plan {
        let work = db.tx(Opts::default(), async move |tx| transfer(tx, order).await);
        match timeout(patience, work).await {
            Ok(Ok(())) => drop(ok.insert(order.3.to_string())),
            Ok(Err(e)) => {
                println!("transfer {}: {e}", order.3);
                err.insert(order.3.to_string());
            }
            Err(_cut_off) => {}
        }
    }
    (ok, err)
}

//! Laws 33 to 35: what happens because of a commit.

use std::{collections::HashSet, sync::Arc, time::Duration};

use greenlit::{Db, Error, Job, Opts, Result, Tx, args};
use tokio::time::{Instant, timeout};

use crate::support::{Count, Log, TestDb, eventually, item, items, laws, next_borrower};

laws! {
    law_33_effects_run_after_commit_in_order_without_a_connection,
    law_33_a_slow_effect_does_not_change_the_answer,
    law_34_a_job_commits_with_its_cause,
    law_34_a_stale_worker_is_not_heard,
    law_34_two_workers_never_hold_the_same_job,
    law_34_failed_jobs_wait_and_parked_ones_stay,
    law_34_jobs_survive_a_killed_worker,
    law_34_a_worker_that_slept_past_its_lease_is_not_heard,
    law_35_ok_comes_after_commit,
}

const SOON: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(600);

async fn law_33_effects_run_after_commit_in_order_without_a_connection(t: Arc<TestDb>) -> Result<()> {
    let (db, log) = (t.open(1).await, Log::default());
    let (own, inner) = (log.clone(), db.clone());
    let work = async move |tx: &mut Tx| {
        let add = |what: &'static str| {
            let log = own.clone();
            async move || log.add(what)
        };
        tx.after_commit(add("first, before any statement"));
        item(tx, 1).await?;
        tx.after_commit(async || panic!("a law's own panic, in an effect"));
        tx.after_commit(|| -> std::future::Ready<()> { panic!("a law's own panic, before an effect's future") });
        let (log, db) = (own.clone(), inner.clone());
        // The only connection is free by now, and the row is there.
        tx.after_commit(async move || {
            let seen = db.tx(Opts::default(), async |tx| items(tx).await);
            let seen = timeout(Duration::from_secs(5), seen).await;
            log.add(&format!("{seen:?}"));
        });
        item(tx, 2).await?;
        tx.after_commit(add("last"));
        Ok::<_, Error>(())
    };
    db.tx(Opts::default(), work.clone()).await?;
    let expected = ["first, before any statement", "Ok(Ok(2))", "last"];
    assert_eq!(log.get(), expected);
    // Not if the transaction failed by a statement, by will, or at COMMIT.
    assert!(db.tx(Opts::default(), work.clone()).await.is_err());
    let by_will = work.clone();
    let failed = db.tx(Opts::default(), async move |tx| {
        tx.exec("delete from item", args![]).await?;
        by_will(tx).await?;
        Err::<(), _>(Error::NotFound)
    });
    assert!(failed.await.is_err());
    let refused = db.tx(Opts::default(), async move |tx| {
        tx.exec("delete from item", args![]).await?;
        work(tx).await?;
        tx.exec("insert into link (id, target) values (1, 99)", args![]).await
    });
    assert!(refused.await.is_err());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(log.get(), expected);
    Ok(())
}

async fn law_33_a_slow_effect_does_not_change_the_answer(t: Arc<TestDb>) -> Result<()> {
    let (db, done) = (t.open(1).await, Count::default());
    let own = done.clone();
    // The caller goes away while an effect runs.
    let work = db.tx(Opts::default(), async move |tx| {
        item(tx, 1).await?;
        tx.after_commit(|| tokio::time::sleep(Duration::from_secs(1)));
        tx.after_commit(async move || {
            own.up();
        });
        Ok::<_, Error>(())
    });
    assert!(timeout(SOON, work).await.is_err());
    assert_eq!(next_borrower(&db).await, (1, 0));
    eventually("the effect stopped with its caller", async || done.get() == 1).await;
    Ok(())
}

async fn claim(db: &Db, limit: u32, lease: Duration) -> Result<Vec<Job>> {
    db.outbox().claim(&["mail", "image", "other"], limit, lease).await
}

/// Adds jobs with these payloads.
async fn add_jobs(db: &Db, payloads: std::ops::Range<i64>) -> Result<()> {
    let work = async move |tx: &mut Tx| {
        for payload in payloads {
            tx.outbox("mail", &payload).await?;
        }
        Ok::<_, Error>(())
    };
    db.tx(Opts::default(), work).await
}

async fn law_34_a_job_commits_with_its_cause(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let failed = db.tx(Opts::default(), async |tx| {
        tx.outbox("mail", "lost").await?;
        Err::<(), _>(Error::NotFound)
    });
    assert!(failed.await.is_err());
    db.tx(Opts::default(), async |tx| {
        let failed = tx.savepoint(async |tx| {
            tx.outbox("mail", "lost with its scope").await?;
            Err::<(), _>(Error::NotFound)
        });
        assert!(failed.await.is_err());
        tx.outbox("mail", &["kept"]).await?;
        tx.outbox("unknown", &()).await
    })
    .await?;
    let jobs = claim(&db, 10, LONG).await?;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!(
        (jobs[0].topic.as_str(), jobs[0].attempt, jobs[0].payload::<Vec<String>>()?),
        ("mail", 1, vec!["kept".to_owned()])
    );
    assert!(matches!(jobs[0].payload::<i64>(), Err(Error::Decode(_))));
    assert_eq!(claim(&db, 10, LONG).await?, [], "claimed twice");
    assert_eq!(db.outbox().claim(&[], 10, LONG).await?, []);
    // What the handler writes and the end of the job commit together, or not at all.
    let job = jobs[0].clone();
    let handle = async move |tx: &mut Tx, fails: bool| {
        item(tx, 1).await?;
        tx.acknowledge(&job).await?;
        if fails { Err(Error::NotFound) } else { Ok(()) }
    };
    let failing = handle.clone();
    assert!(db.tx(Opts::default(), async move |tx| failing(tx, true).await).await.is_err());
    let counts = "select (select count(*) from item), (select count(*) from greenlit_outbox where topic = 'mail')";
    assert_eq!(db.fetch_one::<(i64, i64)>(counts, args![]).await?, (0, 1));
    let again = handle.clone();
    db.tx(Opts::default(), async move |tx| again(tx, false).await).await?;
    assert_eq!(db.fetch_one::<(i64, i64)>(counts, args![]).await?, (1, 0));
    // A second time, its work is undone even if the error is swallowed.
    let twice = db.tx(Opts::default(), async move |tx| {
        tx.exec("delete from item", args![]).await?;
        assert!(matches!(handle(tx, false).await, Err(Error::Stale)));
        Ok::<_, Error>(())
    });
    assert!(matches!(twice.await, Err(Error::RolledBack(_))));
    assert_eq!(db.fetch_one::<(i64, i64)>(counts, args![]).await?, (1, 0));
    Ok(())
}

async fn law_34_a_stale_worker_is_not_heard(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(2).await;
    let outbox = db.outbox();
    add_jobs(&db, 0..1).await?;
    let slow = claim(&db, 1, SOON).await?.remove(0);
    tokio::time::sleep(SOON * 2).await;
    let quick = claim(&db, 1, LONG).await?.remove(0);
    assert_eq!((quick.id, slow.attempt, quick.attempt), (slow.id, 1, 2));
    // The slow worker wakes up: nothing that it says counts any more.
    let stale = slow.clone();
    let answers = [
        outbox.acknowledge(&slow).await,
        outbox.retry(&slow, Duration::ZERO, "too late").await,
        outbox.extend(&slow, LONG).await,
        outbox.park(&slow, "too late").await,
        outbox.release(slow.id).await,
        db.tx(Opts::default(), async move |tx| tx.acknowledge(&stale).await).await,
    ];
    for (at, answer) in answers.iter().enumerate() {
        assert!(matches!(answer, Err(Error::Stale)), "{at}: {answer:?}");
    }
    assert_eq!(claim(&db, 1, LONG).await?, [], "the quick worker still holds it");
    outbox.acknowledge(&quick).await?;
    assert!(matches!(outbox.acknowledge(&quick).await, Err(Error::Stale)));
    assert_eq!(db.fetch_one::<(i64,)>("select count(*) from greenlit_outbox", args![]).await?, (0,));
    Ok(())
}

async fn law_34_two_workers_never_hold_the_same_job(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(4).await;
    add_jobs(&db, 0..60).await?;
    let other = t.open(2).await;
    let workers: Vec<_> = [db.clone(), db.clone(), db.clone(), other]
        .into_iter()
        .map(|db| {
            tokio::spawn(async move {
                let mut held = Vec::new();
                loop {
                    let jobs = claim(&db, 3, LONG).await?;
                    if jobs.is_empty() {
                        return Ok::<_, Error>(held);
                    }
                    held.extend(jobs.iter().map(|job| job.id));
                }
            })
        })
        .collect();
    let mut held = Vec::new();
    for worker in workers {
        held.extend(worker.await.unwrap()?);
    }
    assert_eq!(held.iter().collect::<HashSet<_>>().len(), held.len(), "claimed twice: {held:?}");
    // A claim may find its rows locked by another and go away empty; then they are due still.
    held.extend(claim(&db, 60, LONG).await?.iter().map(|job| job.id));
    assert_eq!(held.len(), 60);
    Ok(())
}

async fn law_34_failed_jobs_wait_and_parked_ones_stay(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let outbox = db.outbox();
    add_jobs(&db, 0..2).await?;
    let jobs = claim(&db, 10, LONG).await?;
    outbox.retry(&jobs[0], LONG, "the mail server is away").await?;
    assert_eq!(claim(&db, 10, LONG).await?, []);
    outbox.retry(&jobs[0], Duration::ZERO, "the mail server is away").await?;
    let again = claim(&db, 10, SOON).await?;
    assert_eq!((again.len(), again[0].id, again[0].attempt), (1, jobs[0].id, 2));
    outbox.extend(&again[0], LONG).await?;
    outbox.park(&jobs[1], "it never works").await?;
    // A heartbeat that comes after that does not bring it back.
    assert!(matches!(outbox.extend(&jobs[1], SOON).await, Err(Error::Stale)));
    assert!(matches!(outbox.retry(&jobs[1], SOON, "again").await, Err(Error::Stale)));
    tokio::time::sleep(SOON * 2).await;
    assert_eq!(claim(&db, 10, LONG).await?, [], "one is extended, the other parked");
    let parked = outbox.parked(10).await?;
    assert_eq!((parked.len(), parked[0].job.id), (1, jobs[1].id));
    assert_eq!(parked[0].last_error.as_deref(), Some("it never works"));
    outbox.release(jobs[1].id).await?;
    assert!(matches!(outbox.release(jobs[1].id).await, Err(Error::Stale)));
    assert_eq!(claim(&db, 10, Duration::MAX).await?.len(), 1);
    assert_eq!(outbox.parked(10).await?, []);
    // A job may be told at once that it has time.
    let later = async |tx: &mut Tx| {
        tx.outbox_after(LONG, "mail", "much later").await?;
        tx.outbox_after(SOON, "mail", "soon").await
    };
    let soon = db.tx(Opts::default(), later).await?;
    tokio::time::sleep(SOON * 2).await;
    let due = claim(&db, 10, LONG).await?;
    assert_eq!((due.len(), due[0].id), (1, soon));
    Ok(())
}

async fn law_34_jobs_survive_a_killed_worker(t: Arc<TestDb>) -> Result<()> {
    let lease = Duration::from_secs(1);
    if t.is_child() {
        let db = t.open(2).await;
        let cause = async |tx: &mut Tx| {
            item(tx, 1).await?;
            tx.outbox("mail", "in words").await
        };
        db.tx(Opts::default(), cause).await?;
        assert_eq!(claim(&db, 1, lease).await?.len(), 1);
        // Half of another transaction, and then the parent kills this process.
        let half = db.tx(Opts::default(), async |tx| {
            item(tx, 2).await?;
            tx.outbox("mail", "never").await?;
            println!("\nclaimed");
            std::future::pending::<Result<()>>().await
        });
        return half.await;
    }
    let mut worker = t.child();
    worker.hear("claimed");
    worker.kill();
    let db = t.open(2).await;
    t.assert_nothing_open().await;
    if t.is_sqlite() {
        assert_eq!(t.raw_value("pragma integrity_check").await.as_deref(), Some("ok"));
    }
    assert_eq!(db.fetch::<(i64,)>("select id from item", args![]).await?, [(1,)]);
    let end = Instant::now() + Duration::from_secs(10);
    let job = loop {
        if let Some(job) = claim(&db, 1, LONG).await?.pop() {
            break job;
        }
        assert!(Instant::now() < end, "the job is lost");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((job.attempt, job.payload::<String>()?.as_str()), (2, "in words"));
    db.outbox().acknowledge(&job).await?;
    assert_eq!(claim(&db, 1, LONG).await?, []);
    Ok(())
}

async fn law_34_a_worker_that_slept_past_its_lease_is_not_heard(t: Arc<TestDb>) -> Result<()> {
    if t.is_child() {
        let db = t.open(2).await;
        let job = claim(&db, 1, SOON).await?.remove(0);
        println!("\nclaimed {}", job.attempt);
        // Here the whole process is stopped, as a virtual machine that is moved. Nothing tells it how long.
        std::io::stdin().read_line(&mut String::new()).unwrap();
        let done = job.clone();
        let handled = db.tx(Opts::default(), async move |tx| {
            item(tx, 1).await?;
            tx.acknowledge(&done).await
        });
        assert!(matches!(handled.await, Err(Error::Stale)));
        assert!(matches!(db.outbox().extend(&job, LONG).await, Err(Error::Stale)));
        assert!(matches!(db.outbox().acknowledge(&job).await, Err(Error::Stale)));
        println!("\nrefused");
        return Ok(());
    }
    let db = t.open(2).await;
    add_jobs(&db, 0..1).await?;
    let mut sleeper = t.child();
    sleeper.hear("claimed 1");
    sleeper.signal("STOP");
    sleeper.go_on();
    let job = loop {
        if let Some(job) = claim(&db, 1, LONG).await?.pop() {
            break job;
        }
        tokio::time::sleep(SOON).await;
    };
    assert_eq!(job.attempt, 2);
    sleeper.signal("CONT");
    sleeper.hear("refused");
    sleeper.join();
    assert_eq!(items(&mut db.single()).await?, 0, "the sleeper's work is undone");
    // This worker's lease is untouched.
    db.outbox().acknowledge(&job).await
}

async fn law_35_ok_comes_after_commit(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(4).await;
    for id in 0..20 {
        db.tx(Opts::default(), async |tx| item(tx, id).await).await?;
        // Seen from outside, at once.
        assert_eq!(t.raw_number("select count(*) from item").await, id + 1);
    }
    Ok(())
}

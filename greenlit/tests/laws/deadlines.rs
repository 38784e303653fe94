//! Law 36: the deadline covers everything that a session waits for, but the answer to its COMMIT.

use std::{sync::Arc, time::Duration};

use greenlit::{Db, Error, Job, Opts, Reader, Result, Tx, args};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{
    commit_retry::give_up_first,
    proxy::{Proxy, Wire},
    raw::Blocker,
    support::{Count, TestDb, item, laws, laws_on, open},
};

laws! {
    law_36_calls_without_options_have_ten_seconds,
    law_36_the_wait_for_a_commit_key_counts,
}
laws_on! { [postgres mariadb]:
    law_36_a_silent_server_holds_no_session,
    law_36_a_slow_wire_counts,
    law_36_another_try_has_what_is_left,
}

/// Far more than any deadline here.
const LIMIT: Duration = Duration::from_secs(6);

async fn law_36_a_silent_server_holds_no_session(t: Arc<TestDb>) -> Result<()> {
    const PHASES: [&str; 8] = ["BEGIN", "statement", "savepoint", "release", "outbox", "outcome", "undo", "connecting"];
    for silent in PHASES {
        let proxy = Arc::new(Proxy::to(t.url()).await);
        let db = open(&proxy.url, 1).await;
        let wire = proxy.clone();
        let at = move |phase: &str| {
            if phase == silent {
                wire.set(Wire::Silent);
            }
        };
        if silent == "connecting" {
            // The idle connection is seen to be broken, so that another is opened.
            t.terminate(&t.sessions().await).await;
        }
        at("connecting");
        let opts = Opts::default().within(Duration::from_millis(600)).once(silent);
        let work = db.tx(opts, async move |tx| {
            at("BEGIN");
            item(tx, 1).await?;
            at("statement");
            item(tx, 2).await?;
            at("savepoint");
            tx.savepoint(async |tx| {
                let done = item(tx, 3).await;
                at("release");
                done
            })
            .await?;
            at("outbox");
            tx.outbox("topic", "payload").await?;
            at("outcome");
            tx.outcome(b"answer").await?;
            let undone = tx.savepoint(async |tx| {
                item(tx, 4).await?;
                at("undo");
                Err::<(), _>(Error::NotFound)
            });
            assert!(undone.await.is_err());
            item(tx, 5).await
        });
        let ended = timeout(LIMIT, work).await.unwrap_or_else(|_| panic!("{silent}: the session is held"));
        assert!(ended.as_ref().is_err_and(Error::is_transient), "{silent}: {ended:?}");
        // The server hears of it at last, and rolls back.
        proxy.break_all();
        proxy.set(Wire::Plain);
        assert_eq!(t.raw_number("select count(*) from item").await, 0, "{silent}");
    }
    t.assert_nothing_open().await;
    Ok(())
}

async fn law_36_a_slow_wire_counts(t: Arc<TestDb>) -> Result<()> {
    let proxy = Proxy::to(t.url()).await;
    let (db, runs) = (open(&proxy.url, 1).await, Count::default());
    for (to_server, to_client) in [(100, 0), (0, 100), (60, 60)] {
        proxy.delay(to_server, to_client);
        let (own, before) = (runs.clone(), runs.get());
        let work = async move |tx: &mut Tx| {
            for id in 0..100 {
                item(tx, id).await?;
                own.up();
            }
            Ok::<_, Error>(())
        };
        // Each statement is quick enough; all together are not.
        let late = db.tx(Opts::default().within(Duration::from_millis(700)), work).await;
        assert!(late.as_ref().is_err_and(Error::is_transient), "{late:?}");
        assert!(runs.get() - before < 8, "the deadline was each statement's own");
        proxy.delay(0, 0);
        assert_eq!(t.raw_number("select count(*) from item").await, 0);
    }
    Ok(())
}

async fn law_36_another_try_has_what_is_left(t: Arc<TestDb>) -> Result<()> {
    let (db, runs, steps) = (t.open(1).await, Count::default(), Count::default());
    give_up_first(&t, 1).await;
    let (own, told, long, short) = (runs.clone(), steps.clone(), t.sleep("0.8"), t.sleep("0.1"));
    let work = async move |tx: &mut Tx| {
        if own.up() == 0 {
            tx.fetch::<(i32,)>(&long, args![]).await?;
            tx.fetch::<(i32,)>("select give_up()", args![]).await?;
        }
        for _ in 0..30 {
            tx.fetch::<(i32,)>(&short, args![]).await?;
            told.up();
        }
        Ok::<_, Error>(())
    };
    let late = db.tx(Opts::default().within(Duration::from_millis(1_100)), work).await;
    assert!(late.as_ref().is_err_and(Error::is_transient), "{late:?}");
    assert!(runs.get() <= 2 && steps.get() < 6, "{} runs, {} steps", runs.get(), steps.get());
    Ok(())
}

/// Calls that take no options; `reads` tells which of them only read.
async fn calls(db: &Db) -> Vec<(&'static str, bool, Result<()>)> {
    let job = Job { id: 1, topic: "topic".to_owned(), payload: "1".to_owned(), attempt: 1 };
    let (outbox, soon) = (db.outbox(), Duration::from_secs(1));
    let (a, b, c, d, e, f, g, h) = tokio::join!(
        db.fetch::<(i64,)>("select id from item", args![]),
        db.outcome("key"),
        outbox.parked(1),
        outbox.backlog(1),
        outbox.claim(&["topic"], 1, soon),
        outbox.acknowledge(&job),
        outbox.retry(&job, soon, "again"),
        db.forget_outcomes(soon),
    );
    vec![
        ("fetch", true, a.map(drop)),
        ("outcome", true, b.map(drop)),
        ("parked", true, c.map(drop)),
        ("backlog", true, d.map(drop)),
        ("claim", false, e.map(drop)),
        ("acknowledge", false, f),
        ("retry", false, g),
        ("forget", false, h.map(drop)),
    ]
}

async fn law_36_calls_without_options_have_ten_seconds(t: Arc<TestDb>) -> Result<()> {
    // A claim writes only if there is a job.
    t.open(1).await.tx(Opts::default(), async |tx: &mut Tx| tx.outbox("topic", &1).await).await?;
    // On SQLite another process writes all the time; on a server nothing is answered any more.
    let blocker = if t.is_sqlite() { Some(Blocker::on(&t).await) } else { None };
    let proxy = if t.is_sqlite() { None } else { Some(Proxy::to(t.url()).await) };
    let db = open(proxy.as_ref().map_or(t.url(), |proxy| &proxy.url), 10).await;
    proxy.iter().for_each(|proxy| proxy.set(Wire::Silent));
    let answers = timeout(Duration::from_secs(30), calls(&db)).await.expect("a call is held");
    for (call, reads, answer) in answers {
        let free = reads && t.is_sqlite();
        assert_eq!(answer.is_ok(), free, "{call}: {answer:?}");
        assert!(free || answer.is_err_and(|e| e.is_transient()), "{call}");
    }
    if let Some(blocker) = blocker {
        blocker.commit().await;
    }
    Ok(())
}

async fn law_36_the_wait_for_a_commit_key_counts(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(2).await;
    let (holds, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let holder = tokio::spawn({
        let (db, holds, go) = (db.clone(), holds.clone(), go.clone());
        let work = async move |tx: &mut Tx| {
            item(tx, 1).await?;
            holds.notify_one();
            go.notified().await;
            Ok::<_, Error>(())
        };
        async move { db.tx(Opts::default().once("key").within(Duration::from_secs(60)), work).await }
    });
    holds.notified().await;
    let started = Instant::now();
    let opts = Opts::default().once("key").within(Duration::from_millis(300));
    let late = db.tx(opts, async |tx| item(tx, 2).await).await;
    // Not `InFlight`, which comes after two seconds.
    assert!(matches!(late, Err(Error::Deadline)), "{late:?} after {:?}", started.elapsed());
    go.notify_one();
    holder.await.unwrap()?;
    Ok(())
}

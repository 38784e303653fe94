//! Laws 36 to 42: deadlines, budgets, commit keys, and databases of one's own. Most of law 36 is in `deadlines.rs`.

use std::{pin::pin, sync::Arc, time::Duration};

use greenlit::{Doom, Error, Opts, Reader, Result, Tx, args};
use tokio::{sync::Notify, time::Instant};

use crate::{
    cancellation::poll,
    support::{Count, TestDb, item, items, laws, laws_on, next_borrower},
};

laws! {
    law_36_the_deadline_covers_everything,
    law_38_a_budget_catches_n_plus_one,
    law_39_a_commit_key_works_once,
    law_39_of_many_at_once_one_commits,
    law_39_a_key_in_flight_is_waited_for,
    law_39_what_is_done_can_be_read_at_once,
    law_39_a_key_stands_and_falls_with_its_rows,
    law_40_a_test_has_a_database_of_its_own,
}
laws_on! { [sqlite]: law_42_acknowledged_means_on_disk }

async fn law_36_the_deadline_covers_everything(t: Arc<TestDb>) -> Result<()> {
    let (db, slow, short) = (t.open(1).await, t.slow_statement(), Duration::from_millis(200));
    let limit = Duration::from_secs(5);
    // A statement.
    let started = Instant::now();
    let late = db.tx(Opts::default().within(short), async |tx| {
        item(tx, 1).await?;
        let late = tx.fetch::<(i64,)>(slow, args![]).await;
        assert!(matches!(late, Err(Error::Deadline)), "{late:?}");
        // Swallowed, it is final nevertheless.
        assert!(matches!(item(tx, 2).await, Err(Error::Aborted(Doom::DeadlinePassed))));
        Ok::<_, Error>(())
    });
    let late = late.await;
    assert!(late.as_ref().is_err_and(Error::is_transient), "{late:?}");
    assert_eq!(next_borrower(&db).await, (0, 0));
    let late = db.read(Opts::default().within(short), async |r| r.fetch::<(i64,)>(slow, args![]).await).await;
    assert!(matches!(late, Err(Error::Deadline)), "{late:?}");
    // The wait for a connection.
    let (holds, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let holder = tokio::spawn({
        let (db, holds, go) = (db.clone(), holds.clone(), go.clone());
        let work = async move |tx: &mut Tx| {
            item(tx, 1).await?;
            holds.notify_one();
            go.notified().await;
            Ok::<_, Error>(())
        };
        async move { db.tx(Opts::default(), work).await }
    });
    holds.notified().await;
    let late = db.tx(Opts::default().within(short), async |tx| item(tx, 2).await).await;
    assert!(matches!(late, Err(Error::Deadline)), "{late:?}");
    go.notify_one();
    holder.await.unwrap()?;
    assert!(started.elapsed() < limit);
    assert_eq!(next_borrower(&db).await, (1, 0));
    // No limit at all is a limit too.
    db.tx(Opts::default().within(Duration::MAX), async |tx| item(tx, 1).await).await?;
    Ok(())
}

async fn law_38_a_budget_catches_n_plus_one(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let work = async |tx: &mut Tx, statements: i64| {
        for id in 0..statements {
            item(tx, id).await?;
        }
        Ok::<_, Error>(())
    };
    let over = db.tx(Opts::default().budget(3), async move |tx| work(tx, 4).await).await;
    assert!(matches!(&over, Err(Error::Budget { limit: 3, sql }) if sql.starts_with("insert")), "{over:?}");
    let swallowed = db.tx(Opts::default().budget(3), async move |tx| {
        let _ = work(tx, 4).await;
        Ok::<_, Error>(())
    });
    assert!(matches!(swallowed.await, Err(Error::RolledBack(Doom::BudgetPassed))));
    assert_eq!(next_borrower(&db).await, (0, 0));
    db.tx(Opts::default().budget(3), async move |tx| work(tx, 3).await).await?;
    let read = db.read(Opts::default().budget(1), async |r| {
        items(r).await?;
        items(r).await
    });
    assert!(matches!(read.await, Err(Error::Budget { .. })));
    Ok(())
}

async fn law_39_a_commit_key_works_once(t: Arc<TestDb>) -> Result<()> {
    let (db, runs) = (t.open(1).await, Count::default());
    let own = runs.clone();
    let work = async move |tx: &mut Tx| {
        own.up();
        let id = tx.insert("insert into note (body) values (?)", args![format!("run {}", own.get())]).await?;
        tx.outcome(format!("note {id}").as_bytes()).await?;
        Ok::<_, Error>(id)
    };
    let long = db.tx(Opts::default().once("k".repeat(256)), work.clone()).await;
    assert!(matches!(long, Err(Error::Encode(_))), "{long:?}");
    assert_eq!(runs.get(), 1, "the closure ran, and its first statement was refused");
    let failing = work.clone();
    // A failed transaction leaves its key free.
    let failed = db.tx(Opts::default().once("key"), async move |tx| {
        failing(tx).await?;
        Err::<(), _>(Error::NotFound)
    });
    assert!(failed.await.is_err());
    assert_eq!(db.outcome("key").await?, None);
    let id = db.tx(Opts::default().once("key"), work.clone()).await?;
    let again = db.tx(Opts::default().once("key"), work.clone()).await;
    assert!(matches!(again, Err(Error::AlreadyDone)), "{again:?}");
    assert_eq!(db.outcome("key").await?, Some(format!("note {id}").into_bytes()));
    assert_eq!(runs.get(), 4, "it begins with the closure's first statement");
    assert_eq!(db.fetch_one::<(i64,)>("select count(*) from note", args![]).await?, (1,));
    // Without any statement, and swallowed.
    db.tx(Opts::default().once("empty"), async |_| Ok::<_, Error>(())).await?;
    assert_eq!(db.outcome("empty").await?, Some(Vec::new()));
    let again = db.tx(Opts::default().once("empty"), async |_| Ok::<_, Error>(())).await;
    assert!(matches!(again, Err(Error::AlreadyDone)), "{again:?}");
    let swallowed = db.tx(Opts::default().once("key"), async |tx| {
        assert!(matches!(item(tx, 1).await, Err(Error::AlreadyDone)));
        let _ = item(tx, 1).await;
        Ok::<_, Error>(())
    });
    assert!(matches!(swallowed.await, Err(Error::RolledBack(_))));
    assert_eq!(next_borrower(&db).await, (0, 0));
    // Old keys are forgotten, and can be used again.
    assert_eq!(db.forget_outcomes(Duration::from_secs(3_600)).await?, 0);
    assert_eq!(db.forget_outcomes(Duration::ZERO).await?, 2);
    assert_eq!(db.outcome("key").await?, None);
    db.tx(Opts::default().once("key"), work.clone()).await?;
    let keyless = db.tx(Opts::default(), async |tx| tx.outcome(b"answer").await).await;
    assert!(matches!(keyless, Err(Error::Refused(_))), "{keyless:?}");
    let read = db.read(Opts::default().once("read"), async |r| items(r).await).await;
    assert!(matches!(read, Err(Error::Refused(_))), "{read:?}");
    t.assert_nothing_open().await;
    Ok(())
}

async fn law_39_of_many_at_once_one_commits(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(4).await;
    let tasks: Vec<_> = (0..8)
        .map(|id| {
            let db = db.clone();
            let work = async move |tx: &mut Tx| {
                item(tx, id).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
                tx.outcome(id.to_string().as_bytes()).await?;
                Ok::<_, Error>(id)
            };
            tokio::spawn(async move { db.tx(Opts::default().once("key"), work).await })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(id) => winners.push(id),
            Err(e) => assert!(matches!(e, Error::AlreadyDone), "{e:?}"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(db.fetch::<(i64,)>("select id from item", args![]).await?, [(winners[0],)]);
    assert_eq!(db.outcome("key").await?, Some(winners[0].to_string().into_bytes()));
    Ok(())
}

/// Who is told that it was done must not have been told by what is not committed yet, as the others of a group on SQLite.
async fn law_39_what_is_done_can_be_read_at_once(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(8).await;
    for round in 0..40 {
        let key = format!("key {round}");
        let told = (0..8).map(|_| {
            let (db, key) = (db.clone(), key.clone());
            tokio::spawn(async move {
                match db.tx(Opts::default().once(&key), async |tx| tx.outcome(b"done").await).await {
                    Ok(()) | Err(Error::AlreadyDone) => db.outcome(&key).await,
                    Err(e) => Err(e),
                }
            })
        });
        for told in told.collect::<Vec<_>>() {
            assert_eq!(told.await.unwrap()?.as_deref(), Some(&b"done"[..]));
        }
    }
    Ok(())
}

async fn law_39_a_key_in_flight_is_waited_for(t: Arc<TestDb>) -> Result<()> {
    let (db, runs) = (t.open(2).await, Count::default());
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
    let (started, own) = (Instant::now(), runs.clone());
    let second = async move |tx: &mut Tx| {
        own.up();
        item(tx, 2).await
    };
    // On SQLite there is one writer, so that it is the wait for it that ends.
    let within = Duration::from_secs(if t.is_sqlite() { 1 } else { 8 });
    let late = db.tx(Opts::default().once("key").within(within), second.clone()).await;
    assert!(late.as_ref().is_err_and(Error::is_transient), "{late:?}");
    if !t.is_sqlite() {
        assert!(matches!(late, Err(Error::InFlight)), "{late:?}");
        assert_eq!(runs.get(), 1, "it was run again");
        assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    }
    // One that waits long enough sees how the first one ended.
    let waiting = tokio::spawn(async move { db.tx(Opts::default().once("key"), second).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    go.notify_one();
    holder.await.unwrap()?;
    let second = waiting.await.unwrap();
    assert!(matches!(second, Err(Error::AlreadyDone)), "{second:?}");
    Ok(())
}

async fn law_39_a_key_stands_and_falls_with_its_rows(t: Arc<TestDb>) -> Result<()> {
    let (db, mut polls, mut committed) = (t.open(1).await, 1, 0);
    loop {
        let key = format!("key {polls}");
        let body = key.clone();
        let work = async move |tx: &mut Tx| {
            tx.insert("insert into note (body) values (?)", args![&body]).await?;
            tx.outcome(body.as_bytes()).await
        };
        let dropped = poll(pin!(db.tx(Opts::default().once(&key), work)), polls, Duration::from_micros(200)).await;
        // The next borrower of the only connection comes after a COMMIT that is still on its way.
        let own = key.clone();
        let there = db.tx(Opts::default(), async move |tx| {
            let notes = tx.fetch::<(i64,)>("select id from note where body = ?", args![&own]).await?;
            Ok::<_, Error>(notes.len())
        });
        let (there, outcome) = (there.await?, db.outcome(&key).await?);
        assert_eq!(outcome, (there == 1).then(|| key.into_bytes()), "poll {polls}");
        committed += there;
        match dropped {
            Some(result) => break result?,
            None => polls += 1 + polls / 20,
        }
    }
    println!("{polls} polls, {committed} committed");
    Ok(())
}

async fn law_40_a_test_has_a_database_of_its_own(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    db.tx(Opts::default(), async |tx| item(tx, 1).await).await?;
    let other = t.empty().await?;
    assert_ne!(other.url(), t.url());
    let second = other.open(1).await?;
    assert!(items(&mut second.single()).await.is_err(), "it is empty");
    let url = other.url().to_owned();
    drop((second, other));
    if !t.is_sqlite() {
        let name = url.split('?').next().unwrap().rsplit('/').next().unwrap();
        let databases = t.says(
            "",
            "select count(*) from pg_database where datname =",
            "select count(*) from information_schema.schemata where schema_name =",
        );
        assert_eq!(t.raw_number(&format!("{databases} '{name}'")).await, 0);
    } else {
        assert!(!std::path::Path::new(url.strip_prefix("sqlite:").unwrap()).exists());
    }
    assert_eq!(items(&mut db.single()).await?, 1);
    Ok(())
}

async fn law_42_acknowledged_means_on_disk(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    // 2 is FULL. A reader cannot tell, so it is asked of the writer.
    let asked =
        db.tx(Opts::default(), async |tx| tx.fetch::<(i64,)>("select * from pragma_synchronous", args![]).await);
    assert_eq!(asked.await?, [(2,)]);
    let asked = db.fetch_one::<(String,)>("select * from pragma_journal_mode", args![]).await?;
    assert_eq!(asked.0, "wal");
    Ok(())
}

//! Laws 15 to 20: scopes inside scopes.

use std::{sync::Arc, time::Duration};

use greenlit::{Class, Doom, Error, Opts, Read, Reader, Result, Tx, args};
use mysql_async::prelude::Queryable as _;
use tokio::{sync::Barrier, time::timeout};

use crate::support::{Count, Log, TestDb, item, items, laws, laws_on, next_borrower, raw_mariadb};

laws! {
    law_15_a_failed_required_scope_fails_the_commit,
    law_15_a_required_scope_inside_a_savepoint_is_undone_with_it,
    law_16_a_handled_savepoint_failure_loses_only_its_own,
    law_17_a_failed_read_is_no_answer,
    law_17_a_failed_statement_poisons_its_scope,
    law_20_a_session_inside_a_session_is_refused_at_once,
}
laws_on! { [sqlite postgres]: law_19_nothing_runs_after_the_database_ended_the_transaction }
laws_on! { [mariadb]: law_19_nothing_runs_after_a_deadlock_ended_the_transaction }
laws_on! { [postgres mariadb]:
    law_18_a_deadlock_cannot_be_handled_in_a_savepoint,
    law_19_nothing_runs_after_the_connection_was_lost,
}

/// An error of the application's, which knows nothing of databases.
#[derive(Debug)]
enum Refusal {
    Rule,
    Database,
}

impl From<Error> for Refusal {
    fn from(_: Error) -> Refusal {
        Refusal::Database
    }
}

async fn law_15_a_failed_required_scope_fails_the_commit(t: Arc<TestDb>) -> Result<()> {
    let (db, effects) = (t.open(1).await, Count::default());
    let own = effects.clone();
    let result = db.tx(Opts::default(), async move |tx| {
        item(tx, 1).await?;
        tx.after_commit(async move || {
            own.up();
        });
        let failed = tx.required(async |tx| {
            item(tx, 2).await?;
            Err::<(), _>(Refusal::Rule)
        });
        assert!(matches!(failed.await, Err(Refusal::Rule)));
        // Swallowed; what follows is refused, and swallowed too.
        let next = item(tx, 3).await;
        assert!(matches!(next, Err(Error::Aborted(Doom::RequiredFailed))), "{next:?}");
        Ok::<_, Error>(())
    });
    let result = result.await;
    assert!(matches!(result, Err(Error::RolledBack(Doom::RequiredFailed))), "{result:?}");
    assert_eq!(next_borrower(&db).await, (0, 0));
    assert_eq!(effects.get(), 0);
    // A failure two scopes deep is as final.
    let result = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        let inner = async |tx: &mut Tx| {
            let _ = tx.required(async |_| Err::<(), _>(Refusal::Rule)).await;
            Ok::<_, Refusal>(())
        };
        let _ = tx.required(inner).await;
        Ok::<_, Error>(())
    });
    assert!(matches!(result.await, Err(Error::RolledBack(Doom::RequiredFailed))));
    assert_eq!(next_borrower(&db).await, (0, 0));
    Ok(())
}

async fn law_15_a_required_scope_inside_a_savepoint_is_undone_with_it(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let result = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        let scope = tx.savepoint(async |tx| {
            item(tx, 2).await?;
            let _ = tx.required(async |_| Err::<(), _>(Refusal::Rule)).await;
            Ok::<_, Error>(())
        });
        let scope = scope.await;
        assert!(matches!(scope, Err(Error::RolledBack(Doom::RequiredFailed))), "{scope:?}");
        item(tx, 3).await
    });
    result.await?;
    let rows = db.fetch::<(i64,)>("select id from item order by id", args![]).await?;
    assert_eq!(rows, [(1,), (3,)]);
    Ok(())
}

async fn law_16_a_handled_savepoint_failure_loses_only_its_own(t: Arc<TestDb>) -> Result<()> {
    let (db, log) = (t.open(1).await, Log::default());
    let own = log.clone();
    let note = move |tx: &mut Tx, what: &'static str| {
        let log = own.clone();
        tx.after_commit(async move || log.add(what));
    };
    db.tx(Opts::default(), async move |tx| {
        item(tx, 1).await?;
        note(tx, "outer");
        // Fails by the application's will, with a savepoint inside that went well.
        let failed = tx.savepoint(async |tx| {
            item(tx, 2).await?;
            note(tx, "lost");
            tx.savepoint(async |tx| item(tx, 3).await).await.map_err(|_| Refusal::Database)?;
            note(tx, "lost as well");
            Err::<(), _>(Refusal::Rule)
        });
        assert!(matches!(failed.await, Err(Refusal::Rule)));
        // Fails by a statement.
        let failed = tx.savepoint(async |tx| {
            note(tx, "lost too");
            item(tx, 4).await?;
            item(tx, 1).await
        });
        assert_eq!(failed.await.unwrap_err().unique(), Some("item_pkey"));
        let kept = tx.savepoint(async |tx| {
            note(tx, "kept");
            item(tx, 5).await
        });
        kept.await?;
        note(tx, "last");
        item(tx, 6).await
    })
    .await?;
    let rows = db.fetch::<(i64,)>("select id from item order by id", args![]).await?;
    assert_eq!(rows, [(1,), (5,), (6,)]);
    assert_eq!(log.get(), ["outer", "kept", "last"]);
    Ok(())
}

async fn law_17_a_failed_read_is_no_answer(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let swallowed = db.read(Opts::default(), async |r| {
        let rows: Vec<(i64,)> = r.fetch("select nothing from nowhere", args![]).await.unwrap_or_default();
        Ok::<_, Error>(rows.len())
    });
    let answer = swallowed.await;
    assert!(matches!(answer, Err(Error::Aborted(Doom::StatementFailed))), "{answer:?}");
    assert_eq!(next_borrower(&db).await, (0, 0));
    let serializable = db.read(Opts::default().serializable(), async |r| items(r).await);
    assert_eq!(serializable.await?, 0);
    Ok(())
}

async fn law_17_a_failed_statement_poisons_its_scope(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let result = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        assert_eq!(item(tx, 1).await.unwrap_err().unique(), Some("item_pkey"));
        for _ in 0..2 {
            let next = item(tx, 2).await;
            assert!(matches!(next, Err(Error::Aborted(Doom::StatementFailed))), "{next:?}");
            assert!(matches!(items(tx).await, Err(Error::Aborted(_))));
            assert!(matches!(tx.savepoint(async |tx| item(tx, 3).await).await, Err(Error::Aborted(_))));
            assert!(matches!(tx.outbox("topic", "payload").await, Err(Error::Aborted(_))));
        }
        Ok::<_, Error>(())
    });
    let result = result.await;
    assert!(matches!(result, Err(Error::RolledBack(Doom::StatementFailed))), "{result:?}");
    assert_eq!(next_borrower(&db).await, (0, 0));
    // Inside a savepoint that says Ok: the savepoint is undone, the rest goes on.
    let result = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        let scope = tx.savepoint(async |tx| {
            item(tx, 2).await?;
            let _ = item(tx, 1).await;
            assert!(matches!(item(tx, 3).await, Err(Error::Aborted(Doom::StatementFailed))));
            Ok::<_, Error>(())
        });
        assert!(matches!(scope.await, Err(Error::RolledBack(Doom::StatementFailed))));
        item(tx, 4).await
    });
    result.await?;
    assert_eq!(next_borrower(&db).await, (2, 0));
    // An insert that inserted nothing has not failed.
    let upsert = "insert into note (body) values (?) on conflict (body) do update set body = excluded.body";
    let update_it = "insert into note (body) values (?) on duplicate key update id = last_insert_id(id)";
    let ignore = "insert into note (body) values (?) on conflict do nothing";
    let ignore = t.says(ignore, ignore, "insert ignore into note (body) values (?)");
    let upsert = t.says(upsert, upsert, update_it);
    let ids = db.tx(Opts::default(), async |tx| {
        let (first, other) = (tx.insert(upsert, args!["a"]).await?, tx.insert(upsert, args!["b"]).await?);
        assert_eq!(tx.insert(upsert, args!["a"]).await?, first);
        let nothing = tx.insert(ignore, args!["a"]).await;
        assert!(matches!(nothing, Err(Error::NotFound)), "{nothing:?}");
        item(tx, 1).await?;
        Ok::<_, Error>(first != other)
    });
    assert!(ids.await?);
    assert_eq!(next_borrower(&db).await, (1, 0));
    Ok(())
}

async fn law_18_a_deadlock_cannot_be_handled_in_a_savepoint(t: Arc<TestDb>) -> Result<()> {
    let (db, runs) = (t.open(4).await, Count::default());
    db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        item(tx, 2).await
    })
    .await?;
    let both_hold_one = Arc::new(Barrier::new(2));
    let task = |first: i64, second: i64| {
        let (db, runs) = (db.clone(), runs.clone());
        let (both_hold_one, own) = (both_hold_one.clone(), Count::default());
        tokio::spawn(async move {
            let add = "update item set v = v + 1 where id = ?";
            let work = async move |tx: &mut Tx| {
                let run = i64::from(runs.up());
                tx.exec(add, args![first]).await?;
                if own.up() == 0 {
                    both_hold_one.wait().await;
                }
                // Swallowed, as a handler that "tries without it" would do.
                let inner = tx.savepoint(async |tx| tx.exec(add, args![second]).await).await;
                let next = item(tx, 100 + run).await;
                if inner.as_ref().is_err_and(|e| e.class() == Class::Retry) {
                    assert!(matches!(next, Err(Error::Aborted(Doom::GivenUp))), "{next:?}");
                }
                Ok::<_, Error>(())
            };
            db.tx(Opts::default().attempts(20), work).await
        })
    };
    let (a, b) = (task(1, 2), task(2, 1));
    a.await.unwrap()?;
    b.await.unwrap()?;
    let rows = db.fetch::<(i64, i64)>("select id, v from item order by id", args![]).await?;
    assert!(runs.get() > 2, "no deadlock was made");
    assert_eq!((rows.len(), rows[0].1, rows[1].1), (4, 2, 2), "{rows:?}");
    Ok(())
}

async fn law_19_nothing_runs_after_the_database_ended_the_transaction(t: Arc<TestDb>) -> Result<()> {
    let (db, postgres) = (t.open(1).await, t.is_postgres());
    let result = db.tx(Opts::default(), async move |tx| {
        item(tx, 1).await?;
        // SQLite's engine ends the whole transaction at this; PostgreSQL's is failed, but open.
        let end =
            if postgres { "insert into item values (1, 0)" } else { "insert or rollback into item values (1, 0)" };
        assert!(tx.exec(end, args![]).await.is_err());
        let why = if postgres { Doom::StatementFailed } else { Doom::GivenUp };
        let next = item(tx, 2).await;
        assert!(matches!(next, Err(Error::Aborted(doom)) if doom == why), "{next:?}");
        Ok::<_, Error>(())
    });
    assert!(matches!(result.await, Err(Error::RolledBack(_))));
    assert_eq!(next_borrower(&db).await, (0, 0));
    // From inside a savepoint, which is gone with it.
    let result = db.tx(Opts::default(), async move |tx| {
        item(tx, 1).await?;
        let end =
            if postgres { "insert into item values (1, 0)" } else { "insert or rollback into item values (1, 0)" };
        let _ = tx.savepoint(async |tx| tx.exec(end, args![]).await).await;
        let next = item(tx, 2).await;
        assert_eq!(next.is_err(), !postgres, "{next:?}");
        if postgres { Err(Error::NotFound) } else { Ok(()) }
    });
    assert!(result.await.is_err());
    assert_eq!(next_borrower(&db).await, (0, 0));
    Ok(())
}

async fn law_19_nothing_runs_after_a_deadlock_ended_the_transaction(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    db.tx(Opts::default(), async |tx| {
        for id in 1..=100 {
            item(tx, id).await?;
        }
        Ok::<_, Error>(())
    })
    .await?;
    for in_savepoint in [false, true] {
        // It has changed more rows, so that the server gives up the other.
        let mut heavy = raw_mariadb(t.url()).await;
        heavy.query_drop("begin; update item set v = v + 1 where id > 1").await.unwrap();
        let heavy = Arc::new(tokio::sync::Mutex::new(heavy));
        let result = db.tx(Opts::default().attempts(1), async move |tx| {
            tx.exec("update item set v = 7 where id = 1", args![]).await?;
            let waiting = tokio::spawn(async move {
                let finish = "update item set v = v + 1 where id = 1; commit";
                heavy.lock().await.query_drop(finish).await.unwrap();
            });
            tokio::time::sleep(Duration::from_millis(200)).await;
            let add = async |tx: &mut Tx| tx.exec("update item set v = 7 where id = 2", args![]).await;
            let ended = if in_savepoint { tx.savepoint(add).await } else { add(tx).await };
            assert!(ended.as_ref().is_err_and(|e| e.class() == Class::Retry), "{ended:?}");
            waiting.await.unwrap();
            // Swallowed: what ran now would commit on its own.
            let next = item(tx, 200).await;
            assert!(matches!(next, Err(Error::Aborted(Doom::GivenUp))), "{next:?}");
            Ok::<_, Error>(())
        });
        let result = result.await;
        assert!(matches!(result, Err(Error::RolledBack(Doom::GivenUp))), "{result:?}");
        assert_eq!(t.raw_number("select count(*) from item where v = 7 or id = 200").await, 0);
        assert_eq!(t.raw_number("select count(*) from item where id = 1 and v > 0").await, 1);
    }
    t.assert_nothing_open().await;
    Ok(())
}

async fn law_19_nothing_runs_after_the_connection_was_lost(t: Arc<TestDb>) -> Result<()> {
    let (db, runs) = (t.open(1).await, Count::default());
    let (own, server) = (runs.clone(), t.clone());
    let work = async move |tx: &mut Tx| {
        let run = own.up();
        item(tx, 1).await?;
        if run == 0 {
            let own_id = server.says("", "select cast(pg_backend_pid() as bigint)", "select connection_id()");
            let (id,): (i64,) = tx.fetch_one(own_id, args![]).await?;
            server.terminate(&[id]).await;
            assert!(item(tx, 2).await.is_err());
            // Swallowed: a session that took a new connection now would lose the first item.
            let next = item(tx, 3).await;
            assert!(matches!(next, Err(Error::Aborted(Doom::ConnectionLost))), "{next:?}");
            return Ok(());
        }
        item(tx, 4).await?;
        Ok::<_, Error>(())
    };
    db.tx(Opts::default(), work).await?;
    assert_eq!(runs.get(), 2);
    let rows = db.fetch::<(i64,)>("select id from item order by id", args![]).await?;
    assert_eq!(rows, [(1,), (4,)]);
    Ok(())
}

async fn law_20_a_session_inside_a_session_is_refused_at_once(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let inside = async |db: &greenlit::Db| {
        let mut refusals = Vec::new();
        refusals.push(db.tx(Opts::default(), async |tx| item(tx, 9).await.map(drop)).await);
        refusals.push(db.read(Opts::default(), async |r| items(r).await.map(drop)).await);
        refusals.push(db.fetch::<(i64,)>("select id from item", args![]).await.map(drop));
        refusals.push(db.fetch_one::<(i64,)>("select id from item", args![]).await.map(drop));
        refusals.push(items(&mut db.single()).await.map(drop));
        refusals.push(db.outbox().claim(&["topic"], 1, Duration::from_secs(1)).await.map(drop));
        refusals.push(db.outcome("key").await.map(drop));
        refusals.push(db.prepare("select 1").await);
        refusals.push(db.migrate(&[]).await.map(drop));
        for (at, refusal) in refusals.iter().enumerate() {
            assert!(matches!(refusal, Err(Error::Nested)), "{at}: {refusal:?}");
        }
    };
    let (inner, soon) = (db.clone(), Duration::from_secs(2));
    let tx = db.tx(Opts::default(), async move |tx| {
        item(tx, 1).await?;
        timeout(soon, inside(&inner)).await.expect("it was waited for");
        tx.savepoint(async |_| {
            timeout(soon, inside(&inner)).await.expect("it was waited for");
            Ok::<_, Error>(())
        })
        .await
    });
    tx.await?;
    let inner = db.clone();
    let read = db.read(Opts::default(), async move |r: &mut Read| {
        let before = items(r).await?;
        timeout(soon, inside(&inner)).await.expect("it was waited for");
        Ok::<_, Error>(before)
    });
    assert_eq!(read.await?, 1);
    // Beside a session, in a task of its own, it is an ordinary session.
    let other = db.clone();
    let beside = tokio::spawn(async move { items(&mut other.single()).await });
    assert_eq!(beside.await.unwrap()?, 1);
    Ok(())
}

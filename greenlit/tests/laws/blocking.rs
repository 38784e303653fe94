//! The laws that matter to a script, through `greenlit::blocking`.

use std::{sync::Arc, thread, time::Duration};

use greenlit::{
    Doom, Error, Opts, Result, args,
    blocking::{Db, Read, Reader, Tx},
};

use crate::support::{Count, Log, TestDb, config, eventually, laws, laws_on};

laws! {
    blocking_ok_commits_and_everything_else_does_not,
    blocking_scopes_join_or_fail_alone,
    blocking_sessions_inside_sessions_are_refused,
    blocking_reads_cannot_write,
    blocking_inside_a_runtime_is_refused,
    blocking_effects_and_jobs_follow_the_commit,
    blocking_threads_share_a_database,
}
laws_on! { [postgres mariadb]: blocking_requires_new_commits_by_itself, blocking_tries_start_from_scratch }

/// Runs a script on a thread that no runtime knows.
async fn script<T: Send + 'static>(script: impl FnOnce() -> T + Send + 'static) -> T {
    let ended = tokio::task::spawn_blocking(move || thread::spawn(script).join()).await.unwrap();
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn open(t: &TestDb, connections: usize) -> Result<Db> {
    Db::open_with(t.url(), &config(connections))
}

fn item(tx: &mut Tx<'_>, id: i64) -> Result<u64> {
    tx.exec("insert into item (id, v) values (?, 0)", args![id])
}

fn items(r: &mut impl Reader) -> Result<Vec<i64>> {
    let rows = r.fetch::<(i64,)>("select id from item order by id", args![])?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

async fn blocking_ok_commits_and_everything_else_does_not(t: Arc<TestDb>) -> Result<()> {
    let server = t.clone();
    script(move || {
        let db = open(&t, 1)?;
        db.tx(Opts::default(), |tx| item(tx, 1))?;
        assert_eq!(items(&mut db.single())?, [1]);
        let failed = db.tx(Opts::default(), |tx| {
            item(tx, 2)?;
            Err::<(), _>(Error::NotFound)
        });
        assert!(matches!(failed, Err(Error::NotFound)), "{failed:?}");
        let swallowed = db.tx(Opts::default(), |tx| {
            item(tx, 3)?;
            let _ = item(tx, 1);
            Ok::<_, Error>(())
        });
        assert!(matches!(swallowed, Err(Error::RolledBack(Doom::StatementFailed))), "{swallowed:?}");
        let panicking = db.clone();
        let panicked = thread::spawn(move || {
            panicking.tx::<_, (), Error>(Opts::default(), |tx| {
                item(tx, 4)?;
                panic!("as tests do");
            })
        });
        assert!(panicked.join().is_err());
        // The only connection is clean again.
        db.tx(Opts::default(), |tx| item(tx, 5))?;
        assert_eq!(items(&mut db.single())?, [1, 5]);
        Ok::<_, Error>(())
    })
    .await?;
    server.assert_nothing_open().await;
    Ok(())
}

async fn blocking_scopes_join_or_fail_alone(t: Arc<TestDb>) -> Result<()> {
    script(move || {
        let db = open(&t, 1)?;
        db.tx(Opts::default(), |tx| {
            item(tx, 1)?;
            tx.savepoint(|tx| tx.savepoint(|tx| item(tx, 2)))?;
            let failed = tx.savepoint(|tx| {
                item(tx, 3)?;
                item(tx, 1)
            });
            assert_eq!(failed.as_ref().map_err(Error::unique), Err(Some("item_pkey")));
            tx.required(|tx| item(tx, 4))
        })?;
        assert_eq!(items(&mut db.single())?, [1, 2, 4]);
        let swallowed = db.tx(Opts::default(), |tx| {
            item(tx, 5)?;
            let _ = tx.required(|_| Err::<(), _>(Error::NotFound));
            Ok::<_, Error>(())
        });
        assert!(matches!(swallowed, Err(Error::RolledBack(Doom::RequiredFailed))), "{swallowed:?}");
        assert_eq!(items(&mut db.single())?, [1, 2, 4]);
        Ok(())
    })
    .await
}

async fn blocking_sessions_inside_sessions_are_refused(t: Arc<TestDb>) -> Result<()> {
    script(move || {
        let db = open(&t, 1)?;
        let inside = |db: &Db| {
            let refusals = [
                db.tx(Opts::default(), |tx| item(tx, 9).map(drop)),
                db.read(Opts::default(), |r| items(r).map(drop)),
                items(&mut db.single()).map(drop),
                db.fetch::<(i64,)>("select id from item", args![]).map(drop),
                db.fetch_one::<(i64,)>("select id from item", args![]).map(drop),
                db.fetch_optional::<(i64,)>("select id from item", args![]).map(drop),
                db.run(async |db| db.outbox().backlog(1).await.map(drop)),
                db.migrate(&[]).map(drop),
            ];
            for (at, refusal) in refusals.iter().enumerate() {
                assert!(matches!(refusal, Err(Error::Nested)), "{at}: {refusal:?}");
            }
        };
        db.tx(Opts::default(), |tx| {
            item(tx, 1)?;
            inside(&db);
            tx.savepoint(|_| {
                inside(&db);
                Ok::<_, Error>(())
            })
        })?;
        let count = db.read(Opts::default(), |r| {
            inside(&db);
            items(r)
        })?;
        assert_eq!(count, [1]);
        Ok(())
    })
    .await
}

async fn blocking_reads_cannot_write(t: Arc<TestDb>) -> Result<()> {
    const WRITE: &str = "insert into item (id, v) values (5, 0) returning id";
    script(move || {
        let db = open(&t, 2)?;
        let refused = db.read(Opts::default(), |r| r.fetch::<(i64,)>(WRITE, args![]));
        assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");
        let refused = db.fetch::<(i64,)>(WRITE, args![]);
        assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");
        // One snapshot, whatever another thread commits meanwhile.
        let other = db.clone();
        let counts = db.read(Opts::default(), move |r: &mut Read<'_>| {
            let before = items(r)?;
            let written = thread::spawn(move || other.tx(Opts::default(), |tx| item(tx, 6))).join();
            written.expect("no panic")?;
            Ok::<_, Error>((before, items(r)?))
        })?;
        assert_eq!(counts, (vec![], vec![]));
        assert_eq!(items(&mut db.single())?, [6]);
        Ok(())
    })
    .await
}

async fn blocking_inside_a_runtime_is_refused(t: Arc<TestDb>) -> Result<()> {
    let opened = Db::open(t.url());
    assert!(matches!(opened, Err(Error::InsideRuntime)), "{opened:?}");
    let (server, url) = (t.clone(), t.url().to_owned());
    let db = script(move || open(&server, 1)).await?;
    let inside = async |db: &Db| {
        let refusals = [
            db.tx(Opts::default(), |tx| item(tx, 1).map(drop)),
            db.read(Opts::default(), |r| items(r).map(drop)),
            db.fetch::<(i64,)>("select id from item", args![]).map(drop),
            db.run(async |db| db.outbox().backlog(1).await.map(drop)),
            db.migrate(&[]).map(drop),
        ];
        for (at, refusal) in refusals.iter().enumerate() {
            assert!(matches!(refusal, Err(Error::InsideRuntime)), "{at}: {refusal:?}");
        }
    };
    inside(&db).await;
    let on_a_thread_of_the_runtime = tokio::task::spawn_blocking(move || Db::open(&url).map(drop)).await.unwrap();
    assert!(matches!(on_a_thread_of_the_runtime, Err(Error::InsideRuntime)));
    // Nor in a session of the other face.
    let (nested, other) = (db.clone(), t.open(1).await);
    let session = other.tx(Opts::default(), async move |tx| {
        let refused = nested.fetch::<(i64,)>("select id from item", args![]);
        assert!(matches!(refused, Err(Error::Nested)), "{refused:?}");
        crate::support::item(tx, 2).await
    });
    session.await?;
    drop(db); // nor does dropping it here harm anybody
    Ok(())
}

async fn blocking_effects_and_jobs_follow_the_commit(t: Arc<TestDb>) -> Result<()> {
    let log = Log::default();
    let told = log.clone();
    script(move || {
        let db = open(&t, 1)?;
        let payment = || Opts::default().once("payment 7");
        db.tx(payment(), |tx| {
            item(tx, 1)?;
            tx.outbox("mail", &["a"])?;
            let (first, db) = (told.clone(), db.clone());
            tx.after_commit(move || first.add(&format!("{:?}", items(&mut db.single()))));
            tx.after_commit(|| panic!("as tests do"));
            let third = told.clone();
            tx.after_commit(move || third.add("third"));
            let fourth = told.clone();
            let _ = tx.savepoint(|tx| {
                tx.after_commit(move || fourth.add("undone"));
                Err::<(), _>(Error::NotFound)
            });
            tx.outcome(b"receipt")
        })?;
        assert_eq!(told.get(), ["Ok([1])", "third"]);
        let again = db.tx(payment(), |tx| item(tx, 2));
        assert!(matches!(again, Err(Error::AlreadyDone)), "{again:?}");
        assert_eq!(db.run(async |db| db.outcome("payment 7").await)?.as_deref(), Some(&b"receipt"[..]));
        let jobs = db.run(async |db| db.outbox().claim(&["mail"], 5, Duration::from_secs(60)).await)?;
        assert_eq!(jobs.iter().map(|job| job.payload.as_str()).collect::<Vec<_>>(), [r#"["a"]"#]);
        db.tx(Opts::default(), |tx| tx.acknowledge(&jobs[0]))?;
        assert_eq!(db.run(async |db| db.outbox().backlog(5).await)?.due, 0);
        Ok(())
    })
    .await
}

async fn blocking_threads_share_a_database(t: Arc<TestDb>) -> Result<()> {
    script(move || {
        let db = open(&t, 2)?;
        db.tx(Opts::default(), |tx| item(tx, 1))?;
        let add = |db: Db| {
            for _ in 0..20 {
                db.tx(Opts::default(), |tx| tx.exec("update item set v = v + 1 where id = 1", args![]))?;
            }
            Ok::<_, Error>(())
        };
        let threads = [(); 4].map(|()| {
            let db = db.clone();
            thread::spawn(move || add(db))
        });
        for thread in threads {
            thread.join().expect("no panic")?;
        }
        assert_eq!(db.fetch_one::<(i64,)>("select v from item", args![])?, (80,));
        Ok(())
    })
    .await
}

async fn blocking_requires_new_commits_by_itself(t: Arc<TestDb>) -> Result<()> {
    script(move || {
        let db = open(&t, 1)?;
        let failed = db.tx(Opts::default(), |tx| {
            item(tx, 1)?;
            db.requires_new(Opts::default(), |tx| item(tx, 2))?;
            Err::<(), _>(Error::NotFound)
        });
        assert!(matches!(failed, Err(Error::NotFound)), "{failed:?}");
        assert_eq!(items(&mut db.single())?, [2]);
        Ok(())
    })
    .await
}

async fn blocking_tries_start_from_scratch(t: Arc<TestDb>) -> Result<()> {
    let (runs, server, runtime) = (Count::default(), t.clone(), tokio::runtime::Handle::current());
    let own = runs.clone();
    script(move || {
        let db = open(&server, 1)?;
        let fresh = vec![1_i64];
        let seen = db.tx(Opts::default(), move |tx| {
            let mut fresh = fresh;
            fresh.push(2);
            item(tx, 1)?;
            if own.up() == 0 {
                let id = server.says("", "select cast(pg_backend_pid() as bigint)", "select connection_id()");
                let (id,): (i64,) = tx.fetch_one(id, args![])?;
                let (server, runtime) = (server.clone(), runtime.clone());
                thread::spawn(move || runtime.block_on(server.terminate(&[id]))).join().expect("no panic");
                item(tx, 2)?;
            }
            Ok::<_, Error>(fresh)
        })?;
        assert_eq!(seen, [1, 2]);
        assert_eq!(items(&mut db.single())?, [1]);
        Ok::<_, Error>(())
    })
    .await?;
    assert_eq!(runs.get(), 2);
    eventually("its connections stay open", async || t.sessions().await.is_empty()).await;
    Ok(())
}

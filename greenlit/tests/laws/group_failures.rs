//! Laws 41 and 42 when things go wrong: sessions of every kind of failure at once, a disk that is full, a killed process.

use std::{
    collections::HashSet,
    future::{Future, poll_fn},
    process::Command,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use greenlit::{Class, Db, Error, Opts, Reader, Result, Tx, args};
use tokio::time::{sleep, timeout};

use crate::{
    group_commit::{Holder, queued},
    support::{Count, Random, TestDb, item, items, laws_on, next_borrower},
};

laws_on! { [sqlite]:
    law_08_dropped_after_its_runtime,
    law_41_a_commit_that_the_disk_refuses_runs_its_sessions_again,
    law_41_a_disk_that_is_full_in_a_session,
    law_41_a_storm_of_failures,
    law_41_a_storm_of_failures_on_one_thread,
    law_42_a_kill_inside_a_group_loses_nothing_acknowledged,
}

const ACCOUNTS: u64 = 5;
const TASKS: u64 = 12;
const SESSIONS: u64 = 40;

/// What becomes of a session.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Commit,
    Fail,
    Panic,
    /// Dropped after so many polls, with pauses of so many microseconds.
    Cut(u64, u64),
    /// Its deadline passes while it has the writer.
    Deadline,
    /// It violates a constraint that is checked at its end.
    Deferred,
    /// A statement of it makes SQLite end the whole transaction, which others share.
    EndAll,
    /// A part of it fails, and it commits.
    InPart,
    /// A statement of it is dropped inside.
    Doomed,
}

impl Fate {
    fn random(random: &mut Random) -> Fate {
        match random.below(20) {
            0 => Fate::Fail,
            1 => Fate::Panic,
            2..5 => Fate::Cut(1 + random.below(40), random.below(300)),
            5 => Fate::Deadline,
            6 | 7 => Fate::Deferred,
            8 => Fate::EndAll,
            9 => Fate::InPart,
            10 => Fate::Doomed,
            _ => Fate::Commit,
        }
    }
}

/// Moves one from one account to another and notes it, and meets its fate.
async fn meet(tx: &mut Tx, fate: Fate, (number, from, to): (i64, i64, i64)) -> Result<()> {
    tx.exec("update item set v = v - 1 where id = ?", args![from]).await?;
    tx.insert("insert into note (body) values (?)", args![number.to_string()]).await?;
    match fate {
        Fate::Commit | Fate::Cut(..) => tokio::task::yield_now().await,
        Fate::Fail => return Err(Error::NotFound),
        Fate::Panic => panic!("a law's own panic"),
        Fate::Deadline => sleep(Duration::from_millis(40)).await,
        Fate::Deferred => drop(tx.exec("insert into link (id, target) values (?, -1)", args![number]).await?),
        Fate::EndAll => {
            tx.exec("insert or rollback into item (id, v) values (?, 0)", args![from]).await?;
        }
        Fate::InPart => {
            let part = tx.savepoint(async |tx| {
                tx.exec("update item set v = v + 1000 where id = ?", args![to]).await?;
                Err::<(), _>(Error::NotFound)
            });
            assert!(part.await.is_err());
        }
        Fate::Doomed => {
            let endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n";
            assert!(timeout(Duration::from_millis(5), tx.fetch::<(i64,)>(endless, args![])).await.is_err());
        }
    }
    tx.exec("update item set v = v + 1 where id = ?", args![to]).await?;
    Ok(())
}

/// Runs a session to its fate. `None`: nobody waited for its answer.
async fn fated(db: Db, fate: Fate, order: (i64, i64, i64)) -> Option<Result<()>> {
    let within = Duration::from_millis(if fate == Fate::Deadline { 30 } else { 60_000 });
    let work = async move |tx: &mut Tx| meet(tx, fate, order).await;
    let session = async move { db.tx(Opts::default().within(within).attempts(1_000), work).await };
    let Fate::Cut(polls, pause) = fate else {
        return Some(tokio::spawn(session).await.unwrap_or(Err(Error::NotFound))); // it panicked
    };
    let mut session = Box::pin(session);
    for _ in 0..polls {
        if let Poll::Ready(result) = poll_fn(|cx| Poll::Ready(session.as_mut().poll(cx))).await {
            return Some(result);
        }
        sleep(Duration::from_micros(pause)).await;
    }
    None
}

async fn law_41_a_storm_of_failures(t: Arc<TestDb>) -> Result<()> {
    storm(&t).await
}

async fn law_41_a_storm_of_failures_on_one_thread(t: Arc<TestDb>) -> Result<()> {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(storm(&t))
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn storm(t: &TestDb) -> Result<()> {
    let (db, mut random) = (t.open(2).await, Random::new());
    let accounts = async |tx: &mut Tx| {
        for id in 0..ACCOUNTS {
            item(tx, id as i64).await?;
        }
        Ok::<_, Error>(())
    };
    db.tx(Opts::default(), accounts).await?;
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let plan: Vec<_> = (0..SESSIONS)
            .map(|n| {
                let (from, to) = (random.below(ACCOUNTS) as i64, random.below(ACCOUNTS) as i64);
                (Fate::random(&mut random), ((task * SESSIONS + n) as i64, from, to))
            })
            .collect();
        let db = db.clone();
        tasks.push(tokio::spawn(async move {
            let mut ends = Vec::new();
            for (fate, order) in plan {
                ends.push((fate, order.0.to_string(), fated(db.clone(), fate, order).await));
            }
            ends
        }));
    }
    let (mut there, mut absent) = (HashSet::new(), HashSet::new());
    for task in tasks {
        for (fate, number, end) in task.await.unwrap() {
            match (fate, end) {
                (_, None) => {}
                (Fate::Commit | Fate::Cut(..) | Fate::InPart, Some(Ok(()))) => drop(there.insert(number)),
                (Fate::Deferred, Some(Err(e))) if e.class() == Class::ForeignKey(None) => drop(absent.insert(number)),
                (Fate::EndAll, Some(Err(e))) if e.unique() == Some("item_pkey") => drop(absent.insert(number)),
                (Fate::Deadline, Some(Err(Error::Deadline | Error::RolledBack(_) | Error::Aborted(_)))) => {
                    absent.insert(number);
                }
                (Fate::Fail | Fate::Panic, Some(Err(Error::NotFound))) => drop(absent.insert(number)),
                (Fate::Doomed, Some(Err(Error::Aborted(_)))) => drop(absent.insert(number)),
                (_, Some(end)) => panic!("{fate:?} ended with {end:?}"),
            }
        }
    }
    // The writer is free, and comes after whatever was cut off in its COMMIT.
    let last = db.tx(Opts::default(), async |tx| items(tx).await);
    timeout(Duration::from_secs(5), last).await.expect("the writer is lost")?;
    t.assert_nothing_open().await;
    let notes = db.fetch::<(String,)>("select body from note", args![]).await?;
    let notes: HashSet<String> = notes.into_iter().map(|(body,)| body).collect();
    let stats = db.stats();
    println!("{} acknowledged, {} failed, {} there; {stats:?}", there.len(), absent.len(), notes.len());
    assert!(there.is_subset(&notes), "acknowledged, and not there: {:?}", there.difference(&notes));
    assert!(absent.is_disjoint(&notes), "failed, and there: {:?}", absent.intersection(&notes));
    assert_eq!(
        db.fetch_one::<(i64, i64)>("select sum(v), (select count(*) from link) from item", args![]).await?,
        (0, 0)
    );
    assert!(stats.groups < 2 + notes.len() as u64, "no COMMIT was shared");
    assert_eq!(stats.discarded, 0);
    Ok(())
}

/// The running test as a process whose files may be limited: without the signal that comes with the error, which would end
/// it.
pub(crate) fn limited() -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    shell
}

/// Lets no file of this process grow beyond so many bytes: the disk is full.
pub(crate) fn limit_files(bytes: &str) {
    let process = std::process::id().to_string();
    let limited = Command::new("prlimit").args(["--pid", &process, &format!("--fsize={bytes}:unlimited")]).status();
    assert!(limited.expect("prlimit, of util-linux").success());
}

async fn law_41_a_commit_that_the_disk_refuses_runs_its_sessions_again(t: Arc<TestDb>) -> Result<()> {
    if !t.is_child() {
        t.child_of(limited()).join();
        return Ok(());
    }
    let db = t.open(1).await;
    for id in -20..0 {
        db.tx(Opts::default(), async |tx| item(tx, id).await).await?;
    }
    for lifted in [true, false] {
        // The log is empty, and holds not even one page more.
        assert_eq!(t.raw_number("pragma wal_checkpoint(truncate)").await, 0);
        let (runs, holder, mut sessions) = (Count::default(), Holder::of(&db).await, Vec::new());
        limit_files("100");
        for id in 0..30 {
            let (db, runs) = (db.clone(), runs.clone());
            let work = async move |tx: &mut Tx| {
                if runs.up() >= 30 + 5 && lifted {
                    limit_files("unlimited"); // somebody made room
                }
                item(tx, if lifted { id } else { 100 + id }).await
            };
            let attempts = if lifted { 30 } else { 2 };
            sessions.push(queued(async move { db.tx(Opts::default().attempts(attempts), work).await }).await);
        }
        holder.let_go().await?;
        let (mut there, mut again) = (0, 0);
        for session in sessions {
            match session.await.unwrap() {
                Ok(_) => there += 1,
                Err(e) if e.class() == Class::Retry => again += 1,
                // Who is alone in its group learns the reason itself.
                Err(e) => assert!(matches!(&e, Error::Database(e) if e.code.as_deref() == Some("778")), "{e:?}"),
            }
        }
        println!("lifted {lifted}: {there} there, {again} gave up, {} runs", runs.get());
        assert!(runs.get() > 30, "nobody was run again");
        assert_eq!(there > 0, lifted, "{there} there");
        limit_files("unlimited");
        // The writer goes on, and finds what was acknowledged and nothing else.
        let seen = db.tx(Opts::default(), async |tx| {
            let (seen,): (i64,) = tx.fetch_one("select count(*) from item where id >= 0", args![]).await?;
            tx.exec("delete from item where id >= 0", args![]).await?;
            Ok::<_, Error>(seen)
        });
        assert_eq!(seen.await?, there);
    }
    assert_eq!(db.stats().discarded, 0);
    assert_eq!(t.raw_value("pragma integrity_check").await.as_deref(), Some("ok"));
    Ok(())
}

async fn law_41_a_disk_that_is_full_in_a_session(t: Arc<TestDb>) -> Result<()> {
    if !t.is_child() {
        t.child_of(limited()).join();
        return Ok(());
    }
    let db = t.open(1).await;
    assert_eq!(t.raw_number("pragma wal_checkpoint(truncate)").await, 0);
    let (runs, holder, mut sessions) = (Count::default(), Holder::of(&db).await, Vec::new());
    // Room for many small sessions, and not for a large one, which does not fit into memory until it commits.
    limit_files("1000000");
    for id in 0..30 {
        let (other, runs) = (db.clone(), runs.clone());
        let small = async move |tx: &mut Tx| {
            runs.up();
            item(tx, id).await
        };
        sessions.push(queued(async move { other.tx(Opts::default(), small).await }).await);
        if id % 10 == 9 {
            let other = db.clone();
            let large = async move |tx: &mut Tx| {
                for n in 0..100 {
                    let body = format!("{n}{}", "x".repeat(100_000));
                    tx.insert("insert into note (body) values (?)", args![body]).await?;
                }
                Ok::<_, Error>(1)
            };
            let large = queued(async move { other.tx(Opts::default(), large).await }).await;
            sessions.push(tokio::spawn(async move {
                let full = large.await.unwrap();
                let full = full.expect_err("the disk is full");
                assert!(
                    matches!(&full, Error::Database(e) if e.class == Class::Unavailable) && full.is_transient(),
                    "{full:?}"
                );
                Ok(1)
            }));
        }
    }
    holder.let_go().await?;
    for session in sessions {
        session.await.unwrap()?;
    }
    println!("{} runs of 30 small sessions", runs.get());
    assert_eq!(next_borrower(&db).await, (30, 0));
    assert_eq!(db.fetch_one::<(i64,)>("select count(*) from note", args![]).await?, (0,));
    assert_eq!(t.raw_value("pragma integrity_check").await.as_deref(), Some("ok"));
    Ok(())
}

async fn law_42_a_kill_inside_a_group_loses_nothing_acknowledged(t: Arc<TestDb>) -> Result<()> {
    if t.is_child() {
        let db = t.open(1).await;
        for task in 0..16 {
            let db = db.clone();
            tokio::spawn(async move {
                for n in 0.. {
                    let id = task * 1_000_000 + n;
                    let work = async move |tx: &mut Tx| {
                        item(tx, 2 * id).await?;
                        item(tx, 2 * id + 1).await
                    };
                    db.tx(Opts::default(), work).await.unwrap();
                    println!("acknowledged {id} of {} groups", db.stats().groups);
                }
            });
        }
        return std::future::pending().await;
    }
    let mut child = t.child();
    let mut words: Vec<String> = (0..400).map(|_| child.hear("acknowledged ")).collect();
    words.extend(child.kill());
    // The last line may be half of one.
    let whole = |words: &String| words.ends_with("groups\n").then(|| words.split(' ').nth(1)?.parse::<i64>().ok())?;
    let acknowledged: Vec<i64> = words.iter().filter_map(whole).collect();
    println!("{} acknowledged: {}", acknowledged.len(), words.last().unwrap());
    let db = t.open(1).await;
    let there: Vec<(i64,)> = db.fetch("select id from item", args![]).await?;
    let there: HashSet<i64> = there.into_iter().map(|(id,)| id).collect();
    for id in acknowledged {
        assert!(there.contains(&(2 * id)) && there.contains(&(2 * id + 1)), "{id} was acknowledged, and is lost");
    }
    assert!(there.iter().all(|id| there.contains(&(id ^ 1))), "half of a session");
    assert_eq!(t.raw_value("pragma integrity_check").await.as_deref(), Some("ok"));
    Ok(())
}

async fn law_08_dropped_after_its_runtime(t: Arc<TestDb>) -> Result<()> {
    let work = move || {
        let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (first, second) = (runtime(), runtime());
        let db = first.block_on(t.open(1));
        let session = |id: i64| {
            let db = db.clone();
            Box::pin(async move {
                let half = async move |tx: &mut Tx| {
                    item(tx, id).await?;
                    std::future::pending::<Result<()>>().await
                };
                db.tx(Opts::default(), half).await
            })
        };
        // One has the writer and others wait for it, some of them as tasks, when their runtime ends.
        let (mut has, mut waits) = (session(1), session(2));
        first.block_on(async { timeout(Duration::from_millis(100), &mut has).await.expect_err("it waits") });
        first.block_on(async { timeout(Duration::from_millis(10), &mut waits).await.expect_err("it waits") });
        (0..10).for_each(|id| drop(first.spawn(session(10 + id))));
        drop(first);
        drop((has, waits));
        second.block_on(async {
            db.tx(Opts::default(), async |tx| item(tx, 3).await).await?;
            assert_eq!(next_borrower(&db).await, (1, 0));
            t.assert_nothing_open().await;
            Ok(())
        })
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

//! One history for every database, applied once.

use std::sync::Arc;

use greenlit::{Error, FromRow, Migration, Opts, Reader, Result, args};

use crate::support::{Count, TestDb, item, items, laws, laws_on, open};

laws! {
    of_many_at_once_one_migrates,
    processes_migrate_once,
    histories_that_do_not_fit_are_refused,
    a_failed_migration_leaves_what_was_before,
    prepared_statements_outlive_a_migration,
}

laws_on! { [mariadb]:
    a_migration_goes_on_where_it_stopped,
    what_was_applied_is_known_again,
    a_snapshot_outlives_a_migration,
}

const HISTORY: &[Migration] = &[
    Migration { version: 1, name: "one", sql: "create table one (id {id}); insert into one (id) values (1)" },
    Migration { version: 2, name: "two", sql: "create table two (id {id}); insert into two (id) values (2)" },
    Migration { version: 3, name: "three", sql: "insert into one (id) values (3)" },
];

async fn of_many_at_once_one_migrates(t: Arc<TestDb>) -> Result<()> {
    for _ in 0..10 {
        let scratch = t.empty().await?;
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let url = scratch.url().to_owned();
                tokio::spawn(async move { open(&url, 2).await.migrate(HISTORY).await })
            })
            .collect();
        let mut applied = Vec::new();
        for task in tasks {
            applied.extend(task.await.unwrap()?.applied);
        }
        applied.sort_unstable();
        assert_eq!(applied, [1, 2, 3]);
        let db = open(scratch.url(), 2).await;
        assert_eq!(db.fetch::<(i64,)>("select id from one order by id", args![]).await?, [(1,), (3,)]);
        assert!(db.migrate(HISTORY).await?.applied.is_empty());
    }
    Ok(())
}

async fn processes_migrate_once(t: Arc<TestDb>) -> Result<()> {
    // The database has the schema of the laws, as version 1.
    let mut history = vec![t.schema()[0]];
    history.extend(HISTORY.iter().map(|m| Migration { version: m.version + 1, ..*m }));
    if t.is_child() {
        let applied = t.open(1).await.migrate(&history).await?.applied;
        println!("\napplied {} in all", applied.len());
        return Ok(());
    }
    let children = [t.child(), t.child(), t.child()];
    let counts = children.map(|mut child| {
        let line = child.hear("in all");
        child.join();
        line.split(' ').nth(1).unwrap().parse::<u32>().unwrap()
    });
    assert_eq!(counts.iter().sum::<u32>(), 3, "{counts:?}");
    assert_eq!(t.raw_number("select count(*) from one").await, 2);
    Ok(())
}

async fn histories_that_do_not_fit_are_refused(t: Arc<TestDb>) -> Result<()> {
    let scratch = t.empty().await?;
    let db = open(scratch.url(), 2).await;
    assert_eq!(db.migrate(&HISTORY[..2]).await?.applied, [1, 2]);
    let changed = [HISTORY[0], Migration { sql: "create table other (id {id})", ..HISTORY[1] }];
    let refused = db.migrate(&changed).await;
    assert!(matches!(&refused, Err(Error::Migration(e)) if e.contains("changed")), "{refused:?}");
    let refused = db.migrate(&HISTORY[..1]).await;
    assert!(matches!(&refused, Err(Error::Migration(e)) if e.contains("newer")), "{refused:?}");
    let unknown = [HISTORY[0], HISTORY[1], Migration { sql: "create table other (id {what})", ..HISTORY[2] }];
    assert!(matches!(db.migrate(&unknown).await, Err(Error::Migration(_))));
    assert_eq!(db.migrate(HISTORY).await?.applied, [3]);
    Ok(())
}

async fn a_failed_migration_leaves_what_was_before(t: Arc<TestDb>) -> Result<()> {
    let scratch = t.empty().await?;
    let db = open(scratch.url(), 2).await;
    let broken = [
        HISTORY[0],
        Migration { sql: "create table two (id {id}); insert into nowhere (id) values (1)", ..HISTORY[1] },
    ];
    assert!(matches!(db.migrate(&broken).await, Err(Error::Database(_))));
    // MariaDB cannot undo what it has done, and goes on behind it.
    assert_eq!(db.fetch::<(i64,)>("select id from two", args![]).await.is_ok(), t.is_mariadb());
    assert_eq!(db.fetch::<(i64,)>("select id from one", args![]).await?, [(1,)]);
    assert_eq!(db.migrate(HISTORY).await?.applied, [2, 3]);
    // An id that the application chose does not stand in the way of the next one.
    let id = db.tx(Opts::default(), async |tx| {
        tx.insert("insert into greenlit_outbox (topic, payload, due) values ('a', '1', 1)", args![]).await
    });
    assert_eq!(id.await?, 1);
    Ok(())
}

async fn a_migration_goes_on_where_it_stopped(t: Arc<TestDb>) -> Result<()> {
    const STEP: &str = "insert into greenlit_migration_steps (history, version, step, statement, done) values";
    const TWO: &str = "create table two (id bigint not null auto_increment primary key)";
    // A crash after the table was made and before that was written down; and one before it was made.
    for made in [true, false] {
        let scratch = t.empty().await?;
        let (db, own) = (open(scratch.url(), 2).await, t.at(scratch.url()));
        assert_eq!(db.migrate(&HISTORY[..1]).await?.applied, [1]);
        own.raw(if made { TWO } else { "do 0" }).await;
        own.raw(&format!("{STEP} ('application', 2, 0, '{TWO}', false)")).await;
        assert_eq!(db.migrate(HISTORY).await?.applied, [2, 3]);
        assert_eq!(db.fetch::<(i64,)>("select id from two", args![]).await?, [(2,)]);
        assert_eq!(own.raw_number("select count(*) from greenlit_migration_steps").await, 0);
    }
    // What was there before, and was not made by the migration, is no success.
    let scratch = t.empty().await?;
    let (db, own) = (open(scratch.url(), 2).await, t.at(scratch.url()));
    own.raw("create table two (other int)").await;
    for _ in 0..2 {
        assert!(matches!(db.migrate(HISTORY).await, Err(Error::Database(e)) if e.code.as_deref() == Some("1050")));
    }
    // What is done cannot become something else.
    own.raw("drop table two").await;
    let half = Migration { sql: "create table two (id {id}); insert into nowhere (id) values (1)", ..HISTORY[1] };
    assert!(matches!(db.migrate(&[HISTORY[0], half]).await, Err(Error::Database(_))));
    let other = Migration { sql: "create table three (id {id})", ..HISTORY[1] };
    let refused = db.migrate(&[HISTORY[0], other]).await;
    assert!(matches!(&refused, Err(Error::Migration(e)) if e.contains("half-way")), "{refused:?}");
    assert_eq!(db.migrate(HISTORY).await?.applied, [2, 3]);
    Ok(())
}

async fn what_was_applied_is_known_again(t: Arc<TestDb>) -> Result<()> {
    const STATEMENTS: [&str; 9] = [
        "alter table item add column w bigint",
        "create index ix_item__w on item (w)",
        "alter table item rename index ix_item__w to ix_item__of_w",
        "alter table item rename column w to x",
        "alter table item add constraint fk_item__x foreign key (x) references item (id)",
        "alter table item drop foreign key fk_item__x",
        "alter table item add constraint ck_item__x check (x > 0)",
        "rename table item to thing",
        "drop table link",
    ];
    let db = t.open(1).await;
    let mut history = t.schema().to_vec();
    for (version, sql) in (2..).zip(STATEMENTS) {
        // A crash after the statement was applied and before that was written down.
        t.raw(sql).await;
        t.raw(&format!(
            "insert into greenlit_migration_steps (history, version, step, statement, done)
             values ('application', {version}, 0, '{sql}', false)"
        ))
        .await;
        history.push(Migration { version, name: "next", sql });
        let migrated = db.migrate(&history).await;
        assert!(migrated.as_ref().is_ok_and(|migrated| migrated.applied == [version]), "{sql}: {migrated:?}");
    }
    Ok(())
}

async fn a_snapshot_outlives_a_migration(t: Arc<TestDb>) -> Result<()> {
    let (db, runs, own) = (t.open(1).await, Count::default(), t.clone());
    let tries = runs.clone();
    let read = db.read(Opts::default(), async move |r| {
        let items = items(r).await?;
        if tries.up() == 0 {
            own.raw("alter table note add column w bigint, force").await;
        }
        r.fetch::<(i64, String)>("select id, body from note", args![]).await.map(|notes| (items, notes.len()))
    });
    // The new table has no history that the snapshot could see: MariaDB asks for another.
    assert_eq!(read.await?, (0, 0));
    assert_eq!(runs.get(), 2);
    Ok(())
}

#[derive(Debug, PartialEq, FromRow)]
struct Item {
    id: i64,
    v: i64,
    w: i64,
}

async fn prepared_statements_outlive_a_migration(t: Arc<TestDb>) -> Result<()> {
    const ALL: &str = "select * from item";
    let db = t.open(1).await;
    db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        tx.fetch::<(i64, i64)>(ALL, args![]).await
    })
    .await?;
    assert_eq!(db.fetch::<(i64, i64)>(ALL, args![]).await?, [(1, 0)]);
    // Another process, of a newer version, changes the table.
    t.raw("alter table item add column w bigint not null default 7").await;
    assert_eq!(db.fetch::<Item>(ALL, args![]).await?, [Item { id: 1, v: 0, w: 7 }]);
    t.raw("alter table item drop column w; alter table item drop column v; alter table item add column w bigint default 8")
        .await;
    t.raw("alter table item add column v bigint default 9").await;
    let seen = db.tx(Opts::default(), async |tx| tx.fetch::<Item>(ALL, args![]).await).await?;
    assert_eq!(seen, [Item { id: 1, v: 9, w: 8 }]);
    assert_eq!(db.fetch::<Item>(ALL, args![]).await?, seen);
    Ok(())
}

//! Laws 1 to 7: who may use a session, where, and what it may do to others.

use std::{future::Future, sync::Arc, time::Duration};

use greenlit::{Db, Error, FromRow, Opts, Read, Reader, Result, Row, Tx, args, by_key};
use tokio::time::timeout;

use crate::support::{TestDb, item, items, laws};

laws! {
    law_04_every_future_is_send,
    law_05_a_read_session_cannot_write,
    law_06_a_session_cannot_change_its_connection,
    law_06_the_next_borrower_finds_the_session_as_it_was,
    law_07_rows_outlive_their_session,
    law_07_related_rows_come_by_join_or_in_one_statement,
    law_07_a_row_is_what_the_statement_brought_back,
}

/// Laws 1 to 5, 22 and 28 where the compiler keeps them: each file must fail to compile, with the misuse as the message.
#[test]
fn laws_01_to_05_22_and_28_misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/laws/compile_fail/*.rs");
}

/// A service as applications write it: methods over `&self`, references, plain async functions, captured clones.
struct Service {
    db: Db,
    prefix: String,
}

impl Service {
    async fn add(&self, names: &[&str]) -> Result<Vec<i64>> {
        self.db.tx(Opts::default(), async |tx| self.add_all(tx, names).await).await
    }

    async fn add_all(&self, tx: &mut Tx, names: &[&str]) -> Result<Vec<i64>> {
        let mut ids = Vec::new();
        for name in names {
            let id = tx.savepoint(async |tx| self.add_one(tx, name).await).await?;
            ids.push(tx.required(async |tx| check(tx, id).await).await?);
        }
        Ok(ids)
    }

    async fn add_one(&self, tx: &mut Tx, name: &str) -> Result<i64> {
        tx.insert("insert into note (body) values (?)", args![format!("{}{name}", self.prefix)]).await
    }
}

/// Takes any reader: the transaction that wrote, a read session, or none.
async fn check(r: &mut impl Reader, id: i64) -> Result<i64> {
    Ok(r.fetch_one::<(i64,)>("select id from note where id = ?", args![id]).await?.0)
}

async fn count_notes(r: &mut Read) -> Result<i64> {
    Ok(r.fetch_one::<(i64,)>("select count(*) from note", args![]).await?.0)
}

fn is_send<T>(future: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send {
    future
}

async fn law_04_every_future_is_send(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(2).await;
    let service = Arc::new(Service { db: db.clone(), prefix: "note ".to_owned() });
    let handler = service.clone();
    // As a web framework runs it: the future goes to another thread.
    let ids = tokio::spawn(is_send(async move { handler.add(&["a", "b"]).await })).await.unwrap()?;
    assert_eq!(ids.len(), 2);
    // A plain async function as the closure.
    assert_eq!(is_send(db.read(Opts::default(), count_notes)).await?, 2);
    assert_eq!(is_send(check(&mut db.single(), ids[0])).await?, ids[0]);
    // Clones that the closure owns, with an error type of the application's.
    let names = Arc::new(vec!["c".to_owned()]);
    let told: Result<i64, Box<dyn std::error::Error + Send + Sync>> =
        is_send(db.tx(Opts::default(), async move |tx| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Ok(service.add_all(tx, &names).await?[0])
        }))
        .await;
    assert!(told.is_ok(), "{told:?}");
    // Large futures are copied at every step, and without optimisation overflow a stack of two megabytes.
    let sizes = (
        std::mem::size_of_val(&db.fetch::<(i64,)>("select 1", args![])),
        std::mem::size_of_val(&db.tx(Opts::default(), async |tx| item(tx, 1).await)),
    );
    assert!(sizes.0.max(sizes.1) < 8 * 1024, "{sizes:?} bytes");
    Ok(())
}

async fn law_05_a_read_session_cannot_write(t: Arc<TestDb>) -> Result<()> {
    const WRITE: &str = "insert into item (id, v) values (5, 0) returning id";
    let db = t.open(1).await;
    let refused = db.read(Opts::default(), async |r| r.fetch::<(i64,)>(WRITE, args![]).await).await;
    assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");
    let refused = db.fetch::<(i64,)>(WRITE, args![]).await;
    assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");
    let refused = db.single().fetch::<(i64,)>(WRITE, args![]).await;
    assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");
    // The same connection writes for a transaction, and reads again after it.
    assert_eq!(db.tx(Opts::default(), async |tx| tx.fetch::<(i64,)>(WRITE, args![]).await).await?, [(5,)]);
    assert!(db.fetch::<(i64,)>(WRITE, args![]).await.is_err());
    // A read session sees one snapshot.
    let (other, read) = (t.clone(), t.open(1).await);
    let counts = read.read(Opts::default(), async move |r| {
        let before = items(r).await?;
        other.raw("insert into item (id, v) values (6, 0)").await;
        Ok::<_, Error>((before, items(r).await?))
    });
    assert_eq!(counts.await?, (1, 1));
    assert_eq!(items(&mut db.single()).await?, 2);
    Ok(())
}

async fn law_06_a_session_cannot_change_its_connection(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let forbidden = [
        "commit",
        " Rollback",
        "/* a */ begin",
        "-- b\nset lock_timeout = 1",
        "pragma query_only = 0",
        "/*! commit */",
        "/*M! commit */",
        "# c\ncommit",
        "if 1 = 1 then commit; end if",
        "unlock tables",
        // Functions and variables that no rollback undoes.
        "select set_config('search_path', 'elsewhere', false)",
        "select v, pg_catalog.pg_advisory_lock(id) from item",
        "select Get_Lock('a', 1)",
        "select load_extension('a')",
        "select @a := v from item",
        "select v into @a from item",
        "select v into outfile 'a' from item",
        "select v into temporary copy from item",
        "with a as (select 1) select * into copy from a",
        "select v /*! into @a */ from item",
    ];
    for sql in forbidden {
        let refused = db.tx(Opts::default(), async |tx| tx.exec(sql, args![]).await).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{sql}: {refused:?}");
        // Swallowed, it is a failed statement like any other.
        let swallowed = db.tx(Opts::default(), async |tx| {
            item(tx, 1).await?;
            let _ = tx.exec(sql, args![]).await;
            Ok::<_, Error>(())
        });
        assert!(matches!(swallowed.await, Err(Error::RolledBack(_))), "{sql}");
    }
    // Nor can a second statement hide behind the first.
    let two = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        tx.exec("update item set v = 1; commit", args![]).await
    });
    assert!(two.await.is_err());
    assert_eq!(items(&mut db.single()).await?, 0);
    // What looks like it and is none of it.
    let harmless = db.tx(Opts::default(), async |tx| {
        tx.exec("insert into note (body) select 'set_config(' from item /* into */", args![]).await?;
        tx.exec("insert into note (body) values ('select v into @a := get_lock(')", args![]).await
    });
    assert_eq!(harmless.await?, 1);
    Ok(())
}

/// Everything that the session of the only connection remembers; on SQLite of both, the reader's and the writer's.
async fn session_state(t: &TestDb, db: &Db) -> Result<Vec<String>> {
    const PRAGMAS: [&str; 9] = [
        "foreign_keys",
        "query_only",
        "synchronous",
        "journal_mode",
        "read_uncommitted",
        "recursive_triggers",
        "ignore_check_constraints",
        "temp_store",
        "cache_size",
    ];
    let pragmas = PRAGMAS.map(|name| format!("select '{name} ' || \"{name}\" from pragma_{name}")).join(" union all ");
    let state = t.says(
        pragmas.as_str(),
        "select name || ' ' || coalesce(setting, '') from pg_settings \
         union all select 'lock ' || objid from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() \
         union all select 'table ' || relname from pg_class where relpersistence = 't' order by 1",
        // All but the clock, the connection's name and what the last statement brought.
        "select concat(variable_name, ' ', variable_value) from information_schema.session_variables \
         where variable_name not in ('timestamp', 'pseudo_thread_id', 'rand_seed1', 'rand_seed2', 'last_insert_id', \
         'identity', 'insert_id', 'warning_count', 'error_count', 'last_gtid', 'gtid_binlog_pos', 'gtid_current_pos') \
         order by 1",
    );
    let mut rows: Vec<(String,)> = db.fetch(state, args![]).await?;
    if t.is_sqlite() {
        rows.extend(db.tx(Opts::default(), async |tx| tx.fetch::<(String,)>(state, args![]).await).await?);
    }
    Ok(rows.into_iter().map(|row| row.0).collect())
}

async fn law_06_the_next_borrower_finds_the_session_as_it_was(t: Arc<TestDb>) -> Result<()> {
    let (db, slow) = (t.open(1).await, t.slow_statement());
    let before = session_state(&t, &db).await?;
    assert!(before.len() > 8, "{before:?}");
    let same = async |after: &str| {
        assert_eq!(session_state(&t, &db).await.unwrap(), before, "after {after}");
    };
    for (at, opts) in [
        ("a transaction", Opts::default()),
        ("a serializable one", Opts::default().serializable()),
        ("one with a key", Opts::default().once("key")),
        ("one whose key was used", Opts::default().once("key")),
    ] {
        let _ = db.tx(opts, async |tx| tx.savepoint(async |tx| item(tx, 1).await).await).await;
        same(at).await;
        db.read(Opts::default().serializable(), async |r| items(r).await).await?;
        same("a read session").await;
    }
    let failed = db.tx(Opts::default().once("new"), async |tx| {
        item(tx, 2).await?;
        tx.exec("no statement at all", args![]).await
    });
    assert!(failed.await.is_err());
    same("a failure").await;
    let refused = async |tx: &mut Tx| tx.fetch::<(i64,)>("select set_config('work_mem', '64kB', false)", args![]).await;
    assert!(db.tx(Opts::default(), refused).await.is_err());
    same("a refusal").await;
    let stopped = db.tx(Opts::default().serializable(), async |tx| tx.fetch::<(i64,)>(slow, args![]).await);
    assert!(timeout(Duration::from_millis(100), stopped).await.is_err());
    same("a cancellation").await;
    Ok(())
}

async fn law_07_rows_outlive_their_session(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let rows = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        tx.fetch::<(i64, i64)>("select id, v from item", args![]).await
    });
    let rows = rows.await?;
    drop(db);
    assert_eq!(rows, [(1, 0)]);
    Ok(())
}

#[derive(Debug, PartialEq, FromRow)]
struct Target {
    target: i64,
    v: i64,
}

#[derive(Debug, PartialEq, FromRow)]
struct Link {
    id: i64,
    #[row(flatten)]
    item: Target,
}

async fn law_07_related_rows_come_by_join_or_in_one_statement(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let set_up = db.tx(Opts::default(), async |tx| {
        for id in 0..20 {
            item(tx, id).await?;
            for twin in [id, id + 100] {
                tx.exec("insert into link (id, target) values (?, ?)", args![twin, id]).await?;
            }
        }
        Ok::<_, Error>(())
    });
    set_up.await?;
    // By join: the row's struct holds the related one's.
    let joined = db.read(Opts::default().budget(1), async |r| {
        let sql = "select l.id, l.target, i.v from link l join item i on i.id = l.target order by l.id";
        r.fetch::<Link>(sql, args![]).await
    });
    let joined = joined.await?;
    assert_eq!((joined.len(), &joined[39]), (40, &Link { id: 119, item: Target { target: 19, v: 0 } }));
    // By select-in: one statement for the whole list, however long it is.
    let related = db.read(Opts::default().budget(2), async |r| {
        let parents: Vec<i64> = r.fetch("select id from item", args![]).await?.into_iter().map(|(id,)| id).collect();
        let links: Vec<(i64, i64)> =
            r.fetch_in("select target, id from link where target in (?*) order by id", &parents).await?;
        let links = by_key(links, |link| link.0);
        Ok::<_, Error>(parents.into_iter().map(|id| (id, links[&id].iter().map(|l| l.1).collect())).collect())
    });
    let related: Vec<(i64, Vec<i64>)> = related.await?;
    assert_eq!(related.len(), 20);
    assert!(related.iter().all(|(id, links)| *links == [*id, id + 100]), "{related:?}");
    Ok(())
}

async fn law_07_a_row_is_what_the_statement_brought_back(t: Arc<TestDb>) -> Result<()> {
    const ALL: &str = "select * from item order by id";
    let db = t.open(1).await;
    t.raw("insert into item (id, v) values (1, 10), (2, 20)").await;
    // A row ends where its columns end, though another one follows.
    assert_eq!(db.fetch::<(i64, i64)>(ALL, args![]).await?, [(1, 10), (2, 20)]);
    struct Third(Option<i64>);
    impl FromRow for Third {
        fn from_row(row: &mut Row) -> Result<Third> {
            Ok(Third(row.take(2).ok()))
        }
    }
    assert!(db.fetch::<Third>(ALL, args![]).await?.iter().all(|third| third.0.is_none()));
    assert!(matches!(db.fetch::<(i64, i64, i64)>(ALL, args![]).await, Err(Error::Decode(_))));
    // Its columns are called as they are now, not as when the statement was first run.
    #[derive(Debug, PartialEq, FromRow)]
    struct Renamed {
        id: i64,
        w: i64,
    }
    for _ in 0..5 {
        assert!(matches!(db.fetch::<Renamed>(ALL, args![]).await, Err(Error::Decode(_))));
    }
    t.raw("alter table item rename column v to w").await;
    assert_eq!(db.fetch::<Renamed>(ALL, args![]).await?, [Renamed { id: 1, w: 10 }, Renamed { id: 2, w: 20 }]);
    Ok(())
}

//! Laws 6 and 19 where MariaDB's server can be asked: what a session leaves behind in it, and whether its transaction is
//! still there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use greenlit::{Db, Doom, Error, Opts, Reader, Result, Tx, args};
use tokio::time::timeout;

use crate::{
    proxy::{Proxy, Wire},
    support::{TestDb, item, items, laws_on, open},
};

laws_on! { [mariadb]:
    law_06_all_variables_are_equal_before_and_after_each_lease,
    law_19_a_transaction_that_ended_behind_its_back_is_noticed,
    warnings_of_statements_are_counted,
}

/// What a session has of its own at the server.
#[derive(Debug, PartialEq)]
struct State {
    variables: BTreeMap<String, String>,
    /// Those that begin with `@`, session locks, and temporary tables.
    kept: i64,
}

/// What tells of the last statement alone.
const OF_THE_LAST: &str = "'error_count', 'identity', 'insert_id', 'last_gtid', 'last_insert_id', 'pseudo_thread_id', \
    'rand_seed1', 'rand_seed2', 'timestamp', 'warning_count'";

/// The state of the pool's only connection, and its number.
async fn state(db: &Db) -> Result<(i64, State)> {
    let sql = format!(
        "select variable_name, coalesce(variable_value, '') from information_schema.session_variables \
         where lower(variable_name) not in ({OF_THE_LAST})"
    );
    let variables = db.fetch::<(String, String)>(&sql, args![]).await?.into_iter().collect::<BTreeMap<_, _>>();
    assert!(variables.len() > 300, "{} variables", variables.len());
    let kept = "select connection_id(), (select count(*) from information_schema.user_variables) \
        + (select count(*) from information_schema.tables where table_type like '%TEMPORARY%') \
        + coalesce(is_used_lock('law'), 0)";
    let (id, kept) = db.fetch_one(kept, args![]).await?;
    Ok((id, State { variables, kept }))
}

async fn law_06_all_variables_are_equal_before_and_after_each_lease(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let (mut connection, fresh) = state(&db).await?;
    assert_eq!(fresh.kept, 0);
    for lease in 0..12 {
        let kept = lend(&t, &db, lease).await?;
        let (id, left) = state(&db).await?;
        assert_eq!(left, fresh, "lease {lease} left something behind");
        assert_eq!(id == connection, kept, "lease {lease}: the connection");
        connection = id;
    }
    Ok(())
}

/// Lends the connection in the manner of this number; tells whether the next borrower shall get the same.
async fn lend(t: &TestDb, db: &Db, lease: i64) -> Result<bool> {
    let write = async |tx: &mut Tx| item(tx, lease).await;
    let fail = async |tx: &mut Tx| {
        item(tx, lease).await?;
        tx.exec("no statement at all", args![]).await
    };
    let slow = timeout(Duration::from_millis(100), async {
        match lease {
            8 => drop(db.fetch::<(i64,)>(t.slow_statement(), args![]).await),
            9 => drop(db.tx(Opts::default(), async |tx| tx.fetch::<(i64,)>(t.slow_statement(), args![]).await).await),
            _ => {}
        }
    });
    match lease {
        0 => drop(db.tx(Opts::default(), write).await?),
        1 => drop(db.tx(Opts::default().serializable(), write).await?),
        2 => drop(db.tx(Opts::default().once("key"), write).await?),
        3 => assert!(db.tx(Opts::default(), fail).await.is_err()),
        4 => assert!(db.tx(Opts::default().serializable().once("other"), fail).await.is_err()),
        5 => drop(db.read(Opts::default(), async |r| items(r).await).await?),
        6 => assert!(db.read(Opts::default(), async |r| r.fetch::<(i64,)>("nothing", args![]).await).await.is_err()),
        7 => assert!(db.fetch::<(i64,)>("update item set v = 1", args![]).await.is_err(), "a reader writes"),
        8 | 9 => assert!(slow.await.is_err()),
        // Nobody else gets the connection on which migrations ran.
        10 => drop(db.migrate(t.schema()).await?),
        _ => db.prepare("select v from item where id = ?").await?,
    }
    Ok(!matches!(lease, 8..=10))
}

async fn law_19_a_transaction_that_ended_behind_its_back_is_noticed(t: Arc<TestDb>) -> Result<()> {
    let proxy = Proxy::to(t.url()).await;
    let db = open(&proxy.url, 1).await;
    for (id, wire) in [(1, Wire::EndAtSavepoint), (2, Wire::EndAndFailAtSavepoint)] {
        proxy.set(wire);
        let result = db.tx(Opts::default().attempts(1), async |tx| {
            item(tx, id).await?;
            let _ = tx.savepoint(async |tx| item(tx, 10 + id).await).await;
            let next = item(tx, 20 + id).await;
            assert!(matches!(next, Err(Error::Aborted(Doom::GivenUp))), "{wire:?}: {next:?}");
            Ok::<_, Error>(())
        });
        let result = result.await;
        assert!(matches!(result, Err(Error::RolledBack(Doom::GivenUp))), "{wire:?}: {result:?}");
        assert_eq!(items(&mut db.single()).await?, id, "what the server had committed, and nothing else");
    }
    t.assert_nothing_open().await;
    Ok(())
}

async fn warnings_of_statements_are_counted(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let twice = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        tx.exec("insert ignore into item (id, v) values (1, 0)", args![]).await
    });
    assert_eq!((twice.await?, db.stats().warnings), (0, 1));
    Ok(())
}

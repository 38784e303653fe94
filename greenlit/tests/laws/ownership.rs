//! Laws 1 to 7: who may use a session, where, and what it may do to others.

use std::{future::Future, sync::Arc};

use greenlit::{Error, Opts, Read, Reader, Result, Tx, args};

use crate::support::{TestDb, item, items, laws};

laws! {
    law_04_every_future_is_send,
    law_05_a_read_session_cannot_write,
    law_06_a_session_cannot_change_its_connection,
    law_07_rows_outlive_their_session,
}

/// Laws 1 to 5 and 28 where the compiler keeps them: each file must fail to compile, with the misuse as the message.
#[test]
fn laws_01_to_05_misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/laws/compile_fail/*.rs");
}

/// A service as applications write it: methods over `&self`, references, plain async functions, captured clones.
struct Service {
    db: greenlit::Db,
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

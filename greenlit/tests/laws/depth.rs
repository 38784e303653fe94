//! Law 23: how deep savepoints may lie in each other.

use std::{future::Future, pin::Pin, sync::Arc};

use greenlit::{Error, Opts, Result, Tx};

use crate::support::{TestDb, item, laws, next_borrower};

laws! { law_23_savepoints_have_a_depth }

/// So many savepoints inside each other, with an item in each; the last failure is handled where `handled` says so.
fn nest(tx: &mut Tx, depth: i64, handled: i64) -> Pin<Box<dyn Future<Output = Result<()>> + Send + '_>> {
    Box::pin(async move {
        if depth == 0 {
            return Ok(());
        }
        let inner = tx.savepoint(async |tx| {
            item(tx, depth).await?;
            nest(tx, depth - 1, handled).await
        });
        let inner = inner.await;
        if depth == handled { Ok(()) } else { inner }
    })
}

async fn depth(t: &TestDb) -> Result<()> {
    let db = t.open(1).await;
    db.tx(Opts::default(), async |tx| nest(tx, 32, 0).await).await?;
    assert_eq!(next_borrower(&db).await, (32, 0));
    let deeper = db.tx(Opts::default(), async |tx| nest(tx, 33, 0).await).await;
    assert!(matches!(&deeper, Err(Error::Refused(why)) if why.contains("32")), "{deeper:?}");
    assert_eq!(next_borrower(&db).await, (0, 0));
    // Swallowed, the scope that went too deep is undone: items 33 to 3 stay.
    db.tx(Opts::default(), async |tx| nest(tx, 33, 2).await).await?;
    assert_eq!(next_borrower(&db).await, (31, 0));
    // One after another there may be as many as it takes.
    let row = db.tx(Opts::default(), async |tx| {
        for id in 0..100 {
            tx.savepoint(async |tx| item(tx, id).await).await?;
        }
        Ok::<_, Error>(())
    });
    row.await?;
    assert_eq!(next_borrower(&db).await, (100, 0));
    Ok(())
}

async fn law_23_savepoints_have_a_depth(t: Arc<TestDb>) -> Result<()> {
    // Thirty scopes, without optimisation, are more than a test's thread has room for.
    let roomy = std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(depth(&t))
    });
    tokio::task::spawn_blocking(|| roomy.unwrap().join().unwrap()).await.unwrap()
}

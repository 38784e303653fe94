//! Laws 10 and 11 on a wire that can be watched: what is told to stop, and what not.

use std::{sync::Arc, time::Duration};

use greenlit::{Opts, Result, args};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use crate::{
    proxy::{Proxy, Wire},
    support::{TestDb, eventually, item, items, laws_on, open},
};

laws_on! { [postgres mariadb]:
    law_10_a_server_that_is_not_reached_is_given_up,
    law_11_what_has_ended_is_not_stopped,
    law_11_what_is_rolled_back_is_not_stopped,
}

const SOON: Duration = Duration::from_millis(200);

async fn law_10_a_server_that_is_not_reached_is_given_up(t: Arc<TestDb>) -> Result<()> {
    let proxy = Proxy::to(t.url()).await;
    let (db, slow) = (open(&proxy.url, 1).await, t.sleep("60"));
    let mut work = Box::pin(db.fetch::<(i32,)>(&slow, args![]));
    assert!(timeout(SOON, &mut work).await.is_err());
    // Not even the request to stop gets through, now or later.
    proxy.set(Wire::Silent);
    drop(work);
    sleep(Duration::from_secs(14)).await;
    proxy.mute_all();
    proxy.set(Wire::Plain);
    // The pool's only place is free again, long before the statement ends.
    assert_eq!(items(&mut db.single()).await?, 0);
    assert_eq!((db.stats().cancelled, db.stats().opened), (1, 2));
    Ok(())
}

async fn law_11_what_has_ended_is_not_stopped(t: Arc<TestDb>) -> Result<()> {
    let proxy = Proxy::to(t.url()).await;
    let (db, slow) = (open(&proxy.url, 1).await, t.sleep("60"));
    for round in 1..=3 {
        let mut work = Box::pin(db.fetch::<(i32,)>(&slow, args![]));
        assert!(timeout(SOON, &mut work).await.is_err());
        // The server ends the connection, and may give its number to another.
        t.terminate(&t.sessions().await).await;
        sleep(SOON).await;
        drop(work);
        eventually("it is kept", async || db.stats().discarded == round).await;
        assert_eq!(items(&mut db.single()).await?, 0);
        assert_eq!(proxy.kills(), 0);
    }
    // What runs is stopped, by the same wire.
    assert!(timeout(SOON, db.fetch::<(i32,)>(&slow, args![])).await.is_err());
    eventually("it is not stopped", async || proxy.kills() > 0).await;
    Ok(())
}

async fn law_11_what_is_rolled_back_is_not_stopped(t: Arc<TestDb>) -> Result<()> {
    let proxy = Proxy::to(t.url()).await;
    let db = open(&proxy.url, 1).await;
    for _ in 0..20 {
        // Dropped between two statements: there is nothing to stop.
        let between = Arc::new(Notify::new());
        let told = between.clone();
        let work = db.tx(Opts::default(), async move |tx| {
            item(tx, 1).await?;
            told.notify_one();
            std::future::pending::<Result<()>>().await
        });
        tokio::select! {
            _ = work => unreachable!(),
            () = between.notified() => {}
        }
        assert_eq!(items(&mut db.single()).await?, 0);
    }
    assert_eq!((proxy.kills(), db.stats().cancelled, db.stats().discarded), (0, 0, 0));
    Ok(())
}

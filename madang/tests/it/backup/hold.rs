//! While a backup copies, what it has to copy stays.

use std::time::Duration;

use futures_util::TryStreamExt;
use greenlit::Opts;
use indicatif::ProgressBar;
use madang::backup::{self, Source};

use super::Backups;
use crate::support::{TestApp, on_each_database, pictures};

async fn holds(app: &TestApp) -> i64 {
    let sql = "select count(*) from installation where name like 'hold:%'";
    app.app.db.fetch_one::<(i64,)>(sql, vec![]).await.unwrap().0
}

/// Begins a backup and drops it in the middle, as if it were killed.
async fn begin_and_die(app: &TestApp, backups: &Backups) {
    let source = Source { db: app.app.db.clone(), store: app.app.media.store.clone() };
    let bar = ProgressBar::hidden();
    let making = backup::back_up(&source, &backups.place, app.clock.now(), &bar, |_| {});
    let held = async {
        let claimed = "select count(*) from greenlit_outbox where topic = 'backup.hold' and attempts = 1";
        while app.app.db.fetch_one::<(i64,)>(claimed, vec![]).await.unwrap().0 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        biased;
        () = held => {}
        made = making => panic!("it was faster than a look: {made:?}"),
    }
}

on_each_database! {
    async fn f39_what_is_deleted_meanwhile_stays_until_the_backup_has_ended(app: TestApp) {
        let ann = app.user("ann").await;
        for index in 0..30 {
            ann.create_feed(&format!("feed {index}"), &[pictures::png()]).await;
        }
        let feed = ann.create_feed("deleted", &[pictures::noise(700, 10)]).await;
        app.work().await;
        let backups = Backups::new().await;
        begin_and_die(&app, &backups).await;

        ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        app.work().await;
        let objects = async || app.app.media.store.list().try_collect::<Vec<_>>().await.unwrap();
        assert_eq!(objects().await.len(), 32, "the image and its thumbnail are held");
        assert_eq!(app.count("greenlit_outbox").await, 2, "the hold, and the deletion that waits for it");
        let attempts = "select cast(coalesce(sum(attempts), 0) as integer) from greenlit_outbox where topic = 'media.delete'";
        let (attempts,) = app.app.db.fetch_one::<(i64,)>(attempts, vec![]).await.unwrap();
        assert_eq!(attempts, 0, "waiting is no failure");

        // Nobody prolongs the lease of a backup that is dead.
        let over = "update greenlit_outbox set due = 0 where topic = 'backup.hold'";
        app.app.db.tx(Opts::default(), async |tx| tx.exec(over, vec![]).await).await.unwrap();
        app.work().await;
        assert_eq!(holds(&app).await, 0);
        assert_eq!(objects().await.len(), 30);
        app.assert_consistent().await;

        // The next one finds what the dead one left, and ends its own hold.
        let made = super::back_up(&app, &backups.place).await;
        assert_eq!(made.manifest.objects, 30);
        assert_eq!((holds(&app).await, app.count("greenlit_outbox").await), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_clears_the_hold_of_one_that_died() {
    let app = TestApp::sqlite().await;
    let ann = app.user("ann").await;
    for index in 0..30 {
        ann.create_feed(&format!("feed {index}"), &[pictures::png()]).await;
    }
    let backups = Backups::new().await;
    begin_and_die(&app, &backups).await;
    let over = "update greenlit_outbox set due = 0 where topic = 'backup.hold'";
    app.app.db.tx(Opts::default(), async |tx| tx.exec(over, vec![]).await).await.unwrap();
    super::back_up(&app, &backups.place).await;
    assert_eq!((holds(&app).await, app.count("greenlit_outbox").await), (0, 0));
}

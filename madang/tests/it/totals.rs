//! Totals of whole tables: exact whoever writes and folds at the same time.

use futures_util::future::join_all;

use crate::support::{Client, on_each_database};

async fn total(client: &Client) -> i64 {
    client.get("/api/feed/list?limit=1").await.expect(200)["pagination"]["total_count"].as_i64().unwrap()
}

on_each_database! {
    async fn a_total_is_exact_while_it_is_folded(app: TestApp) {
        let minsu = app.user("minsu").await;
        let writers = join_all((0..4).map(|_| async {
            for _ in 0..40 {
                let id = minsu.create_feed("title", &[]).await["id"].clone();
                minsu.delete(&format!("/api/feed/delete/{id}")).await.expect(200);
                minsu.create_feed("title", &[]).await;
            }
        }));
        // Two nodes fold at the same time.
        let folders = join_all((0..2).map(|_| async {
            for _ in 0..20 {
                app.work().await;
                assert!(total(&minsu).await >= 0);
            }
        }));
        tokio::join!(writers, folders);
        assert_eq!((total(&minsu).await, app.count("feeds").await), (160, 160));
        app.work().await;
        assert!(app.count("totals").await < 60, "deltas were left");
        assert_eq!(total(&minsu).await, 160);
        let own = minsu.get("/api/feed/list-by-user?nickname=minsu").await.expect(200);
        assert_eq!(own["total_count"], 160);
    }
}

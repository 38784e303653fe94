//! How much one user can make the store hold.

use std::time::Duration;

use axum::http::Method;
use greenlit::{Opts, args};
use madang::media::{picture::Format, store::Name};

use super::{pictures_of, served};
use crate::support::{form::FormData, on_each_database};

on_each_database! {
    async fn u14_uploads_that_break_off_do_not_add_up(app: TestApp) {
        let (ann, bob) = (app.user("ann").await, app.user("bob").await);
        let expires = app.clock.now().after(Duration::from_secs(60 * 60));
        let insert = "insert into images (image_key, extension, owner_id, position, width, height, expire_dt) \
                      values (?, 'png', ?, 0, 1, 1, ?)";
        let broken_off = async |count: usize| {
            for _ in 0..count {
                let row = args![Name::random(Format::Png).key(), ann.id, expires];
                app.app.db.tx(Opts::default(), async move |tx| tx.exec(insert, row).await).await.unwrap();
            }
        };
        broken_off(199).await;
        let feed = ann.create_feed("the last", &pictures_of([1])).await;
        broken_off(1).await;
        let form = || FormData::new().text("title", "t").text("content", "c").files("images", &pictures_of([1]));
        let refused = ann.form(Method::POST, "/api/feed/create", form()).await;
        refused.refused(429, "too_many_uploads");
        assert_eq!(refused.header("retry-after"), "60");
        assert_eq!(app.count("images").await, 201);
        // It is nobody else's matter, nor that of feeds without images.
        bob.create_feed("mine", &pictures_of([1])).await;
        ann.create_feed("text alone", &[]).await;

        app.clock.advance(Duration::from_secs(2 * 60 * 60));
        app.assert_consistent().await;
        ann.create_feed("again", &pictures_of([1])).await;
        assert_eq!(served(&ann, &feed).await, 1);
    }
}

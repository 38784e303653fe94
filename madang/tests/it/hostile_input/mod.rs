//! Input that is meant to break something: ids, texts, bodies, parameters, and members that are not the sender's to set.

mod bodies;
mod images;
mod members;
mod parameters;
mod texts;

use serde_json::Value;

use crate::support::{Client, Rows, TestApp};

/// A board with one feed of one user, and what it must still look like after everything hostile.
struct Stage {
    app: TestApp,
    user: Client,
    feed: Value,
    rows: Rows,
}

impl Stage {
    async fn set(app: TestApp) -> Stage {
        let user = app.user("minsu").await;
        let feed = user.create_feed("kept", &[]).await;
        let rows = app.rows().await;
        Stage { app, user, feed, rows }
    }

    /// No row came or went, the feed is as it was, and good requests work.
    async fn assert_unharmed(&self) {
        assert_eq!(self.app.rows().await, self.rows);
        assert_eq!(self.user.get("/api/feed/read/1").await.expect(200), self.feed);
        self.user.get("/api/mypage/profile").await.expect(200);
        self.app.assert_consistent().await;
    }
}

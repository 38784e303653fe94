//! `madang check`: what does not agree is found and made right, and nothing else is touched.

mod command;
mod objects;

use greenlit::{Opts, args};
use indicatif::ProgressBar;
use madang::check::{Board, Finding, Outcome, check};

use crate::support::{TestApp, on_each_database};

fn board(app: &TestApp) -> Board {
    Board { db: app.app.db.clone(), store: app.app.media.store.clone(), clock: app.clock.clone() }
}

/// What is found, and how many of it are left as they are.
async fn checked(app: &TestApp, repair: bool) -> (Vec<String>, u64) {
    let (mut found, mut left) = (Vec::new(), 0);
    let show = |finding: &Finding, repaired: bool| {
        left += u64::from(!repaired);
        found.push(match finding {
            Finding::Count { what, id, kept, counted } => {
                format!("{what} {}: {kept} {counted}", id.map(|id| id.to_string()).unwrap_or_default())
            }
            other => {
                let other = serde_json::to_value(other).unwrap();
                let named = ["name", "topic", "told"].into_iter().find_map(|key| other[key].as_str());
                format!("{} {}", other["what"].as_str().unwrap(), named.unwrap())
            }
        });
    };
    let outcome = check(&board(app), repair, &ProgressBar::hidden(), show).await.unwrap();
    assert_eq!(outcome, Outcome { found: found.len() as u64, left });
    found.sort();
    (found, left)
}

/// The same, where all that is found is repaired if so asked, or else nothing.
pub(crate) async fn findings(app: &TestApp, repair: bool) -> Vec<String> {
    let (found, left) = checked(app, repair).await;
    assert_eq!(left, if repair { 0 } else { found.len() as u64 });
    found
}

/// All that a check could change, as text.
async fn everything(app: &TestApp) -> String {
    let mut all = String::new();
    for sql in [
        "select id, email, nickname, password_hash, token_epoch, create_dt, feed_count, comment_count from users order by id",
        "select id, title, content, author_id, create_dt, update_dt, like_count, comment_count from feeds order by id",
    ] {
        type Row = (i64, String, String, greenlit::Value, i64, i64, i64, i64);
        all += &format!("{:?}", app.app.db.fetch::<Row>(sql, vec![]).await.unwrap());
    }
    for sql in [
        "select id, follower_count, following_count from users order by id",
        "select id, like_count, feed_id from comments order by id",
        "select 0, 0, coalesce(cast(sum(delta) as integer), 0) from totals",
    ] {
        all += &format!("{:?}", app.app.db.fetch::<(i64, i64, i64)>(sql, vec![]).await.unwrap());
    }
    all
}

async fn run(app: &TestApp, statements: &[&str]) {
    app.app
        .db
        .tx(Opts::default(), async |tx| {
            for sql in statements {
                tx.exec(sql, vec![]).await?;
            }
            Ok::<(), greenlit::Error>(())
        })
        .await
        .unwrap();
}

on_each_database! {
    async fn broken_numbers_are_found_and_repaired_alone(app: TestApp) {
        let (ann, bob) = (app.user("ann").await, app.user("bob").await);
        let feed = ann.create_feed("one", &[]).await["id"].as_i64().unwrap();
        ann.create_feed("two", &[]).await;
        let (a, b) = (ann.id, bob.id);
        run(&app, &[
            &format!("insert into comments (feed_id, author_id, content, create_dt, update_dt) values ({feed}, {b}, 'c', 1, 1)"),
            &format!("insert into feed_likes values ({feed}, {b}, 1)"),
            &format!("insert into follows (follower_id, following_id, create_dt) values ({b}, {a}, 1)"),
        ]).await;
        let comment = app.app.db.fetch_one::<(i64,)>("select id from comments", vec![]).await.unwrap().0;
        run(&app, &[&format!("insert into comment_likes values ({comment}, {a}, 1)")]).await;

        let mut expected = vec![
            format!("users.comment_count {b}: 0 1"),
            format!("users.follower_count {a}: 0 1"),
            format!("users.following_count {b}: 0 1"),
            format!("feeds.like_count {feed}: 0 1"),
            format!("feeds.comment_count {feed}: 0 1"),
            format!("comments.like_count {comment}: 0 1"),
        ];
        expected.sort();
        assert_eq!(findings(&app, false).await, expected);
        assert_eq!(findings(&app, true).await, expected);
        assert!(findings(&app, false).await.is_empty());
        let right = everything(&app).await;
        assert!(findings(&app, true).await.is_empty());
        assert_eq!(everything(&app).await, right, "what is right is left alone");

        run(&app, &[
            &format!("update users set feed_count = 7, follower_count = -1 where id = {a}"),
            &format!("update feeds set like_count = 100, comment_count = 0 where id = {feed}"),
            "insert into totals (name, delta) values ('feeds', 40)",
        ]).await;
        let mut expected = vec![
            format!("users.feed_count {a}: 7 2"),
            format!("users.follower_count {a}: -1 1"),
            format!("feeds.like_count {feed}: 100 1"),
            format!("feeds.comment_count {feed}: 0 1"),
            "totals.feeds : 42 2".to_owned(),
        ];
        expected.sort();
        assert_eq!(findings(&app, false).await, expected);
        assert_ne!(everything(&app).await, right, "a check alone repairs nothing");
        assert_eq!(findings(&app, true).await, expected);
        assert_eq!(everything(&app).await, right);
    }

    async fn numbers_are_repaired_while_they_are_changed(app: TestApp) {
        let ann = app.user("ann").await;
        let writing = tokio::spawn({
            let ann = ann.clone();
            async move {
                for _ in 0..60 {
                    let id = ann.create_feed("a feed", &[]).await["id"].as_i64().unwrap();
                    if id % 3 == 0 {
                        ann.delete(&format!("/api/feed/delete/{id}")).await.expect(200);
                    }
                }
            }
        });
        let (mut repairs, mut seen) = (0, 0);
        while !writing.is_finished() {
            let wrong = "update users set feed_count = feed_count + 5 where id = ?";
            app.app.db.tx(Opts::default(), async |tx| {
                tx.exec("insert into totals (name, delta) values ('feeds', 9)", vec![]).await?;
                tx.exec(wrong, args![ann.id]).await
            }).await.unwrap();
            seen += findings(&app, true).await.len();
            repairs += 2;
        }
        writing.await.unwrap();
        // Neither a false alarm nor a repair that was wrong: it would have been found by the next.
        assert_eq!(seen, repairs);
        assert!(repairs > 4, "{repairs}");
        assert!(findings(&app, false).await.is_empty());
    }
}

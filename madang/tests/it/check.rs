//! `madang check`: what does not agree is found and made right, and nothing else is touched.

use greenlit::{Db, Opts, args};
use madang::check::{Finding, check};
use serde_json::Value;

use crate::{
    process::{Board, folder, madang},
    support::{TestApp, on_each_database},
};

async fn findings(app: &TestApp, repair: bool) -> Vec<String> {
    let mut found = Vec::new();
    let show = |finding: &Finding| {
        let id = finding.id.map(|id| id.to_string()).unwrap_or_default();
        found.push(format!("{} {id}: {} {}", finding.what, finding.kept, finding.counted));
    };
    let count = check(&app.app.db, repair, show).await.unwrap();
    assert_eq!(count, found.len() as u64);
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

        let expected = vec![
            format!("users.comment_count {b}: 0 1"),
            format!("users.follower_count {a}: 0 1"),
            format!("users.following_count {b}: 0 1"),
            format!("feeds.like_count {feed}: 0 1"),
            format!("feeds.comment_count {feed}: 0 1"),
            format!("comments.like_count {comment}: 0 1"),
        ];
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
        let expected = vec![
            format!("users.feed_count {a}: 7 2"),
            format!("users.follower_count {a}: -1 1"),
            format!("feeds.like_count {feed}: 100 1"),
            format!("feeds.comment_count {feed}: 0 1"),
            "totals.feeds : 42 2".to_owned(),
        ];
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
            seen += check(&app.app.db, true, |_| {}).await.unwrap();
            repairs += 2;
        }
        writing.await.unwrap();
        // Neither a false alarm nor a repair that was wrong: it would have been found by the next.
        assert_eq!(seen, repairs);
        assert!(repairs > 4, "{repairs}");
        assert!(findings(&app, false).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_is_checked_while_it_serves() {
    let (_folder, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    board.create_feed("one", &[]).await;
    let run = async |more: &[&str]| {
        let arguments = [&["check", "--data", data.to_str().unwrap()], more].concat();
        let output = madang(&arguments).output().await.unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run(&[]).await, (0, "All is well.\n".to_owned()));
    let db = Db::open(&format!("sqlite:{}", data.join("madang.db").display())).await.unwrap();
    db.tx(Opts::default(), async |tx| tx.exec("update users set feed_count = 3", vec![]).await).await.unwrap();
    assert_eq!(run(&[]).await.0, 1);
    let (code, text) = run(&["--json"]).await;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (code, lines.len(), &lines[0]["what"], &lines[1]["ok"]),
        (1, 2, &"users.feed_count".into(), &false.into())
    );
    let (code, text) = run(&["--repair"]).await;
    assert_eq!((code, text.as_str()), (0, "users.feed_count of id 1 is 3 and should be 1\n1 found and repaired.\n"));
    assert_eq!(run(&["--json"]).await.0, 0);
    board.stop().await;

    let nowhere = madang(&["check", "--data", "/nonexistent"]).output().await.unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8(nowhere.stderr).unwrap().contains("there is no board at"));
}

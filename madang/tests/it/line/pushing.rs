//! Notifications in the chat, and what LINE's faults do to them: F33 of the faults.

use std::time::Duration;

use greenlit::{Opts, Tx, args};
use line_stub::{Fault, How, user_id};
use serde_json::{Value, json};

use crate::support::{LineApp, browser::Browser, line::text, on_each_database, random::Random};

async fn follow(follower: &mut Browser, of: &Browser) {
    follower.submit(&format!("/user/{}/follow", of.id), &[]).await.leads();
}

/// What was pushed to somebody.
fn pushed(app: &LineApp, id: &str) -> Vec<Vec<Value>> {
    app.said(id).into_iter().filter(|said| said.how == How::Push).map(|said| said.messages).collect()
}

const MINUTES: Duration = Duration::from_secs(11 * 60);

on_each_database! {
    async fn what_is_unread_is_told_together_and_once(app: LineApp) {
        let (mut ann, phone) = app.linked(1, "ann").await;
        let (mut ben, mut eve) = (app.member("ben").await, app.member("eve").await);
        let feed = ann.submit("/write", &[("title", "My day"), ("content", "c")]).await.leads().to_owned();
        ben.submit(&format!("{feed}/comment"), &[("content", "Nice")]).await.leads();
        eve.submit(&format!("{feed}/comment"), &[("content", "Very")]).await.leads();
        follow(&mut ben, &ann).await;
        app.work().await;
        assert!(pushed(&app, &phone.id).is_empty(), "it waits, since more may come");
        app.work_off().await;
        let all = pushed(&app, &phone.id);
        assert_eq!(all.len(), 1);
        let words = text(&all[0]);
        assert!(words.contains("eve and one other commented on your post") && words.contains("My day"), "{words}");
        assert!(words.contains("ben follows you") && words.contains(&format!("http://board.test/user/{}", ben.id)), "{words}");
        let key = app.said(&phone.id).into_iter().find(|said| said.how == How::Push).unwrap().retry_key.unwrap();
        assert_eq!(key.len(), 36);

        // Not too often; and what was told is not told again.
        follow(&mut eve, &ann).await;
        app.work_off().await;
        assert_eq!(pushed(&app, &phone.id).len(), 1);
        app.advance(MINUTES);
        app.work_off().await;
        let all = pushed(&app, &phone.id);
        assert_eq!(all.len(), 2);
        assert!(text(&all[1]).contains("eve and one other follow you") && !text(&all[1]).contains("commented"), "{all:?}");

        // What he has read on the board meanwhile costs no message, nor what he wants to hear there alone.
        eve.submit(&format!("{feed}/comment"), &[("content", "More")]).await.leads();
        app.work().await;
        ann.submit("/notifications/read", &[]).await.leads();
        app.advance(MINUTES);
        app.work_off().await;
        ann.submit("/notifications/settings", &[("like", "board")]).await.leads();
        ben.submit(&format!("{feed}/like"), &[]).await.leads();
        app.advance(MINUTES);
        app.work_off().await;
        assert_eq!(pushed(&app, &phone.id).len(), 2);
        assert_eq!(app.count("greenlit_outbox").await, 0);
        // Who blocks the account is told nothing, and neither is he when he comes back.
        phone.send(app.line.unfollow(&phone.id)).await;
        eve.submit(&format!("{feed}/comment"), &[("content", "Again")]).await.leads();
        app.advance(MINUTES);
        app.work_off().await;
        assert_eq!(pushed(&app, &phone.id).len(), 2);
        phone.send(app.line.follow(&phone.id)).await;
        ben.submit(&format!("{feed}/comment"), &[("content", "Back")]).await.leads();
        app.advance(MINUTES);
        app.work_off().await;
        assert_eq!(pushed(&app, &phone.id).len(), 3);
        // Nor whoever has unlinked.
        phone.press("unlink").await;
        eve.submit(&format!("{feed}/like"), &[]).await.leads();
        app.advance(MINUTES);
        app.work_off().await;
        assert_eq!((pushed(&app, &phone.id).len(), app.count("greenlit_outbox").await), (3, 0));
        app.assert_consistent().await;
    }

    async fn what_is_wanted_is_told_however_much_else_there_is(app: LineApp) {
        let (mut ann, phone) = app.linked(1, "ann").await;
        ann.submit("/notifications/settings", &[("like", "board")]).await.leads();
        let mut ben = app.member("ben").await;
        let mut feeds = Vec::new();
        for number in 0..14 {
            let title = format!("feed {number}");
            feeds.push(ann.submit("/write", &[("title", &title), ("content", "c")]).await.leads().to_owned());
        }
        ben.submit(&format!("{}/comment", feeds[0]), &[("content", "wanted")]).await.leads();
        app.work().await;
        // The latest eleven are all of a kind that she wants to hear of on the board alone.
        for feed in &feeds[1..12] {
            ben.submit(&format!("{feed}/like"), &[]).await.leads();
        }
        app.work_off().await;
        let all = pushed(&app, &phone.id);
        assert_eq!(all.len(), 1);
        assert!(text(&all[0]).contains("feed 0") && !text(&all[0]).contains("like"), "{all:?}");
        // More than a message tells: it says so, and where.
        for feed in &feeds[1..] {
            ben.submit(&format!("{feed}/comment"), &[("content", "c")]).await.leads();
        }
        app.advance(MINUTES);
        app.work_off().await;
        let words = text(&pushed(&app, &phone.id)[1]);
        assert_eq!(words.matches("commented on your post").count(), 10, "{words}");
        assert!(words.contains("more on the board") && words.contains("http://board.test/notifications"), "{words}");
    }

    async fn messages_last_until_the_end_of_the_month(app: LineApp) {
        let (ann, phone) = app.linked(1, "ann").await;
        let mut ben = app.member("ben").await;
        app.line.set_quota(Some(200));
        app.line.set_usage(200);
        follow(&mut ben, &ann).await;
        for _ in 0..3 {
            app.work_off().await;
        }
        assert_eq!((pushed(&app, &phone.id).len(), app.parked().await), (0, 0));
        assert_eq!(app.count("greenlit_outbox").await, 1, "it waits");
        let waits = "select due from greenlit_outbox";
        app.work().await;
        let (due,) = app.app.db.fetch_one::<(i64,)>(waits, vec![]).await.unwrap();
        assert!(due > app.clock.now().after(Duration::from_secs(60)).0);
        // Next month there are others.
        app.line.set_usage(0);
        app.clock.advance(Duration::from_secs(32 * 24 * 3_600));
        app.work_off().await;
        assert_eq!(pushed(&app, &phone.id).len(), 1);

        // LINE may know better than we do.
        app.line.set_usage(200);
        let mut eve = app.member("eve").await;
        follow(&mut eve, &ann).await;
        app.clock.advance(Duration::from_secs(30)); // what LINE said last is still good
        let rested = "update line_links set told_dt = 0";
        app.app.db.tx(Opts::default(), async |tx: &mut Tx| tx.exec(rested, vec![]).await).await.unwrap();
        app.work_off().await;
        assert_eq!((pushed(&app, &phone.id).len(), app.parked().await, app.count("greenlit_outbox").await), (1, 0, 1));
        app.line.set_usage(0);
        app.work_off().await;
        assert_eq!((pushed(&app, &phone.id).len(), app.count("greenlit_outbox").await), (2, 0));
    }

    async fn f33_whatever_line_does_a_message_comes_once_or_is_parked(app: LineApp) {
        let (ann, phone) = app.linked(1, "ann").await;
        let mut told = 0;
        let status = |status: u16, message: &str| Fault::Status { status, message: message.to_owned() };
        let faults = [
            ("hangs up", Fault::Hangup, true),
            ("breaks", status(500, "Internal server error"), true),
            ("too fast", status(429, "The API rate limit has been exceeded. Try again later."), true),
            ("no more this month", status(429, "You have reached your monthly limit."), true),
            ("unknown token", status(401, "Authentication failed"), true),
            ("answer lost", Fault::LostAnswer, true),
            ("answer broken", Fault::LostAnswerStatus(502), true),
            ("refused", status(400, "The property, 'to', in the request body is invalid"), false),
            ("forbidden", status(403, "Access to this API is not available"), false),
        ];
        for (number, (what, fault, comes)) in faults.into_iter().enumerate() {
            let mut other = app.member(&format!("other{number}")).await;
            app.line.fault(fault, 2, "/push");
            follow(&mut other, &ann).await;
            app.advance(MINUTES);
            app.work_off().await; // which tries it once
            // The user's request is long answered, and the next is too.
            ann.clone().page("/notifications").await;
            for _ in 0..3 {
                app.hasten().await;
                app.work().await;
            }
            told += usize::from(comes);
            let all = pushed(&app, &phone.id);
            assert_eq!(all.len(), told, "{what}");
            if comes {
                assert!(text(all.last().unwrap()).contains(&format!("other{number}")), "{what}: {all:?}");
                assert_eq!(app.parked().await, 0, "{what}");
            } else {
                let parked = app.app.db.outbox().parked(10).await.unwrap();
                assert_eq!((parked.len(), parked[0].job.topic.as_str()), (1, "line.push"), "{what}");
                assert!(!parked[0].last_error.as_deref().unwrap_or_default().contains("other"), "no words of it");
                let release = async |tx: &mut Tx| tx.exec("delete from greenlit_outbox", vec![]).await;
                app.app.db.tx(Opts::default(), release).await.unwrap();
                app.line.fault(Fault::Hangup, 0, "/push");
            }
            // What the fault had left is used up.
            ann.clone().submit("/notifications/read", &[]).await.leads();
        }
        // The keys: the same for each message, and no two messages have the same.
        let seen = app.line.requests();
        let keys: std::collections::BTreeSet<_> = seen.iter().filter(|seen| seen.path.ends_with("/push")).map(|seen| seen.retry_key.clone().unwrap()).collect();
        // Those of the month that was over were given back, and got others.
        assert_eq!(keys.len(), 9 + 2);
    }

    async fn f33_an_answer_is_not_said_twice(app: LineApp) {
        let phone = app.phone(1, "en");
        let help = async || {
            let before = app.said(&phone.id).len();
            app.deliver(vec![app.line.text_message(&phone.id, "help")]).await.expect(200);
            for _ in 0..3 {
                app.work_off().await;
            }
            app.said(&phone.id)[before..].iter().map(|said| said.how).collect::<Vec<_>>()
        };
        app.line.fault(Fault::LostAnswer, 1, "/reply");
        assert_eq!(help().await, [How::Reply], "LINE took it, and says so when it is asked again");
        app.line.fault(Fault::LostAnswerStatus(500), 1, "/reply");
        assert_eq!(help().await, [How::Reply]);
        app.line.fault(Fault::Hangup, 1, "/reply");
        assert_eq!(help().await, [How::Reply], "by the same token");
        app.line.fault(Fault::Status { status: 500, message: "x".into() }, 1, "/reply");
        assert_eq!(help().await, [How::Reply]);
        app.line.fault(Fault::Status { status: 429, message: "The API rate limit has been exceeded. Try again later.".into() }, 1, "/reply");
        assert_eq!(help().await, [How::Reply]);
        // A token that LINE does not take, and one that is too old: a list costs no message then.
        let late = || app.clock.advance(Duration::from_secs(51));
        for expire in [true, false] {
            let event = app.line.text_message(&phone.id, "help");
            if expire { app.line.expire_reply_tokens() } else { late() };
            assert!(phone.send(event).await.is_empty());
        }
        app.line.advance(Duration::from_secs(51));
        // But that something was done is pushed.
        let mut ann = app.member("ann").await;
        phone.link(&mut ann).await;
        let how = async |expire: bool| {
            phone.say("write a").await;
            let event = app.line.text_message(&phone.id, "publish");
            let before = app.said(&phone.id).len();
            if expire { app.line.expire_reply_tokens() } else { late() };
            phone.send(event).await;
            app.said(&phone.id)[before..].iter().map(|said| said.how).collect::<Vec<_>>()
        };
        assert_eq!(how(true).await, [How::Push]);
        assert_eq!(how(false).await, [How::Push]);
        assert_eq!(app.count("feeds").await, 2);
        assert_eq!((app.parked().await, app.count("greenlit_outbox").await), (0, 0));
    }
}

/// LINE's answer to a push takes longer than we wait: it may have come, and comes once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f33_a_slow_line_holds_up_nobody_and_says_nothing_twice() {
    let app = LineApp::sqlite().await;
    let (ann, phone) = app.linked(1, "ann").await;
    let mut ben = app.member("ben").await;
    app.line.fault(Fault::Slow(Duration::from_secs(11)), 1, "/push");
    follow(&mut ben, &ann).await;
    app.work_off().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    app.work_off().await;
    assert_eq!((pushed(&app, &phone.id).len(), app.count("greenlit_outbox").await), (1, 0));
    let pushes = app.line.requests().into_iter().filter(|seen| seen.path.ends_with("/push")).count();
    assert_eq!(pushes, 2, "the second was answered that it was said");
}

/// Many at once, and LINE at its worst.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f33_a_storm_of_pushes_is_counted_once_each() {
    let count: u64 = std::env::var("MADANG_TEST_PUSHES").map_or(120, |count| count.parse().unwrap());
    let mut random = Random::new();
    let app = LineApp::sqlite().await;
    let idol = app.user("idol").await;
    // Without the ceremony of linking each of them.
    let people = async |tx: &mut Tx| {
        for number in 1..=count {
            let (email, name, line) = (format!("p{number}@example.com"), format!("p{number}"), user_id(number));
            let sql = "insert into users (email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt, follower_count) \
                       values (?, ?, ?, ?, 'x', 0, 1, 1)";
            let user = tx.insert(sql, args![&email, &email, &name, &name]).await?;
            tx.exec(
                "insert into line_chats (line_id, language, is_friend, friend_dt) values (?, 'ko', ?, 0)",
                args![&line, true],
            )
            .await?;
            tx.exec(
                "insert into line_links (user_id, line_id, create_dt, told, told_dt) values (?, ?, 1, 0, 0)",
                args![user, &line],
            )
            .await?;
            tx.exec("insert into notification_inboxes (user_id, version, outside) values (?, 0, 1)", args![user])
                .await?;
            tx.exec(
                "insert into follows (follower_id, following_id, create_dt) values (?, ?, 1)",
                args![idol.id, user],
            )
            .await?;
            tx.outbox("follow.begun", &json!({"follower": idol.id, "following": user})).await?;
        }
        tx.exec("update users set following_count = ? where id = ?", args![i64::try_from(count).unwrap(), idol.id])
            .await?;
        Ok::<_, greenlit::Error>(())
    };
    app.app.db.tx(Opts::default(), people).await.unwrap();
    for number in 1..=count {
        app.line.add_user(&user_id(number), "somebody", "ko");
    }
    for _ in 0..count {
        let fault = match random.below(6) {
            0 => Fault::Status { status: 500, message: "broken".into() },
            1 => {
                Fault::Status { status: 429, message: "The API rate limit has been exceeded. Try again later.".into() }
            }
            2 => Fault::Hangup,
            3 => Fault::LostAnswer,
            4 => Fault::LostAnswerStatus(504),
            _ => Fault::Slow(Duration::from_millis(20)),
        };
        app.line.fault(fault, 1, "/push");
    }
    let node = app.second_node().await;
    for round in 0..40 {
        app.hasten().await;
        let (one, two) = tokio::join!(madang::jobs::run_all(&app.app), madang::jobs::run_all(&node));
        one.and(two).unwrap();
        if app.count("greenlit_outbox").await == 0 {
            break;
        }
        assert!(round < 39, "it does not end");
    }
    for number in 1..=count {
        assert_eq!(pushed(&app, &user_id(number)).len(), 1, "{number}");
    }
    assert_eq!(app.line.accepted().len() as u64, count);
    assert!(app.line.requests().len() as u64 > count + count / 2, "the faults happened");
}

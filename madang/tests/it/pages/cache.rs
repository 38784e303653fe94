//! The first page for all who are not logged in: made once for each change.

use std::time::Duration;

use axum::{body::Body, http::Method};
use greenlit::Opts;

use crate::support::{browser::Browser, on_each_database};

on_each_database! {
    async fn a_write_is_seen_at_once(app: TestApp) {
        let mut anonymous = app.browser();
        let mut ann = app.member("ann").await;
        for n in 0..20 {
            anonymous.page("/").await;
            let feed = ann.submit("/write", &[("title", &format!("feed {n}")), ("content", "c")]).await.leads().to_owned();
            assert!(anonymous.page("/").await.contains(&format!("feed {n}")));
            ann.submit(&format!("{feed}/like"), &[]).await.leads();
            assert!(anonymous.page("/").await.contains("<span class=\"unseen\">Like </span><span class=\"count\">1</span>"));
            if n % 2 == 0 {
                ann.submit(&format!("{feed}/delete"), &[]).await.leads();
                assert!(!anonymous.page("/").await.contains(&format!("feed {n}<")));
            }
        }
        ann.submit("/settings/nickname", &[("nickname", "Anna")]).await.leads();
        assert!(anonymous.page("/").await.contains("Anna"));
    }

    async fn nobody_reads_what_was_there_before_a_write_was_acknowledged(app: TestApp) {
        let mut ann = app.member("ann").await;
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let mut reader = app.browser();
                tokio::spawn(async move {
                    for _ in 0..200 {
                        reader.page("/").await;
                    }
                })
            })
            .collect();
        for n in 0..30 {
            ann.submit("/write", &[("title", &format!("feed {n}")), ("content", "c")]).await.leads();
            assert!(app.browser().page("/").await.contains(&format!("feed {n}<")), "feed {n}");
        }
        for reader in readers {
            reader.await.unwrap();
        }
    }

    async fn another_process_is_seen_after_a_second(app: TestApp) {
        let mut ann = app.member("ann").await;
        ann.submit("/write", &[("title", "before"), ("content", "c")]).await.leads();
        let mut there = Browser::of(madang::router::router(app.second_node().await));
        assert!(there.page("/").await.contains("before"));
        ann.submit("/feed/1/edit", &[("title", "after"), ("content", "c")]).await.leads();
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        assert!(there.page("/").await.contains("after"));
    }

    async fn what_a_browser_has_is_not_sent_again(app: TestApp) {
        let mut anonymous = app.browser();
        let first = anonymous.get("/").await;
        let tag = first.header("etag").to_owned();
        assert_eq!((first.header("cache-control"), first.header("vary")), ("no-cache", "Cookie, Accept-Language, Accept"));
        let again = anonymous.send(Method::GET, "/", &[("if-none-match", &tag)], Body::empty()).await;
        assert_eq!((again.status.as_u16(), again.body.len(), again.header("etag")), (304, 0, tag.as_str()));
        // By a statement of nobody's: only the count of COMMITs tells.
        let rename = async |tx: &mut greenlit::Tx| tx.exec("update users set nickname = nickname", vec![]).await;
        app.app.db.tx(Opts::default(), rename).await.unwrap();
        app.member("ann").await.submit("/write", &[("title", "t"), ("content", "c")]).await.leads();
        let changed = anonymous.send(Method::GET, "/", &[("if-none-match", &tag)], Body::empty()).await;
        assert_eq!(changed.status.as_u16(), 200);
        anonymous.language = "ko";
        let korean = anonymous.send(Method::GET, "/", &[("if-none-match", changed.header("etag"))], Body::empty()).await;
        assert_eq!(korean.status.as_u16(), 200, "another page in another language");
    }
}

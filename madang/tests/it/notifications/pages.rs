//! The pages of notifications.

use crate::support::{TestApp, browser::Browser, on_each_database};

/// What a form on the page has in its hidden fields.
fn hidden(page: &str, name: &str) -> String {
    let at = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("no {name}"));
    at.split('"').next().unwrap().to_owned()
}

async fn write(browser: &mut Browser, title: &str) -> String {
    let id = browser.id.to_string();
    let fields = [("title", title), ("content", "content"), ("user", id.as_str())];
    browser.submit("/write", &fields).await.leads().to_owned()
}

on_each_database! {
    async fn one_reads_what_others_did_and_where(app: TestApp) {
        let (mut minsu, mut jiwoo) = (app.member("minsu").await, app.member("jiwoo").await);
        let fields = [("nickname", "ji<b>woo"), ("user", "")];
        jiwoo.submit("/settings/nickname", &fields).await.leads();
        assert!(minsu.page("/notifications").await.contains("Nothing yet."));
        let feed = write(&mut minsu, "<script>alert(1)</script>").await;
        jiwoo.submit(&format!("{feed}/comment"), &[("content", "**Hello** <img src=x>")]).await.leads();
        jiwoo.submit(&format!("/user/{}/follow", minsu.id), &[]).await.leads();
        app.work().await;
        let page = minsu.page("/notifications").await;
        assert!(page.contains("ji&#60;b&#62;woo commented on your post"), "{page}");
        assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;") && !page.contains("<script>alert"), "{page}");
        assert!(page.contains("<bdi>Hello") && page.contains("ji&#60;b&#62;woo follows you"), "{page}");
        assert_eq!(page.matches("class=\"news unread\"").count(), 2);
        // A comment's address leads to its place.
        assert!(page.contains("href=\"/comment/1\""));
        assert_eq!(minsu.get("/comment/1").await.leads(), format!("{feed}#comment-1"));
        assert_eq!(minsu.get("/comment/2").await.status.as_u16(), 404);

        // One of them, then all.
        let (id, until) = (hidden(&page, "id"), hidden(&page, "until"));
        minsu.submit("/notifications/read", &[("id", &id), ("until", &until)]).await.leads();
        let page = minsu.page("/notifications").await;
        assert_eq!((page.matches("class=\"news unread\"").count(), page.matches("class=\"news\"").count()), (1, 1));
        assert_eq!(minsu.submit("/notifications/read", &[("until", &hidden(&page, "until"))]).await.leads(), "/notifications");
        let page = minsu.page("/notifications").await;
        assert!(!page.contains("class=\"news unread\"") && !page.contains("Mark all as read"));
        for (language, words) in [("ko", "님이 나를 팔로우합니다"), ("ja", "さんがあなたをフォローしました")] {
            minsu.language = language;
            assert!(minsu.page("/notifications").await.contains(words));
        }
    }

    async fn one_says_what_one_wants_to_hear(app: TestApp) {
        let mut minsu = app.member("minsu").await;
        let page = minsu.page("/notifications/settings").await;
        assert_eq!(page.matches("<option value=\"all\" selected>").count(), 4);
        let fields = [("comment", "board"), ("like", "off"), ("follow", "all")];
        let leads = minsu.submit("/notifications/settings", &fields).await.leads().to_owned();
        let page = minsu.page(&leads).await;
        assert!(page.contains("Saved."));
        let chosen = |value: &str| page.matches(&format!("<option value=\"{value}\" selected>")).count();
        assert_eq!((chosen("all"), chosen("board"), chosen("off")), (2, 1, 1));
        let wrong = minsu.submit("/notifications/settings", &[("comment", "loud")]).await;
        assert_eq!(wrong.status.as_u16(), 422);
        assert!(wrong.text().contains("role=\"alert\""));
        // Another logged in meanwhile, in another window.
        let other = minsu.submit("/notifications/settings", &[("like", "all"), ("user", "99")]).await;
        assert_eq!(other.status.as_u16(), 403);
        assert_eq!(minsu.page("/notifications/settings").await.matches("<option value=\"off\" selected>").count(), 1);
    }
}

#[tokio::test]
async fn strangers_are_led_to_the_log_in_and_scripts_get_parts() {
    let app = TestApp::sqlite().await;
    let mut anyone = app.browser();
    assert_eq!(anyone.get("/notifications").await.leads(), "/login?next=%2Fnotifications");
    assert_eq!(anyone.get("/notifications/live").await.status.as_u16(), 204, "a browser does not ask again");
    let (mut minsu, mut jiwoo) = (app.member("minsu").await, app.member("jiwoo").await);
    jiwoo.submit(&format!("/user/{}/follow", minsu.id), &[]).await.leads();
    app.work().await;
    let page = minsu.page("/notifications").await;
    let answer = minsu.with_scripts().submit("/notifications/read", &[("id", &hidden(&page, "id"))]).await.expect(200);
    let html = answer["swaps"][0]["html"].as_str().unwrap();
    assert_eq!(answer["swaps"][0]["target"], "#notification-1");
    assert!(html.contains("class=\"news\"") && !html.contains("<form"), "{html}");
    assert_eq!(answer["notice"], "Marked as read.");
    // Everywhere the frame shows who looks.
    assert!(minsu.page("/look").await.contains("id=\"bell\""));
}

//! Forms that are refused: what was typed stays, and what is wrong stands beside its field.

use axum::{body::Body, http::Method};
use greenlit::{Opts, Tx};

use super::{photo, value_of};
use crate::support::{PASSWORD, TestApp, form::FormData};

#[tokio::test]
async fn a_refused_sign_up_says_what_is_wrong() {
    let app = TestApp::sqlite().await;
    let mut browser = app.browser();
    let fields = [("email", "no address"), ("nickname", "a<b"), ("password", "12345678"), ("next", "/write")];
    let answer = browser.submit("/signup", &fields).await;
    let page = answer.text();
    assert_eq!(answer.status.as_u16(), 422);
    assert!(page.contains("This is no e-mail address.") && page.contains("too easy to guess"), "{page}");
    assert!(page.contains("value=\"no address\"") && page.contains("value=\"a&#60;b\""), "{page}");
    assert!(!page.contains("12345678"), "a password comes back");
    assert_eq!(value_of(&page, "next"), "/write");

    app.member("ann").await;
    let fields = [("email", "ANN@example.com"), ("nickname", "Other"), ("password", PASSWORD)];
    let answer = browser.submit("/signup", &fields).await;
    assert_eq!(answer.status.as_u16(), 400);
    assert!(answer.text().contains("There is an account with this e-mail address."), "{}", answer.text());
    let answer = browser.submit("/login", &[("email", "ann@example.com"), ("password", "wrong")]).await;
    assert_eq!(answer.status.as_u16(), 401);
    assert!(answer.text().contains("E-mail or password is wrong."));
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_refused_feed_keeps_its_text_and_leaves_nothing() {
    let app = TestApp::sqlite().await;
    let mut ann = app.member("ann").await;
    let long = "가".repeat(201);
    let form = FormData::new().text("key", "k").text("title", &long).text("content", "\r\nmine");
    let answer = ann.upload("/write", form.files("images", &[photo(20, 20)])).await;
    let page = answer.text();
    assert_eq!(answer.status.as_u16(), 422);
    assert!(
        page.contains("200 characters at most.") && page.contains(&long) && page.contains("mine</textarea>"),
        "{page}"
    );
    assert_eq!(value_of(&page, "key"), "k");
    // Two characters of a line break are one, as browsers count.
    let lines = "x\r\n".repeat(25_000);
    let form = FormData::new().text("title", "t").text("content", lines.trim_end());
    assert_eq!(ann.upload("/write", form).await.status.as_u16(), 303);

    // Also when the form is not read to its end.
    let large = FormData::new().text("key", "l").text("title", "kept").text("content", "c");
    let answer = ann.upload("/write", large.files("images", &[vec![0; 11 << 20]])).await;
    assert_eq!(answer.status.as_u16(), 413);
    assert!(answer.text().contains("value=\"kept\"") && answer.text().contains("10 MB and 40 megapixels at most"));

    let broken = FormData::new()
        .text("title", "t")
        .text("content", "c")
        .files("images", &[b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()]);
    let answer = ann.upload("/write", broken).await;
    assert_eq!(answer.status.as_u16(), 415);
    assert!(answer.text().contains("no photo that we can read"), "{}", answer.text());
    app.assert_consistent().await;
}

#[tokio::test]
async fn a_form_leads_back_to_where_it_stands() {
    let app = TestApp::sqlite().await;
    let mut ann = app.member("ann").await;
    ann.submit("/write", &[("title", "t"), ("content", "c")]).await.leads();
    let mut post = async |path: &str, from: &str, body: &'static str| {
        let headers = [("referer", from), ("content-type", "application/x-www-form-urlencoded")];
        ann.send(Method::POST, path, &headers, Body::from(body)).await
    };
    assert_eq!(post("/feed/1/like", "http://board.test/?cursor=x", "").await.leads(), "/?cursor=x");
    assert_eq!(post("/feed/1/like", "https://evil.example/", "").await.leads(), "/feed/1#like-feed-1");
    assert_eq!(post("/feed/1/like", "http://board.test//evil.example", "").await.leads(), "/feed/1#like-feed-1");
    // A refused form stands at an address of its own.
    let refused = post("/feed/1/comment", "http://board.test/feed/1", "content=").await;
    assert_eq!(refused.status.as_u16(), 422);
    assert_eq!(value_of(&refused.text(), "next"), "/feed/1");
    assert_eq!(ann.get("/feed/1/comment").await.leads(), "/feed/1");
    assert_eq!(ann.get("/settings/nickname").await.leads(), "/settings");
    // The sixtieth comment is not on the first page.
    for n in 0..60 {
        let said = ann.submit("/feed/1/comment", &[("content", &format!("comment {n}"))]).await.leads().to_owned();
        let (path, anchor) = said.split_once('#').unwrap();
        let page = ann.page(path).await;
        assert!(page.contains(&format!("id=\"{anchor}\"")) && page.contains(&format!("comment {n}<")), "{said}");
    }
    // Somebody else has logged in meanwhile.
    app.member("bob").await;
    let other = ann.submit("/settings/nickname", &[("nickname", "Mine"), ("user", "2")]).await;
    assert_eq!(other.status.as_u16(), 403);
    assert!(other.text().contains("Somebody else is logged in here meanwhile"), "{}", other.text());
}

#[tokio::test]
async fn scripts_are_told_the_same_as_json() {
    let app = TestApp::sqlite().await;
    let ann = app.member("ann").await;
    let feed = app.user("bob").await.create_feed("b", &[]).await["id"].as_i64().unwrap();
    let mut script = ann.with_scripts();
    let told = script.submit(&format!("/feed/{feed}/comment"), &[("content", ""), ("key", "k")]).await;
    let body = told.expect(422);
    assert_eq!(body["problems"][0]["field"], "content");
    assert_eq!(body["problems"][0]["message"], "Please fill this in.");
    assert_eq!(body["request_id"], told.header("x-request-id"));
    let body =
        script.submit(&format!("/feed/{feed}/comment"), &[("content", "<b>hi</b>"), ("key", "k")]).await.expect(200);
    assert_eq!(body["swaps"][0]["how"], "append");
    assert!(body["swaps"][0]["html"].as_str().unwrap().contains("&lt;b&gt;hi"), "{body}");
    assert_eq!(body["location"], serde_json::Value::Null);
    let body = script.submit(&format!("/feed/{feed}/like"), &[]).await.expect(200);
    assert_eq!(body["swaps"][0]["target"], format!("#like-feed-{feed}"));
    assert!(body["swaps"][0]["html"].as_str().unwrap().contains("aria-pressed=\"true\""), "{body}");
    let body = script.submit("/write", &[("title", "t"), ("content", "c"), ("key", "w")]).await.expect(200);
    assert_eq!(body["location"], format!("/feed/{}", feed + 1));
    let mut nobody = app.browser().with_scripts();
    let body = nobody.submit(&format!("/feed/{feed}/like"), &[]).await.expect(401);
    assert_eq!(body["location"], "/login?next=%2F");
}

#[tokio::test]
async fn settings_change_what_they_say() {
    let app = TestApp::sqlite().await;
    let mut ann = app.member("ann").await;
    app.member("bob").await;
    let taken = ann.submit("/settings/nickname", &[("nickname", "Bob")]).await;
    assert_eq!(taken.status.as_u16(), 400);
    assert!(taken.text().contains("Somebody has this nickname") && taken.text().contains("value=\"Bob\""));
    assert_eq!(ann.submit("/settings/nickname", &[("nickname", "")]).await.status.as_u16(), 422);
    let done = ann.submit("/settings/nickname", &[("nickname", "Anna")]).await.leads().to_owned();
    assert!(ann.page(&done).await.contains("Your nickname is changed."));
    assert!(ann.page(&format!("/user/{}", ann.id)).await.contains("Anna"));

    let wrong = [("password", "wrong"), ("new_password", "another long one")];
    let refused = ann.submit("/settings/password", &wrong).await;
    assert_eq!(refused.status.as_u16(), 403);
    assert!(refused.text().contains("The present password is wrong."));
    let right = [("password", PASSWORD), ("new_password", "another long one")];
    ann.submit("/settings/password", &right).await.leads();
    assert_eq!(ann.submit("/settings/delete", &[("password", PASSWORD)]).await.status.as_u16(), 403);
    let export = ann.get("/settings/export").await;
    assert_eq!(export.header("content-type"), "application/zip");
    assert_eq!(export.header("cache-control"), "no-store");
}

#[tokio::test]
async fn w12_errors_are_pages_too() {
    let app = TestApp::sqlite().await;
    let mut browser = app.browser();
    for (path, status) in
        [("/nowhere", 404), ("/feed/9", 404), ("/feed/x", 404), ("/user/0", 404), ("/?cursor=x", 422), ("/logout", 405)]
    {
        let answer = browser.get(path).await;
        let page = answer.text();
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(page.starts_with("<!doctype html>") && page.contains(answer.header("x-request-id")), "{path}: {page}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    // Programs get the API's errors, and the API is no page.
    assert_eq!(app.anonymous().get("/feed/9").await.refused(404, "feed_not_found")["detail"], "Feed Not Found");
    browser.get("/api/feed/read/9").await.refused(404, "feed_not_found");
    // A database that has something else than it should.
    app.user("ann").await.create_feed("t", &[]).await;
    let damage = async |tx: &mut Tx| tx.exec("update feeds set like_count = 'many'", vec![]).await;
    app.app.db.tx(Opts::default(), damage).await.unwrap();
    let answer = browser.get("/").await;
    assert_eq!(answer.status.as_u16(), 500);
    assert!(answer.text().contains("Something broke on our side.") && !answer.text().contains("many"));
    assert_eq!(browser.get("/login").await.status.as_u16(), 200);
}

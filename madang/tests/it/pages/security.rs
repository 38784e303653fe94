//! What other sites, other hosts and other people must not be able to do: W01 to W11 of the hostile cases.

use axum::{body::Body, http::Method};
use madang::router::page_patterns;

use crate::support::{PASSWORD, TestApp, browser::Browser};

/// Every page's path, with a user 1, a feed 1 and a comment 1.
fn paths() -> Vec<String> {
    let number = |pattern: String| {
        let segments: Vec<&str> =
            pattern.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        segments.join("/")
    };
    page_patterns().into_iter().map(number).collect()
}

/// A board with a feed and a comment of Ann's.
async fn board() -> (TestApp, Browser) {
    let app = TestApp::sqlite().await;
    let mut ann = app.member("ann").await;
    ann.submit("/write", &[("title", "t"), ("content", "c")]).await.leads();
    ann.submit("/feed/1/comment", &[("content", "c")]).await.leads();
    (app, ann)
}

async fn post(browser: &mut Browser, path: &str, headers: &[(&str, &str)], content_type: &str) -> u16 {
    let headers = [headers, &[("content-type", content_type)]].concat();
    let body =
        "content=evil&title=evil&nickname=evil&language=ja&email=evil@example.com&password=correct+horse+battery";
    browser.send(Method::POST, path, &headers, Body::from(body)).await.status.as_u16()
}

#[tokio::test]
async fn w04_forms_of_other_sites_do_nothing() {
    let (app, mut ann) = board().await;
    let foreign: [&[(&str, &str)]; 6] = [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "same-site"), ("origin", "http://other.board.test")],
        &[("sec-fetch-site", "cross-site"), ("origin", "null")],
        &[("sec-fetch-site", ""), ("origin", "https://evil.example")],
        &[("sec-fetch-site", ""), ("origin", "null")],
        &[("sec-fetch-site", ""), ("origin", "http://board.test.evil.example")],
    ];
    let (before, mut forms) = (app.rows().await, 0);
    for path in paths() {
        let mut statuses = Vec::new();
        for headers in foreign {
            for content_type in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"] {
                statuses.push(post(&mut ann, &path, headers, content_type).await);
            }
        }
        // A page without a form takes none from anybody.
        let expected = if statuses[0] == 405 { 405 } else { 403 };
        assert!(statuses.iter().all(|status| *status == expected), "{path}: {statuses:?}");
        forms += usize::from(expected == 403);
    }
    assert!(forms >= 19, "{forms}");
    assert_eq!(app.rows().await, before);
    assert!(ann.page("/my").await.contains("<bdi>ann</bdi>"), "still logged in, with her name and language");
    // A browser of 2019 sends neither; the cookie's SameSite keeps it from other sites.
    let neither = [("sec-fetch-site", ""), ("origin", "")];
    assert_eq!(post(&mut ann, "/feed/1/like", &neither, "application/x-www-form-urlencoded").await, 303);
    // The API takes no cookie.
    let answer = ann.send(Method::DELETE, "/api/feed/delete/1", &[], Body::empty()).await;
    answer.refused(401, "not_authenticated");
}

#[tokio::test]
async fn w05_nothing_changes_by_looking() {
    let (app, mut ann) = board().await;
    let before = app.rows().await;
    for path in paths() {
        for method in [Method::GET, Method::HEAD] {
            let status = ann.send(method.clone(), &path, &[("sec-purpose", "prefetch")], Body::empty()).await.status;
            assert!(!status.is_server_error(), "{method} {path}: {status}");
        }
    }
    for path in ["/logout", "/feed/1/delete", "/feed/1/like", "/comment/1/delete", "/user/1/follow", "/settings/delete"]
    {
        assert_eq!(ann.get(path).await.status.as_u16(), 405, "{path}");
    }
    assert_eq!(app.rows().await, before);
    assert!(ann.page("/my").await.contains("ann"));
}

#[tokio::test]
async fn w06_w09_w11_headers_of_every_page() {
    let (app, mut ann) = board().await;
    let mut anonymous = app.browser();
    let extra = ["/nowhere", "/static/x/board.css", "/static/x/nothing.css", "/me/x.css"].map(str::to_owned);
    for path in paths().into_iter().chain(extra) {
        for (browser, personal) in [(&mut anonymous, false), (&mut ann, true)] {
            let answer = browser.get(&path).await;
            let policy = answer.header("content-security-policy");
            assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
            for (name, value) in [
                ("x-frame-options", "DENY"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "same-origin"),
                ("cross-origin-opener-policy", "same-origin"),
            ] {
                assert_eq!(answer.header(name), value, "{path}");
            }
            assert!(answer.headers.get("strict-transport-security").is_none(), "by http");
            let html = answer.header("content-type").starts_with("text/html");
            if html && (personal || !answer.status.is_success()) {
                assert!(
                    answer.header("cache-control").contains("no-store"),
                    "{path}: {}",
                    answer.header("cache-control")
                );
            }
            // The second wall: no page has a script or a style of its own.
            let page = answer.text();
            assert!(
                !html
                    || page.matches("<script").count()
                        == page.matches("<script type=\"module\" src=\"/static/").count()
            );
            assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick="), "{path}");
        }
    }
}

#[tokio::test]
async fn w07_next_leads_to_the_board() {
    let app = TestApp::sqlite().await;
    app.member("ann").await;
    for next in
        ["//evil.example", "/\\evil.example", "https:evil.example", "javascript:alert(1)", "/%2f%2fevil", "/a\r\nX: y"]
    {
        let fields = [("email", "ann@example.com"), ("password", PASSWORD), ("next", next)];
        assert_eq!(app.browser().submit("/login", &fields).await.leads(), "/", "{next}");
        assert_eq!(app.browser().submit("/look", &[("language", "ko"), ("next", next)]).await.leads(), "/", "{next}");
    }
    let fields = [("email", "ann@example.com"), ("password", PASSWORD), ("next", "/user/1?cursor=x")];
    assert_eq!(app.browser().submit("/login", &fields).await.leads(), "/user/1?cursor=x");
}

#[tokio::test]
async fn w08_other_hosts_are_not_believed() {
    let (_app, mut ann) = board().await;
    for headers in [[("host", "evil.example")], [("host", "board.test.evil.example")]] {
        let answer = ann.send(Method::GET, "/feed/1", &headers, Body::empty()).await;
        assert_eq!(answer.status.as_u16(), 421, "{headers:?}");
    }
    let headers = [("x-forwarded-host", "evil.example"), ("host", "127.0.0.1:8000")];
    let page = ann.send(Method::GET, "/feed/1", &headers, Body::empty()).await.text();
    assert!(page.contains("<link rel=\"canonical\" href=\"http://board.test/feed/1\">"), "{page}");
    assert!(!page.contains("evil.example") && !page.contains("127.0.0.1"));
    for path in ["/feeds.atom", "/sitemap.xml", "/robots.txt"] {
        assert!(ann.get(path).await.text().contains("http://board.test/"), "{path}");
    }
}

#[tokio::test]
async fn w09_a_page_for_all_holds_nothing_of_one() {
    let (app, _ann) = board().await;
    let mut first = app.browser();
    let page = first.page("/?utm=canary-of-one").await;
    assert!(!page.contains("canary"), "{page}");
    let mut second = app.browser();
    second.cookies.insert("madang_session".to_owned(), "canary".to_owned());
    let headers = [("user-agent", "canary"), ("x-forwarded-host", "canary"), ("referer", "http://canary/")];
    second.send(Method::GET, "/", &headers, Body::empty()).await;
    assert!(!first.page("/").await.contains("canary"));
}

#[tokio::test]
async fn w11_by_https_cookies_are_this_hosts_alone() {
    let app = TestApp::with(|flags| flags.server.public_url = Some("https://board.test".parse().unwrap())).await;
    let mut browser = app.browser();
    let fields = [("email", "ann@example.com"), ("nickname", "ann"), ("password", PASSWORD)];
    let answer = browser.submit("/signup", &fields).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-madang_session="), "{cookie}");
    for mark in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(mark), "{cookie}");
    }
    for path in ["/", "/nowhere", "/my", "/static/x/board.css", "/api/feed/list", "/healthz"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}");
    }
    for cookie in browser.submit("/look", &[("language", "ko"), ("theme", "dark")]).await.headers.get_all("set-cookie")
    {
        assert!(cookie.to_str().unwrap().starts_with("__Host-") && cookie.to_str().unwrap().contains("; Secure"));
    }
}

#[tokio::test]
async fn w01_w02_text_is_text() {
    let app = TestApp::sqlite().await;
    let mut ann = app.member("ann").await;
    for hostile in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'-alert(1)-'",
        "</textarea></title><svg onload=alert(1)>",
        "{{7*7}}",
        "[x](javascript:alert(1))",
    ] {
        let feed = ann.submit("/write", &[("title", hostile), ("content", hostile)]).await.leads().to_owned();
        ann.submit(&format!("{feed}/comment"), &[("content", hostile)]).await.leads();
        for path in [feed.as_str(), &format!("{feed}/edit"), "/", "/my", "/my/comments", "/feeds.atom"] {
            let page = ann.get(path).await.text();
            for bad in ["<script>alert", "<img src=x", "<svg onload", "href=\"javascript:"] {
                assert!(!page.contains(bad), "{path} {hostile}: {page}");
            }
        }
    }
}

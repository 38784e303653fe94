//! Every page in every language, with all its words.

use crate::support::{TestApp, browser::Browser};

/// A key that nobody translated stands in the page as it is.
fn assert_translated(page: &str, path: &str) {
    let source = include_str!("../../../src/web/text/en.ftl");
    let keys =
        source.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).filter(|key| key.contains('-'));
    for key in keys {
        let left = [format!(">{key}<"), format!("\"{key}\""), format!(" {key} ")];
        // Some keys are also ids, classes and names in the markup.
        let known = ["nav-main", "comment-count"];
        if known.contains(&key)
            || ["id=\"", "for=\"", "aria-describedby=\""].iter().any(|at| page.contains(&format!("{at}{key}\"")))
        {
            continue;
        }
        assert!(!left.iter().any(|text| page.contains(text)), "{path}: {key}");
    }
}

async fn look_at_all(browser: &mut Browser, paths: &[&str], lang: &str) {
    for path in paths {
        let answer = browser.get(path).await;
        let page = answer.text();
        assert!(page.starts_with(&format!("<!doctype html>\n<html lang=\"{lang}\"")), "{path} {lang}: {page}");
        assert!(answer.status.is_success() || *path == "/nowhere", "{path}: {}", answer.status);
        assert_eq!(page.matches("<h1").count(), 1, "{path}");
        assert_eq!(page.matches("<title>").count(), 1, "{path}");
        assert_translated(&page, path);
    }
}

#[tokio::test]
async fn every_page_speaks_every_language() {
    let app = TestApp::sqlite().await;
    let mut ann = app.member("ann").await;
    let mut bob = app.member("bob").await;
    ann.submit("/write", &[("title", "t"), ("content", "c")]).await.leads();
    bob.submit("/feed/1/comment", &[("content", "c")]).await.leads();
    bob.submit("/user/1/follow", &[]).await.leads();
    let open = [
        "/",
        "/feed/1",
        "/user/1",
        "/user/1/followers",
        "/user/2/followings",
        "/signup",
        "/login",
        "/look",
        "/nowhere",
    ];
    let own = ["/", "/feed/1", "/user/2", "/write", "/feed/1/edit", "/timeline", "/my", "/my/comments", "/settings"];
    for (header, lang) in [("ko-KR,ko;q=0.9,en;q=0.8", "ko"), ("ja,en;q=0.5", "ja"), ("fr-FR,fr", "en")] {
        let mut anonymous = app.browser();
        (anonymous.language, ann.language, bob.language) = (header, header, header);
        look_at_all(&mut anonymous, &open, lang).await;
        look_at_all(&mut ann, &own, lang).await;
        look_at_all(&mut bob, &["/comment/1/edit"], lang).await;
    }
}

#[tokio::test]
async fn a_setting_beats_the_browser() {
    let app = TestApp::sqlite().await;
    let mut browser = app.browser();
    let answer = browser.submit("/look", &[("language", "ja"), ("theme", "dark"), ("next", "/signup")]).await;
    assert_eq!(answer.leads(), "/signup");
    assert!(browser.page("/").await.contains("<html lang=\"ja\" data-theme=\"dark\""));
    browser.submit("/look", &[("language", "auto")]).await.leads();
    assert!(browser.page("/").await.contains("<html lang=\"en\" data-theme=\"dark\""));
    browser.submit("/look", &[("language", "xx"), ("theme", "auto\r\nSet-Cookie: a=b")]).await;
    assert!(browser.page("/").await.contains("<html lang=\"en\""));
    browser.cookies.insert("madang_language".to_owned(), "\"><script>".to_owned());
    assert!(browser.page("/").await.contains("<html lang=\"en\""));
}

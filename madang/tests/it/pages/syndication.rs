//! What programs read of the pages.

use crate::support::{TestApp, form::FormData};

use super::photo;

#[tokio::test]
async fn w03_an_atom_feed_is_xml_whatever_people_write() {
    let app = TestApp::sqlite().await;
    let mut ann = app.member("ann").await;
    let hostile = "]]> <b>&amp;\u{1}\u{b}\u{1b}[0m\u{2028} </title> 🍜 가나다";
    let form = FormData::new().text("title", hostile).text("content", hostile).files("images", &[photo(30, 20)]);
    ann.upload("/write", form).await.leads();
    for path in ["/feeds.atom", "/user/1/feeds.atom", "/sitemap.xml"] {
        let answer = ann.get(path).await;
        assert!(answer.header("content-type").contains("xml"), "{path}");
        let text = answer.text();
        let document = roxmltree::Document::parse(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text}"));
        if path.ends_with("atom") {
            let entry = find_entry(&document);
            assert!(entry.contains("]]> <b>&amp;[0m"), "{entry}");
            assert!(text.contains("http://board.test/images/"), "{text}");
        } else {
            assert!(text.contains("<loc>http://board.test/feed/1</loc>"), "{text}");
        }
    }
    assert_eq!(ann.get("/user/9/feeds.atom").await.status.as_u16(), 404);
    let robots = ann.get("/robots.txt").await.text();
    assert!(robots.contains("Disallow: /my\n") && robots.contains("Sitemap: http://board.test/sitemap.xml"));
}

fn find_entry(document: &roxmltree::Document<'_>) -> String {
    let entry = document.descendants().find(|node| node.tag_name().name() == "entry").unwrap();
    entry.children().find(|node| node.tag_name().name() == "title").unwrap().text().unwrap().to_owned()
}

#[tokio::test]
async fn a_board_below_a_path_links_to_itself() {
    let app = TestApp::with(|flags| flags.server.public_url = Some("https://site.test/board".parse().unwrap())).await;
    let mut browser = app.browser();
    let page =
        browser.send(axum::http::Method::GET, "/", &[("host", "site.test")], axum::body::Body::empty()).await.text();
    for link in
        page.split(" href=\"").skip(1).chain(page.split(" src=\"").skip(1)).chain(page.split(" action=\"").skip(1))
    {
        let target = link.split('"').next().unwrap();
        assert!(
            target.starts_with("/board/") || target.starts_with("https://site.test/board/") || target == "#main",
            "{target}"
        );
    }
    let moved =
        browser.send(axum::http::Method::GET, "/look/", &[("host", "site.test")], axum::body::Body::empty()).await;
    assert_eq!(moved.header("location"), "/board/look");
}

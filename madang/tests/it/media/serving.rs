//! What `GET /images/...` says, and to what it says nothing.

use std::{fs, os::unix::fs::symlink};

use axum::{
    body::Body,
    http::{Method, StatusCode},
};

use super::{file_of, folder_of, path, urls};
use crate::support::{TestApp, pictures};

#[tokio::test]
async fn u15_images_are_served_as_what_they_are_and_nothing_else() {
    let app = TestApp::sqlite().await;
    let ann = app.user("ann").await;
    let kinds = [("image/png", pictures::png()), ("image/jpeg", pictures::jpeg()), ("image/webp", pictures::webp())];
    let files: Vec<_> = kinds.iter().map(|(_, bytes)| bytes.clone()).collect();
    let feed = ann.create_feed("kinds", &files).await;
    let anonymous = app.anonymous();
    for ((kind, _), url) in kinds.iter().zip(urls(&feed)) {
        let answer = anonymous.get(path(&url)).await;
        assert_eq!(answer.status, 200);
        let expected = [
            ("content-type", *kind),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("cache-control", "public, max-age=31536000, immutable"),
            ("content-disposition", "inline"),
            ("accept-ranges", "bytes"),
        ];
        for (name, value) in expected {
            assert_eq!(answer.header(name), value, "{name} of {url}");
        }
        assert_eq!(answer.header("content-length"), answer.body.len().to_string());
        assert_eq!(answer.body, fs::read(file_of(&app, &url)).unwrap());
        assert_eq!(image::guess_format(&answer.body).unwrap().to_mime_type(), *kind);

        let head = anonymous.request(Method::HEAD, path(&url), &[], Body::empty()).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
        assert_eq!(head.header("content-length"), answer.header("content-length"));
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            ann.request(method, path(&url), &[], Body::empty()).await.refused(405, "method_not_allowed");
        }
    }
}

#[tokio::test]
async fn u15_a_tag_saves_the_second_transfer() {
    let app = TestApp::sqlite().await;
    let ann = app.user("ann").await;
    let url = urls(&ann.create_feed("tag", &[pictures::png()]).await).remove(0);
    let ask =
        async |name: &str, value: &str| ann.request(Method::GET, path(&url), &[(name, value)], Body::empty()).await;
    let tag = ann.get(path(&url)).await.header("etag").to_owned();
    assert!(tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let answer = ask("if-none-match", &known).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    }
    for other in ["\"other\"", "nonsense", ""] {
        assert_eq!(ask("if-none-match", other).await.status, 200, "{other}");
    }
}

#[tokio::test]
async fn u15_one_range_is_served_and_many_are_not() {
    let app = TestApp::sqlite().await;
    let ann = app.user("ann").await;
    let url = urls(&ann.create_feed("range", &[pictures::noise(200, 200)]).await).remove(0);
    let whole = ann.get(path(&url)).await.body;
    let length = whole.len();
    assert!(length > 100_000, "more than one piece");
    let ask = async |range: &str| ann.request(Method::GET, path(&url), &[("range", range)], Body::empty()).await;
    let last = length - 1;
    for (range, from, to) in [
        ("bytes=0-9".to_owned(), 0, 9),
        ("bytes=10-".to_owned(), 10, last),
        ("bytes=-5".to_owned(), length - 5, last),
        (format!("bytes={last}-{last}"), last, last),
        (format!("bytes=70000-{}", length + 10), 70_000, last),
    ] {
        let answer = ask(&range).await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.body, whole[from..=to], "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {from}-{to}/{length}"));
        assert_eq!(answer.header("content-length"), (to + 1 - from).to_string());
        assert_eq!(answer.header("content-type"), "image/png");
    }
    let thousand = format!("bytes={}", (0..1_000).map(|at| format!("{at}-{at}")).collect::<Vec<_>>().join(","));
    let overlapping = format!("bytes={}", "0-,".repeat(1_000));
    for range in [
        &thousand,
        &overlapping,
        "bytes=0-0,2-2",
        &format!("bytes={length}-"),
        "bytes=18446744073709551616-",
        "bytes=9-1",
        "bytes=x-y",
        "bytes=",
        "bytes=-",
    ] {
        let answer = ask(range).await;
        answer.refused(416, "range_not_satisfiable");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("content-range"), format!("bytes */{length}"));
    }
    assert_eq!(ask("lines=0-9").await.body, whole, "a unit that nobody knows is ignored");
}

#[tokio::test]
async fn u15_names_that_are_not_ours_answer_404() {
    let app = TestApp::sqlite().await;
    let ann = app.user("ann").await;
    let url = urls(&ann.create_feed("names", &[pictures::png()]).await).remove(0);
    let name = path(&url).rsplit('/').next().unwrap().to_owned();
    let key = name.trim_end_matches(".png");
    let names = [
        "".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        "../key".to_owned(),
        "..%2fkey".to_owned(),
        "%2e%2e/key".to_owned(),
        "%2e%2e%2fkey".to_owned(),
        "..%5ckey".to_owned(),
        "%252e%252e%252fkey".to_owned(),
        "../madang.db".to_owned(),
        "madang.db".to_owned(),
        "madang.db-wal".to_owned(),
        "key".to_owned(),
        "lock".to_owned(),
        ".htaccess".to_owned(),
        "%2fetc%2fpasswd".to_owned(),
        key[..2].to_owned(),
        format!("{}/{name}", &key[..2]),
        key.to_owned(),
        format!("{key}."),
        format!("{key}.jpg"),
        format!("{key}.PNG"),
        format!("{key}.png.webp"),
        format!("{key}.640.png"),
        format!("{key}.640.jpg"),
        format!("{key}.641.png"),
        format!("{key}.640"),
        format!("{key}.png%00"),
        format!("{key}.png%20"),
        format!("{key}.png/"),
        format!(".tmp-{}.png", &key[5..]),
        format!("{}.png", key.to_uppercase()),
        format!("{}.png", "0".repeat(32)),
        "x".repeat(5_000),
    ];
    for name in names {
        let answer = app.anonymous().get(&format!("/images/{name}")).await;
        // A slash at the end is redirected to the path without one, which only then is an image.
        if name.ends_with(".png/") {
            assert_eq!(answer.status, 307);
            continue;
        }
        answer.refused(404, "not_found");
    }
    for odd in ["/images", "/images?x", "//images/x", "/images/%ff"] {
        let status = app.anonymous().get(odd).await.status.as_u16();
        assert!([400, 404].contains(&status), "{odd}: {status}");
    }
}

#[tokio::test]
async fn u15_links_and_folders_answer_404() {
    let app = TestApp::sqlite().await;
    let secret = folder_of(&app).parent().unwrap().join("key");
    let kept = fs::read(&secret).unwrap();
    let [link, folder, empty] = ['a', 'b', 'c'].map(|digit| format!("{}.png", digit.to_string().repeat(32)));
    symlink(&secret, file_of(&app, &link)).unwrap();
    fs::create_dir(file_of(&app, &folder)).unwrap();
    for name in [link, folder] {
        let answer = app.anonymous().get(&format!("/images/{name}")).await;
        answer.refused(404, "not_found");
        assert!(!answer.body.windows(16).any(|window| kept.starts_with(window)));
    }
    // What a crash of the machine may leave of a file that was not ours to write.
    fs::write(file_of(&app, &empty), b"").unwrap();
    app.anonymous().get(&format!("/images/{empty}")).await.refused(404, "not_found");
}

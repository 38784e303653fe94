//! A bucket that is slow, refuses, or is used by others too. What every store does is tested in the other files, on
//! PostgreSQL with a bucket.

use std::time::Duration;

use axum::{body::Body, http::Method};
use futures_util::TryStreamExt;
use greenlit::{Migration, Opts};
use madang::migration::HISTORY;
use object_store::{Attribute, ObjectStore, ObjectStoreExt};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{make_due, path, pictures_of, served, update, urls};
use crate::support::{TestApp, bucket::Fault, form::FormData, pictures};

pub(super) fn form(pictures: &[Vec<u8>]) -> FormData {
    FormData::new().text("title", "t").text("content", "c").files("images", pictures)
}

pub(super) async fn count_objects(app: &TestApp) -> usize {
    let (client, folder) = app.bucket().direct();
    client.list(Some(&folder)).try_collect::<Vec<_>>().await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_a_bucket_that_never_answers_holds_up_uploads_alone() {
    let app = TestApp::s3().await;
    let ann = app.user("ann").await;
    let feed = ann.create_feed("before", &pictures_of([1])).await;
    app.bucket().set(Fault::Silent);
    let uploads = (0..15).map(|_| {
        let ann = ann.clone();
        tokio::spawn(async move { ann.form(Method::POST, "/api/feed/create", form(&pictures_of([1]))).await })
    });
    let uploads: Vec<_> = uploads.collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    for _ in 0..20 {
        ann.get(&format!("/api/feed/read/{}", feed["id"])).await.expect(200);
        ann.get("/api/feed/list").await.expect(200);
        ann.create_feed("text alone", &[]).await;
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());

    // The deletion goes through, and its job waits.
    ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
    assert_eq!(timeout(Duration::from_secs(15), app.work()).await.expect("a deadline"), 1);
    let image = timeout(Duration::from_secs(15), ann.get(path(&urls(&feed)[0]))).await.expect("a deadline");
    image.refused(503, "unavailable");
    for upload in uploads {
        let answer = timeout(Duration::from_secs(40), upload).await.expect("a deadline").unwrap();
        answer.refused(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "5");
    }
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    app.bucket().set(Fault::None);
    app.clock.advance(Duration::from_secs(2 * 60 * 60));
    make_due(&app).await;
    app.assert_consistent().await;
    assert_eq!(count_objects(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f20_a_bucket_that_refuses_is_unavailable_and_tells_nobody_why() {
    let app = TestApp::s3().await;
    let ann = app.user("ann").await;
    let feed = ann.create_feed("before", &pictures_of([1])).await;
    for status in [400, 403, 500, 503] {
        app.bucket().set(Fault::Refusing(status));
        for answer in [
            ann.form(Method::POST, "/api/feed/create", form(&pictures_of([1]))).await,
            update(&ann, &feed, &urls(&feed), &pictures_of([2])).await,
            ann.get(path(&urls(&feed)[0])).await,
        ] {
            answer.refused(503, "unavailable");
            assert_eq!(answer.header("retry-after"), "5");
            let said = format!("{:?} {}", answer.headers, answer.text());
            assert!(!["AccessDenied", "AWS4", "127.0.0.1"].iter().any(|inside| said.contains(inside)), "{said}");
        }
        ann.create_feed("text alone", &[]).await;
    }
    app.bucket().set(Fault::None);
    make_due(&app).await;
    app.assert_consistent().await;
    assert_eq!((served(&ann, &feed).await, count_objects(&app).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d10_a_write_that_fails_loses_no_image_and_leaves_none() {
    let app = TestApp::s3().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let feed = ann.create_feed("kept", &pictures_of([1])).await;
    update(&bob, &feed, &[], &pictures_of([2])).await.refused(403, "permission_denied");
    // From here on no feed can have two images of one kind: claiming them fails after others were removed.
    let sql = "create unique index refuse_kinds on images (feed_id, extension)";
    let refuse = Migration { version: HISTORY.len() as i64 + 1, name: "refuse kinds", sql };
    app.app.db.migrate(&[HISTORY, &[refuse]].concat()).await.unwrap();
    update(&ann, &feed, &urls(&feed), &pictures_of([2, 3])).await.refused(500, "internal");
    app.assert_consistent().await;
    assert_eq!((served(&ann, &feed).await, count_objects(&app).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d11_what_is_not_ours_in_the_bucket_stays() {
    let app = TestApp::s3().await;
    let ann = app.user("ann").await;
    let feed = ann.create_feed("mine", &pictures_of([1])).await;
    let (client, folder) = app.bucket().direct();
    let name = urls(&feed)[0].rsplit('/').next().unwrap().to_owned();
    let others = ["backup.sql", "deeper/0123456789abcdef0123456789abcdef.png", "0123456789abcdef.png"];
    for other in others {
        client.put(&folder.clone().join(other), "precious".into()).await.unwrap();
    }
    for target in ["backup.sql", "../backup.sql", "..%2fbackup.sql", "deeper/0123456789abcdef0123456789abcdef.png"] {
        let target = format!("http://board.test/images/{target}");
        update(&ann, &feed, std::slice::from_ref(&target), &[]).await.refused(422, "invalid_input");
        ann.get(path(&target)).await.refused(404, "not_found");
    }
    ann.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
    app.assert_consistent().await;
    assert!(client.head(&folder.clone().join(name)).await.is_err());
    assert_eq!(count_objects(&app).await, others.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d12_an_object_says_what_it_is_and_may_be_kept() {
    let app = TestApp::s3().await;
    let ann = app.user("ann").await;
    let html = FormData::new().text("title", "t").text("content", "c");
    let disposition = "Content-Disposition: form-data; name=\"images\"; filename=\"x.png\"\r\nContent-Type: text/html";
    let html = html.part(disposition, b"<script>alert(1)</script>");
    ann.form(Method::POST, "/api/feed/create", html).await.refused(415, "unsupported_image_type");
    assert_eq!(count_objects(&app).await, 0);

    let files =
        [pictures::png(), pictures::jpeg(), pictures::webp(), pictures::picture(image::ImageFormat::Png, 900, 3)];
    ann.create_feed("kinds", &files).await;
    app.work().await;
    let (client, folder) = app.bucket().direct();
    let objects: Vec<_> = client.list(Some(&folder)).try_collect().await.unwrap();
    assert_eq!(objects.len(), 5, "with a thumbnail");
    for object in objects {
        let attributes = client.get(&object.location).await.unwrap().attributes;
        let value = |attribute| attributes.get(&attribute).map(|value| value.as_ref().to_owned()).unwrap_or_default();
        let kind = match object.location.extension().unwrap() {
            "jpg" => "image/jpeg",
            "png" => "image/png",
            _ => "image/webp",
        };
        assert_eq!(value(Attribute::ContentType), kind, "{}", object.location);
        assert_eq!(value(Attribute::CacheControl), "public, max-age=31536000, immutable");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_are_served_from_a_bucket_as_from_a_folder() {
    let app = TestApp::s3().await;
    let ann = app.user("ann").await;
    let url = urls(&ann.create_feed("large", &[pictures::noise(600, 600)]).await).remove(0);
    let whole = ann.get(path(&url)).await;
    assert!(whole.body.len() > 1_000_000);
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    let ask = async |method: Method, name: &str, value: &str| {
        ann.request(method, path(&url), &[(name, value)], Body::empty()).await
    };
    let head = ask(Method::HEAD, "accept", "*/*").await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, whole.header("content-length")));
    let last = whole.body.len() - 1;
    for (range, from, to) in [("bytes=0-9", 0, 9), ("bytes=700000-", 700_000, last), ("bytes=-5", last - 4, last)] {
        let part = ask(Method::GET, "range", range).await;
        assert_eq!((part.status.as_u16(), &part.body[..]), (206, &whole.body[from..=to]), "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {from}-{to}/{}", last + 1));
    }
    ask(Method::GET, "range", "bytes=99999999-").await.refused(416, "range_not_satisfiable");
    ask(Method::GET, "range", "bytes=0-1,5-6").await.refused(416, "range_not_satisfiable");
    let known = ask(Method::GET, "if-none-match", whole.header("etag")).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    ann.get(&format!("/images/{}.png", "0".repeat(32))).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_bucket_serves_by_itself() {
    let app = TestApp::s3_with("&public_url=https://cdn.example/pictures").await;
    let ann = app.user("ann").await;
    let feed = ann.create_feed("public", &pictures_of([1, 900])).await;
    app.work().await;
    let feed = ann.get(&format!("/api/feed/read/{}", feed["id"])).await.expect(200);
    let (_, folder) = app.bucket().direct();
    for url in [&feed["images"][0]["url"], &feed["images"][1]["url"], &feed["images"][1]["thumb_url"]] {
        let url = url.as_str().unwrap();
        let answer = app.anonymous().get(path(url)).await;
        let name = path(url).strip_prefix("/images/").unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.len()), (307, 0));
        assert_eq!(answer.header("location"), format!("https://cdn.example/pictures/{folder}/{name}"));
        assert_eq!(answer.header("cache-control"), "public, max-age=60");
    }
    for name in ["key", "..%2fkey", &format!("{}.gif", "0".repeat(32))] {
        ann.get(&format!("/images/{name}")).await.refused(404, "not_found");
    }
    app.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_names_what_is_not_ours_deletes_nothing() {
    let app = TestApp::s3().await;
    let (client, folder) = app.bucket().direct();
    client.put(&folder.clone().join("backup.sql"), "precious".into()).await.unwrap();
    for topic in ["media.delete", "media.thumbnail"] {
        let job = json!({"names": ["backup.sql"], "name": "backup.sql"});
        app.app.db.tx(Opts::default(), async |tx| tx.outbox(topic, &job).await).await.unwrap();
    }
    assert_eq!(app.work().await, 2);
    assert_eq!((count_objects(&app).await, app.count("greenlit_outbox").await), (1, 2));
}

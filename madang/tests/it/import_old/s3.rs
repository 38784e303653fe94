//! The old board's images in a real bucket.

use futures_util::TryStreamExt;
use greenlit::testing::Scratch;
use madang::store_url::StoreUrl;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};

use super::{
    DAY, Origin,
    old::{BCRYPT, TABLES, database},
    problems, take_over,
};
use crate::support::{
    TestApp,
    bucket::{Bucket, Fault},
    pictures,
};

/// A bucket with these objects, and where to read them.
async fn bucket(objects: &[(&str, Vec<u8>)]) -> (Bucket, Origin) {
    let bucket = Bucket::new().await.expect("MADANG_TEST_S3 names the S3 server of the tests");
    let (client, folder) = bucket.direct();
    for (name, bytes) in objects {
        // As it is: `child` would encode it.
        let path = Path::parse(format!("{folder}/{name}")).unwrap();
        client.put(&path, bytes.clone().into()).await.unwrap();
    }
    let Ok(StoreUrl::S3(url)) = StoreUrl::parse(&bucket.url()) else { panic!("{}", bucket.url()) };
    (bucket, Origin { bucket: Some(url), ..Origin::default() })
}

async fn objects(bucket: &Bucket) -> Vec<(String, u64)> {
    let (client, folder) = bucket.direct();
    let mut found: Vec<_> =
        client.list(Some(&folder)).map_ok(|o| (o.location.to_string(), o.size)).try_collect().await.unwrap();
    found.sort();
    found
}

/// A board whose one feed has these images.
async fn board(urls: &[String]) -> Scratch {
    let urls = serde_json::to_string(urls).unwrap();
    database(format!(
        "{TABLES}
        insert into users (id, email, password, nickname, create_dt)
            values (1, 'ann@example.com', '{BCRYPT}', 'ann', '{DAY}');
        insert into feeds (id, title, content, image_urls, author_email, create_dt, update_dt)
            values (1, 'title', 'content', '{urls}', 'ann@example.com', '{DAY}', '{DAY}');"
    ))
    .await
}

#[tokio::test]
async fn u17_images_are_read_from_the_bucket_however_their_addresses_name_it() {
    let app = TestApp::sqlite().await;
    let (bucket, origin) = bucket(&[
        ("a.png", pictures::png()),
        ("in/b c+가.jpg", pictures::jpeg()),
        ("large.png", vec![0; 11 << 20]),
        ("page.png", b"<html>".to_vec()),
    ])
    .await;
    let before = objects(&bucket).await;
    let (_, folder) = bucket.direct();
    let scratch = board(&[
        format!("https://s3.eu-west-1.amazonaws.com/madang-test/{folder}/a.png"),
        format!("https://madang-test.s3.amazonaws.com/{folder}/in/b%20c%2B%EA%B0%80.jpg?versionId=1"),
        "https://cdn.example/a.png".to_owned(),
        format!("https://madang-test.s3.amazonaws.com/{folder}/missing.png"),
        "https://cdn.example/large.png".to_owned(),
        "https://cdn.example/page.png".to_owned(),
        "https://cdn.example/".to_owned(),
        format!("https://cdn.example/{}.png", "k".repeat(1_100)),
    ])
    .await;
    let reports = tempfile::tempdir().unwrap();
    let report = reports.path().join("report.jsonl");
    take_over(&app, scratch.url(), &report, origin).await.unwrap();

    let told = problems(&report);
    let expected = ["image_missing", "image_missing", "image_not_fetched", "image_not_fetched", "image_refused"];
    assert_eq!(told, expected.map(|problem| format!("{problem} feeds 1")));
    let text = std::fs::read_to_string(&report).unwrap();
    assert!(text.contains("not in the bucket") && text.contains("larger than 10 MB"), "{text}");
    let feed = app.anonymous().get("/api/feed/read/1").await.expect(200);
    let urls: Vec<&str> = feed["image_urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap()).collect();
    assert_eq!(urls.len(), 3);
    assert!(urls[0].ends_with(".png") && urls[1].ends_with(".jpg") && urls[2].ends_with(".png"), "{urls:?}");
    app.assert_consistent().await;
    assert_eq!(objects(&bucket).await, before, "it is only read");
}

#[tokio::test]
async fn a_bucket_that_refuses_stops_the_import_and_the_next_run_goes_on() {
    let app = TestApp::sqlite().await;
    let (bucket, origin) = bucket(&[("a.png", pictures::png())]).await;
    let scratch = board(&["https://cdn.example/a.png".to_owned()]).await;
    let reports = tempfile::tempdir().unwrap();
    let report = reports.path().join("report.jsonl");
    for (fault, word) in [(Fault::Refusing(403), "403 (AccessDenied)"), (Fault::Broken, "the connection to the bucket")]
    {
        bucket.set(fault);
        let said = take_over(&app, scratch.url(), &report, origin.clone()).await.unwrap_err();
        assert!(said.contains("a.png") && said.contains(word) && said.contains("run the same command"), "{said}");
        assert_eq!((app.count("feeds").await, app.count("images").await), (0, 0));
    }
    bucket.set(Fault::None);
    take_over(&app, scratch.url(), &report, origin).await.unwrap();
    assert_eq!((app.count("feeds").await, app.count("images").await), (1, 1));
    assert_eq!(problems(&report), Vec::<String>::new());
    app.assert_consistent().await;
}

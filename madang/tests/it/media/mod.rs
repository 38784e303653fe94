//! Images from upload to deletion.

mod cancelled;
mod faults;
mod quota;
mod s3;
mod s3_faults;
mod serving;
mod staging;
mod thumbnails;

use std::path::PathBuf;

use axum::http::Method;
use image::ImageFormat;
use madang::media::store::{Name, Store};
use serde_json::Value;

use crate::support::{Answer, Client, TestApp, form::FormData, pictures};

/// Pictures that can be told apart by their widths.
fn pictures_of(widths: impl IntoIterator<Item = u32>) -> Vec<Vec<u8>> {
    widths.into_iter().map(|width| pictures::picture(ImageFormat::Png, width, 3)).collect()
}

/// The widths of a feed's images, in their order.
fn widths(feed: &Value) -> Vec<i64> {
    feed["images"].as_array().unwrap().iter().map(|image| image["width"].as_i64().unwrap()).collect()
}

fn urls(feed: &Value) -> Vec<String> {
    feed["image_urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect()
}

/// The path of an image's address.
fn path(url: &str) -> &str {
    url.strip_prefix("http://board.test").unwrap()
}

/// Removes the images with these addresses from a feed, and appends the pictures.
async fn update(client: &Client, feed: &Value, targets: &[String], pictures: &[Vec<u8>]) -> Answer {
    let form = FormData::new().text("title", "changed").text("content", "changed");
    let form = targets.iter().fold(form, |form, url| form.text("target_image_urls", url));
    let url = format!("/api/feed/update/{}", feed["id"]);
    client.form(Method::PATCH, &url, form.files("new_images", pictures)).await
}

/// How many images the feed has, each of which must be served.
async fn served(client: &Client, feed: &Value) -> usize {
    let feed = client.get(&format!("/api/feed/read/{}", feed["id"])).await.expect(200);
    let urls = urls(&feed);
    for url in &urls {
        assert_eq!(client.get(path(url)).await.status, 200, "{url}");
    }
    urls.len()
}

/// The file in which an image is kept.
fn file_of(app: &TestApp, url: &str) -> PathBuf {
    let name = Name::parse(url.rsplit('/').next().unwrap()).unwrap();
    let Store::Local(store) = &app.app.media.store else { panic!("images are in a bucket") };
    store.path(&name)
}

/// The folder in which images are kept.
fn folder_of(app: &TestApp) -> PathBuf {
    let file = file_of(app, &format!("{}.png", "0".repeat(32)));
    file.parent().unwrap().parent().unwrap().to_owned()
}

/// Makes jobs due that wait for their next attempt.
async fn make_due(app: &TestApp) {
    let sql = "update greenlit_outbox set due = 0 where due < 9223372036854775807";
    app.app.db.tx(greenlit::Opts::default(), async |tx| tx.exec(sql, vec![]).await).await.unwrap();
}

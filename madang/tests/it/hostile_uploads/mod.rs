//! Uploads by people who mean no good, through the real routes. What the decoders are fed in detail is tested beside them;
//! here a few of each kind, and what only the whole way shows: the answer, and that nothing is left behind.

mod files;
mod forms;

use axum::{
    body::{Body, Bytes},
    http::Method,
};
use serde_json::Value;

use crate::support::{Answer, Client, TestApp, form::FormData, pictures};

const CREATE: &str = "/api/feed/create";

/// A board with one feed, by whose author everything is sent.
struct Target {
    app: TestApp,
    author: Client,
    feed: Value,
}

impl Target {
    async fn new(app: TestApp) -> Target {
        let author = app.user("mallory").await;
        let feed = author.create_feed("before", &[pictures::png()]).await;
        Target { app, author, feed }
    }

    fn update(&self) -> String {
        format!("/api/feed/update/{}", self.feed["id"])
    }

    /// Sends a body to both routes that take images; `XX` is its boundary.
    async fn send(&self, body: impl Fn() -> Body) -> [Answer; 2] {
        let headers = [("content-type", "multipart/form-data; boundary=XX")];
        let create = self.author.request(Method::POST, CREATE, &headers, body()).await;
        [create, self.author.request(Method::PATCH, &self.update(), &headers, body()).await]
    }

    /// Uploads a file by both routes.
    async fn upload(&self, file: &[u8]) -> [Answer; 2] {
        self.upload_as(file, "a.png").await
    }

    async fn upload_as(&self, file: &[u8], filename: &str) -> [Answer; 2] {
        let text = || FormData::new().text("title", "t").text("content", "c");
        let create = text().file("images", filename, file);
        let update = text().file("new_images", filename, file);
        let create = self.author.form(Method::POST, CREATE, create).await;
        [create, self.author.form(Method::PATCH, &self.update(), update).await]
    }

    /// Uploads a file that must be refused by both routes.
    async fn refuses(&self, file: &[u8], status: u16, code: &str) {
        for answer in self.upload(file).await {
            assert_eq!(answer.status, status, "{:?}...: {}", &file[..file.len().min(20)], answer.text());
            answer.refused(status, code);
        }
    }

    /// Uploads a file that both routes must take, and returns what is served of it.
    async fn takes(&self, file: &[u8]) -> Bytes {
        let [create, update] = self.upload(file).await;
        let (create, update) = (create.expect(200), update.expect(200));
        let served = self.served(&create["image_urls"][0]).await;
        let last = update["image_urls"].as_array().unwrap().last().unwrap();
        assert_eq!(self.served(last).await, served);
        // Room for the next.
        let form = FormData::new().text("title", "t").text("content", "c");
        let form = form.text("target_image_urls", last.as_str().unwrap());
        self.author.form(Method::PATCH, &self.update(), form).await.expect(200);
        self.author.delete(&format!("/api/feed/delete/{}", create["id"])).await.expect(200);
        served
    }

    async fn served(&self, url: &Value) -> Bytes {
        let path = url.as_str().unwrap().strip_prefix("http://board.test").unwrap();
        let answer = self.app.anonymous().get(path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let format = image::guess_format(&answer.body).unwrap();
        assert_eq!(answer.header("content-type"), format.to_mime_type());
        answer.body
    }

    /// Nothing is left of all that, and the next request is served.
    async fn unharmed(self) {
        self.app.assert_consistent().await;
        assert_eq!((self.app.count("feeds").await, self.app.count("images").await), (1, 1));
        self.author.create_feed("after", &[pictures::jpeg()]).await;
        self.app.assert_consistent().await;
    }
}

//! What users sent, and ways in which it does not come.

use std::time::Duration;

use line_stub::Content;

use crate::Line;

impl Line {
    async fn fetch(&self, path: &str) -> reqwest::Response {
        let url = format!("{}/v2/bot/message/{path}", self.stub.data_url());
        self.client.get(url).bearer_auth(self.stub.channel().token).send().await.unwrap()
    }
}

#[tokio::test]
async fn content_comes_as_it_was_put() {
    let line = Line::new().await;
    line.stub.put_content("1", "image/png", vec![1, 2, 3]);
    let answer = line.fetch("1/content").await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"].to_str().unwrap()), (200, &"image/png"));
    assert_eq!(answer.bytes().await.unwrap().as_ref(), [1, 2, 3]);
    assert_eq!(line.fetch("2/content").await.status().as_u16(), 404);
    assert_eq!(line.fetch("1/content/transcoding").await.text().await.unwrap(), r#"{"status":"succeeded"}"#);
}

#[tokio::test]
async fn content_comes_in_bad_ways() {
    let line = Line::new().await;
    line.stub.put_content_as("1", Content::Redirect("http://127.0.0.1:1/secret".into()));
    let answer = line.fetch("1/content").await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()),
        (302, "http://127.0.0.1:1/secret")
    );
    line.stub.put_content_as("2", Content::Preparing);
    assert_eq!(line.fetch("2/content").await.status().as_u16(), 202);
    assert_eq!(line.fetch("2/content/transcoding").await.text().await.unwrap(), r#"{"status":"processing"}"#);
}

#[tokio::test]
async fn endless_content_goes_on_until_its_client_goes() {
    let line = Line::new().await;
    for (piece, pause) in [(1, Duration::from_millis(1)), (65_536, Duration::ZERO)] {
        line.stub.put_content_as("1", Content::Endless { content_type: "image/png".into(), piece, pause });
        let mut answer = line.fetch("1/content").await;
        assert_eq!(answer.content_length(), None);
        for _ in 0..20 {
            assert!(!answer.chunk().await.unwrap().unwrap().is_empty());
        }
    }
}

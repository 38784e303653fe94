//! The first page of the list for who is not logged in: made once for each change, and as any other answer but for that.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, Method},
};
use serde_json::Value;

use crate::support::{Answer, Client, on_each_database};

const LIST: &str = "/api/feed/list";

/// What answers have in common.
fn headers(answer: &Answer) -> HeaderMap {
    let mut headers = answer.headers.clone();
    assert_eq!(headers.remove("x-request-id").unwrap().len(), 32);
    // The router counts the bytes of what it answers; of what is ready hyper does.
    headers.remove("content-length");
    headers
}

fn titles(list: &Value) -> Vec<&str> {
    list["feeds"].as_array().unwrap().iter().map(|feed| feed["title"].as_str().unwrap()).collect()
}

on_each_database! {
    async fn the_list_that_is_ready_is_the_list(app: TestApp) {
        let ann = app.user("ann").await;
        ann.create_feed("one", &[]).await;
        let anonymous = app.anonymous();
        let (first, again) = (anonymous.get(LIST).await, anonymous.get(LIST).await);
        // A query is another way to say the same, which is never ready before it is read.
        let asked = anonymous.get(&format!("{LIST}?limit=10&sort_by=create_dt_desc")).await;
        assert_ne!(first.headers["x-request-id"], again.headers["x-request-id"]);
        for other in [&again, &asked] {
            assert_eq!((other.status, &other.body, headers(other)), (first.status, &first.body, headers(&first)));
        }
        assert_eq!(headers(&again)["content-type"], "application/json");
        // Who says who he is sees what is his.
        let hers = ann.get(LIST).await.expect(200);
        assert!(hers["feeds"][0]["author_email"].is_string());
        assert!(anonymous.get(LIST).await.expect(200)["feeds"][0]["author_email"].is_null());
        let unknown = anonymous.request(Method::GET, LIST, &[("authorization", "Bearer x")], Body::empty()).await;
        assert_eq!(unknown.body, first.body);
        // Other methods are refused as ever.
        assert_eq!(anonymous.bare(Method::POST, LIST).await.status.as_u16(), 405);
    }

    async fn each_length_and_order_is_its_own(app: TestApp) {
        let ann = app.user("ann").await;
        for title in ["one", "two", "three"] {
            ann.create_feed(title, &[]).await;
        }
        let anonymous = app.anonymous();
        for _ in 0..2 {
            let list = |query: &'static str| {
                let anonymous = anonymous.clone();
                async move { anonymous.get(&format!("{LIST}{query}")).await.expect(200) }
            };
            assert_eq!(titles(&list("").await), ["three", "two", "one"]);
            assert_eq!(titles(&list("?limit=1").await), ["three"]);
            assert_eq!(titles(&list("?limit=2&sort_by=create_dt_asc").await), ["one", "two"]);
            assert_eq!(titles(&list("?skip=1").await), ["two", "one"]);
            let cursor = list("?limit=1").await["pagination"]["next_cursor"].as_str().unwrap().to_owned();
            let rest = anonymous.get(&format!("{LIST}?cursor={cursor}")).await.expect(200);
            assert_eq!(titles(&rest), ["two", "one"]);
        }
    }

    async fn a_write_is_in_the_list_at_once(app: TestApp) {
        let (ann, anonymous) = (app.user("ann").await, app.anonymous());
        for count in 1..20 {
            let feed = ann.create_feed(&format!("feed {count}"), &[]).await["id"].clone();
            let list = anonymous.get(LIST).await.expect(200);
            assert_eq!((&list["feeds"][0]["id"], list["pagination"]["total_count"].as_i64()), (&feed, Some(count)));
            ann.bare(Method::PUT, &format!("/api/like/?feed_id={feed}")).await.expect(200);
            assert_eq!(anonymous.get(LIST).await.expect(200)["feeds"][0]["like_count"], 1);
        }
    }

    async fn what_another_process_wrote_is_in_the_list_after_a_second(app: TestApp) {
        let ann = app.user("ann").await;
        ann.create_feed("before", &[]).await;
        let there = Client::of(madang::router::router(app.second_node().await));
        assert_eq!(titles(&there.get(LIST).await.expect(200)), ["before"]);
        ann.create_feed("after", &[]).await;
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        assert_eq!(titles(&there.get(LIST).await.expect(200)), ["after", "before"]);
    }
}

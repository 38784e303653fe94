//! JSON bodies that are none, and bodies that say they are something else.

use axum::{body::Body, http::Method};

use super::Stage;
use crate::support::{PASSWORD, on_each_database};

const ROUTES: [&str; 2] = ["/api/auth/signup", "/api/auth/login"];

fn account() -> String {
    format!(r#"{{"email":"a@b.co","password":"{PASSWORD}","nickname":"a"}}"#)
}

on_each_database! {
    async fn i05_broken_json_is_refused(app: TestApp) {
        let stage = Stage::set(app).await;
        let good = account();
        let with = |text: &str| good.replacen("\"a\"", text, 1);
        let keys: Vec<String> = (0..100_000).map(|n| format!("\"{n}\":0")).collect();
        for broken in [
            String::new(),
            " ".to_owned(),
            "{".to_owned(),
            good[..good.len() - 1].to_owned(),
            format!("\u{feff}{good}"),
            format!("{good}{good}"),
            format!("{good}\0"),
            with("\"\\ud800\""),
            with("\"\\udc00\\ud800\""),
            with("NaN"),
            with("Infinity"),
            with("1e400"),
            with("'a'"),
            with("\"\n\""),
            with("undefined"),
            with("01"),
            format!("{{{}}}", keys.join(",")),
            format!("/* */{good}"),
        ] {
            for path in ROUTES {
                let answer = stage.user.request(Method::POST, path, &[], Body::from(broken.clone())).await;
                let problems = answer.problems();
                assert!(problems.len() == 1 && problems[0].ends_with(": json_invalid"), "{broken:.80}: {problems:?}");
                assert!(problems[0].starts_with("body."), "{problems:?}");
                assert_eq!(answer.json()["detail"][0]["input"], serde_json::json!({}), "what was sent is not repeated");
            }
        }
        for other in ["null", "[]", "[{}]", "5", "true", "\"x\"", &format!("[{good}]"), &format!("{good:?}")] {
            for path in ROUTES {
                let answer = stage.user.request(Method::POST, path, &[], Body::from(other.to_owned())).await;
                assert_eq!(answer.problems(), ["body: model_attributes_type"], "{other}");
            }
        }
        // Of repeated keys the last counts.
        let twice = good.replacen('{', r#"{"nickname":"good","#, 1).replace("\"a\"", "\"\"");
        let answer = stage.user.request(Method::POST, ROUTES[0], &[], Body::from(twice)).await;
        assert_eq!(answer.problems(), ["body.nickname: string_too_short"]);
        stage.assert_unharmed().await;
    }

    async fn i06_deep_json_is_refused(app: TestApp) {
        let stage = Stage::set(app).await;
        let (lists, objects) = ("[".repeat(10_000), "{\"a\":".repeat(10_000));
        let closed = format!("{{\"email\":{lists}{}}}", "]".repeat(10_000));
        for deep in [lists.as_str(), &objects, &closed, &lists[..500]] {
            for path in ROUTES {
                let answer = stage.user.request(Method::POST, path, &[], Body::from(deep.to_owned())).await;
                assert!(answer.problems()[0].ends_with(": json_invalid"), "{}", answer.text());
            }
        }
        // As deep as it may be: a field of the wrong type.
        let bearable = format!("{{\"email\":{}{}}}", "[".repeat(100), "]".repeat(100));
        let answer = stage.user.request(Method::POST, ROUTES[1], &[], Body::from(bearable)).await;
        assert_eq!(answer.problems(), ["body.email: string_type", "body.password: missing"]);
        stage.assert_unharmed().await;
    }

    async fn i07_only_json_is_read_as_json(app: TestApp) {
        let stage = Stage::set(app).await;
        for content_type in [
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=XX",
            "application/json; charset=utf-7",
            "application/json; charset=utf-16",
            "application/jsonx",
            "application/json, text/plain",
            "",
        ] {
            for path in ROUTES {
                let typed = [("content-type", content_type)];
                let answer = stage.user.request(Method::POST, path, &typed, Body::from(account())).await;
                assert_eq!(answer.problems(), ["body: model_attributes_type"], "{content_type}");
            }
        }
        for content_type in ["application/json", "text/plain", ""] {
            let typed = [("content-type", content_type)];
            let json = Body::from(r#"{"title":"t","content":"c"}"#);
            let answer = stage.user.request(Method::POST, "/api/feed/create", &typed, json).await;
            assert_eq!(answer.problems(), ["body.title: missing", "body.content: missing"]);
        }
        stage.assert_unharmed().await;
        // Without a type, and with the right one in another spelling.
        for (headers, email) in [(&[][..], "a@b.co"), (&[("content-type", "Application/JSON; Charset=\"UTF-8\"")], "b@b.co")] {
            let body = account().replace("a@b.co", email).replace("\"a\"", &format!("{email:?}"));
            stage.user.request(Method::POST, ROUTES[0], headers, Body::from(body)).await.expect(200);
        }
    }
}

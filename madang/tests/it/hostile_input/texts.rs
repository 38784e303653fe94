//! Texts: characters that databases choke on, bytes that are no text, and lengths.

use axum::{body::Body, http::Method};
use serde_json::json;

use super::Stage;
use crate::support::{PASSWORD, form::FormData, on_each_database};

const FORMS: [(Method, &str); 2] = [(Method::POST, "/api/feed/create"), (Method::PATCH, "/api/feed/update/1")];

on_each_database! {
    async fn i03_the_null_character_is_refused(app: TestApp) {
        let stage = Stage::set(app).await;
        let user = &stage.user;
        for (method, path) in FORMS {
            for (field, other) in [("title", "content"), ("content", "title")] {
                let form = FormData::new().text(field, "a\0b").text(other, "fine");
                let problem = [format!("body.{field}: value_error")];
                assert_eq!(user.form(method.clone(), path, form).await.problems(), problem);
                let pairs = format!("{field}=%00&{other}=fine");
                assert_eq!(user.urlencoded(method.clone(), path, &pairs).await.problems(), problem);
            }
        }
        for field in ["email", "nickname", "password"] {
            let mut account = json!({"email": "a@b.co", "nickname": "nickname", "password": PASSWORD});
            account[field] = json!("a@b.co\0 and more");
            let answer = user.post("/api/auth/signup", account).await;
            assert_eq!(answer.problems(), [format!("body.{field}: value_error")]);
        }
        let login = user.post("/api/auth/login", json!({"email": "a\0@b.co", "password": PASSWORD})).await;
        assert_eq!(login.problems(), ["body.email: value_error"]);
        for query in ["nickname=%00", "email=a%00@b.co", "user_id=1&nickname=x%00", "user_id=1&cursor=%00", "user_id=1&sort_by=%00"] {
            let answer = user.get(&format!("/api/feed/list-by-user?{query}")).await;
            assert_eq!(answer.refused(422, "invalid_input")["detail"].as_array().unwrap().len(), 1, "{query}");
        }
        // Other controls are text: what shows them escapes them.
        let controls: String = (1..32).map(char::from).chain(['\u{7f}', '\u{202e}', '\u{2028}', '\u{ffff}']).collect();
        let form = FormData::new().text("title", &controls).text("content", &controls);
        let kept = user.form(Method::POST, "/api/feed/create", form).await.expect(200);
        assert_eq!((&kept["title"], &kept["content"]), (&json!(controls), &json!(controls)));
        user.delete("/api/feed/delete/2").await.expect(200);
        stage.assert_unharmed().await;
    }

    async fn i04_what_is_not_utf8_is_refused(app: TestApp) {
        let stage = Stage::set(app).await;
        let user = &stage.user;
        for path in ["/api/feed/read/%ff", "/api/feed/read/%c0%af", "/api/feed/read/%ed%a0%80", "/images/%ff.png"] {
            user.get(path).await.refused(400, "invalid_utf8");
        }
        for query in ["skip=%ff", "%ff=1", "nickname=%c0%af", "unknown=%f8%88%80%80%80"] {
            user.get(&format!("/api/feed/list?{query}")).await.refused(400, "invalid_utf8");
        }
        user.delete("/api/feed/delete/%ff").await.refused(400, "invalid_utf8");
        for (method, path) in FORMS {
            let multipart = FormData::new().part("Content-Disposition: form-data; name=\"title\"", b"\xff\xfe");
            user.form(method.clone(), path, multipart.text("content", "c")).await.refused(400, "broken_body");
            user.urlencoded(method.clone(), path, "title=%ff&content=c").await.refused(400, "broken_body");
            let typed = [("content-type", "application/x-www-form-urlencoded")];
            let raw = Body::from(&b"title=\xc3\x28&content=c"[..]);
            user.request(method, path, &typed, raw).await.refused(400, "broken_body");
        }
        let json = Body::from(&b"{\"email\":\"a@b.co\",\"password\":\"correct horse\",\"nickname\":\"\xff\"}"[..]);
        let answer = user.request(Method::POST, "/api/auth/signup", &[], json).await;
        assert!(answer.problems()[0].ends_with(": json_invalid"));
        stage.assert_unharmed().await;
    }

    async fn i14_lengths_are_counted_in_characters(app: TestApp) {
        let stage = Stage::set(app).await;
        let user = &stage.user;
        let create = async |title: &str, content: &str| {
            let form = FormData::new().text("title", title).text("content", content);
            user.form(Method::POST, "/api/feed/create", form).await
        };
        let zalgo = format!("a{}", "\u{321}".repeat(200));
        let long = "가".repeat(50_001);
        for (title, content, problem) in [
            (&long[..3 * 201], "c", "body.title: string_too_long"),
            (&"🍜".repeat(201), "c", "body.title: string_too_long"),
            (&"t".repeat(2_000), "c", "body.title: string_too_long"),
            (&zalgo, "c", "body.title: string_too_long"),
            ("t", &long, "body.content: string_too_long"),
        ] {
            assert_eq!(create(title, content).await.problems(), [problem]);
        }
        let too_much = "c".repeat(1 << 20);
        create("t", &too_much).await.refused(413, "body_too_large");
        let pairs = format!("title=t&content={too_much}");
        user.urlencoded(Method::POST, "/api/feed/create", &pairs).await.refused(413, "body_too_large");
        let account = json!({"email": "a@b.co", "password": PASSWORD, "nickname": too_much});
        user.post("/api/auth/signup", account).await.refused(413, "body_too_large");
        for (nickname, problem) in [
            ("가".repeat(31), "body.nickname: string_too_long"),
            (format!("a{}", "\u{321}".repeat(20)), "body.nickname: value_error"),
        ] {
            let account = json!({"email": "a@b.co", "password": PASSWORD, "nickname": nickname});
            assert_eq!(user.post("/api/auth/signup", account).await.problems(), [problem]);
        }
        stage.assert_unharmed().await;

        // As long as may be, in characters of four bytes; and what is too long only before it is normalised.
        let (title, content) = ("🍜".repeat(200), "👩".repeat(50_000));
        let longest = create(&title, &content).await.expect(200);
        assert_eq!((&longest["title"], &longest["content"]), (&json!(title), &json!(content)));
        let decomposed = create(&"e\u{301}".repeat(200), "👩‍👩‍👧 e\u{301}").await.expect(200);
        assert_eq!(decomposed["title"], "\u{e9}".repeat(200));
        assert_eq!(decomposed["content"], "👩‍👩‍👧 \u{e9}");
        // A title that no index of a database could take, of random characters.
        let random: String = (0..200).map(|n: u32| char::from_u32(0x20000 + n * 7_919 % 40_000).unwrap()).collect();
        assert_eq!(create(&random, "c").await.expect(200)["title"], random);
    }
}

//! Who may do what: every route tried by everybody, and requests that pretend to be others.

use axum::{body::Body, http::Method};
use greenlit::{Opts, args};
use serde_json::{Value, json};

use crate::support::{Answer, Client, TestApp, form::FormData, on_each_database};

/// The owner of all that is there, somebody else, one who is suspended, and an administrator.
struct Cast {
    owner: Client,
    other: Client,
    suspended: Client,
    admin: Client,
    anyone: Client,
}

impl Cast {
    async fn of(app: &TestApp) -> Cast {
        let [owner, other, suspended, admin] = <[Client; 4]>::try_from(app.crowd(4).await).ok().unwrap();
        let (promote, suspend) =
            ("update users set is_admin = ? where id = ?", "update users set suspended_dt = 1 where id = ?");
        let both = async |tx: &mut greenlit::Tx| {
            tx.exec(promote, args![true, admin.id]).await?;
            tx.exec(suspend, args![suspended.id]).await
        };
        app.app.db.tx(Opts::default(), both).await.unwrap();
        Cast { owner, other, suspended, admin, anyone: app.anonymous() }
    }

    /// A feed of the owner's with a comment of his; their ids.
    async fn set(&self) -> (i64, i64) {
        let feed = self.owner.create_feed("owner's", &[]).await["id"].as_i64().unwrap();
        (feed, self.owner.comment(feed, "owner's").await["id"].as_i64().unwrap())
    }

    fn all(&self) -> [&Client; 5] {
        [&self.anyone, &self.other, &self.suspended, &self.owner, &self.admin]
    }
}

/// A route with the bodies it takes, and what it answers to: anonymous, another, a suspended one, the owner, an
/// administrator. `F` and `C` in a path are the ids of the owner's feed and comment, `U` his own, and
/// `S` that of the suspended one.
type Row = (&'static str, &'static str, Option<&'static str>, [u16; 5]);

const MATRIX: [Row; 30] = [
    ("POST", "/api/feed/create", Some("form"), [401, 200, 401, 200, 200]),
    ("GET", "/api/feed/read/F", None, [200, 200, 200, 200, 200]),
    ("GET", "/api/feed/list", None, [200, 200, 200, 200, 200]),
    ("GET", "/api/feed/list-by-user?user_id=U", None, [200, 200, 200, 200, 200]),
    ("PATCH", "/api/feed/update/F", Some("form"), [401, 403, 401, 200, 403]),
    ("DELETE", "/api/feed/delete/F", None, [401, 403, 401, 200, 200]),
    ("GET", "/api/feed/timeline", None, [401, 200, 401, 200, 200]),
    ("POST", "/api/comment/create", Some(r#"{"content":"c","feed_id":F}"#), [401, 200, 401, 200, 200]),
    ("GET", "/api/comment/feed/F", None, [200, 200, 200, 200, 200]),
    ("PATCH", "/api/comment/update/C", Some(r#"{"content":"c"}"#), [401, 403, 401, 200, 403]),
    ("PATCH", "/api/comment/update/C", Some(r#"{"content":null}"#), [401, 403, 401, 200, 403]),
    ("DELETE", "/api/comment/delete/C", None, [401, 403, 401, 200, 200]),
    ("PATCH", "/api/like/?feed_id=F", None, [401, 200, 401, 200, 200]),
    ("PUT", "/api/like/?feed_id=F", None, [401, 200, 401, 200, 200]),
    ("DELETE", "/api/like/?feed_id=F", None, [401, 200, 401, 200, 200]),
    ("PATCH", "/api/like/?comment_id=C", None, [401, 200, 401, 200, 200]),
    ("PUT", "/api/like/?comment_id=C", None, [401, 200, 401, 200, 200]),
    ("DELETE", "/api/like/?comment_id=C", None, [401, 200, 401, 200, 200]),
    ("PATCH", "/api/follow/U", None, [401, 200, 401, 400, 200]),
    ("PUT", "/api/follow/U", None, [401, 200, 401, 400, 200]),
    ("DELETE", "/api/follow/U", None, [401, 200, 401, 400, 200]),
    ("GET", "/api/user/U", None, [200, 200, 200, 200, 200]),
    ("GET", "/api/mypage/profile", None, [401, 200, 401, 200, 200]),
    ("GET", "/api/mypage/feeds", None, [401, 200, 401, 200, 200]),
    ("GET", "/api/mypage/comments", None, [401, 200, 401, 200, 200]),
    ("GET", "/api/mypage/U/followers", None, [200, 200, 200, 200, 200]),
    ("GET", "/api/mypage/U/followings", None, [200, 200, 200, 200, 200]),
    ("PUT", "/api/user/S/suspension", None, [401, 403, 401, 403, 200]),
    ("DELETE", "/api/user/S/suspension", None, [401, 403, 401, 403, 200]),
    ("GET", "/images/x.png", None, [404, 404, 404, 404, 404]),
];

/// Whether the matrix is about a route: those of one's own account and of the server name nothing of anybody's.
fn is_subject(path: &str) -> bool {
    let others = [
        "/api/auth/",
        "/api/mypage/profile",
        "/api/mypage/export",
        "/api/notification/",
        "/api/line/webhook",
        "/healthz",
        "/readyz",
        "/metrics",
    ];
    !others.iter().any(|other| path.starts_with(other))
}

async fn send(client: &Client, method: &str, path: &str, body: Option<&str>) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    match body {
        None => client.bare(method, path).await,
        Some("form") => client.form(method, path, FormData::new().text("title", "t").text("content", "c")).await,
        Some(json) => {
            client.request(method, path, &[("content-type", "application/json")], Body::from(json.to_owned())).await
        }
    }
}

on_each_database! {
    async fn z01_only_the_documented_cells_succeed(app: TestApp) {
        let cast = Cast::of(&app).await;
        for (method, path, body, expected) in MATRIX {
            for (client, status) in cast.all().into_iter().zip(expected) {
                let (feed, comment) = cast.set().await;
                let fill = |text: &str| {
                    text.replace("/F", &format!("/{feed}")).replace("=F", &format!("={feed}")).replace(":F", &format!(":{feed}"))
                        .replace("/C", &format!("/{comment}")).replace("=C", &format!("={comment}"))
                        .replace("/S/", &format!("/{}/", cast.suspended.id))
                        .replace("/U", &format!("/{}", cast.owner.id)).replace("=U", &format!("={}", cast.owner.id))
                };
                let before = (app.rows().await, cast.owner.get(&format!("/api/feed/read/{feed}")).await.json(),
                    cast.owner.get(&format!("/api/comment/feed/{feed}")).await.json());
                let answer = send(client, method, &fill(path), body.map(fill).as_deref()).await;
                assert_eq!(answer.status.as_u16(), status, "{method} {path} by {:?}: {}", client.name, answer.text());
                if status >= 400 {
                    // Nothing came, went or changed.
                    let after = (app.rows().await, cast.owner.get(&format!("/api/feed/read/{feed}")).await.json(),
                        cast.owner.get(&format!("/api/comment/feed/{feed}")).await.json());
                    assert_eq!(after, before, "{method} {path} by {:?}", client.name);
                }
                if status == 401 && client.token.is_some() {
                    answer.refused(401, "invalid_token");
                }
            }
        }
        app.assert_consistent().await;
    }

    async fn z07_cursors_of_others_are_none(app: TestApp) {
        let crowd = app.crowd(3).await;
        for client in &crowd[..2] {
            for other in &crowd[1..] {
                let feed = client.create_feed("feed", &[]).await["id"].as_i64().unwrap();
                client.comment(feed, "one").await;
                client.comment(feed, "two").await;
                client.bare(Method::PUT, &format!("/api/follow/{}", other.id)).await;
            }
        }
        for client in &crowd[1..] {
            client.bare(Method::PUT, "/api/follow/1").await.expect(200);
        }
        let client = &crowd[0];
        let lists = [
            "/api/feed/list?",
            "/api/feed/list-by-user?user_id=1",
            "/api/feed/timeline?",
            "/api/mypage/feeds?",
            "/api/mypage/comments?",
            "/api/mypage/1/followers?",
            "/api/mypage/1/followings?",
            "/api/comment/feed/1?",
        ];
        let mut cursors = Vec::new();
        for list in lists {
            let answer = client.get(&format!("{list}&limit=1")).await;
            let page = answer.expect(200);
            let next = page["pagination"]["next_cursor"].as_str().or(page["next_cursor"].as_str()).map(str::to_owned);
            let linked = answer.header("link").split("cursor=").nth(1).map(|rest| rest.split('>').next().unwrap().to_owned());
            cursors.push((list, next.or(linked).unwrap_or_else(|| panic!("{list} has no next page: {page}"))));
        }
        for list in lists.into_iter().chain(["/api/mypage/2/followers?", "/api/comment/feed/2?"]) {
            for (of, cursor) in &cursors {
                let answer = client.get(&format!("{list}&cursor={cursor}")).await;
                if *of == list {
                    answer.expect(200);
                } else {
                    assert_eq!(answer.problems(), ["query.cursor: value_error"], "a cursor of {of} in {list}");
                }
            }
            let edited = |cursor: &str| cursor.chars().rev().collect::<String>();
            for bad in [edited(&cursors[0].1), "MSBvciAxPTE".to_owned(), "%27%20or%201=1".to_owned(), "A".repeat(200)] {
                let answer = client.get(&format!("{list}&cursor={bad}")).await;
                assert_eq!(answer.problems(), ["query.cursor: value_error"], "{list} {bad}");
            }
            let long = client.get(&format!("{list}&cursor={}", "A".repeat(10_240))).await;
            assert_eq!(long.problems(), ["query.cursor: string_too_long"]);
        }
    }

    async fn z09_other_spellings_are_the_same_or_nothing(app: TestApp) {
        let cast = Cast::of(&app).await;
        let (feed, comment) = cast.set().await;
        let before = app.rows().await;
        for path in [
            "//api/comment/delete/1",
            "/api//comment/delete/1",
            "/API/comment/delete/1",
            "/api/Comment/delete/1",
            "/api/comment;x/delete/1",
            "/api/comment/delete/1/x",
            "/api/comment/delete/",
            "/api/comment/./delete/1",
            "/api/%63omment%2fdelete/1",
            "//api/like/?feed_id=1",
            "/api/LIKE/?feed_id=1",
            "/api/like/;x?feed_id=1",
            "/api/Follow/1",
        ] {
            let answer = cast.owner.delete(path).await;
            assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        }
        for (path, to) in [
            ("/api/comment/delete/1/", "/api/comment/delete/1"),
            ("/api/follow/1/", "/api/follow/1"),
            ("/api/like?comment_id=1", "/api/like/?comment_id=1"),
            ("/api/like//?comment_id=1", "/api/like/?comment_id=1"),
        ] {
            let answer = cast.owner.delete(path).await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (307, to));
        }
        // In percent a digit is the same digit: the decision is the same too.
        let spelled = format!("/api/comment/delete/%3{comment}");
        cast.other.delete(&spelled).await.refused(403, "permission_denied");
        cast.anyone.delete(&spelled).await.refused(401, "not_authenticated");
        assert_eq!(cast.other.delete("/api/comment/delete/1;x").await.problems(), ["path.comment_id: int_parsing"]);
        // A method is what the request line says.
        for path in ["/api/comment/delete/1", "/api/comment/update/1", "/api/like/?feed_id=1", "/api/follow/2", "/api/comment/create"] {
            for method in ["TRACE", "OPTIONS", "GET", "HEAD", "CONNECTED"] {
                let answer = send(&cast.owner, method, path, None).await;
                assert_eq!(answer.status, 405, "{method} {path}");
            }
        }
        let path = format!("/api/comment/feed/{feed}");
        for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
            let answer = cast.owner.request(Method::GET, &path, &[(name, "DELETE")], Body::empty()).await;
            assert_eq!(answer.expect(200).as_array().unwrap().len(), 1);
            let path = format!("/api/comment/delete/{comment}?_method=DELETE");
            let answer = cast.owner.request(Method::POST, &path, &[(name, "DELETE")], Body::empty()).await;
            answer.refused(405, "method_not_allowed");
        }
        let head = cast.anyone.bare(Method::HEAD, &path).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        assert_eq!(app.rows().await, before);
    }

    async fn i16_one_source_wins(app: TestApp) {
        let cast = Cast::of(&app).await;
        let (first, _) = cast.set().await;
        let (second, comment) = cast.set().await;
        let owner = &cast.owner;
        // Of a repeated parameter the last, of a repeated key the last.
        owner.bare(Method::PUT, &format!("/api/like/?feed_id={first}&feed_id={second}")).await.expect(200);
        let likes = async |id: i64| owner.get(&format!("/api/feed/read/{id}")).await.expect(200)["like_count"].clone();
        assert_eq!((likes(first).await, likes(second).await), (json!(0), json!(1)));
        let body = format!(r#"{{"content":"no","feed_id":{first},"content":"yes","feed_id":{second}}}"#);
        let written = send(owner, "POST", "/api/comment/create?feed_id=1&content=query", Some(&body)).await.expect(200);
        assert_eq!((&written["feed_id"], &written["content"]), (&json!(second), &json!("yes")));
        // What the path names, no body or query names anew.
        let body = format!(r#"{{"content":"c","comment_id":99,"id":99,"feed_id":{first}}}"#);
        let path = format!("/api/comment/update/{comment}?comment_id=99");
        let changed = send(owner, "PATCH", &path, Some(&body)).await.expect(200);
        assert_eq!((&changed["id"], &changed["feed_id"]), (&json!(comment), &json!(second)));
        // A query's parameter is read from the query alone.
        let body = Some(r#"{"feed_id":1}"#);
        send(owner, "PUT", "/api/like/", body).await.refused(400, "like_target_missing");
        owner.bare(Method::PUT, "/api/like/?feed_id[]=1").await.refused(400, "like_target_missing");
        let cookie = [("cookie", "feed_id=1; user_id=1")];
        owner.request(Method::PUT, "/api/like/", &cookie, Body::empty()).await.refused(400, "like_target_missing");
        app.assert_consistent().await;
    }

    async fn i01_i03_i05_comments_likes_and_follows(app: TestApp) {
        let cast = Cast::of(&app).await;
        cast.set().await;
        let (owner, rows) = (&cast.owner, app.rows().await);
        for id in ["0", "-1", "9223372036854775808", "1e19", "1.0", "%201", "0x1", "%D9%A1", "1%27", "1%20or%201=1", "1%00", "null"] {
            for (method, path) in [
                ("DELETE", "/api/comment/delete/{}"),
                ("PATCH", "/api/follow/{}"),
                ("PUT", "/api/follow/{}"),
                ("DELETE", "/api/follow/{}"),
                ("GET", "/api/user/{}"),
                ("GET", "/api/comment/feed/{}"),
                ("GET", "/api/mypage/{}/followers"),
                ("GET", "/api/mypage/{}/followings"),
                ("PATCH", "/api/like/?feed_id={}"),
                ("PUT", "/api/like/?comment_id={}"),
            ] {
                let answer = send(owner, method, &path.replace("{}", id), None).await;
                assert_eq!(answer.problems().len(), 1, "{method} {path} {id}");
            }
        }
        let largest = i64::MAX;
        owner.delete(&format!("/api/comment/delete/{largest}")).await.refused(404, "comment_not_found");
        owner.bare(Method::PUT, &format!("/api/follow/{largest}")).await.refused(404, "user_not_found");
        owner.bare(Method::PUT, &format!("/api/like/?feed_id={largest}")).await.refused(404, "feed_not_found");
        for body in ["", "{", "[1]", "null", "\"x\"", r#"{"content":"\ud800","feed_id":1}"#, r#"{"content":NaN}"#, "{\"content\":\"\0\"}"] {
            let answer = send(owner, "POST", "/api/comment/create", Some(body)).await;
            answer.refused(422, "invalid_input");
        }
        let deep = format!(r#"{{"content":{}"#, "[".repeat(10_000));
        send(owner, "POST", "/api/comment/create", Some(&deep)).await.refused(422, "invalid_input");
        let form = owner.urlencoded(Method::POST, "/api/comment/create", "content=c&feed_id=1").await;
        assert_eq!(form.problems(), ["body: model_attributes_type"]);
        assert_eq!(app.rows().await, rows);
    }

    async fn i09_i10_every_text_comes_back_as_it_was(app: TestApp) {
        let minsu = app.user("minsu").await;
        for text in ["🍜", "👩‍👩‍👧‍👦", "𠮷野家", "résumé", "resume", "ß", "ss", "İ", "bob ", " bob", "a\r\nb\tc", "\u{202e}x", "%_\\'\"", "＜b＞"] {
            let form = FormData::new().text("title", text).text("content", text);
            let feed = minsu.form(Method::POST, "/api/feed/create", form).await.expect(200);
            assert_eq!((&feed["title"], &feed["content"]), (&json!(text), &json!(text)));
            let id = feed["id"].as_i64().unwrap();
            let comment = minsu.comment(id, text).await;
            let path = format!("/api/comment/update/{}", comment["id"]);
            let changed = minsu.patch(&path, json!({"content": format!("{text}{text}")})).await.expect(200);
            assert_eq!((&comment["content"], &changed["content"]), (&json!(text), &json!(format!("{text}{text}"))));
            let read: Value = minsu.get(&format!("/api/feed/read/{id}")).await.expect(200);
            assert_eq!((&read["title"], &read["content"]), (&json!(text), &json!(text)));
            assert_eq!(minsu.get(&format!("/api/comment/feed/{id}")).await.expect(200)[0]["content"], changed["content"]);
        }
        app.assert_consistent().await;
    }
}

/// A route that is added to the document is added to the matrix.
#[test]
fn z01_every_route_is_in_the_matrix() {
    let plain = |path: &str| {
        path.split('?')
            .next()
            .unwrap()
            .split('/')
            .map(|part| {
                if ["F", "C", "U", "S", "x.png"].contains(&part) || part.starts_with('{') {
                    "*".to_owned()
                } else {
                    part.to_owned()
                }
            })
            .collect::<Vec<_>>()
            .join("/")
    };
    let document = serde_json::to_value(madang::router::document()).unwrap();
    let known: Vec<(String, String)> = MATRIX.iter().map(|row| (row.0.to_owned(), plain(row.1))).collect();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().filter(|_| is_subject(path)) {
            let route = (method.to_uppercase(), plain(path));
            assert!(known.contains(&route), "{route:?} is not in the matrix");
        }
    }
}

//! A whole board for each test, and clients who use it.

mod answer;
pub(crate) mod balancer;
pub(crate) mod browser;
pub(crate) mod bucket;
mod counts;
mod crowd;
pub(crate) mod disk;
mod dropped;
pub(crate) mod flood;
pub(crate) mod form;
pub(crate) mod line;
pub(crate) mod listen;
pub(crate) mod pictures;
pub(crate) mod random;
pub(crate) mod server;
pub(crate) mod wire;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, header},
};
use futures_util::TryStreamExt;
use greenlit::testing::Scratch;
use http_body_util::BodyExt;
use madang::{
    app::App,
    clock::Clock,
    config::{Config, Database, Flags, Limits, Media, Server, Switch},
    jobs,
    media::{
        picture::Format,
        store::{Name, Store},
    },
    router,
    secret::Key,
};
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) use answer::Answer;
use bucket::{Bucket, Fault};
pub(crate) use dropped::dropped_after;
use form::FormData;
pub(crate) use line::LineApp;

/// The password of everybody in these tests.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Makes `name::sqlite`, `name::postgres` and `name::mariadb` of `async fn name(app: TestApp)`, or of another board that can be on
/// each of them.
macro_rules! on_each_database {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident: $App:ident) $body:block)*) => {$(
        $(#[$attribute])*
        async fn $name($app: $crate::support::$App) $body
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::support::$App::sqlite().await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name($crate::support::$App::postgres().await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb() {
                super::$name($crate::support::$App::mariadb().await).await;
            }
        }
    )*};
}
pub(crate) use on_each_database;

/// Asserts what an [`Answer`] looks like, on every database: `assert_answer!(answer, @"...")`.
macro_rules! assert_answer {
    ($answer:expr, @$expected:literal) => {
        let answer: &$crate::support::Answer = &$answer;
        insta::allow_duplicates! { insta::assert_snapshot!(answer.snapshot(), @$expected) }
    };
}
pub(crate) use assert_answer;

/// A board on a database of its own, with images in a folder or a bucket of its own, without sockets. The worker does not run by itself: see
/// [`work`](TestApp::work).
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) clock: Clock,
    pub(crate) router: Router,
    // The order in which fields are dropped: the board before the places it lives in.
    config: Config,
    scratch: Scratch,
    bucket: Option<Bucket>,
    folder: tempfile::TempDir,
}

impl TestApp {
    pub(crate) async fn sqlite() -> TestApp {
        TestApp::on(Scratch::sqlite().unwrap(), None, |_| {}).await
    }

    pub(crate) async fn postgres() -> TestApp {
        TestApp::on(Scratch::postgres().await.unwrap(), Bucket::new().await, |_| {}).await
    }

    pub(crate) async fn mariadb() -> TestApp {
        TestApp::on(Scratch::mariadb().await.unwrap(), Bucket::new().await, |_| {}).await
    }

    /// On SQLite, with its images in a bucket.
    pub(crate) async fn s3() -> TestApp {
        TestApp::s3_with("").await
    }

    /// The same, with these parameters at the end of the bucket's URL.
    pub(crate) async fn s3_with(parameters: &str) -> TestApp {
        let bucket = Bucket::new().await.expect("MADANG_TEST_S3 names the S3 server of the tests");
        let url = bucket.url() + parameters;
        TestApp::on(Scratch::sqlite().unwrap(), Some(bucket), |flags| flags.media.media = Some(url)).await
    }

    /// A board whose operator decided something else; what does not touch the database needs no second one.
    pub(crate) async fn with(change: impl FnOnce(&mut Flags)) -> TestApp {
        TestApp::on(Scratch::sqlite().unwrap(), None, change).await
    }

    pub(crate) async fn on(scratch: Scratch, bucket: Option<Bucket>, change: impl FnOnce(&mut Flags)) -> TestApp {
        let folder = tempfile::tempdir().unwrap();
        let mut flags = Flags {
            server: Server {
                data: Some(folder.path().join("data")),
                public_url: Some("http://board.test".parse().unwrap()),
                ..Server::default()
            },
            database: Database { database_url: Some(scratch.url().to_owned()) },
            media: Media { media: bucket.as_ref().map(Bucket::url) },
            // Tests send more requests than people do.
            limits: Limits { limits: Some(Switch::Off), ..Limits::default() },
            ..Flags::default()
        };
        change(&mut flags);
        let config = Config::new(&flags, flags.server.listen()).unwrap();
        let clock = Clock::default();
        let app = App::open(&config, clock.clone()).await.unwrap();
        let router = router::router(app.clone());
        TestApp { app, clock, router, config, scratch, bucket, folder }
    }

    /// Another node on the same database and store; in this process, since it has the locks of the folders.
    pub(crate) async fn second_node(&self) -> App {
        App::open(&self.config, self.clock.clone()).await.unwrap()
    }

    /// Somebody who is not logged in.
    pub(crate) fn anonymous(&self) -> Client {
        Client::of(self.router.clone())
    }

    /// Signs a user up as `name@example.com` with the nickname `name`, and logs him in.
    pub(crate) async fn user(&self, name: &str) -> Client {
        let mut client = self.anonymous();
        let email = format!("{name}@example.com");
        let signup = json!({"email": email, "password": PASSWORD, "nickname": name});
        client.post("/api/auth/signup", signup).await.expect(200);
        let login = client.post("/api/auth/login", json!({"email": email, "password": PASSWORD})).await.expect(200);
        client.token = login["access_token"].as_str().map(str::to_owned);
        client.name = name.to_owned();
        client.id = client.get("/api/mypage/profile").await.expect(200)["id"].as_i64().unwrap();
        client
    }

    /// Lets the worker do all that is due. Returns how many jobs it ran.
    pub(crate) async fn work(&self) -> usize {
        jobs::run_all(&self.app).await.unwrap()
    }

    /// How many rows a table has.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        self.app.db.fetch_one::<(i64,)>(&format!("select count(*) from {table}"), vec![]).await.unwrap().0
    }

    /// How many rows there are of everything that a request may leave behind.
    pub(crate) async fn rows(&self) -> Rows {
        let tables =
            ["users", "feeds", "images", "comments", "feed_likes", "comment_likes", "follows", "greenlit_outbox"];
        let mut rows = tables.map(|table| (table, 0));
        for (table, count) in &mut rows {
            *count = self.count(table).await;
        }
        rows
    }

    /// The key that signs this board's tokens, from its file.
    pub(crate) fn key(&self) -> Key {
        Key::load_or_create(&self.folder.path().join("data/key")).unwrap()
    }

    /// The bucket of the images.
    pub(crate) fn bucket(&self) -> &Bucket {
        self.bucket.as_ref().expect("the images are in a bucket")
    }

    /// Makes the store fail, whatever it is, until what this returns is dropped.
    pub(crate) fn break_store(&self) -> BrokenStore<'_> {
        match (&self.bucket, &self.app.media.store) {
            (Some(bucket), _) => {
                bucket.set(Fault::Broken);
                BrokenStore::Bucket(bucket)
            }
            (None, Store::Local(store)) => {
                let object = store.path(&Name::random(Format::Png));
                BrokenStore::Folder(Blocked::new(object.parent().unwrap().parent().unwrap()))
            }
            (None, Store::S3(_)) => unreachable!("every bucket of the tests is a Bucket"),
        }
    }

    /// For whoever looks at the database beside the board.
    pub(crate) fn database_url(&self) -> &str {
        self.scratch.url()
    }

    /// See [`assert_consistent`].
    pub(crate) async fn assert_consistent(&self) {
        assert_consistent(&self.app).await;
    }
}

/// A store that fails.
pub(crate) enum BrokenStore<'a> {
    Folder(#[allow(dead_code)] Blocked),
    Bucket(&'a Bucket),
}

impl Drop for BrokenStore<'_> {
    fn drop(&mut self) {
        if let BrokenStore::Bucket(bucket) = self {
            bucket.set(Fault::None);
        }
    }
}

/// A folder whose place was taken by a file: whoever runs the tests, nothing in it can be reached. Put back on drop.
pub(crate) struct Blocked(PathBuf);

impl Blocked {
    pub(crate) fn new(folder: &Path) -> Blocked {
        fs::rename(folder, folder.with_extension("aside")).unwrap();
        fs::write(folder, b"in the way").unwrap();
        Blocked(folder.to_owned())
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
        fs::rename(self.0.with_extension("aside"), &self.0).unwrap();
    }
}

/// How many rows tables have.
pub(crate) type Rows = [(&'static str, i64); 8];

/// The reconciler: when all work is done, rows and objects name each other, every counter is the number of its rows,
/// nothing is staged, no job is left and no temporary file.
pub(crate) async fn assert_consistent(app: &App) {
    jobs::run_all(app).await.unwrap();
    let columns = "image_key, extension, feed_id, width, thumb_width, thumb_height";
    type Row = (String, String, Option<i64>, i64, Option<i64>, Option<i64>);
    let rows: Vec<Row> = app.db.fetch(&format!("select {columns} from images"), vec![]).await.unwrap();
    let mut named = BTreeSet::new();
    for row in rows {
        let (key, extension, feed, width, thumb_width, thumb_height) = &row;
        assert!(feed.is_some(), "a staged image is left: {row:?}");
        let expected = (*width > 640).then_some(640);
        assert_eq!((*thumb_width, thumb_height.is_some()), (expected, expected.is_some()), "{row:?}");
        named.insert(format!("{key}.{extension}"));
        named.extend(thumb_width.map(|_| format!("{key}.640.{extension}")));
    }
    let objects: Vec<_> = app.media.store.list().try_collect().await.unwrap();
    let kept: BTreeSet<String> = objects.iter().map(ToString::to_string).collect();
    let differ: Vec<&String> = named.symmetric_difference(&kept).collect();
    assert!(differ.is_empty(), "{} rows, {} objects, and only one of both for {differ:?}", named.len(), kept.len());
    let (left,) = app.db.fetch_one::<(i64,)>("select count(*) from greenlit_outbox", vec![]).await.unwrap();
    assert_eq!(left, 0, "jobs are left");
    assert_eq!(app.media.store.sweep_leftovers().await.unwrap(), 0, "temporary files are left");
    counts::assert_counts(app).await;
}

/// Somebody who uses the board.
#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    pub(crate) name: String,
    pub(crate) token: Option<String>,
    pub(crate) id: i64,
}

impl Client {
    /// Somebody who uses this router.
    pub(crate) fn of(router: Router) -> Client {
        Client { router, name: String::new(), token: None, id: 0 }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[], Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.request(Method::POST, path, &headers, Body::from(body.to_string())).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.json(Method::PATCH, path, body).await
    }

    pub(crate) async fn json(&self, method: Method, path: &str, body: Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.request(method, path, &headers, Body::from(body.to_string())).await
    }

    /// Sends a request without a body.
    pub(crate) async fn bare(&self, method: Method, path: &str) -> Answer {
        self.request(method, path, &[], Body::empty()).await
    }

    /// Comments on a feed and returns the comment.
    pub(crate) async fn comment(&self, feed: i64, content: &str) -> Value {
        self.post("/api/comment/create", json!({"content": content, "feed_id": feed})).await.expect(200)
    }

    /// Sends a multipart form.
    pub(crate) async fn form(&self, method: Method, path: &str, form: FormData) -> Answer {
        let content_type = form.content_type();
        self.request(method, path, &[("content-type", &content_type)], Body::from(form.into_bytes())).await
    }

    /// Sends a form without files, as `a=1&b=2`.
    pub(crate) async fn urlencoded(&self, method: Method, path: &str, pairs: &str) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.request(method, path, &headers, Body::from(pairs.to_owned())).await
    }

    /// Creates a feed with these pictures and returns it.
    pub(crate) async fn create_feed(&self, title: &str, pictures: &[Vec<u8>]) -> Value {
        let form = FormData::new().text("title", title).text("content", "content").files("images", pictures);
        self.form(Method::POST, "/api/feed/create", form).await.expect(200)
    }

    /// Sends anything, with the client's token unless `headers` has an `authorization` of its own.
    pub(crate) async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = self.token.as_ref().filter(|_| !headers.iter().any(|(name, _)| *name == "authorization")) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body).unwrap()).await
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        // A stream of events has no end: see `listen`.
        let is_endless = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let body = if is_endless { Body::empty() } else { body };
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

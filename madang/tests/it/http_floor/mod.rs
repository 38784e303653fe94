//! The HTTP floor over raw sockets: what clients that mean no good may send, and what they get.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use axum::routing::{get, patch, post};
use madang::error::{Code, Result};
use madang::http::form::{FileSink, FormLimits, read_form};
use madang::http::json::JsonBody;
use madang::http::layers::{Deadlines, Envelope, Layers, wrap};
use madang::http::query::{PathFields, QueryFields};
use madang::http::routes::with_fallbacks;
use madang::http::serve::{Limits, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

mod bodies;
mod connections;
mod requests;

const ROUTES: [&str; 6] = ["/hello", "/json", "/items/{id}", "/form", "/early", "/like/"];
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start() -> Self {
        Self::with(Limits::default(), Deadlines::default(), router()).await
    }

    async fn with(limits: Limits, deadlines: Deadlines, router: Router) -> Self {
        static REQUESTS: AtomicUsize = AtomicUsize::new(0);
        let new_id: fn() -> [u8; 16] = || (REQUESTS.fetch_add(1, Ordering::Relaxed) as u128).to_be_bytes();
        let envelope = Envelope { new_id, shapes: Arc::new(|_| None), only_https: false };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let router = wrap(
            with_fallbacks(router, ROUTES.map(str::to_owned).to_vec(), ""),
            Layers { deadlines, cors: None, envelope },
        );
        let task = tokio::spawn(serve(listener, router, limits, async {
            let _ = stopped.await;
        }));
        Self { address, stop: Some(stop), task }
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends the bytes and returns all that comes back until the server closes.
    async fn send(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The server may have answered and closed before it took everything.
        let _ = stream.write_all(request.as_ref()).await;
        read_to_end(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
    }

    async fn post(&self, path: &str, headers: &str, body: impl AsRef<[u8]>) -> String {
        let body = body.as_ref();
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        self.send([head.as_bytes(), body].concat()).await
    }

    async fn multipart(&self, body: impl AsRef<[u8]>) -> String {
        self.post("/form", "Authorization: x\r\nContent-Type: multipart/form-data; boundary=XX\r\n", body).await
    }

    async fn assert_alive(&self) {
        let answer = self.get("/hello").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hello"), "{answer}");
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is as good as a close.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server closes");
    String::from_utf8(answer).unwrap()
}

fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

fn assert_error(answer: &str, code: Code) {
    assert_eq!(status(answer), code.status().as_u16(), "{answer}");
    let body: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["code"], code.as_str());
    assert_eq!(answer.matches(&format!("x-request-id: {}\r\n", body["request_id"].as_str().unwrap())).count(), 1);
    if body["detail"].is_string() {
        assert_eq!(body["detail"], code.detail());
    }
}

#[derive(Default)]
struct Count(usize);

impl FileSink for Count {
    async fn write(&mut self, piece: &[u8]) -> Result<()> {
        self.0 += piece.len();
        Ok(())
    }
}

async fn form(request: Request) -> Result<String> {
    let (parts, body) = request.into_parts();
    if !parts.headers.contains_key("authorization") {
        return Err(Code::NotAuthenticated.into());
    }
    let form = read_form(&parts.headers, body, &["images"], &FormLimits::default(), Count::default).await?;
    let mut fields = form.document.fields();
    let title = fields.text("title", 1..=200);
    let title = fields.finish(title)?;
    Ok(format!("{title} {:?}", form.files.iter().map(|file| file.sink.0).collect::<Vec<_>>()))
}

async fn items(path: PathFields, query: QueryFields) -> Result<String> {
    let mut fields = path.fields();
    let id = fields.id("id");
    let mut fields = fields.then(&query.0);
    let limit = fields.int_or("limit", 10, 1..=100);
    fields.finish(format!("{id} {limit}"))
}

async fn json(body: JsonBody) -> Result<String> {
    let mut fields = body.fields();
    let text = fields.text("text", 0..=10);
    fields.finish(text)
}

fn router() -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/peer", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
        .route("/json", post(json))
        .route("/items/{id}", get(items))
        .route("/form", post(form))
        .route("/early", post(|| async { Code::NotAuthenticated }))
        .route("/like/", patch(|| async { "liked" }))
        .route("/panic", get(|| async { panic!("canary") as String }))
        .route("/slow", get(|| async { sleep(Duration::from_secs(2)).await }))
        .route("/stuck", get(std::future::pending::<()>))
        .route("/big", get(|| async { Body::from(vec![0_u8; 64 << 20]) }))
        .route(
            "/framed",
            get(|| async { Response::builder().header("content-security-policy", "own").body(Body::empty()).unwrap() }),
        )
}

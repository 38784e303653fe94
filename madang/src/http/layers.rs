//! What every request passes through, whatever its route. From the outside in:
//!
//! 0. admission, outermost: what is [refused](refusal) there goes no further;
//! 1. the [envelope](Envelope): makes the request id, renders errors, sets the security headers, writes the log line;
//! 2. CORS, so that a browser's script may read errors too;
//! 3. a panic of a handler becomes a 500;
//! 4. deadlines: 408 for a slow body, 503 for a slow handler.
//!
//! These are one layer of axum and not five, each of which would be copied, boxed and asked for every request.
//!
//! Pages have errors of their own shape: see [`Shapes`].

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::{
    FutureExt,
    future::{BoxFuture, OptionFuture},
};
use http_body::Body as _;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::CorsLayer;
use tracing::field::display;

use super::admission::Place;
use super::body::{Metered, Progress};
use super::client::ClientAddress;
use super::json::Json;
use crate::error::{Code, Error, Problem};

/// The id that names a request in its answer (`X-Request-Id`, error bodies) and in the log: 32 hexadecimal digits. Always
/// made here, never taken from the client.
struct RequestId([u8; 32]);

impl RequestId {
    fn new(random: [u8; 16]) -> RequestId {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(random) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        RequestId(digits)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default() // digits are
    }
}

/// Tells one error in another shape than JSON. The status, and the headers of all errors, are set afterwards.
pub type ErrorShape = Box<dyn FnOnce(&Error, &str) -> Response + Send>;

/// Finds the shape of a request's errors before it is answered; `None` is the API's. What the shape wants to learn of the
/// request until then it may leave in its extensions.
pub type Shapes = Arc<dyn Fn(&mut Request) -> Option<ErrorShape> + Send + Sync>;

/// Marks a response that tells its error already, as a form does that is shown again. The error is still logged.
#[derive(Clone, Copy, Debug)]
pub struct Told;

/// What the board knows and this floor does not.
#[derive(Clone)]
pub struct Envelope {
    /// What request ids are made of: unpredictable.
    pub new_id: fn() -> [u8; 16],
    /// How errors are told.
    pub shapes: Shapes,
    /// Whether browsers shall never come by plain http again.
    pub only_https: bool,
}

/// How long a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// From the head of the request to the end of its body.
    pub body: Duration,
    /// Without a byte of an awaited body.
    pub body_idle: Duration,
    /// From the head, the last byte of the body that was read, or the last [`Progress`] of the handler, to the answer. The
    /// handler is dropped then.
    pub handler: Duration,
}

impl Default for Deadlines {
    /// 120 s, 15 s, 30 s.
    fn default() -> Self {
        Self { body: Duration::from_secs(120), body_idle: Duration::from_secs(15), handler: Duration::from_secs(30) }
    }
}

/// All of them.
#[derive(Clone)]
pub struct Layers {
    /// How long a request may take.
    pub deadlines: Deadlines,
    /// Which sites' scripts may use the board, if any.
    pub cors: Option<CorsLayer>,
    /// What is around every answer.
    pub envelope: Envelope,
}

/// Wraps the finished router.
pub fn wrap(router: Router, layers: Layers) -> Router {
    router.layer(from_fn_with_state(
        Arc::new(layers),
        async |State(layers): State<Arc<Layers>>, request, next: Next| {
            layers.pass(request, |request| next.run(request)).await
        },
    ))
}

impl Layers {
    /// Has a request answered by `inner`, through all of them.
    pub async fn pass<F>(&self, mut request: Request, inner: impl FnOnce(Request) -> F + Send) -> Response
    where
        F: Future<Output = Response> + Send,
    {
        let enveloped = self.envelope.open(&mut request);
        let answer = |request| {
            // What a broken invariant left behind is dropped with the request.
            let answer = AssertUnwindSafe(limit_time(self.deadlines, request, inner)).catch_unwind();
            answer.map(|answer| answer.unwrap_or_else(|_| Error::internal("the handler panicked").into_response()))
        };
        let response = match &self.cors {
            None => answer(request).await,
            Some(cors) => with_cors(cors, request, answer).await,
        };
        enveloped.seal(response)
    }

    /// Finishes an answer that was ready before anybody asked, as [`pass`](Layers::pass) does.
    pub async fn finish(&self, mut request: Request, ready: Response) -> Response {
        let enveloped = self.envelope.open(&mut request);
        let response = match &self.cors {
            None => ready,
            Some(cors) => with_cors(cors, request, |_| std::future::ready(ready)).await,
        };
        enveloped.seal(response)
    }
}

/// Answers a browser's question for what its scripts may do, and tells so in other answers. Boxed, since most boards have no
/// use for it, and what is awaited there needs no room in the future of every request.
pub fn with_cors<'c, F>(
    cors: &'c CorsLayer,
    request: Request,
    inner: impl FnOnce(Request) -> F + Send + 'c,
) -> BoxFuture<'c, Response>
where
    F: Future<Output = Response> + Send + 'c,
{
    let mut inner = Some(inner);
    Box::pin(async move {
        let service = service_fn(|request| {
            let answer = inner.take().map(|inner| inner(request));
            async { Ok::<_, Infallible>(OptionFuture::from(answer).await.unwrap_or_default()) }
        });
        cors.layer(service).oneshot(request).await.unwrap_or_else(|never| match never {})
    })
}

impl Envelope {
    fn open(&self, request: &mut Request) -> Enveloped<'_> {
        Enveloped {
            board: self,
            started: Instant::now(),
            id: RequestId::new((self.new_id)()),
            shape: (self.shapes)(request),
            method: request.method().clone(),
            uri: request.uri().clone(),
            client: request.extensions().get().copied(),
        }
    }
}

/// What is known of a request while it is answered.
struct Enveloped<'b> {
    board: &'b Envelope,
    started: Instant,
    id: RequestId,
    shape: Option<ErrorShape>,
    method: Method,
    uri: Uri,
    client: Option<ClientAddress>,
}

impl Enveloped<'_> {
    fn seal(self, mut response: Response) -> Response {
        let Enveloped { board, started, id, shape, method, uri, client } = self;
        let error = response.extensions_mut().remove::<Arc<Error>>();
        if let Some(error) = &error {
            if response.extensions_mut().remove::<Told>().is_none() {
                let told = shape.map_or_else(|| told(error, &id), |shape| shape(error, id.as_str()));
                response = render(told, response);
            }
            mark(error, &mut response);
        }
        seal(&mut response, &id, board.only_https);
        let asked = Asked { method: method.as_str(), path: uri.path(), client, started, id: &id };
        log(&asked, response.status(), error.as_deref());
        response
    }
}

/// The answer to a request that goes no further, with all that other answers have, but for a line in the log unless that tells
/// everything.
pub fn refusal(error: &Error, request: &mut Request, board: &Envelope) -> Response {
    let id = RequestId::new((board.new_id)());
    let shape = (board.shapes)(request);
    let told = shape.map_or_else(|| told(error, &id), |shape| shape(error, id.as_str()));
    let mut response = render(told, Response::default());
    mark(error, &mut response);
    seal(&mut response, &id, board.only_https);
    let (method, path) = (request.method().as_str(), request.uri().path());
    tracing::debug!(method, path = printable(path), request_id = id.as_str(), code = error.code().as_str(), "refused");
    response
}

#[derive(Serialize)]
struct ErrorBody<'e> {
    detail: Detail<'e>,
    code: &'e str,
    request_id: &'e str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Detail<'e> {
    Text(&'e str),
    Problems(&'e [Problem]),
}

/// The API's shape of an error.
fn told(error: &Error, id: &RequestId) -> Response {
    let code = error.code();
    let detail = match error.problems() {
        [] => Detail::Text(code.detail()),
        problems => Detail::Problems(problems),
    };
    Json(ErrorBody { detail, code: code.as_str(), request_id: id.as_str() }).into_response()
}

/// Gives the response this body; headers set further in, such as `Allow`, stay.
fn render(told: Response, response: Response) -> Response {
    let (mut parts, _) = response.into_parts();
    let (told, body) = told.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(told.headers);
    Response::from_parts(parts, body)
}

/// Gives the response the status of its error, and the headers that go with it.
fn mark(error: &Error, response: &mut Response) {
    let status = error.code().status();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn seal(response: &mut Response, id: &RequestId, only_https: bool) {
    if let Ok(value) = HeaderValue::from_bytes(&id.0) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    protect(response.headers_mut(), only_https);
}

/// Headers of every answer, unless the handler set its own. `same-origin` rather than `no-referrer`, with which
/// browsers would send `Origin: null` with our own forms.
fn protect(headers: &mut HeaderMap, only_https: bool) {
    const ALWAYS: [(HeaderName, &str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if only_https {
        // A year. Not for other hosts of the domain, which are not ours to speak for.
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

/// What the log tells of a request.
struct Asked<'r> {
    method: &'r str,
    path: &'r str,
    client: Option<ClientAddress>,
    started: Instant,
    id: &'r RequestId,
}

/// The one line of a request: no query, headers or bodies, which may hold secrets.
fn log(asked: &Asked<'_>, status: StatusCode, error: Option<&Error>) {
    let Asked { method, id, .. } = *asked;
    let (path, client) = (printable(asked.path), asked.client.map(|ClientAddress(address)| display(address)));
    let (status, latency_us, id) = (status.as_u16(), asked.started.elapsed().as_micros() as u64, id.as_str());
    match error {
        // A 503 without a cause is a refusal that was meant: the board is full, or about to stop.
        Some(error) if status >= 500 && (status != 503 || std::error::Error::source(error).is_some()) => {
            let (code, cause) = (error.code().as_str(), causes(error).escape_debug().to_string());
            tracing::error!(client, method, path, status, latency_us, request_id = id, code, cause, "request");
        }
        Some(error) => {
            let code = error.code().as_str();
            tracing::info!(client, method, path, status, latency_us, request_id = id, code, "request");
        }
        None => tracing::info!(client, method, path, status, latency_us, request_id = id, "request"),
    }
}

/// A path cut and escaped, so that nothing a client sends breaks a line or drives a terminal.
fn printable(path: &str) -> String {
    const LONGEST: usize = 200;
    path.chars().take(LONGEST).flat_map(char::escape_default).collect()
}

fn causes(error: &Error) -> String {
    let first = std::error::Error::source(error);
    let chain = std::iter::successors(first, |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

async fn limit_time<F>(deadlines: Deadlines, request: Request, inner: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let (mut parts, body) = request.into_parts();
    let (body, progress) = match body.is_end_stream() {
        true => (body, Progress::new(Instant::now())),
        false => {
            let (body, progress) = Metered::new(body, deadlines.body, deadlines.body_idle);
            (Body::new(body), progress)
        }
    };
    if let Some(place) = parts.extensions.get::<Arc<Place>>() {
        progress.take_place(Arc::clone(place));
    }
    parts.extensions.insert(progress.clone());
    let mut answer = pin!(inner(Request::from_parts(parts, body)));
    tokio::select! {
        biased; // most are answered before the clock would have been set
        response = &mut answer => response,
        () = standstill(progress, deadlines.handler) => {
            Error::from(Code::Unavailable).caused_by("the handler took too long").into_response()
        }
    }
}

/// Ends when the request made no progress for so long. A body that is awaited fails earlier by its own deadlines.
async fn standstill(progress: Progress, limit: Duration) {
    loop {
        let end = progress.last() + limit;
        if Instant::now() >= end {
            return;
        }
        sleep_until(end).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s02_a_path_stays_on_its_line() {
        assert_eq!(printable("/a\r\n\u{1b}[0m\u{2028}"), "/a\\r\\n\\u{1b}[0m\\u{2028}");
        assert_eq!(printable(&"가".repeat(1_000)).matches("ac00").count(), 200);
    }

    #[test]
    fn the_log_has_the_whole_chain_of_causes() {
        let inner = Error::internal("disk full");
        assert_eq!(causes(&Error::internal(inner)), "internal: disk full");
    }
}

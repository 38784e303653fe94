//! Figures for Prometheus, on a listener of their own. `docs/operations.md` says what each means.
//!
//! Requests are counted as they pass; everything else keeps its own figures, which are read when Prometheus asks. Labels
//! are routes and never paths, so that nobody outside can make there be more of them.

mod process;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use greenlit::Stats;
use prometheus_client::{
    encoding::{
        EncodeLabelSet, EncodeLabelValue, LabelValueEncoder,
        text::{encode_eof, encode_registry},
    },
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
        info::Info,
    },
    registry::Registry,
};
use tokio::time::Instant;

use crate::app::App;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Seconds. Log-ins and uploads take tens to hundreds of milliseconds; a handler has 30 s.
const DURATIONS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Jobs are counted no further than this, so that asking stays cheap.
const MOST_JOBS: u32 = 10_000;
/// How long the database may take to count them: Prometheus itself waits ten seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is counted while the board runs.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Family<Asked, Histogram>,
    in_flight: Gauge,
    images: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    route: Route,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: Route,
    status: u16,
}

/// A route as it was declared, such as `/api/feed/read/{feed_id}`.
#[derive(Clone, Debug)]
pub enum Route {
    /// One that a request was matched with.
    Matched(Arc<str>),
    /// One that is known without looking for it.
    Known(&'static str),
}

impl Route {
    fn as_str(&self) -> &str {
        match self {
            Route::Matched(path) => path,
            Route::Known(path) => path,
        }
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Route) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.as_str().encode(encoder)
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::default();
        let requests = Family::<Answered, Counter>::default();
        let durations = Family::<Asked, Histogram>::new_with_constructor(|| Histogram::new(DURATIONS));
        let (in_flight, images) = (Gauge::default(), Counter::default());
        registry.register("http_requests", "Requests that were answered", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "From the head of a request to its answer",
            durations.clone(),
        );
        registry.register("http_requests_in_flight", "Requests being answered", in_flight.clone());
        registry.register("madang_images_stored", "Images that were checked, encoded anew and stored", images.clone());
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("madang_build", "The program", build);
        Metrics { registry, requests, durations, in_flight, images }
    }
}

impl Metrics {
    /// Counts images that were stored.
    pub fn stored_images(&self, how_many: usize) {
        self.images.inc_by(how_many as u64);
    }

    /// Counts a request that was refused before its route was looked for.
    pub fn refused(&self, method: &Method, status: StatusCode) {
        let answered = Answered { method: known(method), route: Route::Known("refused"), status: status.as_u16() };
        self.requests.get_or_create(&answered).inc();
    }

    /// Counts a request and how long its answer takes. What was counted as begun is counted as ended, also if its client goes
    /// away.
    pub fn begin(&self, method: &Method, route: Route) -> Begun<'_> {
        Begun {
            metrics: self,
            asked: Asked { method: known(method), route },
            started: Instant::now(),
            _in_flight: InFlight::new(&self.in_flight),
        }
    }

    fn answered(&self, asked: Asked, status: StatusCode, took: Duration) {
        self.durations.get_or_create(&asked).observe(took.as_secs_f64());
        let Asked { method, route } = asked;
        self.requests.get_or_create(&Answered { method, route, status: status.as_u16() }).inc();
    }
}

/// A request that is being answered, also if its client goes away.
struct InFlight(Gauge);

impl InFlight {
    fn new(gauge: &Gauge) -> InFlight {
        gauge.inc();
        InFlight(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A request that is being answered; see [`Metrics::begin`].
pub struct Begun<'m> {
    metrics: &'m Metrics,
    asked: Asked,
    started: Instant,
    _in_flight: InFlight,
}

impl Begun<'_> {
    /// It was answered.
    pub fn answered(self, status: StatusCode) {
        self.metrics.answered(self.asked, status, self.started.elapsed());
    }
}

/// A client may send any word for a method.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// What answers Prometheus: `GET /metrics` and nothing else.
pub fn router(app: App) -> Router {
    Router::new().route("/metrics", get(figures)).with_state(app)
}

async fn figures(State(app): State<App>) -> Response {
    let mut text = String::new();
    let now = snapshot(&app).await;
    let written = encode_registry(&mut text, &app.metrics.registry)
        .and_then(|()| encode_registry(&mut text, &now))
        .and_then(|()| encode_eof(&mut text));
    match written {
        Ok(()) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What others count, as it is now.
async fn snapshot(app: &App) -> Registry {
    let mut now = Registry::default();
    sessions(&app.db.stats(), &mut now);
    let refused = Family::<[(&'static str, &'static str); 1], Counter>::default();
    for (quota, count) in app.limits.refused() {
        refused.get_or_create(&[("quota", quota)]).inc_by(count);
    }
    now.register("madang_limited", "Requests that exceeded a quota", refused);
    let full = Family::<[(&'static str, &'static str); 1], Counter>::default();
    for (lane, admission) in app.lanes.named() {
        full.get_or_create(&[("lane", lane)]).inc_by(admission.refused());
    }
    now.register("madang_overload_refused", "Requests refused because too many were in work", full);
    // A database that is away is told by readyz; the other figures are wanted all the more.
    if let Ok(Ok(backlog)) = tokio::time::timeout(PATIENCE, app.db.outbox().backlog(MOST_JOBS)).await {
        now.register("madang_jobs_due", "Jobs that wait for the worker", ConstGauge::new(i64::from(backlog.due)));
        now.register("madang_jobs_parked", "Jobs that failed too often", ConstGauge::new(i64::from(backlog.parked)));
    }
    process::register(&mut now);
    now
}

/// What the sessions at the database did.
fn sessions(stats: &Stats, now: &mut Registry) {
    for (name, help, value) in [
        ("greenlit_commits", "Transactions committed", stats.commits),
        ("greenlit_rollbacks", "Transactions rolled back, for whatever reason", stats.rollbacks),
        ("greenlit_commit_groups", "COMMITs on SQLite, where transactions share them", stats.groups),
        ("greenlit_retries", "Transactions and reads run again", stats.retries),
        ("greenlit_statements", "Statements run by sessions", stats.statements),
        ("greenlit_connection_waits", "Database connections that were not there at once", stats.waits),
        ("greenlit_connections_opened", "Database connections opened", stats.opened),
        ("greenlit_connections_discarded", "Database connections thrown away, not known to be clean", stats.discarded),
        ("greenlit_statements_cancelled", "Statements stopped because their request was gone", stats.cancelled),
        ("greenlit_sessions_abandoned", "Transactions left open because their request was gone", stats.abandoned),
        ("greenlit_warnings", "Warnings of the database server", stats.warnings),
    ] {
        now.register(name, help, ConstCounter::new(value));
    }
    let waited = ConstCounter::new(stats.waited.as_secs_f64());
    now.register("greenlit_connection_wait_seconds", "Time that sessions waited for database connections", waited);
}

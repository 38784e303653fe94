//! Joins the features' routers, with the layers in one place.

use std::{convert::Infallible, future::ready, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{
        Method,
        header::{self, HeaderValue},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::{FutureExt, future::Either};
use serde::Serialize;
use tokio::time::timeout;
use tower::{Service, service_fn};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    account, admin,
    app::{App, Lanes},
    comment,
    error::{Code, Error, Result},
    feed, follow,
    http::{
        admission::{self, Admission},
        client::Proxies,
        cors,
        json::Json,
        layers,
        routes::{self as fallbacks, Routes},
    },
    like, line, media,
    metrics::Route,
    mypage, notification, openapi, secret,
    web::{self, Pages},
};

const HEALTHZ: &str = "/healthz";
const READYZ: &str = "/readyz";

/// How long the database is waited for where the question is whether it answers: less than a proxy's patience.
const READY_PATIENCE: Duration = Duration::from_secs(2);

/// The whole board as one service.
pub fn router(app: App) -> Router {
    let (api, document) = api().split_for_parts();
    let pages = pages();
    let mut patterns: Vec<String> = document.paths.paths.keys().cloned().chain(pages.patterns).collect();
    patterns.extend([openapi::DOCS.to_owned(), "/redoc".to_owned()]);
    let router = api
        .merge(openapi::pages(document))
        .merge(web::layers::wrap(pages.router, &app.site))
        .route(web::assets::PATTERN, get(web::assets::serve));
    let others = [web::assets::PATTERN, openapi::DOCUMENT, openapi::ASSETS];
    let gate = Arc::new(Gate {
        routes: Routes::of(patterns.iter().map(String::as_str).chain(others)),
        router: fallbacks::with_fallbacks(router, patterns, &app.site.base).with_state(app.clone()),
        layers: layers::Layers {
            deadlines: layers::Deadlines::default(),
            cors: (!app.config.cors_origins.is_empty()).then(|| cors::layer(&app.config.cors_origins)),
            envelope: envelope(&app),
        },
        proxies: Proxies::trusted(&app.config.trusted_proxies),
        app,
    });
    // Around the whole router: a layer would come after the routes, for each of which it is copied, and boxed for each request.
    Router::new().fallback_service(service_fn(move |request| {
        let gate = Arc::clone(&gate);
        async move { Ok::<_, Infallible>(gate.enter(request).await) }
    }))
}

fn envelope(app: &App) -> layers::Envelope {
    let (site, clock) = (app.site.clone(), app.clock.clone());
    layers::Envelope {
        new_id: secret::random_often,
        shapes: Arc::new(move |request| web::error::shape(&site, &clock, request)),
        only_https: app.site.secure,
    }
}

fn pages() -> Pages<App> {
    Pages::new()
        .and(account::pages())
        .and(feed::pages())
        .and(comment::pages())
        .and(like::pages())
        .and(follow::pages())
        .and(notification::pages())
        .and(line::pages())
        .and(mypage::pages())
}

/// The patterns of all pages, such as `/feed/{feed_id}`.
pub fn page_patterns() -> Vec<String> {
    pages().patterns
}

/// The OpenAPI document, made from the code of the routes.
pub fn document() -> utoipa::openapi::OpenApi {
    api().into_openapi()
}

fn api() -> OpenApiRouter<App> {
    let mut api = OpenApiRouter::with_openapi(openapi::Document::openapi())
        .merge(account::api())
        .merge(admin::api())
        .merge(feed::api())
        .merge(comment::api())
        .merge(like::api())
        .merge(follow::api())
        .merge(notification::api())
        .merge(line::api())
        .merge(mypage::api())
        .merge(media::api())
        .routes(routes!(healthz))
        .routes(routes!(readyz));
    openapi::refuse_null_bodies(api.get_openapi_mut());
    openapi::add_common_errors(api.get_openapi_mut());
    openapi::add_idempotency_keys(api.get_openapi_mut());
    api
}

#[derive(Serialize, ToSchema)]
struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process lives
#[utoipa::path(get, path = HEALTHZ, tag = "server", responses((status = 200, description = "It does", body = Health)))]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Where a request waits; nowhere if it asks after the board's health or what a browser may send.
fn lane<'a>(lanes: &'a Lanes, request: &Request) -> Option<&'a Admission> {
    match request.uri().path() {
        HEALTHZ | READYZ => None,
        _ if request.method() == Method::OPTIONS => None,
        path if media::is_image(path) => Some(&lanes.images),
        path if account::is_entrance(path) => Some(&lanes.entrance),
        _ => Some(&lanes.others),
    }
}

/// What stands before everything else.
struct Gate {
    app: App,
    layers: layers::Layers,
    proxies: Proxies,
    router: Router,
    routes: Routes,
}

impl Gate {
    /// Answers as many requests at a time as the board can, and refuses the others at once. While the board is about to stop it ends
    /// each connection with its answer, so that none is in use when it does.
    async fn enter(&self, request: Request) -> Response {
        let mut response = match feed::ready(&self.app, &request) {
            // It costs less than to keep count of it.
            Some((route, ready)) => self.finish(request, route, ready).await,
            None => self.answer(request).await,
        };
        if self.app.is_draining() {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// What is around every route.
    async fn route(&self, mut request: Request) -> Response {
        let route = self.routes.find(request.uri().path()).map_or(Route::Known("none"), Route::Matched);
        let begun = self.app.metrics.begin(request.method(), route);
        let client = self.proxies.identify(&mut request);
        let answer = |request: Request| {
            // LINE's events come from many chats by one network: each is counted when it is read.
            let counted = line::is_webhook(request.uri().path());
            match if counted { Ok(()) } else { self.app.limits.pass(client, &request) } {
                Ok(()) => Either::Left(self.router.clone().call(request).map(always)),
                Err(refused) => Either::Right(ready(refused.into_response())),
            }
        };
        let response = self.layers.pass(request, answer).await;
        begun.answered(response.status());
        response
    }

    async fn answer(&self, request: Request) -> Response {
        let admitted = match lane(&self.app.lanes, &request) {
            Some(lane) => lane.admit(request, |request| self.route(request)).await,
            None => Ok(self.route(request).await),
        };
        match admitted {
            Ok(response) => response,
            Err(request) => self.refuse(request).await,
        }
    }

    /// Finishes an answer that was ready.
    async fn finish(&self, mut request: Request, route: &'static str, ready: Response) -> Response {
        let begun = self.app.metrics.begin(request.method(), Route::Known(route));
        self.proxies.identify(&mut request);
        let response = self.layers.finish(request, ready).await;
        begun.answered(response.status());
        response
    }

    async fn refuse(&self, mut request: Request) -> Response {
        let Some(cors) = &self.layers.cors else { return self.refusal(&mut request) };
        // A browser's script may read that, too.
        layers::with_cors(cors, request, async |mut request: Request| self.refusal(&mut request)).await
    }

    fn refusal(&self, request: &mut Request) -> Response {
        let error = Error::from(Code::Unavailable).retry_after(admission::RETRY_AFTER);
        let response = layers::refusal(&error, request, &self.layers.envelope);
        self.app.metrics.refused(request.method(), response.status());
        response
    }
}

fn always<T>(answer: std::result::Result<T, Infallible>) -> T {
    answer.unwrap_or_else(|never| match never {})
}

/// Whether the board can serve: its database answers, and it is not about to stop
#[utoipa::path(
    get, path = READYZ, tag = "server",
    responses(
        (status = 200, description = "It can", body = Health),
        (status = 503, description = "`unavailable`: it cannot now", body = openapi::Problem),
    ),
)]
async fn readyz(State(app): State<App>) -> Result<Json<Health>> {
    if app.is_draining() {
        return Err(Code::Unavailable.into()); // which is meant, and so has no cause
    }
    let answer = timeout(READY_PATIENCE, app.db.fetch_one::<(i64,)>("select 1", vec![])).await;
    let answer = answer.unwrap_or(Err(greenlit::Error::Deadline));
    answer.map_err(|e| Error::from(Code::Unavailable).caused_by(e))?;
    Ok(Json(Health { status: "ready" }))
}

//! The OpenAPI document: what stands in it beside the routes, and the pages that show it.

use std::collections::BTreeSet;

use axum::{Router, http::header, response::Redirect, routing::get};
use serde::Serialize;
use utoipa::{
    IntoResponses, Modify, OpenApi, PartialSchema, ToSchema,
    openapi::{
        Content, ContentBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder, Schema, Type,
        path::{Operation, ParameterBuilder, ParameterIn},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::error::Code;
use crate::http::json::Json;

/// Where the interactive documentation is.
pub(crate) const DOCS: &str = "/docs";
pub(crate) const DOCUMENT: &str = "/openapi.json";
/// What belongs to it.
pub(crate) const ASSETS: &str = "/docs/{*rest}";

/// The documentation's own pages run scripts and styles of this server alone.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; frame-ancestors 'none'";

/// What was done, where there is nothing else to tell.
#[derive(Serialize, ToSchema)]
pub(crate) struct Message {
    #[schema(example = "Feed Deleted")]
    pub(crate) message: &'static str,
}

/// An error. `code` is stable; `detail` is for people.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct Problem {
    #[schema(example = "Not Found")]
    detail: String,
    code: Code,
    /// Names the request in the server's log.
    request_id: String,
}

/// Wrong fields, each with an entry of its own.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct Problems {
    detail: Vec<WrongField>,
    code: Code,
    request_id: String,
}

/// The answer to whoever does not say who he is.
#[derive(IntoResponses)]
#[response(status = 401, description = "`not_authenticated`, `invalid_token`")]
#[allow(dead_code)]
pub(crate) struct Unauthorized(Problem);

/// The answer to wrong fields.
#[derive(IntoResponses)]
#[response(status = 422, description = "`invalid_input`")]
#[allow(dead_code)]
pub(crate) struct InvalidInput(Problems);

/// A 422 of a route that refuses for more than wrong fields: `broken_image`, `too_many_images`, `idempotency_key_reused`.
#[derive(ToSchema)]
#[allow(dead_code)]
#[serde(untagged)]
pub(crate) enum Refused {
    /// Wrong fields.
    Fields(Problems),
    /// What the code says.
    Whole(Problem),
}

#[derive(ToSchema)]
#[allow(dead_code)]
struct WrongField {
    #[schema(example = "missing")]
    r#type: String,
    /// `path`, `query` or `body`, then the field's name or a position.
    loc: Vec<FieldStep>,
    #[schema(example = "Field required")]
    msg: String,
    /// What was sent, without secrets and shortened.
    input: serde_json::Value,
}

#[derive(serde::Serialize, ToSchema)]
#[allow(dead_code)]
#[serde(untagged)]
enum FieldStep {
    Name(String),
    Index(i64),
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Madang",
        description = "A community board: accounts, feeds with images, comments, likes, follows and notifications.\n\nLog in, press Authorize and paste the access token.",
        license(name = "MIT OR Apache-2.0"),
    ),
    components(schemas(Problem, Problems, Refused)),
    modifiers(&Additions),
    tags(
        (name = "auth", description = "Sign up, log in and out"),
        (name = "feed", description = "Feeds with images"),
        (name = "comment", description = "Comments on feeds"),
        (name = "like", description = "Likes of feeds and comments"),
        (name = "follow", description = "Who reads whom"),
        (name = "user", description = "What everybody may know of a user"),
        (name = "notification", description = "What one hears of others"),
        (name = "mypage", description = "One's own account"),
        (name = "images", description = "The images of feeds"),
        (name = "line", description = "What LINE tells the board"),
        (name = "server", description = "The server's health"),
    ),
)]
pub(crate) struct Document;

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        // Two codes may share a name, where the same error is spelled in two ways.
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for Code {}

struct Additions;

impl Modify for Additions {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// Tells of the errors that any route may answer: a broken URL, a body that is too large, too slow or compressed, a server
/// that is busy. A route tells of its own.
pub(crate) fn add_common_errors(document: &mut utoipa::openapi::OpenApi) {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let any = ResponseBuilder::new().description("Any other error").content("application/json", body).build();
    for path in document.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.post, &mut path.put, &mut path.patch, &mut path.delete];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".to_owned(), any.clone().into());
        }
    }
}

/// A body that may be missing is derived as one that may be null too, which no route takes.
pub(crate) fn refuse_null_bodies(document: &mut utoipa::openapi::OpenApi) {
    let operations =
        document.paths.paths.values_mut().flat_map(|item| [&mut item.post, &mut item.patch, &mut item.delete]);
    let bodies = operations.flatten().filter_map(|operation| match &mut operation.request_body {
        Some(RefOr::T(body)) => Some(body),
        _ => None,
    });
    for content in bodies.flat_map(|body| body.content.values_mut()) {
        if let RefOr::T(Content { schema: Some(RefOr::T(Schema::OneOf(either))), .. }) = content {
            either.items.retain(|one| matches!(one, RefOr::Ref(_)));
        }
    }
}

/// Tells of the header `Idempotency-Key`, which every route takes that writes, but log-ins, and what LINE delivers: its events have ids.
pub(crate) fn add_idempotency_keys(document: &mut utoipa::openapi::OpenApi) {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[!-~]{1,255}$")).build();
    let header = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "1 to 255 visible ASCII characters. A request that is repeated with it within 24 hours takes effect once and is \
             answered alike, with `Idempotent-Replayed: true`; another request with it is 422 `idempotency_key_reused`, one \
             whose first copy is under way 409 `request_in_progress`",
        ))
        .schema(Some(text))
        .build();
    let refused = ContentBuilder::new().schema(Some(Ref::from_schema_name("Refused"))).build();
    let has_own = |operation: &Operation| operation.tags.iter().flatten().any(|tag| tag == "auth" || tag == "line");
    for item in document.paths.paths.values_mut() {
        let writes = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten();
        for operation in writes.filter(|operation| !has_own(operation)) {
            operation.parameters.get_or_insert_default().push(header.clone().into());
            if let Some(RefOr::T(refusal)) = operation.responses.responses.get_mut("422") {
                refusal.content.insert("application/json".to_owned(), refused.clone().into());
            }
        }
    }
}

/// The schema of a parameter that is one of these names; the first is the default.
pub(crate) fn one_of<T>(names: &[(&str, T)]) -> RefOr<Schema> {
    let default = names.first().map(|(name, _)| serde_json::Value::from(*name));
    let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).default(default).into()
}

/// The document and the pages that show it, which work without any other server.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>(document: utoipa::openapi::OpenApi) -> Router<S> {
    let config = Config::from(DOCUMENT).use_base_layout().persist_authorization(true).try_it_out_enabled(true);
    let swagger: Router<S> = SwaggerUi::new(DOCS).config(config).into();
    let policy = axum::middleware::map_response(async |mut response: axum::response::Response| {
        let policy = axum::http::HeaderValue::from_static(DOCS_POLICY);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        response
    });
    swagger
        .layer(policy)
        .route(DOCUMENT, get(async || Json(document)))
        .route("/redoc", get(async || Redirect::temporary(DOCS)))
}

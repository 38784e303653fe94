//! Idempotency keys: a write that a client repeats takes effect once, and is answered alike each time.
//!
//! The key is the commit key of the write's transaction, and the answer is stored in it, so that neither is ever there
//! without the other: across crashes, and on whichever node the repetition arrives.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use greenlit::{Opts, Tx, TxFn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    account::UserId,
    app::App,
    error::{Code, Error, Problem, Result, Step},
    fault::{self, Point},
    http::input::Document,
    secret::{self, hex},
};

const HEADER: &str = "idempotency-key";
const REPLAYED: &str = "idempotent-replayed";
const KEY_LENGTH: std::ops::RangeInclusive<usize> = 1..=255;
/// How long a key is remembered.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Seconds after which a request may be repeated whose first copy is still under way.
const RETRY_AFTER: u32 = 2;

/// Extracts the `Idempotency-Key` of a request, and what it was sent for. It is judged later, by [`of`](IdempotencyKey::of),
/// so that a handler can authenticate in between.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyKey {
    key: Option<Result<String, ()>>,
    request: Fingerprint,
}

impl FromRequestParts<App> for IdempotencyKey {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Self::Rejection> {
        let mut request = Fingerprint::default();
        request.add(parts.method.as_str().as_bytes());
        request.add(parts.uri.path_and_query().map_or("", |target| target.as_str()).as_bytes());
        let mut values = parts.headers.get_all(HEADER).iter();
        let key = values.next().map(|value| {
            let alone = values.next().is_none();
            value.to_str().ok().filter(|_| alone).and_then(checked).ok_or(())
        });
        Ok(IdempotencyKey { key, request })
    }
}

fn checked(key: &str) -> Option<String> {
    let fits = KEY_LENGTH.contains(&key.len()) && key.bytes().all(|c| c.is_ascii_graphic());
    fits.then(|| key.to_owned())
}

impl IdempotencyKey {
    /// The same with the key that a form has in a field, since browsers send no header with it.
    #[must_use]
    pub(crate) fn or_field(mut self, key: &str) -> IdempotencyKey {
        if !key.is_empty() && self.key.is_none() {
            self.key = Some(checked(key).ok_or(()));
        }
        self
    }

    /// The write that this user asks for.
    ///
    /// # Errors
    /// 422 if the header is not one of 1 to 255 visible ASCII characters.
    pub(crate) fn of(self, actor: UserId) -> Result<Write> {
        let key = match self.key {
            None => None,
            Some(Ok(key)) => {
                let mut scoped = Fingerprint::default();
                scoped.add(&actor.0.to_be_bytes());
                scoped.add(key.as_bytes());
                Some(format!("http:{}", hex(&scoped.finish())))
            }
            Some(Err(())) => {
                return Err(Error::invalid(vec![Problem {
                    kind: "value_error",
                    loc: vec![Step::Name("header"), Step::Name("Idempotency-Key")],
                    msg: "Value error, One header of 1 to 255 visible ASCII characters".to_owned(),
                    input: Value::Null,
                }]));
            }
        };
        Ok(Write { key, request: self.request })
    }
}

/// A write that takes effect once, if its request has a key.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    key: Option<String>,
    request: Fingerprint,
}

/// What became of a write: its answer, as JSON.
pub(crate) struct Written {
    body: Vec<u8>,
    /// Whether the write was done before, so that this request changed nothing.
    pub(crate) replayed: bool,
}

impl Written {
    /// What the transaction returned, now or then.
    ///
    /// # Errors
    /// 500 if it was something else.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        fault::point(Point::AnswerLeaving);
        serde_json::from_slice(&self.body).map_err(Error::internal)
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        fault::point(Point::AnswerLeaving);
        let mut answer = json(self.body);
        if self.replayed {
            answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        answer
    }
}

impl Write {
    /// Counts the fields of a body in: requests that differ in them are not the same.
    #[must_use]
    pub(crate) fn with(mut self, document: &Document) -> Write {
        for (name, value) in document.entries() {
            self.request.add(name.as_bytes());
            self.request.add(value.to_string().as_bytes());
        }
        self
    }

    /// Counts the bytes of a file in, by their digest.
    #[must_use]
    pub(crate) fn with_file(mut self, field: &str, digest: &[u8]) -> Write {
        self.request.add(field.as_bytes());
        self.request.add(digest);
        self
    }

    /// The answer, if this was done before: for a handler that has much to do before its transaction.
    ///
    /// # Errors
    /// 422 if the key was used for another request.
    pub(crate) async fn replay(&self, app: &App) -> Result<Option<Written>> {
        let Some(key) = &self.key else { return Ok(None) };
        let Some(outcome) = app.db.outcome(key).await? else { return Ok(None) };
        let body = outcome.strip_prefix(self.request.clone().finish().as_slice()).ok_or(Code::IdempotencyKeyReused)?;
        Ok(Some(Written { body: body.to_vec(), replayed: true }))
    }

    /// Runs the transaction and answers with what it returns, as JSON; if it was done before, with what it returned then.
    ///
    /// # Errors
    /// Those of `f`; 422 if the key was used for another request; 409 if the first copy of the request is under way.
    pub(crate) async fn run<F, T>(self, app: &App, f: F) -> Result<Written>
    where
        F: for<'a> TxFn<&'a mut Tx, Result<T>> + Clone + Send,
        T: Serialize + Send,
    {
        let mut opts = Opts::default();
        if let Some(key) = &self.key {
            opts = opts.once(key);
        }
        let fingerprint = self.key.is_some().then(|| self.request.clone().finish());
        let work = async move |tx: &mut Tx| {
            let answer = f.call(tx).await?;
            let body = serde_json::to_vec(&answer).map_err(Error::internal)?;
            if let Some(fingerprint) = fingerprint {
                tx.outcome(&[fingerprint.as_slice(), &body].concat()).await?;
            }
            fault::point(Point::WriteEnding);
            Ok::<_, Error>(body)
        };
        match app.db.tx(opts, work).await {
            Ok(body) => {
                fault::point(Point::WriteCommitted);
                Ok(Written { body, replayed: false })
            }
            Err(e) if e.code() == Code::AlreadyDone => {
                self.replay(app).await?.ok_or_else(|| Error::internal("a commit key without an outcome"))
            }
            Err(e) if e.code() == Code::RequestInProgress => Err(e.retry_after(RETRY_AFTER)),
            Err(e) => Err(e),
        }
    }
}

/// The key of a form that is shown again: the same, since what was refused has not taken effect, unless it was used for another
/// text. Whoever sends this one again means it.
pub(crate) fn key_again(error: &Error, form: &Document) -> String {
    let used = error.code() == Code::IdempotencyKeyReused;
    Some(form.typed("key")).filter(|key| !key.is_empty() && !used).map_or_else(secret::random_name, str::to_owned)
}

/// Forgets the keys whose time is over.
pub(crate) async fn sweep(app: &App) -> greenlit::Result<u64> {
    app.db.forget_outcomes(KEPT).await
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], Body::from(body)).into_response()
}

/// SHA-256 over pieces, each with its length, so that no two lists of pieces are alike.
#[derive(Clone)]
struct Fingerprint(digest::Context);

impl Default for Fingerprint {
    fn default() -> Self {
        Fingerprint(digest::Context::new(&digest::SHA256))
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprint")
    }
}

impl Fingerprint {
    fn add(&mut self, piece: &[u8]) {
        self.0.update(&(piece.len() as u64).to_be_bytes());
        self.0.update(piece);
    }

    fn finish(self) -> [u8; digest::SHA256_OUTPUT_LEN] {
        let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(self.0.finish().as_ref());
        bytes
    }
}

//! The one error type of the board and the public list of what it may answer.
//!
//! An [`Error`] pairs a public [`Code`] with a private cause. Turned into a response it only marks the response; the
//! outermost layer ([`crate::http::layers`]) renders the body, so that every error has one shape, carries the request
//! id, and has its cause logged exactly once:
//!
//! ```json
//! {"detail":"Feed Not Found","code":"feed_not_found","request_id":"4f0c..."}
//! ```

use std::fmt;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

/// Builds [`Code`] from one table: variant, HTTP status, stable code, public text.
macro_rules! codes {
    ($($variant:ident $status:literal $code:literal $detail:literal;)*) => {
        /// What an error answer can say. `as_str` is the stable name that clients may match on; `detail` is the text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", stringify!($status), "` ", $detail)] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            const fn row(self) -> (u16, &'static str, &'static str) {
                match self {
                    $(Code::$variant => ($status, $code, $detail),)*
                }
            }
        }
    };
}

codes! {
    // Accounts
    NotAuthenticated          401 "not_authenticated"           "Not Authenticated";
    InvalidToken              401 "invalid_token"               "Invalid Token";
    InvalidCredentials        401 "invalid_credentials"         "Invalid Credentials";
    EmailAlreadyRegistered    400 "email_already_registered"    "Email Already Registered";
    NicknameAlreadyRegistered 400 "nickname_already_registered" "Nickname Already Registered";
    SignupClosed              403 "signup_closed"               "Sign-Up Is Closed";
    PermissionDenied          403 "permission_denied"           "Permission Denied";

    // Feeds, comments, likes, follows. Reading a feed spells its 404 differently from every other route; clients compare the text.
    FeedNotFound              404 "feed_not_found"              "Feed Not Found";
    FeedNotFoundOnRead        404 "feed_not_found"              "Feed not found";
    CommentNotFound           404 "comment_not_found"           "Comment Not Found";
    UserNotFound              404 "user_not_found"              "User not found";
    LikeTargetMissing         400 "like_target_missing"         "Either feed_id or comment_id must be provided.";
    OwnFollow                 400 "own_follow"                  "You cannot follow yourself";
    UserCriterionMissing      400 "user_criterion_missing"      "Either user_id, nickname, or email must be provided";

    // Images
    ImageTooLarge             413 "image_too_large"             "Image Too Large";
    UnsupportedImageType      415 "unsupported_image_type"      "Unsupported Image Type";
    BrokenImage               422 "broken_image"                "Broken Image";
    RangeNotSatisfiable       416 "range_not_satisfiable"       "Range Not Satisfiable";
    TooManyImages             422 "too_many_images"             "Too Many Images";
    TooManyUploads            429 "too_many_uploads"            "Too Many Uploads";

    // Pages
    CrossSite                 403 "cross_site_request"          "Cross-Site Request Refused";
    AnotherUser               403 "another_user"                "Another User Is Logged In";
    WrongPassword             403 "wrong_password"              "Wrong Password";
    UnknownHost               421 "unknown_host"                "Unknown Host";

    // The chat in LINE
    InvalidSignature          401 "invalid_signature"           "Invalid Signature";

    // Any request
    InvalidInput              422 "invalid_input"               "Invalid Input";
    BrokenBody                400 "broken_body"                 "There was an error parsing the body";
    InvalidUtf8               400 "invalid_utf8"                "The URL Is Not Valid UTF-8";
    BodyTooLarge              413 "body_too_large"              "Request Body Too Large";
    TooManyFields             413 "too_many_fields"             "Too Many Fields";
    UnsupportedEncoding       415 "unsupported_encoding"        "Unsupported Content Encoding";
    RequestTimeout            408 "request_timeout"             "Request Timeout";
    NotFound                  404 "not_found"                   "Not Found";
    MethodNotAllowed          405 "method_not_allowed"          "Method Not Allowed";
    RequestInProgress         409 "request_in_progress"         "Request In Progress";
    AlreadyDone               409 "already_done"                "Already Done";
    IdempotencyKeyReused      422 "idempotency_key_reused"      "Idempotency Key Reused";
    TooManyRequests           429 "too_many_requests"           "Too Many Requests";
    OutcomeUnknown            503 "outcome_unknown"             "The Outcome Is Unknown";
    Unavailable               503 "unavailable"                 "Service Unavailable";
    Internal                  500 "internal"                    "Internal Server Error";
}

impl Code {
    /// The HTTP status of the answer.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The stable, public name in snake_case.
    pub const fn as_str(self) -> &'static str {
        self.row().1
    }

    /// The public text.
    pub const fn detail(self) -> &'static str {
        self.row().2
    }
}

/// A failed request: what the client is told, and what only the log learns.
#[derive(Debug)]
pub struct Error {
    code: Code,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    retry_after: Option<u32>,
    problems: Vec<Problem>,
}

/// Result of anything that ends a request early.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Seconds after which a client may try again when the server is unavailable and knows nothing better.
const RETRY_AFTER: u32 = 5;

impl Error {
    /// 422 with one entry for each wrong field.
    pub fn invalid(problems: Vec<Problem>) -> Self {
        Self { problems, ..Code::InvalidInput.into() }
    }

    /// 422 for a field of a form that is required.
    pub fn missing(field: &'static str) -> Self {
        let loc = vec![Step::Name("body"), Step::Name(field)];
        Self::invalid(vec![Problem { kind: "missing", loc, msg: "Field required".to_owned(), input: Value::Null }])
    }

    /// 500 with the cause for the log.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::from(Code::Internal).caused_by(cause)
    }

    /// Keeps the private cause. Only answers of 500 and above have theirs logged; no answer shows it.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Sends `Retry-After` with this many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What the client is told.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The wrong fields of a 422, else empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// `Retry-After` in seconds, if the answer carries it; a 503 always does.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.retry_after.or((self.code == Code::Unavailable).then_some(RETRY_AFTER))
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self { code, cause: None, retry_after: None, problems: Vec::new() }
    }
}

/// What a violated unique index means to the client. The names are the same on every database.
const UNIQUE: [(&str, Code); 2] =
    [("uq_users__email", Code::EmailAlreadyRegistered), ("uq_users__nickname", Code::NicknameAlreadyRegistered)];

impl From<greenlit::Error> for Error {
    /// A known unique index is the client's matter; a database that is busy or gone is 503; anything else is our fault.
    fn from(error: greenlit::Error) -> Self {
        let violated = error.unique().and_then(|name| UNIQUE.iter().find(|(index, _)| *index == name));
        let code = match violated {
            Some((_, code)) => *code,
            // No word of trying again: it may have been done.
            None if matches!(error, greenlit::Error::CommitUnknown) => Code::OutcomeUnknown,
            // The first copy of a request with the same idempotency key has this place.
            None if matches!(error, greenlit::Error::AlreadyDone) => Code::AlreadyDone,
            None if matches!(error, greenlit::Error::InFlight) => Code::RequestInProgress,
            None if error.is_transient() => Code::Unavailable,
            None => Code::Internal,
        };
        Self::from(code).caused_by(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl IntoResponse for Code {
    fn into_response(self) -> Response {
        Error::from(self).into_response()
    }
}

/// One wrong field of a 422, in the shape and words that pydantic 2 made known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// pydantic's error type, such as `missing` or `int_parsing`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where: `path`, `query` or `body`, then the field's name or a position.
    pub loc: Vec<Step>,
    /// A sentence for people.
    pub msg: String,
    /// What was sent: without secrets, cut to a bounded length.
    pub input: Value,
}

/// One step of a problem's location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// A part of the request or a field.
    Name(&'static str),
    /// A position in a list or text.
    Index(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_well_formed() {
        for code in Code::ALL {
            assert!(code.status().as_u16() >= 400, "{code:?}");
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            assert!(!code.detail().is_empty());
        }
    }

    #[test]
    fn the_cause_stays_private() {
        let error = Error::internal("SELECT secret FROM users");
        assert_eq!(error.to_string(), "internal");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn f09_an_unknown_outcome_does_not_invite_to_repeat() {
        let unknown = Error::from(greenlit::Error::CommitUnknown);
        assert_eq!((unknown.code(), unknown.retry_after_seconds()), (Code::OutcomeUnknown, None));
        let busy = Error::from(greenlit::Error::Deadline);
        assert_eq!((busy.code(), busy.retry_after_seconds()), (Code::Unavailable, Some(RETRY_AFTER)));
        assert_eq!(Error::from(greenlit::Error::Nested).code(), Code::Internal);
    }
}

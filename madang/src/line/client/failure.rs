//! Why LINE did not do what it was asked for, or may not have.

use std::error::Error;

use reqwest::StatusCode;

use super::super::{event, message::cut};

/// Why a call failed. What it says has neither secrets nor what was to be sent.
#[derive(Debug, thiserror::Error)]
pub(in crate::line) enum Failure {
    /// It never reached LINE: no address, no connection, no TLS.
    #[error("LINE cannot be reached: {0}")]
    NotSent(String),
    /// LINE may have done it or not: no answer in time, a connection that was cut, an answer that LINE broke.
    #[error("nobody knows whether LINE did it: {0}")]
    Lost(String),
    /// Too many calls at once.
    #[error("LINE takes no more calls for now")]
    RateLimited,
    /// No more messages this month.
    #[error("the messages of this month are used up")]
    MonthlyLimit,
    /// The token is wrong or no longer good.
    #[error("LINE does not know the channel token")]
    Unauthorized,
    /// For good: it will be refused again.
    #[error("LINE refuses it: {status} {message}")]
    Refused {
        /// LINE's status.
        status: u16,
        /// LINE's own words, shortened.
        message: String,
    },
    /// It is larger than was asked for.
    #[error("LINE's answer is too large")]
    TooLarge,
}

impl Failure {
    /// There is no answer, or not all of it.
    pub(super) fn of_request(error: reqwest::Error) -> Failure {
        let unsent = error.is_connect() || error.is_builder();
        let error = error.without_url();
        // What is at the root tells most.
        let mut cause: &dyn Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let told = if error.is_timeout() { format!("it took too long: {cause}") } else { cause.to_string() };
        if unsent { Failure::NotSent(told) } else { Failure::Lost(told) }
    }

    /// The answer is no success.
    pub(super) fn of_answer(status: StatusCode, body: &[u8], token: &str) -> Failure {
        let message = message(body, token);
        match status {
            StatusCode::UNAUTHORIZED => Failure::Unauthorized,
            StatusCode::TOO_MANY_REQUESTS if message.to_ascii_lowercase().contains("monthly") => Failure::MonthlyLimit,
            StatusCode::TOO_MANY_REQUESTS => Failure::RateLimited,
            StatusCode::REQUEST_TIMEOUT => Failure::Lost(format!("LINE answers {status}")),
            status if status.is_server_error() => Failure::Lost(format!("LINE answers {status}")),
            status => Failure::Refused { status: status.as_u16(), message },
        }
    }
}

/// What LINE says, and of which fields; not what it says of each, which might repeat its contents.
fn message(body: &[u8], token: &str) -> String {
    let Some(answer) = event::json(body) else { return String::new() };
    let mut message = answer["message"].as_str().unwrap_or_default().to_owned();
    let details = answer["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    for property in details.iter().filter_map(|detail| detail["property"].as_str()) {
        message = format!("{message}, {property}");
    }
    let message: String = message.chars().filter(|c| *c == ' ' || c.is_ascii_graphic()).collect();
    // Somebody in between might repeat our request.
    if message.contains(token) { String::new() } else { cut(&message, 200).into_owned() }
}

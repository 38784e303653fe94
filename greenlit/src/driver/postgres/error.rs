//! PostgreSQL's errors, told as every database tells them.

use super::{tls, value::Unfit};
use crate::{Class, Error};

/// The error with its class. SQLSTATEs: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn error(e: &tokio_postgres::Error) -> Error {
    let Some(db) = e.as_db_error() else {
        // Without an answer of the server: either an argument could not be sent, or the connection broke.
        let source = std::error::Error::source(e);
        if let Some(unfit) = source.and_then(|s| s.downcast_ref::<Unfit>()) {
            return Error::Encode(unfit.to_string());
        }
        if tls::refused(e) {
            return Error::Config(format!("the database's certificate is refused: {}", in_full(e)));
        }
        // Such as a zero byte in the statement's text, or more arguments than a message can carry.
        let unsendable = |e: &std::io::Error| e.kind() == std::io::ErrorKind::InvalidInput;
        return match source.and_then(|s| s.downcast_ref::<std::io::Error>()).filter(|e| unsendable(e)) {
            Some(e) => Error::Encode(e.to_string()),
            None => Error::lost(in_full(e)),
        };
    };
    let name = || db.constraint().unwrap_or_default().into();
    let code = db.code().code();
    let class = match code {
        "23505" => Class::Unique(name()),
        // The second is ON DELETE RESTRICT, from PostgreSQL 18 on.
        "23503" | "23001" => Class::ForeignKey(Some(name())),
        // serialization failure, deadlock, lock not available
        "40001" | "40P01" | "55P03" => Class::Retry,
        // shut down, crash, starting up, idle limits, too many connections; 08: connection exceptions
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" | "53300" => Class::Lost,
        _ if code.starts_with("08") => Class::Lost,
        // disk full, out of memory; a file that cannot be read or written; stopped by a limit of the server's
        "53100" | "53200" | "58030" | "57014" => Class::Unavailable,
        _ => Class::Other,
    };
    Error::database(class, Some(code.to_owned()), db.message())
}

/// The error with its cause, which tokio-postgres leaves out of its words.
pub(super) fn in_full(e: &tokio_postgres::Error) -> String {
    std::error::Error::source(e).map_or(e.to_string(), |cause| format!("{e}: {cause}"))
}

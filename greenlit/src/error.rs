//! What can go wrong, in the words of a caller who must decide what to do about it.

use std::sync::Arc;

/// A result whose error is greenlit's unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a session. It can be cloned, and holds no type of a driver: what the database said is in
/// [`DatabaseError`], whole, and there is no further `source`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The database refused a statement or was lost. [`class`](Error::class) tells what to do about it.
    Database(Box<DatabaseError>),
    /// An earlier failure doomed this scope: nothing more runs in it, and it can only be rolled back.
    Aborted(Doom),
    /// COMMIT was not attempted, since something had failed before: everything was rolled back. A COMMIT that the
    /// database refuses is [`Error::Database`].
    RolledBack(Doom),
    /// `db.tx`, `db.read` or `db.fetch` was called inside a session. Pass the session on instead.
    Nested,
    /// [`greenlit::blocking`](crate::blocking) was called where async code runs: it would stop the runtime's thread, and
    /// whatever it waits for with it. Use [`greenlit::Db`](crate::Db) there.
    InsideRuntime,
    /// The time that the session was given has passed.
    Deadline,
    /// The session wanted to run more statements than [`Opts::budget`](crate::Opts::budget) allows.
    Budget {
        /// How many statements it was allowed.
        limit: u32,
        /// The statement that was one too many.
        sql: String,
    },
    /// The statement would end the transaction or change the connection behind the session's back.
    Refused(String),
    /// The commit key was used before; [`Db::outcome`](crate::Db::outcome) has what was stored with it.
    AlreadyDone,
    /// The commit key is in use by a transaction that has not ended yet; try again in a moment.
    InFlight,
    /// COMMIT was sent and its answer was lost: the work may or may not be there. A commit key
    /// ([`Opts::once`](crate::Opts::once)) makes it safe to repeat.
    CommitUnknown,
    /// The outbox job is no longer this worker's: its lease ended and another worker claimed it, or it is done.
    Stale,
    /// `fetch_one` or `insert` found no row.
    NotFound,
    /// A row does not fit the type that it was read into.
    Decode(String),
    /// An argument cannot be sent.
    Encode(String),
    /// The database's URL or its set-up does not allow a start.
    Config(String),
    /// The history of migrations does not fit the database.
    Migration(String),
}

/// Why a scope cannot commit any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doom {
    /// A statement failed.
    StatementFailed,
    /// A statement's future was dropped before it ended.
    StatementDropped,
    /// The future of an inner scope was dropped before it ended.
    ScopeDropped,
    /// An inner `required` scope returned an error.
    RequiredFailed,
    /// The database gave up the transaction: a deadlock, a serialization failure, or its own rollback.
    GivenUp,
    /// The connection was lost.
    ConnectionLost,
    /// The session's deadline passed.
    DeadlinePassed,
    /// The session's statement budget was passed.
    BudgetPassed,
}

/// An error as the database tells it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DatabaseError {
    /// What to do about it.
    pub class: Class,
    /// The database's own code: an SQLSTATE, SQLite's extended result code, or MariaDB's error number.
    pub code: Option<String>,
    /// The database's words. They may name tables and values: for logs, not for users.
    pub message: String,
}

/// What an error means for its caller, the same on every database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// Another transaction was in the way (deadlock, serialization failure, lock): run the whole transaction again.
    Retry,
    /// A unique index was violated; its name.
    Unique(Arc<str>),
    /// A foreign key was violated; its name where the database tells it (SQLite does not).
    ForeignKey(Option<Arc<str>>),
    /// The connection is gone.
    Lost,
    /// The database cannot do it for now, whoever asks: its disk or its memory is full, or an operator's limit ended the
    /// statement. The same work may succeed later; a transaction is not run again at once.
    Unavailable,
    /// Anything else.
    Other,
}

impl Error {
    /// The class of a database's error; [`Class::Other`] for every other error.
    ///
    /// ```
    /// assert_eq!(greenlit::Error::Deadline.class(), greenlit::Class::Other);
    /// ```
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::Database(e) => e.class.clone(),
            _ => Class::Other,
        }
    }

    /// The name of the unique index that was violated, if that is what happened.
    #[must_use]
    pub fn unique(&self) -> Option<&str> {
        match self {
            Error::Database(e) => match &e.class {
                Class::Unique(name) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the same work may succeed later without any change: the database is busy, restarting, full or gone.
    /// Not for [`Error::CommitUnknown`]: that work may be done already.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Database(e) => matches!(e.class, Class::Retry | Class::Lost | Class::Unavailable),
            Error::Aborted(doom) | Error::RolledBack(doom) => {
                matches!(doom, Doom::GivenUp | Doom::ConnectionLost | Doom::DeadlinePassed)
            }
            Error::Deadline | Error::InFlight => true,
            _ => false,
        }
    }

    pub(crate) fn database(class: Class, code: Option<String>, message: impl Into<String>) -> Error {
        Error::Database(Box::new(DatabaseError { class, code, message: message.into() }))
    }

    pub(crate) fn lost(message: impl Into<String>) -> Error {
        Error::database(Class::Lost, None, message)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Database(e) => write!(f, "database: {}", e.message),
            Error::Aborted(doom) => write!(f, "the scope has failed ({doom}): it can only be rolled back"),
            Error::RolledBack(doom) => write!(f, "nothing was committed ({doom}): everything was rolled back"),
            Error::Nested => f.write_str("a session is open already: pass it on instead of opening another"),
            Error::InsideRuntime => {
                f.write_str("greenlit::blocking was called inside an async runtime: use greenlit::Db")
            }
            Error::Deadline => f.write_str("the session's deadline passed"),
            Error::Budget { limit, sql } => write!(f, "the budget of {limit} statements was passed at: {sql}"),
            Error::Refused(what) => write!(f, "not allowed inside a session: {what}"),
            Error::AlreadyDone => f.write_str("this commit key was used before"),
            Error::InFlight => f.write_str("this commit key is in use by a transaction that has not ended"),
            Error::CommitUnknown => f.write_str("COMMIT was sent, its answer was lost"),
            Error::Stale => f.write_str("the outbox job is no longer this worker's"),
            Error::NotFound => f.write_str("no row was found"),
            Error::Decode(what) => write!(f, "a row does not fit: {what}"),
            Error::Encode(what) => write!(f, "an argument cannot be sent: {what}"),
            Error::Config(what) | Error::Migration(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl std::fmt::Display for Doom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Doom::StatementFailed => "a statement failed",
            Doom::StatementDropped => "a statement was dropped half-way",
            Doom::ScopeDropped => "an inner scope was dropped half-way",
            Doom::RequiredFailed => "an inner required scope failed",
            Doom::GivenUp => "the database gave the transaction up",
            Doom::ConnectionLost => "the connection was lost",
            Doom::DeadlinePassed => "the deadline passed",
            Doom::BudgetPassed => "the statement budget was passed",
        })
    }
}

//! How a session shall run.

use std::time::Duration;

use crate::Token;

/// Options of a transaction or a read session. Inner scopes take none, so they cannot contradict the outer one.
///
/// ```
/// use std::time::Duration;
/// use greenlit::Opts;
/// let opts = Opts::default().within(Duration::from_secs(3)).attempts(2).budget(10);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Opts {
    pub(crate) within: Duration,
    pub(crate) attempts: u32,
    pub(crate) budget: u32,
    pub(crate) serializable: bool,
    pub(crate) once: Option<String>,
    pub(crate) after: Option<Token>,
    /// Runs on the connections that are kept apart for `requires_new`.
    pub(crate) separate: bool,
}

impl Default for Opts {
    /// Ten seconds, five attempts, no budget, no commit key; READ COMMITTED for writes.
    fn default() -> Self {
        Opts {
            within: Duration::from_secs(10),
            attempts: 5,
            budget: u32::MAX,
            serializable: false,
            once: None,
            after: None,
            separate: false,
        }
    }
}

impl Opts {
    /// The deadline, counted from the call of `tx` or `read`. It covers the wait for a connection, BEGIN, every
    /// statement and every retry. Once COMMIT was sent it is waited for instead. At most a year.
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time.min(Duration::from_secs(365 * 24 * 60 * 60));
        self
    }

    /// How often the closure is run at most (at least once) when other transactions are in its way or the connection
    /// is lost before COMMIT.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// How many statements the session may run in one attempt. One more fails: an N+1 is a bug that tests should see.
    pub fn budget(mut self, statements: u32) -> Self {
        self.budget = statements;
        self
    }

    /// SERIALIZABLE instead of READ COMMITTED; SQLite is serializable anyway.
    pub fn serializable(mut self) -> Self {
        self.serializable = true;
        self
    }

    /// The commit key: the transaction commits at most once for this key, whatever is repeated. A second run fails
    /// with [`Error::AlreadyDone`](crate::Error::AlreadyDone); [`Tx::outcome`](crate::Tx::outcome) stores an answer
    /// beside it that [`Db::outcome`](crate::Db::outcome) reads back. At most 255 bytes.
    pub fn once(mut self, key: impl Into<String>) -> Self {
        self.once = Some(key.into());
        self
    }

    /// Lets a replica answer a read session, if it has replayed the primary's history up to this token within a tenth of a
    /// second; the primary answers otherwise, and when the session is run again. Without it, and for every transaction
    /// that writes, it is always the primary.
    pub fn after(mut self, token: Token) -> Self {
        self.after = Some(token);
        self
    }
}

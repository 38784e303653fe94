//! Running a session's closure until it commits, fails for good, or runs out of time.

use std::{
    hash::{BuildHasher, RandomState},
    pin::pin,
    time::Duration,
};

use tokio::time::Instant;
use tracing::Instrument;

use crate::{
    Class, Db, Dialect, Error, Opts, Read, Result, Tx,
    driver::{Access, Counters},
    observe::Watch,
    session::Session,
    tx::TxFn,
};

tokio::task_local! {
    /// How many sessions are open around the running code.
    pub(crate) static LEVEL: u8;
}

/// A second session inside one would deadlock a small pool and would not see the first one's work.
pub(crate) fn outermost() -> Result<()> {
    match LEVEL.try_with(|level| *level) {
        Ok(level) if level > 0 => Err(Error::Nested),
        _ => Ok(()),
    }
}

/// How deep the transaction of `requires_new` stands: outside of any session it is the outermost itself.
///
/// Inside one it is the second and last: what holds a separate connection never waits for another, so that the few
/// of them cannot block one another.
pub(crate) fn separate(dialect: Dialect) -> Result<u8> {
    match LEVEL.try_with(|level| *level).unwrap_or(0) {
        0 => Ok(1),
        1 if dialect == Dialect::Sqlite => {
            let one = "requires_new inside a session: SQLite has one writer, which the outer one may hold";
            Err(Error::Refused(one.to_owned()))
        }
        1 => Ok(2),
        _ => Err(Error::Nested),
    }
}

/// The face of a session that the closure gets.
pub(crate) trait Face: Send {
    fn over(session: Session) -> Self;
    fn into_session(self) -> Session;
}

impl Face for Tx {
    fn over(session: Session) -> Self {
        Tx { session }
    }
    fn into_session(self) -> Session {
        self.session
    }
}

impl Face for Read {
    fn over(session: Session) -> Self {
        Read { session }
    }
    fn into_session(self) -> Session {
        self.session
    }
}

pub(crate) async fn drive<S, F, T, E>(db: &Db, opts: &Opts, access: Access, f: F) -> Result<T, E>
where
    S: Face,
    F: for<'a> TxFn<&'a mut S, Result<T, E>> + Clone + Send,
    T: Send,
    E: From<Error> + Send,
{
    let mut watch = Watch::new(access, opts);
    let mut tries = Tries::of(opts);
    loop {
        let mut face = S::over(tries.session(db, opts, access));
        watch.attempts = tries.begun;
        // Pinned where it is: it is large, and would be moved several times.
        let result = pin!(f.clone().call(&mut face).instrument(watch.span())).await;
        let mut session = face.into_session();
        watch.statements += session.statements();
        // The session decides whether the work is run again: what the closure makes of the error is its own business.
        let mut again = session.again();
        let error = match result {
            Ok(value) if access == Access::Write => match session.commit().await {
                Ok(()) => {
                    watch.outcome = "committed";
                    return Ok(value);
                }
                Err(e) => {
                    // Lost: while beginning for the sake of a commit key. A lost COMMIT has another name.
                    again |= matches!(e.class(), Class::Retry | Class::Lost);
                    E::from(e)
                }
            },
            Ok(value) => {
                let failure = session.failure();
                let _ = session.roll_back().await; // a read session sees what is committed, and nothing else
                match failure {
                    None => {
                        watch.outcome = "read";
                        return Ok(value);
                    }
                    // What was read may be half of it, whatever the closure made of the error.
                    Some(doom) => E::from(Error::Aborted(doom)),
                }
            }
            Err(error) => match session.roll_back().await {
                Ok(()) => error,
                Err(e) => {
                    again = true;
                    E::from(e)
                }
            },
        };
        if !again || !tries.more().await {
            watch.outcome = "failed";
            return Err(error);
        }
    }
}

/// Counts the tries of one piece of work, and keeps its deadline.
pub(crate) struct Tries {
    begun: u32,
    limit: u32,
    deadline: Instant,
}

impl Tries {
    pub(crate) fn of(opts: &Opts) -> Tries {
        Tries { begun: 0, limit: opts.attempts, deadline: Instant::now() + opts.within }
    }

    /// A session for the next try.
    fn session(&mut self, db: &Db, opts: &Opts, access: Access) -> Session {
        self.begun += 1;
        if self.begun > 1 {
            Counters::add(&db.counters().retries);
        }
        Session::until(db, opts, access, self.deadline, self.begun == 1)
    }

    /// A session for the next try of reading something without a transaction.
    pub(crate) fn read(&mut self, db: &Db, opts: &Opts) -> Session {
        self.session(db, opts, Access::Read)
    }

    /// Whether the failed session's work may succeed in another try, for which it is time when this returns.
    pub(crate) async fn again(&self, failed: Session) -> bool {
        let again = failed.again();
        drop(failed);
        again && self.more().await
    }

    /// Pauses before the next try, if there is one.
    async fn more(&self) -> bool {
        let wake = Instant::now() + backoff(self.begun);
        if self.begun >= self.limit || wake >= self.deadline {
            return false;
        }
        tokio::time::sleep_until(wake).await;
        true
    }
}

/// Full jitter over a window that doubles from 10 ms to 640 ms.
fn backoff(attempt: u32) -> Duration {
    let window = 10_000_u64 << attempt.min(7).saturating_sub(1);
    // A hasher with fresh keys is the standard library's source of randomness.
    let random = RandomState::new().hash_one(attempt);
    Duration::from_micros(1 + random % window)
}

//! Running a session's closure until it commits, fails for good, or runs out of time.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use tokio::time::Instant;

use crate::{Class, Db, Error, Opts, Read, Result, Tx, driver::Access, session::Session, tx::TxFn};

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
    let deadline = Instant::now() + opts.within;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut face = S::over(Session::until(db, opts, access, deadline));
        let result = f.clone().call(&mut face).await;
        let mut session = face.into_session();
        // The session decides whether the work is run again: what the closure makes of the error is its own business.
        let mut again = session.again();
        let error = match result {
            Ok(value) if access == Access::Write => match session.commit().await {
                Ok(()) => return Ok(value),
                Err(e) => {
                    // Lost: while beginning for the sake of a commit key. A lost COMMIT has another name.
                    again |= matches!(e.class(), Class::Retry | Class::Lost);
                    E::from(e)
                }
            },
            Ok(value) => {
                let failure = session.failure();
                session.roll_back().await;
                match failure {
                    None => return Ok(value),
                    // What was read may be half of it, whatever the closure made of the error.
                    Some(doom) => E::from(Error::Aborted(doom)),
                }
            }
            Err(error) => {
                session.roll_back().await;
                error
            }
        };
        if !again || attempt >= opts.attempts {
            return Err(error);
        }
        let wake = Instant::now() + backoff(attempt);
        if wake >= deadline {
            return Err(error);
        }
        tokio::time::sleep_until(wake).await;
    }
}

/// Full jitter over a window that doubles from 10 ms to 640 ms.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let window = 10_000_u64 << attempt.min(7).saturating_sub(1);
    // A hasher with fresh keys is the standard library's source of randomness.
    let random = RandomState::new().hash_one(attempt);
    Duration::from_micros(1 + random % window)
}

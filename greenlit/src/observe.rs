//! What sessions tell those who watch: counters always, spans and lines when somebody wants them. No value is ever told.
//!
//! The targets are public names: `greenlit::tx` has a span for each session, `greenlit::sql` a span and a line for each
//! statement.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use tracing::{Level, Span, field::Empty};

use crate::{
    Error, Opts, Result,
    driver::{Access, Counters},
    route::Route,
    sql,
};

/// What has happened to a [`Db`](crate::Db) and all of its clones since it was opened: numbers that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Transactions that were committed. Those without any statement have nothing to commit and are not counted, here and
    /// below; neither are migrations.
    pub commits: u64,
    /// Transactions that were rolled back, because their closure failed, because a statement in them did, because another
    /// was in their way, or because their future was dropped. One whose COMMIT was never answered is in neither number.
    pub rollbacks: u64,
    /// Tries after the first, of transactions and of reads.
    pub retries: u64,
    /// Statements that sessions and single reads ran, without BEGIN, COMMIT and the like: what a test of a statement
    /// budget compares.
    pub statements: u64,
    /// How often a session's connection was not there at once: all were in use, one had to be opened, or a replica had
    /// to catch up.
    pub waits: u64,
    /// How long these waits took in all, to the microsecond.
    pub waited: Duration,
    /// Connections opened.
    pub opened: u64,
    /// Connections thrown away because nobody could prove that they were clean.
    pub discarded: u64,
    /// Requests to the server to stop a statement whose future was dropped.
    pub cancelled: u64,
    /// Sessions whose dropped futures left a transaction open that was rolled back, and whose connection is used again.
    pub abandoned: u64,
    /// Warnings of the server, such as "there is already a transaction in progress".
    pub warnings: u64,
    /// COMMITs of SQLite's writer. Sessions that write at the same time share one; elsewhere this stays 0.
    pub groups: u64,
}

impl Stats {
    /// What all of its pools have counted.
    pub(crate) fn of(route: &Route) -> Stats {
        let sum = |counter: fn(&Counters) -> &AtomicU64| {
            route.pools().map(|pool| counter(pool.counters()).load(Relaxed)).sum()
        };
        Stats {
            commits: sum(|c| &c.commits),
            rollbacks: sum(|c| &c.rollbacks),
            retries: sum(|c| &c.retries),
            statements: sum(|c| &c.statements),
            waits: sum(|c| &c.waits),
            waited: Duration::from_micros(sum(|c| &c.waited_us)),
            opened: sum(|c| &c.opened),
            discarded: sum(|c| &c.discarded),
            cancelled: sum(|c| &c.cancelled),
            abandoned: sum(|c| &c.rolled_back),
            warnings: sum(|c| &c.warnings),
            groups: sum(|c| &c.groups),
        }
    }
}

/// A transaction or read session, from its first try to its end.
pub(crate) struct Watch {
    span: Span,
    /// If anybody listens.
    begun: Option<Instant>,
    pub(crate) attempts: u32,
    pub(crate) statements: u32,
    pub(crate) outcome: &'static str,
}

impl Watch {
    pub(crate) fn new(access: Access, opts: &Opts) -> Watch {
        let kind = match access {
            Access::Read => "read",
            Access::Write if opts.separate => "requires_new",
            Access::Write => "tx",
        };
        let span = tracing::debug_span!(
            target: "greenlit::tx", "greenlit.tx",
            kind, attempts = Empty, statements = Empty, outcome = Empty, duration_us = Empty
        );
        let begun = (!span.is_none()).then(Instant::now);
        Watch { span, begun, attempts: 0, statements: 0, outcome: "dropped" }
    }

    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(begun) = self.begun {
            self.span.record("attempts", self.attempts).record("statements", self.statements);
            self.span.record("outcome", self.outcome).record("duration_us", micros(begun.elapsed()));
        }
    }
}

/// A statement of the application's, while it runs.
pub(crate) struct Statement<'a> {
    sql: &'a str,
    begun: Instant,
    /// From when on it is slow.
    slow: Option<Duration>,
    span: Option<Span>,
}

impl<'a> Statement<'a> {
    pub(crate) fn new(sql: &'a str, slow: Option<Duration>) -> Statement<'a> {
        let wanted = tracing::enabled!(target: "greenlit::sql", Level::DEBUG);
        let span = wanted.then(|| {
            let fingerprint = fingerprint(&sql::without_values(sql));
            tracing::debug_span!(
                target: "greenlit::sql", "greenlit.statement",
                fingerprint, rows = Empty, duration_us = Empty
            )
        });
        Statement { sql, begun: Instant::now(), slow, span }
    }

    /// Tells how it ended: with so many rows, or with an error, of which only the class is told.
    pub(crate) fn ended(self, rows: Result<u64, &Error>) {
        let took = self.begun.elapsed();
        let slow = self.slow.is_some_and(|limit| took >= limit);
        if self.span.is_none() && !slow {
            return;
        }
        let sql = sql::without_values(self.sql);
        let (fingerprint, duration_us) = (fingerprint(&sql), micros(took));
        let error = rows.err().map(|e| tracing::field::debug(e.class()));
        let rows = rows.ok();
        if let Some(span) = &self.span {
            span.record("rows", rows).record("duration_us", duration_us);
            tracing::debug!(target: "greenlit::sql", parent: span, rows, error, duration_us, "{sql}");
        }
        if slow {
            tracing::warn!(target: "greenlit::sql", fingerprint, rows, error, duration_us, "slow statement: {sql}");
        }
    }
}

/// A name for all statements with the same text, that stays the same (FNV-1a).
fn fingerprint(sql: &str) -> String {
    let hash = sql
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// Counts the wait for a connection that is not there at once, and how long it takes, also if it is given up.
pub(crate) fn waited<F: Future>(mut acquire: Pin<&mut F>, counters: &Counters) -> impl Future<Output = F::Output> {
    let mut wait = None;
    poll_fn(move |cx| {
        let polled = acquire.as_mut().poll(cx);
        if polled.is_pending() {
            wait.get_or_insert_with(|| Wait { begun: Instant::now(), counters });
        }
        polled
    })
}

struct Wait<'a> {
    begun: Instant,
    counters: &'a Counters,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        Counters::add(&self.counters.waits);
        self.counters.waited_us.fetch_add(micros(self.begun.elapsed()), Relaxed);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_stay_as_they_are() {
        // They stand in dashboards: the reference values of FNV-1a.
        assert_eq!(fingerprint(""), "cbf29ce484222325");
        assert_eq!(fingerprint("foobar"), "85944171f73967e8");
    }
}

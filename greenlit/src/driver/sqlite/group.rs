//! The transaction that several of SQLite's writing sessions share, and how it ends.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Counters, engine::Engine};
use crate::{Class, Error, Result};

/// A group is closed between two sessions when it is this large or this old.
const LARGEST_GROUP: usize = 64;
const OLDEST_GROUP: Duration = Duration::from_millis(5);
/// How long a COMMIT that another process holds up is repeated.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);
/// What changed at most so many rows is undone in memory, right where it is dropped.
const FEW_CHANGES: u64 = 64;

/// The writer's connection, and the sessions whose work is in its transaction.
#[derive(Default)]
pub(super) struct Group {
    /// Absent before the first turn, and after nobody could prove that it was clean.
    pub(super) engine: Option<Engine>,
    /// Those who have ended their turn and wait for the COMMIT.
    members: Vec<oneshot::Sender<Result<()>>>,
    /// Since when the transaction is open.
    since: Option<Instant>,
    /// The savepoint of the session whose turn it is was opened.
    pub(super) in_savepoint: bool,
    /// How many rows had been changed before that.
    changes: u64,
}

impl Group {
    fn is_open(&self) -> bool {
        self.engine.as_ref().is_some_and(Engine::in_transaction)
    }

    /// Whether others wait for the COMMIT of this transaction.
    pub(super) fn is_shared(&self) -> bool {
        !self.members.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.members.len() >= LARGEST_GROUP
            || (self.is_shared() && self.since.is_some_and(|since| since.elapsed() >= OLDEST_GROUP))
    }

    pub(super) fn is_undone_quickly(&self) -> bool {
        !self.in_savepoint || self.engine.as_ref().is_none_or(|e| e.changes() - self.changes <= FEW_CHANGES)
    }

    /// Opens the session's savepoint, and before it the transaction unless it is open.
    pub(super) fn begin(&mut self) -> Result<()> {
        let Some(engine) = &self.engine else { return Err(Error::lost("the writer was lost")) };
        if !engine.in_transaction() {
            engine.command("BEGIN IMMEDIATE")?;
            self.since = Some(Instant::now());
        }
        self.changes = engine.changes();
        engine.command("SAVEPOINT turn")?;
        self.in_savepoint = true;
        Ok(())
    }

    /// Whether the engine has ended the transaction by itself. Then everybody's work in it is gone.
    pub(super) fn has_ended(&mut self, counters: &Counters) -> bool {
        let ended = self.in_savepoint && !self.is_open();
        if ended {
            self.give_up(counters, run_again("another session's error ended the shared transaction"));
        }
        ended
    }

    /// The point of no return: whatever could make the COMMIT fail because of this session is looked for before.
    pub(super) fn release(&mut self, tell: oneshot::Sender<Result<()>>) -> Result<()> {
        let Some(engine) = self.engine.as_ref().filter(|_| self.in_savepoint) else {
            return Err(Error::lost("there is no transaction to commit"));
        };
        engine.check_deferred_foreign_keys()?;
        engine.command("RELEASE turn")?;
        self.in_savepoint = false;
        self.members.push(tell);
        Ok(())
    }

    /// Lets a session that has failed wait for the COMMIT of those before it, whose work it may have seen. `None`: there is
    /// nobody, or it has seen nothing.
    pub(super) fn witness(&mut self) -> Option<oneshot::Receiver<Result<()>>> {
        if !self.is_shared() || !self.in_savepoint {
            return None;
        }
        let (tell, told) = oneshot::channel();
        self.members.push(tell);
        Some(told)
    }

    /// Undoes the work of the session whose turn it is, and of nobody else.
    pub(super) fn undo(&mut self, counters: &Counters) {
        let clean =
            if self.is_shared() { !self.in_savepoint || self.undo_savepoint().is_ok() } else { !self.is_open() };
        self.in_savepoint = false;
        if !clean {
            self.give_up(counters, run_again("the shared transaction could not be kept"));
        }
    }

    fn undo_savepoint(&self) -> Result<()> {
        let Some(engine) = &self.engine else { return Ok(()) };
        engine.command("ROLLBACK TO turn")?;
        engine.command("RELEASE turn")
    }

    /// Commits.
    pub(super) fn commit(&mut self, counters: &Counters) -> Answers {
        let patience = Instant::now() + COMMIT_PATIENCE;
        let committed = loop {
            let Some(engine) = &self.engine else { break Err(Error::lost("there is no transaction to commit")) };
            match engine.command("COMMIT") {
                // BUSY leaves the transaction as it was: the same COMMIT is repeated, not the work.
                Err(e) if e.class() == Class::Retry && Instant::now() < patience => {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                committed => break committed,
            }
        };
        match committed {
            Ok(()) => Counters::add(&counters.groups),
            Err(_) => self.roll_back(counters),
        }
        let answer = committed.map_err(|e| match self.members.len() {
            0 | 1 => e, // who is alone has nobody else to blame
            _ => run_again(format!("the shared COMMIT failed: {e}")),
        });
        Answers(std::mem::take(&mut self.members), answer)
    }

    /// Rolls the whole transaction back, and tells everybody in it why.
    fn give_up(&mut self, counters: &Counters, why: Error) {
        self.roll_back(counters);
        Answers(std::mem::take(&mut self.members), Err(why)).tell();
    }

    fn roll_back(&mut self, counters: &Counters) {
        self.in_savepoint = false;
        if self.is_open() {
            let _ = self.engine.as_ref().map(|engine| engine.command("ROLLBACK"));
            if self.is_open() {
                self.engine = None;
                Counters::add(&counters.discarded);
            }
        }
    }
}

/// What the sessions of a group wait to be told.
#[must_use]
pub(super) struct Answers(Vec<oneshot::Sender<Result<()>>>, Result<()>);

impl Answers {
    pub(super) fn tell(self) {
        for member in self.0 {
            let _ = member.send(self.1.clone());
        }
    }
}

/// For those whose work is gone without their fault.
fn run_again(why: impl Into<String>) -> Error {
    Error::database(Class::Retry, None, why)
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_is_answered_busy_is_repeated() {
        let scratch = crate::testing::Scratch::sqlite().unwrap();
        let file = scratch.url().strip_prefix("sqlite:").unwrap();
        // Not in WAL mode, where nothing is in the way of a COMMIT: here it waits for readers.
        #[allow(clippy::disallowed_methods)] // as greenlit would not open it
        let open = || rusqlite::Connection::open(file).unwrap();
        let (writer, reader) = (open(), open());
        writer.execute_batch("create table item (id integer)").unwrap();
        let mut group = Group { engine: Some(Engine::over(writer).unwrap()), ..Group::default() };
        group.begin().unwrap();
        group.engine.as_ref().unwrap().script("insert into item values (1)").unwrap();
        let (tell, mut told) = oneshot::channel();
        group.release(tell).unwrap();
        reader.execute_batch("begin; select * from item").unwrap();
        let busy = group.engine.as_ref().unwrap().command("COMMIT").unwrap_err();
        assert_eq!(busy.class(), Class::Retry, "{busy:?}");
        let leaves = std::thread::spawn(move || {
            std::thread::park_timeout(Duration::from_millis(100));
            reader.execute_batch("rollback").unwrap();
            reader
        });
        let counters = Counters::default();
        group.commit(&counters).tell();
        assert!(told.try_recv().unwrap().is_ok());
        let seen: i64 = leaves.join().unwrap().query_row("select count(*) from item", [], |row| row.get(0)).unwrap();
        assert_eq!(seen, 1);
    }
}

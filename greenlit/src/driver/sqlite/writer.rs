//! SQLite's one writer, and the transaction that several sessions share.
//!
//! Sessions take turns, first come, first served. Each works in a savepoint of its own inside the writer's transaction, and
//! RELEASE ends its turn. The COMMIT comes when nobody else waits for a turn, or the group is full: then all of its sessions
//! are answered together, for the price of one flush to the disk.
//!
//! Wherever a [`Turn`] is dropped, what is unfinished in it is undone and the writer goes to the next one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::oneshot, time::timeout};

use super::{
    Counters,
    engine::{Engine, Limits, lock},
    group::{Answers, Group},
};
use crate::{Class, Error, Result};

/// How long a session's turn may be while others, who ended theirs, wait for the COMMIT that comes after it.
const LONGEST_TURN: Duration = Duration::from_secs(1);
/// How often those who wait look whether the turn is longer.
const LOOKS: Duration = Duration::from_millis(250);

pub(super) struct Writer {
    place: Mutex<Place>,
    counters: Arc<Counters>,
}

/// Where the writer is, and who waits for it.
struct Place {
    /// Absent while somebody works with it.
    group: Option<Box<Group>>,
    /// The number of the latest turn, and whether it goes on.
    turn: u64,
    goes_on: bool,
    since: Instant,
    /// Somebody saw that the turn takes too long while a statement of it was running.
    overdue: bool,
    /// The limits of the running statement.
    limits: Option<Arc<Mutex<Limits>>>,
    queue: VecDeque<oneshot::Sender<Turn>>,
}

/// A session's right to the writer. Between its statements the group stays with the [`Writer`], so that a turn that takes
/// too long can be ended from outside.
pub(super) struct Turn {
    writer: Arc<Writer>,
    number: u64,
    group: Option<Box<Group>>,
}

impl Writer {
    pub(super) fn new(counters: Arc<Counters>) -> Writer {
        let place = Place {
            group: Some(Box::default()),
            turn: 0,
            goes_on: false,
            since: Instant::now(),
            overdue: false,
            limits: None,
            queue: VecDeque::new(),
        };
        Writer { place: Mutex::new(place), counters }
    }

    /// Waits for the writer.
    pub(super) async fn turn(self: &Arc<Writer>) -> Result<Turn> {
        let waiting = {
            let mut place = lock(&self.place);
            if !place.goes_on
                && let Some(group) = place.group.take()
            {
                return Ok(place.begin_turn(self, group));
            }
            let (hand, waiting) = oneshot::channel();
            place.queue.push_back(hand);
            waiting
        };
        waiting.await.map_err(|_| Error::lost("the writer was lost"))
    }

    /// Gives the group to the next who waits for a turn. If nobody does, or the group is full, gives it back to be
    /// committed first.
    fn pass_on(self: &Arc<Writer>, mut group: Box<Group>) -> Option<Box<Group>> {
        if group.is_full() {
            return Some(group);
        }
        loop {
            let mut place = lock(&self.place);
            let Some(hand) = place.queue.pop_front() else {
                if group.is_shared() {
                    return Some(group);
                }
                place.goes_on = false;
                place.group = Some(group);
                return None;
            };
            let turn = place.begin_turn(self, group);
            drop(place);
            match hand.send(turn) {
                Ok(()) => return None, // and if it is dropped there, that ends the turn
                Err(mut gone) => group = gone.group.take()?,
            }
        }
    }

    /// Undoes what is unfinished, commits what is due, and passes the writer on.
    fn settle(self: Arc<Writer>, mut group: Box<Group>) {
        if group.is_undone_quickly() {
            group.undo(&self.counters);
            match self.pass_on(group) {
                None => return,
                Some(due) => group = due,
            }
        }
        let settling = Settling { writer: self, group: Some(group) };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(settling))),
            Err(_) => drop(settling),
        }
    }

    /// Ends the turn that goes on, if it takes too long: to be called by those who wait for the COMMIT behind it.
    fn end_overdue_turn(self: &Arc<Writer>) {
        let mut place = lock(&self.place);
        if !place.goes_on || place.since.elapsed() < LONGEST_TURN {
            return;
        }
        match place.group.take() {
            Some(group) => {
                place.turn += 1; // the session's own number is worth nothing from now on
                drop(place);
                self.clone().settle(group);
            }
            None => {
                place.overdue = true;
                if let Some(limits) = &place.limits {
                    lock(limits).give_up();
                }
            }
        }
    }
}

impl Place {
    fn begin_turn(&mut self, writer: &Arc<Writer>, group: Box<Group>) -> Turn {
        self.turn += 1;
        self.goes_on = true;
        self.since = Instant::now();
        self.overdue = false;
        self.limits = group.engine.as_ref().map(|engine| engine.limits().clone());
        Turn { writer: writer.clone(), number: self.turn, group: Some(group) }
    }

    fn belongs_to(&self, turn: u64) -> bool {
        self.goes_on && self.turn == turn
    }

    fn is_overdue(&self, group: &Group) -> bool {
        self.overdue || (group.is_shared() && self.since.elapsed() >= LONGEST_TURN)
    }
}

/// Work that may touch the disk. It is done when this is dropped: on a thread, or wherever a runtime that ends drops what
/// it will not run any more. Nothing is lost then, and the writer least of all.
struct Settling {
    writer: Arc<Writer>,
    group: Option<Box<Group>>,
}

impl Drop for Settling {
    fn drop(&mut self) {
        let counters = &self.writer.counters;
        let Some(mut group) = self.group.take() else { return };
        group.undo(counters);
        let mut answers: Option<Answers> = None;
        loop {
            let due = self.writer.pass_on(group);
            // Not before the writer is free: who is told may ask for it at once.
            if let Some(answers) = answers.take() {
                answers.tell();
            }
            let Some(mut next) = due else { return };
            answers = Some(next.commit(counters));
            group = next;
        }
    }
}

fn turn_is_over() -> Error {
    Error::database(Class::Retry, None, "the session's turn took too long while others waited for its end to commit")
}

impl Turn {
    /// Takes the group for a statement.
    pub(super) fn enter(&mut self) -> Result<()> {
        let mut place = lock(&self.writer.place);
        if self.group.is_none() && place.belongs_to(self.number) {
            self.group = place.group.take();
        }
        if self.group.as_ref().is_some_and(|group| !place.is_overdue(group)) { Ok(()) } else { Err(turn_is_over()) }
    }

    /// Puts the group back after a statement; tells whether the engine has ended the transaction by itself.
    pub(super) fn leave(&mut self) -> Result<bool> {
        let ended = self.group.as_mut().is_some_and(|group| group.has_ended(&self.writer.counters));
        let mut place = lock(&self.writer.place);
        if place.overdue {
            return Err(turn_is_over());
        }
        place.group = self.group.take();
        Ok(ended)
    }

    /// The engine, while the group is taken.
    pub(super) fn engine(&self) -> Option<&Engine> {
        self.group.as_ref()?.engine.as_ref()
    }

    /// Brings the engine that is missing.
    pub(super) fn equip(&mut self, engine: Engine) {
        if let Some(group) = &mut self.group {
            group.engine = Some(engine);
        }
    }

    /// Opens the session's savepoint.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.group.as_mut().ok_or_else(turn_is_over)?.begin()
    }

    /// Commits those whose turn was before.
    pub(super) fn commit_others(&mut self) {
        if let Some(group) = self.group.as_mut().filter(|group| group.is_shared()) {
            group.commit(&self.writer.counters).tell();
        }
    }

    /// Ends the turn with its work in the group; from here on nothing can undo it alone. The answer comes with the COMMIT.
    ///
    /// The first error leaves the turn as it is.
    pub(super) fn release(&mut self) -> Result<impl Future<Output = Result<()>> + Send + use<>> {
        self.enter()?;
        let (tell, told) = oneshot::channel();
        if let Some(group) = &mut self.group {
            group.release(tell)?;
        }
        if let Some(group) = self.group.take() {
            self.writer.clone().settle(group);
        }
        Ok(answer(self.writer.clone(), told))
    }
}

async fn answer(writer: Arc<Writer>, mut told: oneshot::Receiver<Result<()>>) -> Result<()> {
    loop {
        match timeout(LOOKS, &mut told).await {
            Ok(answer) => return answer.unwrap_or_else(|_| Err(Error::lost("the writer was lost at COMMIT"))),
            Err(_) => writer.end_overdue_turn(),
        }
    }
}

impl Turn {
    /// Ends the turn without a trace. Whoever was answered now would be told of work that may never be committed: the answer
    /// comes with the COMMIT of those whose turn was before.
    pub(super) async fn roll_back(mut self) -> Result<()> {
        let Some(mut group) = self.take() else { return Ok(()) };
        let told = group.witness();
        self.writer.clone().settle(group);
        match told {
            Some(told) => answer(self.writer.clone(), told).await,
            None => Ok(()),
        }
    }

    /// The group, wherever it is, unless the turn is over.
    fn take(&mut self) -> Option<Box<Group>> {
        self.group.take().or_else(|| {
            let mut place = lock(&self.writer.place);
            if place.belongs_to(self.number) { place.group.take() } else { None }
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(group) = self.take() else { return };
        if group.in_savepoint {
            Counters::add(&self.writer.counters.rolled_back);
        }
        self.writer.clone().settle(group);
    }
}

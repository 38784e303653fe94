//! What a transaction and a read session have in common: one connection, taken at the first statement, and the state
//! that decides what may still happen on it.

use std::{fmt, mem, pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::{
    Class, Db, Doom, Error, Opts, Result, Value,
    commit::{self, Effect, Unstoppable, end, run_effects},
    deadline::Deadline,
    driver::{Access, Begin, Conn, Counters, Savepoint},
    observe, once,
    row::Answer,
    sql,
    statements::Statement,
};

/// How long a caller waits for the answer to a COMMIT before it is told that the outcome is unknown, and for the effects.
/// Both go on.
const COMMIT_PATIENCE: Duration = Duration::from_secs(30);
/// How many savepoints may be open inside each other. More is a recursion that nobody meant, and PostgreSQL slows down
/// for everybody past 64.
const SAVEPOINTS: usize = 32;

#[derive(Default)]
struct Scope {
    failed: Option<Doom>,
    /// How many effects were registered before this scope opened.
    effects: usize,
}

pub(crate) struct Session {
    db: Db,
    access: Access,
    opts: Opts,
    deadline: Deadline,
    /// Not run again, so far.
    first: bool,
    conn: Option<Conn>,
    /// A statement was begun and has not ended; it stays so if the statement's future is dropped.
    in_flight: bool,
    /// Why the whole transaction is lost, whatever its scopes do.
    doom: Option<Doom>,
    /// The database or the connection gave up: the same work may succeed when it is run again.
    again: bool,
    /// The innermost open scope, and those around it; the outermost is the transaction itself.
    scope: Scope,
    outer: Vec<Scope>,
    effects: Vec<Effect>,
    statements: u32,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = (self.access, self.outer.len(), self.failure());
        f.debug_struct("Session").field("access, outer scopes, failure", &state).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn until(db: &Db, opts: &Opts, access: Access, deadline: Instant, first: bool) -> Session {
        Session {
            db: db.clone(),
            access,
            opts: opts.clone(),
            deadline: Deadline::new(deadline),
            first,
            conn: None,
            in_flight: false,
            doom: None,
            again: false,
            scope: Scope::default(),
            outer: Vec::new(),
            effects: Vec::new(),
            statements: 0,
        }
    }

    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    pub(crate) fn again(&self) -> bool {
        self.again
    }

    /// The commit key.
    pub(crate) fn once(&self) -> Option<&str> {
        self.opts.once.as_deref()
    }

    /// Why nothing may run any more in the innermost scope.
    pub(crate) fn failure(&self) -> Option<Doom> {
        let dropped = self.in_flight.then_some(Doom::StatementDropped);
        dropped.or(self.doom).or(self.scope.failed)
    }

    pub(crate) fn fail_scope(&mut self, doom: Doom) {
        self.scope.failed.get_or_insert(doom);
    }

    pub(crate) fn doom(&mut self, doom: Doom) {
        self.doom.get_or_insert(doom);
    }

    /// Runs a statement of the application's.
    pub(crate) async fn run(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        let (statement, args) = self.admit(sql, args)?;
        self.begun().await?;
        self.answer(sql, &statement, args).await
    }

    /// Runs an INSERT of the application's that brings back its id, if it inserted a row.
    pub(crate) async fn insert(&mut self, sql: &str, args: Vec<Value>) -> Result<Option<i64>> {
        let (statement, args) = self.admit(sql, args)?;
        self.begun().await?;
        let watch = observe::Statement::new(sql, self.db.route.slow_statement());
        let id = self.statement(async |conn| conn.insert(&statement, args).await).await;
        watch.ended(id.as_ref().map(|id| id.is_some().into()));
        id
    }

    async fn answer(&mut self, sql: &str, statement: &Arc<Statement>, args: Vec<Value>) -> Result<Answer> {
        let watch = observe::Statement::new(sql, self.db.route.slow_statement());
        let answer = self.statement(async |conn| conn.run(statement, args).await).await;
        watch.ended(answer.as_ref().map(|answer| answer.affected));
        answer
    }

    /// Runs one read statement without a transaction around it.
    pub(crate) async fn single(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        let (statement, args) = self.admit(sql, args)?;
        self.connected().await?;
        self.answer(sql, &statement, args).await
    }

    /// Asks where the history of the database stands.
    pub(crate) async fn position(&mut self) -> Result<String> {
        self.connected().await?;
        self.statement(async |conn| conn.position().await).await
    }

    /// Whether the statement may run now, and as what it runs: with its lists written out.
    fn admit(&mut self, sql: &str, args: Vec<Value>) -> Result<(Arc<Statement>, Vec<Value>)> {
        if let Some(doom) = self.failure() {
            return Err(Error::Aborted(doom));
        }
        let (text, args) = sql::spread(sql, args);
        let statement = self.db.route.statements().get(&text);
        if let Some(word) = &statement.refused {
            self.fail_scope(Doom::StatementFailed);
            return Err(Error::Refused(word.clone()));
        }
        self.statements += 1;
        Counters::add(&self.db.counters().statements);
        if self.statements > self.opts.budget {
            self.doom(Doom::BudgetPassed);
            let limit = self.opts.budget;
            return Err(Error::Budget { limit, sql: sql.to_owned() });
        }
        Ok((statement, args))
    }

    /// Takes the connection and begins the transaction, unless that was done before.
    pub(crate) async fn begun(&mut self) -> Result<()> {
        if self.conn.is_some() {
            return Ok(());
        }
        self.connected().await?;
        if let Some(conn) = self.conn.as_mut().filter(|_| !self.first) {
            conn.alone(); // it may be one that takes long
        }
        let begin = Begin { access: self.access, serializable: self.opts.serializable };
        self.statement(async |conn| conn.begin(begin).await).await.inspect_err(|_| self.doom(Doom::StatementFailed))?;
        match self.opts.once.clone() {
            Some(key) => once::take(self, &key).await,
            None => Ok(()),
        }
    }

    async fn connected(&mut self) -> Result<()> {
        self.in_flight = true;
        let acquired = {
            let acquire = pin!(self.db.route.acquire(self.access, &self.opts, self.first));
            self.deadline.meet(pin!(observe::waited(acquire, self.db.counters()))).await
        };
        self.in_flight = false;
        match acquired {
            Some(Ok(conn)) => {
                self.conn = Some(conn);
                Ok(())
            }
            Some(Err(e)) => {
                self.judge(&e);
                Err(e)
            }
            None => {
                self.doom(Doom::DeadlinePassed);
                Err(Error::Deadline)
            }
        }
    }

    /// Runs one thing on the connection, within the deadline, and learns from its error what may follow.
    pub(crate) async fn statement<T>(&mut self, work: impl AsyncFnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let Some(conn) = &mut self.conn else {
            return Err(Error::Aborted(Doom::ConnectionLost));
        };
        self.in_flight = true;
        let result = self.deadline.meet(pin!(work(conn))).await;
        self.in_flight = false;
        let Some(result) = result else {
            self.doom(Doom::DeadlinePassed);
            return Err(Error::Deadline);
        };
        if self.conn.as_ref().is_some_and(Conn::transaction_ended) {
            // Whatever ran now would commit on its own.
            self.doom(Doom::GivenUp);
        }
        if let Err(e) = &result {
            self.judge(e);
        }
        result
    }

    fn judge(&mut self, e: &Error) {
        match e.class() {
            Class::Retry => {
                self.again = true;
                self.doom(Doom::GivenUp);
            }
            Class::Lost => {
                self.again = true;
                self.doom(Doom::ConnectionLost);
            }
            _ => self.fail_scope(Doom::StatementFailed),
        }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Opens a savepoint and its scope.
    pub(crate) async fn open_scope(&mut self) -> Result<()> {
        if let Some(doom) = self.failure() {
            return Err(Error::Aborted(doom));
        }
        let depth = self.outer.len() + 1;
        if depth > SAVEPOINTS {
            self.fail_scope(Doom::StatementFailed);
            return Err(Error::Refused(format!("more than {SAVEPOINTS} savepoints inside each other")));
        }
        self.begun().await?;
        self.statement(async |conn| conn.savepoint(Savepoint::Open(depth)).await).await?;
        let inner = Scope { failed: None, effects: self.effects.len() };
        self.outer.push(mem::replace(&mut self.scope, inner));
        Ok(())
    }

    /// Closes the innermost scope: keeps its work if `keep` and nothing failed in it, else undoes its rows and effects.
    ///
    /// `Ok(None)`: kept. `Ok(Some(doom))`: undone, and why if it was not the caller's wish.
    pub(crate) async fn close_scope(&mut self, keep: bool) -> Result<Option<Doom>> {
        let failure = self.failure();
        let outer = self.outer.pop().unwrap_or_default();
        let scope = mem::replace(&mut self.scope, outer);
        let depth = self.outer.len() + 1;
        if keep && failure.is_none() {
            self.statement(async |conn| conn.savepoint(Savepoint::Release(depth)).await).await?;
            return Ok(None);
        }
        self.effects.truncate(scope.effects);
        if self.doom.is_none() && !self.in_flight {
            self.statement(async |conn| conn.savepoint(Savepoint::RollBackTo(depth)).await).await?;
        }
        Ok(failure)
    }

    /// Commits, and runs the effects once that is acknowledged.
    pub(crate) async fn commit(mut self) -> Result<()> {
        if let Some(doom) = self.failure() {
            Box::pin(self.roll_back()).await?;
            return Err(Error::RolledBack(doom));
        }
        if self.conn.is_none() && self.opts.once.is_some() {
            Box::pin(self.begun()).await?;
        }
        let conn = self.conn.take();
        let (effects, once, db) = (mem::take(&mut self.effects), self.opts.once.clone(), self.db.clone());
        let (tell, mut told) = tokio::sync::oneshot::channel();
        let commit = Unstoppable::new(async move {
            let ended = match conn {
                Some(conn) => {
                    let ended = end(&db, conn, once).await;
                    match &ended {
                        Ok(()) => Counters::add(&db.counters().commits),
                        Err(Error::CommitUnknown) => {}
                        Err(_) => Counters::add(&db.counters().rollbacks),
                    }
                    ended
                }
                None => Ok(()),
            };
            let committed = ended.is_ok();
            let _ = tell.send(ended);
            if committed {
                run_effects(effects).await;
            }
        });
        // Effects that take longer go on behind the caller's back: what they do cannot change the outcome.
        let _ = timeout_at(Instant::now() + COMMIT_PATIENCE, commit).await;
        told.try_recv().unwrap_or(Err(Error::CommitUnknown))
    }

    fn count_rollback(&self) {
        if self.conn.is_some() && self.access == Access::Write {
            Counters::add(&self.db.counters().rollbacks);
        }
    }

    /// How many statements it ran.
    pub(crate) fn statements(&self) -> u32 {
        self.statements
    }

    /// Ends the session without a trace. What cannot be rolled back in time is cleaned up by the connection's `Drop`.
    ///
    /// An error means that the session saw what was never committed: it has to be run again, whatever it made of that.
    pub(crate) async fn roll_back(&mut self) -> Result<()> {
        self.count_rollback();
        let Some(conn) = self.conn.take() else { return Ok(()) };
        if self.in_flight || self.doom == Some(Doom::DeadlinePassed) {
            return Ok(());
        }
        commit::roll_back(conn).await.inspect_err(|_| self.again = true)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.count_rollback(); // unless it has ended before: then its connection is gone
    }
}

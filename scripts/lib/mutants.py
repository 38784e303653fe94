"""The faults that scripts/mutants plants: a name, the laws that should see it, and what is changed in greenlit/src."""


def one(name, laws, file, old, new):
    return name, laws, [(file, old, new)]


SESSION = [
    one("effects before COMMIT", [33], "session.rs",
        "let ended = match conn {",
        "let mut effects = effects; run_effects(std::mem::take(&mut effects)).await; let ended = match conn {"),
    one("effects after a refused COMMIT", [25, 33], "session.rs",
        "if committed {", "if committed || !effects.is_empty() {"),
    one("effects not in tasks of their own", [33], "commit.rs",
        "let _ = tokio::spawn(async move { effect().await }).await;", "effect().await;"),
    one("a COMMIT ends with its caller", [12, 33], "commit.rs", "runtime.spawn(rest);", "drop((runtime, rest));"),
    ("Ok before COMMIT", [25, 35], [
        ("session.rs", "let _ = timeout_at(Instant::now() + COMMIT_PATIENCE, commit).await;",
         "drop(tokio::spawn(commit));"),
        ("session.rs", "told.try_recv().unwrap_or(Err(Error::CommitUnknown))", "drop(told.try_recv()); Ok(())"),
    ]),
    one("a lost COMMIT counts as not committed", [26], "commit.rs",
        "None => Err(Error::CommitUnknown),", 'None => Err(Error::database(Class::Other, None, "lost")),'),
    one("a lost COMMIT is run again without a key", [26], "commit.rs",
        "None => Err(Error::CommitUnknown),", 'None => Err(Error::database(Class::Retry, None, "lost")),'),
    one("a lost COMMIT with a key counts as committed", [26], "commit.rs",
        "Some(key) => Box::pin(once::resolve(db, &key)).await,", "Some(_) => Ok(()),"),
    one("COMMIT although the scope has failed", [9, 15, 24], "session.rs",
        "if let Some(doom) = self.failure() {\n            Box::pin(self.roll_back()).await?;",
        "if let Some(doom) = self.failure().filter(|_| false) {\n            Box::pin(self.roll_back()).await?;"),
    one("a deadlock fails its scope only", [18], "session.rs",
        "self.again = true;\n                self.doom(Doom::GivenUp);",
        "self.again = true;\n                self.fail_scope(Doom::GivenUp);"),
    one("a failed statement does not poison its scope", [17], "session.rs",
        "_ => self.fail_scope(Doom::StatementFailed),", "_ => {}"),
    one("a savepoint that fails keeps its effects", [16], "session.rs",
        "self.effects.truncate(scope.effects);", "let _ = scope;"),
    one("a savepoint that fails keeps its rows", [16], "session.rs",
        "conn.savepoint(Savepoint::RollBackTo(depth))", "conn.savepoint(Savepoint::Release(depth))"),
    one("a dropped statement is forgotten", [9], "session.rs",
        "self.in_flight = true;\n        let result", "self.in_flight = false;\n        let result"),
    one("a transaction that the database ended goes unnoticed", [19], "session.rs",
        "if self.conn.as_ref().is_some_and(Conn::transaction_ended) {", "if false {"),
    one("a lost connection is not replaced", [30], "session.rs",
        "self.again = true;\n                self.doom(Doom::ConnectionLost);", "self.doom(Doom::ConnectionLost);"),
    one("the deadline is not over the wait for a connection", [36], "session.rs",
        "self.deadline.meet(pin!(observe::waited(acquire, self.db.counters()))).await", "Some(acquire.await)"),
    one("the deadline is not over statements", [36], "session.rs",
        "self.deadline.meet(pin!(work(conn))).await", "Some(work(conn).await)"),
    one("the budget is off by one", [38], "session.rs",
        "if self.statements > self.opts.budget {", "if self.statements > self.opts.budget.saturating_add(1) {"),
    one("savepoints without end", [23], "session.rs", "if depth > SAVEPOINTS {", "if depth > 1_000 {"),
    one("serializable is not asked for", [31], "session.rs",
        "serializable: self.opts.serializable }", "serializable: false }"),
    one("a commit key is not taken", [39], "session.rs",
        "Some(key) => once::take(self, &key).await,", "Some(_) => Ok(()),"),
    one("what was refused once is let through", [6], "statements.rs",
        "return known.clone();\n        }\n        let new = Statement::new(sql);",
        "return Arc::new(Statement { refused: None, ..Arc::into_inner(Statement::new(sql)).expect(\"its own\") });\n"
        "        }\n        let new = Statement::new(sql);"),
    one("an INSERT that brings back its id is taken for the one that does not", [6, 16, 28], "statements.rs",
        "id: IDS.fetch_add(1, Relaxed),", "id: IDS.fetch_add(1, Relaxed) / 2,"),
    one("functions that change the session are let through", [6], "sql.rs",
        "control_word(sql).or_else(|| session_change(sql))", "control_word(sql)"),
    one("control statements are let through", [6], "sql.rs",
        "control_word(sql).or_else(|| session_change(sql))", "session_change(sql)"),
]

SCOPES_AND_RETRIES = [
    one("a row goes on into the next one", [7], "row.rs", "if index < self.columns.len() {", "if true {"),
    one("a dropped inner scope does not doom", [9], "tx.rs", "if !self.ended {", "if false {"),
    one("a failed required scope may be swallowed", [15], "tx.rs",
        "scope.tx.session.fail_scope(Doom::RequiredFailed);", ""),
    one("sessions inside sessions are let through", [20], "retry.rs",
        "Ok(level) if level > 0 => Err(Error::Nested),", "Ok(level) if level > 9 => Err(Error::Nested),"),
    one("one try too many", [28], "retry.rs", "if self.begun >= self.limit ||", "if self.begun > self.limit ||"),
    one("each try has a deadline of its own", [36], "retry.rs",
        "Session::until(db, opts, access, self.deadline,", "Session::until(db, opts, access, Instant::now() + opts.within,"),
    one("the application's error decides a retry", [29], "retry.rs",
        "let mut again = session.again();", "let mut again = session.again() && result.is_ok();"),
    one("a conflict at COMMIT is not run again", [25], "retry.rs",
        "again |= matches!(e.class(), Class::Retry | Class::Lost);", ""),
    ("a retry keeps the effects of the failed try", [28], [
        ("retry.rs", "let mut tries = Tries::of(opts);\n    loop {\n        let mut face",
         "let mut tries = Tries::of(opts);\n    let mut kept = Vec::new();\n    loop {\n        let mut face"),
        ("retry.rs", "let mut session = face.into_session();",
         "let mut session = face.into_session();\n        session.keep(&mut kept);"),
        ("session.rs", "    pub(crate) fn effect(&mut self,",
         "    pub(crate) fn keep(&mut self, kept: &mut Vec<Effect>) {\n"
         "        kept.append(&mut self.effects);\n"
         "        if !self.again { self.effects = std::mem::take(kept); }\n"
         "    }\n\n    pub(crate) fn effect(&mut self,"),
    ]),
    one("idle connections are kept after one was lost", [30], "driver/shelf.rs",
        "let idle = std::mem::take(&mut *self.idle());", "let idle: Vec<Box<C>> = Vec::new();"),
    one("requires_new takes a connection of the pool", [21], "route.rs", "if opts.separate {", "if false {"),
]

KEYS_AND_JOBS = [
    one("a lost COMMIT is asked for without waiting for it", [26], "once.rs",
        "let asked = conn.ask(&take_sql(db.dialect()), args![key]).await;",
        "let asked = match conn.ask(OUTCOME, args![key]).await {\n"
        "            Ok(found) if found.rows == 1 => Err(Error::database(Class::Unique(\"\".into()), None, \"\")),\n"
        "            other => other,\n        };"),
    one("a key that was used is run again", [39], "once.rs",
        "Err(e) if matches!(e.class(), Class::Unique(_)) => Err(Error::AlreadyDone),",
        "Err(e) if matches!(e.class(), Class::Unique(_)) => Err(Error::database(Class::Retry, None, \"\")),"),
    one("a claim without a lock", [34], "outbox.rs", '" for update skip locked"', '""'),
    one("a claim without a lease", [34], "outbox.rs",
        "set due = {now} + ?, attempts = attempts + 1 where", "set due = {now} + 0 * ?, attempts = attempts + 1 where"),
    one("an acknowledgement without the attempt number", [34], "outbox.rs",
        "delete from greenlit_outbox where id = ? and attempts = ?",
        "delete from greenlit_outbox where id = ? and attempts + 0 * ? > 0"),
    one("a stale acknowledgement in a transaction is let through", [34], "tx.rs",
        "self.session.fail_scope(Doom::StatementFailed);\n            return Err(Error::Stale);", "return Ok(());"),
    one("a scratch database is left behind", [40], "testing/server.rs",
        'format!("drop database if exists {} {force}", self.name)', 'format!("select 1 /* {} {force} */", self.name)'),
]

SQLITE = [
    one("SQLite: a failed session is answered before those whose work it saw", [39], "driver/sqlite/group.rs",
        "if !self.is_shared() || !self.in_savepoint {", "if self.is_shared() || !self.in_savepoint {"),
    one("SQLite: a reader in a transaction goes back to the pool", [8], "driver/sqlite/mod.rs",
        'if engine.in_transaction() && engine.command("ROLLBACK").is_err() && engine.in_transaction() {', "if false {"),
    one("SQLite: what a dropped session wrote is kept", [8, 13], "driver/sqlite/group.rs",
        "if self.is_shared() { !self.in_savepoint || self.undo_savepoint().is_ok() } else { !self.is_open() };", "true;"),
    one("SQLite: undone beside others, a session's work stays", [41], "driver/sqlite/group.rs",
        'engine.command("ROLLBACK TO turn")?;', ""),
    one("SQLite: BEGIN instead of BEGIN IMMEDIATE", [28, 32], "driver/sqlite/group.rs",
        'engine.command("BEGIN IMMEDIATE")?;', 'engine.command("BEGIN DEFERRED")?;'),
    one("SQLite: answered before the common COMMIT", [35, 41], "driver/sqlite/group.rs",
        "self.in_savepoint = false;\n        self.members.push(tell);",
        "self.in_savepoint = false; let _ = tell.send(Ok(())); self.members.push(oneshot::channel().0);"),
    one("SQLite: deferred foreign keys are left to the common COMMIT", [25, 41], "driver/sqlite/group.rs",
        "engine.check_deferred_foreign_keys()?;", ""),
    one("SQLite: a transaction that the engine ended goes unnoticed", [19], "driver/sqlite/group.rs",
        "let ended = self.in_savepoint && !self.is_open();", "let ended = false;"),
    one("SQLite: a turn has no end", [41], "driver/sqlite/writer.rs",
        "if !place.goes_on || place.since.elapsed() < LONGEST_TURN {", "if true {"),
    one("SQLite: columns are called as before their table changed", [7], "driver/sqlite/engine.rs",
        "Some((before, columns)) if *before == reprepared =>", "Some((_, columns)) =>"),
    one("SQLite: reads may write", [5], "driver/sqlite/engine.rs", '"PRAGMA query_only = ON; ', '"'),
    one("SQLite: acknowledged before it is on disk", [42], "driver/sqlite/engine.rs",
        "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"),
    one("SQLite: a statement that nobody waits for runs on", [10], "driver/sqlite/mod.rs",
        "self.given_up.store(true, Relaxed);", ""),
]

POSTGRES = [
    one("PostgreSQL: a connection with an open transaction goes back to the pool", [8, 13], "driver/postgres/mod.rs",
        "if !in_flight && !self.state.open {", "if !in_flight {"),
    one("PostgreSQL: a connection with anything goes back to the pool", [8, 9, 10], "driver/postgres/mod.rs",
        "if !in_flight && !self.state.open {", "if true {"),
    one("PostgreSQL: no request to stop a statement", [10], "driver/postgres/mod.rs",
        "let _ = timeout(CLEAN_UP_PATIENCE, cancel.cancel_query(shared.tls.clone())).await;", "let _ = &cancel;"),
    one("PostgreSQL: a connection that was told to stop is used again", [10, 11], "driver/postgres/mod.rs",
        "Counters::add(&shared.shelf.counters.discarded);\n                stop(&shared, *connection).await;",
        "let _ = connection.cancel.cancel_query(shared.tls.clone()).await;\n"
        "                let _ = connection.client.batch_execute(\"ROLLBACK\").await;\n"
        "                shared.shelf.keep(connection);"),
    one("PostgreSQL: a connection that has ended is told to stop", [11], "driver/postgres/mod.rs",
        "if connection.client.is_closed() || (self.state.spoiled && !in_flight) {", "if self.state.spoiled && !in_flight {"),
    ("PostgreSQL: the Ok of COMMIT is trusted, and a failed scope commits", [24], [
        ("session.rs", "if let Some(doom) = self.failure() {\n            Box::pin(self.roll_back()).await?;",
         "if let Some(doom) = self.failure().filter(|_| false) {\n            Box::pin(self.roll_back()).await?;"),
        ("driver/postgres/session.rs", '"CLOSE ALL; COMMIT"', '"COMMIT"'),
    ]),
    one("PostgreSQL: reads may write", [5], "driver/postgres/mod.rs",
        "SET default_transaction_read_only = on", "SET default_transaction_read_only = off"),
    one("PostgreSQL: a read session has no snapshot", [5], "driver/postgres/session.rs",
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"),
    one("PostgreSQL: a statement in flight is forgotten when it is dropped", [8, 10], "driver/postgres/session.rs",
        "self.state.in_flight = true;\n        let result", "self.state.in_flight = false;\n        let result"),
]

MARIADB = [
    one("MariaDB: a connection with an open transaction goes back to the pool", [8, 13], "driver/mariadb/conn.rs",
        "if !in_flight && !gone && !self.open && !self.in_transaction {", "if !in_flight && !gone {"),
    one("MariaDB: a connection with anything goes back to the pool", [8, 9, 10], "driver/mariadb/conn.rs",
        "if !in_flight && !gone && !self.open && !self.in_transaction {", "if !gone {"),
    one("MariaDB: no request to stop a statement", [10], "driver/mariadb/conn.rs",
        "Box::pin(session::kill(&shared.opts, id));", "std::future::pending::<()>();"),
    one("MariaDB: a connection that has ended is told to stop", [11], "driver/mariadb/conn.rs",
        "if let Either::Left(_) = select(&mut end, kill).await {",
        "if let Either::Right(_) = select(kill, &mut end).await {"),
    one("MariaDB: a transaction that the server ended goes unnoticed", [19], "driver/mariadb/conn.rs",
        "self.open && !self.in_flight && !self.in_transaction", "false"),
    one("MariaDB: an error is taken for the whole answer about the transaction", [19], "driver/mariadb/conn.rs",
        "if self.open && result.as_ref().is_err_and(|e| !told(e)) {",
        "if false && result.as_ref().is_err_and(|e| !told(e)) {"),
    one("MariaDB: the connection of migrations goes back to the pool", [6], "driver/mariadb/conn.rs",
        "(self.in_flight, self.own || self.lost)", "(self.in_flight, self.lost)"),
    one("MariaDB: reads may write", [5], "driver/mariadb/session.rs",
        "ISOLATION LEVEL READ COMMITTED, READ ONLY", "ISOLATION LEVEL READ COMMITTED"),
    one("MariaDB: a read session has no snapshot", [5], "driver/mariadb/conn.rs",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;", "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"),
]

MUTANTS = SESSION + SCOPES_AND_RETRIES + KEYS_AND_JOBS + SQLITE + POSTGRES + MARIADB

NOT_EXPRESSIBLE = [
    ("a retry with what the failed try captured", "the closure is cloned for every try, since what calls it consumes it; "
     "without `Clone` it does not compile (law 28)"),
    ("a COMMIT of SQLite's that is BUSY and not repeated", "in WAL mode, which greenlit sets, it does not meet BUSY (law 27)"),
    ("a token taken before COMMIT", "it is the caller who takes it, and only replicas could tell: scripts/test cluster (law 37)"),
    ("inner scopes with options", "they have no parameter for them (law 22)"),
]

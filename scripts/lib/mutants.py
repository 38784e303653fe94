"""The faults that scripts/mutants plants: a name, the laws that should see it, and what is changed in greenlit/src."""

TIMEOUT = "tokio::time::error::Elapsed"


def one(name, laws, file, old, new):
    return name, laws, [(file, old, new)]


SESSION = [
    one("effects before COMMIT", [33], "session.rs",
        "let ended = match conn {",
        "let mut effects = effects; run_effects(std::mem::take(&mut effects)).await; let ended = match conn {"),
    one("effects after a refused COMMIT", [25, 33], "session.rs",
        "if committed {", "if committed || !effects.is_empty() {"),
    one("effects not in tasks of their own", [33], "session.rs",
        "let _ = tokio::spawn(async move { effect().await }).await;", "effect().await;"),
    ("COMMIT in the caller's task", [12, 33], [
        ("session.rs", "let task = tokio::spawn(async move {", "let task = Box::pin(async move {"),
        ("session.rs", "let _ = timeout_at(patience, task).await;\n        result", "result"),
        ("session.rs", "let Ok(Ok(result)) = timeout_at(patience, told)",
         "let _ = timeout_at(patience, task).await;\n        let Ok(Ok(result)) = timeout_at(patience, told)"),
    ]),
    ("Ok before COMMIT", [25, 35], [
        ("session.rs", "let Ok(Ok(result)) = timeout_at(patience, told).await else { return Err(Error::CommitUnknown) };",
         "drop(told); let result = Ok(());"),
        ("session.rs", "let _ = timeout_at(patience, task).await;\n        result", "drop(task); result"),
    ]),
    one("a lost COMMIT counts as not committed", [26], "session.rs",
        "None => Err(Error::CommitUnknown),", 'None => Err(Error::database(Class::Other, None, "lost")),'),
    one("a lost COMMIT is run again without a key", [26], "session.rs",
        "None => Err(Error::CommitUnknown),", 'None => Err(Error::database(Class::Retry, None, "lost")),'),
    one("a lost COMMIT with a key counts as committed", [26], "session.rs",
        "Some(key) => once::resolve(db, &key).await,", "Some(_) => Ok(()),"),
    one("COMMIT although the scope has failed", [9, 15, 24], "session.rs",
        "if let Some(doom) = self.failure() {\n            self.roll_back().await;",
        "if let Some(doom) = self.failure().filter(|_| false) {\n            self.roll_back().await;"),
    one("a deadlock fails its scope only", [18], "session.rs",
        "self.again = true;\n                self.doom(Doom::GivenUp);",
        "self.again = true;\n                self.fail_scope(Doom::GivenUp);"),
    one("a failed statement does not poison its scope", [17], "session.rs",
        "_ => self.fail_scope(Doom::StatementFailed),", "_ => {}"),
    one("a savepoint that fails keeps its effects", [16], "session.rs",
        "self.effects.truncate(scope.map_or(0, |scope| scope.effects));", "let _ = scope;"),
    one("a savepoint that fails keeps its rows", [16], "session.rs",
        "conn.savepoint(Savepoint::RollBackTo(depth))", "conn.savepoint(Savepoint::Release(depth))"),
    one("a dropped statement is forgotten", [9], "session.rs",
        "self.in_flight = true;\n        let result", "self.in_flight = false;\n        let result"),
    one("a transaction that the database ended goes unnoticed", [19], "session.rs",
        "if self.conn.as_ref().is_some_and(Conn::transaction_ended) {", "if false {"),
    one("a lost connection is not replaced", [30], "session.rs",
        "self.again = true;\n                self.doom(Doom::ConnectionLost);", "self.doom(Doom::ConnectionLost);"),
    one("the deadline is not over the wait for a connection", [36], "session.rs",
        "timeout_at(self.deadline, observe::waited(acquire, self.db.counters())).await", f"Ok::<_, {TIMEOUT}>(acquire.await)"),
    one("the deadline is not over statements", [36], "session.rs",
        "timeout_at(self.deadline, work(conn)).await", f"Ok::<_, {TIMEOUT}>(work(conn).await)"),
    one("the budget is off by one", [38], "session.rs",
        "if self.statements > self.opts.budget {", "if self.statements > self.opts.budget.saturating_add(1) {"),
    one("savepoints without end", [23], "session.rs", "if depth > SAVEPOINTS {", "if depth > 1_000 {"),
    one("serializable is not asked for", [31], "session.rs",
        "serializable: self.opts.serializable }", "serializable: false }"),
    one("a commit key is not taken", [39], "session.rs",
        "Some(key) => once::take(self, &key).await,", "Some(_) => Ok(()),"),
    one("functions that change the session are let through", [6], "sql.rs",
        "control_word(sql).or_else(|| session_change(sql))", "control_word(sql)"),
    one("control statements are let through", [6], "sql.rs",
        "control_word(sql).or_else(|| session_change(sql))", "session_change(sql)"),
]

SCOPES_AND_RETRIES = [
    one("a dropped inner scope does not doom", [9], "tx.rs", "if !self.ended {", "if false {"),
    one("a failed required scope may be swallowed", [15], "tx.rs",
        "scope.tx.session.fail_scope(Doom::RequiredFailed);", ""),
    one("sessions inside sessions are let through", [20], "retry.rs",
        "Ok(level) if level > 0 => Err(Error::Nested),", "Ok(level) if level > 9 => Err(Error::Nested),"),
    one("one try too many", [28], "retry.rs", "if self.begun >= self.limit ||", "if self.begun > self.limit ||"),
    one("tries go on after the deadline", [28, 36], "retry.rs", "|| wake >= self.deadline {", "{"),
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
    one("requires_new takes a connection of the pool", [21], "route.rs", "if opts.separate {", "if false {"),
]

KEYS_AND_JOBS = [
    one("a lost COMMIT is asked for without waiting for it", [26], "once.rs",
        "let asked = conn.run(&take_sql(db.dialect()), args![key]).await;",
        "let asked = match conn.run(OUTCOME, args![key]).await {\n"
        "            Ok(found) if found.rows.len() == 1 => Err(Error::database(Class::Unique(\"\".into()), None, \"\")),\n"
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

MUTANTS = SESSION + SCOPES_AND_RETRIES + KEYS_AND_JOBS

NOT_EXPRESSIBLE = [
    ("a retry with what the failed try captured", "the closure is cloned for every try, since what calls it consumes it; "
     "without `Clone` it does not compile (law 28)"),
    ("inner scopes with options", "they have no parameter for them (law 22)"),
]

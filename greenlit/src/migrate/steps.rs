//! Migrations where DDL commits by itself, and nothing can undo it: MariaDB.
//!
//! Each statement is written down before it runs and marked when it is done. One that changes rows is marked in its own
//! transaction. MariaDB's DDL is atomic, so a statement of which only the beginning is written down was applied or was not;
//! run again, its error tells.

use std::time::Duration;

use super::{Migration, in_dialect, record};
use crate::{
    DatabaseError, Dialect, Error, FromRow, Result, args,
    driver::{Access, Begin, Conn},
    sql,
};

/// Waits for the lock, which belongs to the connection and ends with it.
const LOCK: &str = "select get_lock(concat('greenlit ', md5(database())), ?)";

const STEPS: &str = "create table if not exists greenlit_migration_steps (
    history {key 64} not null, version {int} not null, step {int} not null, statement {text} not null,
    done {bool} not null, primary key (history, version, step))";
const OF_MIGRATION: &str =
    "select statement, done from greenlit_migration_steps where history = ? and version = ? order by step";
const BEGUN: &str =
    "insert into greenlit_migration_steps (history, version, step, statement, done) values (?, ?, ?, ?, false)";
const DONE: &str = "update greenlit_migration_steps set done = true where history = ? and version = ? and step = ?";
const UNDONE: &str = "delete from greenlit_migration_steps where history = ? and version = ? and step = ?";
const FORGET: &str = "delete from greenlit_migration_steps where history = ? and version = ?";

/// Whether DDL says that it was applied before: the table, column or index is there, or is not there any more.
fn applied_before(statement: &str, e: &DatabaseError) -> bool {
    let alters = || statement.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("alter"));
    match e.code.as_deref() {
        Some("1050" | "1051" | "1060" | "1061" | "1068" | "1091" | "1146" | "1826") => true,
        // A renamed column, a renamed index.
        Some("1054" | "1176") => alters(),
        // The name of a foreign key. Of a new table it would be another table's.
        Some("1005") => alters() && e.message.contains("errno: 121"),
        _ => false,
    }
}

/// A statement of a migration that did not come to its end.
#[derive(FromRow)]
struct Step {
    statement: String,
    done: bool,
}

pub(super) async fn lock(conn: &mut Conn, patience: Duration) -> Result<()> {
    let seconds = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX);
    let locked = conn.ask(LOCK, args![seconds]).await?.decode::<(Option<i64>,)>()?;
    if locked == [(Some(1),)] { Ok(()) } else { Err(Error::Deadline) }
}

pub(super) async fn apply(conn: &mut Conn, history: &str, migration: &Migration) -> Result<()> {
    conn.script(in_dialect(Dialect::MariaDb, STEPS)?).await?;
    let known: Vec<Step> = conn.ask(OF_MIGRATION, args![history, migration.version]).await?.decode()?;
    let script = in_dialect(Dialect::MariaDb, migration.sql)?;
    let statements = sql::statements(&script);
    let changed = |(at, step): (usize, &Step)| statements.get(at) != Some(&step.statement.as_str());
    if let Some(at) = known.iter().enumerate().position(changed) {
        return Err(Error::Migration(format!(
            "migration {} ({}) failed half-way on this database before, and its statement {} was changed since. MariaDB \
             cannot undo what was done: undo it by hand and empty greenlit_migration_steps, or bring back the old text",
            migration.version,
            migration.name,
            at + 1
        )));
    }
    for (at, statement) in statements.iter().enumerate() {
        let place = Place { history, version: migration.version, at: at as i64 };
        match known.get(at) {
            Some(step) if step.done => {}
            begun => place.run(conn, statement, begun.is_some()).await?,
        }
    }
    begin(conn).await?;
    record(conn, Dialect::MariaDb, history, migration).await?;
    conn.ask(FORGET, args![history, migration.version]).await?;
    conn.commit().await
}

async fn begin(conn: &mut Conn) -> Result<()> {
    conn.begin(Begin { access: Access::Write, serializable: false }).await
}

/// Where a statement stands.
struct Place<'a> {
    history: &'a str,
    version: i64,
    at: i64,
}

impl Place<'_> {
    async fn note(&self, conn: &mut Conn, sql: &str) -> Result<()> {
        conn.ask(sql, args![self.history, self.version, self.at]).await.map(drop)
    }

    /// Runs the statement; `begun` if it was begun before and nobody saw its end.
    async fn run(&self, conn: &mut Conn, statement: &str, begun: bool) -> Result<()> {
        if sql::control_word(statement).is_none() {
            begin(conn).await?;
            conn.ask(statement, args![]).await?;
            if !begun {
                conn.ask(BEGUN, args![self.history, self.version, self.at, statement]).await?;
            }
            self.note(conn, DONE).await?;
            return conn.commit().await;
        }
        if !begun {
            conn.ask(BEGUN, args![self.history, self.version, self.at, statement]).await?;
        }
        match conn.script(statement.to_owned()).await {
            Err(Error::Database(e)) if begun && applied_before(statement, &e) => {}
            Err(Error::Database(e)) if e.code.is_some() => {
                // Answered, so it is known that it was not applied.
                self.note(conn, UNDONE).await?;
                return Err(Error::Database(e));
            }
            ended => ended?,
        }
        self.note(conn, DONE).await
    }
}

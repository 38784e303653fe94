//! Migrations: one history for every database.

mod steps;

use std::{borrow::Cow, time::Duration};

use crate::{
    Db, Dialect, Error, Result, Value, args,
    driver::{Access, Begin, Conn},
    outbox, retry,
};

/// One step in the history of a schema.
///
/// The SQL is written once for every database. Where types have different names, it says one of these words instead:
///
/// | word | meaning |
/// |---|---|
/// | `{id}` | the primary key column: an integer that the database counts up and never uses twice |
/// | `{int}` | a 64-bit integer |
/// | `{float}` | a double |
/// | `{bool}` | a boolean |
/// | `{key N}` | text that can be indexed and is compared byte by byte; N is the most bytes it is meant to hold, which SQLite and PostgreSQL do not check, and MariaDB checks as characters, of which it takes 768 at most |
/// | `{text}` | text of any length |
/// | `{bytes}` | bytes |
/// | `{json}` | a JSON document, as text |
///
/// A brace of any other meaning has no place in it.
///
/// MariaDB cannot undo DDL: there each statement counts by itself. How far a migration has come is recorded statement by
/// statement, so that after a failure or a crash the next call goes on behind the last one that was done.
///
/// Name every constraint and index, and make what is unique a `create unique index`: its name then is what
/// [`Error::unique`] tells on every database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its place in the history: 1, 2, 3, ...
    pub version: i64,
    /// What it is about.
    pub name: &'static str,
    /// The statements, separated by semicolons. They run in one transaction, except on MariaDB.
    pub sql: &'static str,
}

/// What [`Db::migrate`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migrated {
    /// The versions that were applied by this call.
    pub applied: Vec<i64>,
}

/// greenlit's own tables.
const OWN: &[Migration] = &[
    Migration {
        version: 1,
        name: "outbox and commit keys",
        sql: "
        create table greenlit_outbox (
            id {id},
            topic {key 64} not null,
            payload {json} not null,
            due {int} not null,
            attempts {int} not null default 0,
            last_error {text}
        );
        create index ix_greenlit_outbox__due on greenlit_outbox (due);
        create table greenlit_commit_keys (
            commit_key {key 255} not null,
            outcome {bytes}
        );
        create unique index uq_greenlit_commit_keys__commit_key on greenlit_commit_keys (commit_key);
    ",
    },
    Migration {
        version: 2,
        name: "age of commit keys",
        sql: "
        alter table greenlit_commit_keys add column taken {int} not null default 0;
        create index ix_greenlit_commit_keys__taken on greenlit_commit_keys (taken);
    ",
    },
    // Whoever looks for jobs of one topic does not walk over the backlog of another.
    Migration {
        version: 3,
        name: "jobs by topic",
        sql: "create index ix_greenlit_outbox__topic on greenlit_outbox (topic, due, id)",
    },
];

const HISTORY: &str = "create table if not exists greenlit_migrations (
    history {key 64} not null, version {int} not null, name {text} not null, script {text} not null,
    applied {int} not null, primary key (history, version))";
const APPLIED: &str = "select version, script from greenlit_migrations where history = ? order by version";

/// How long another process that migrates is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(600);

/// The name of the lock that migrations take on PostgreSQL: a number of our own.
const LOCK: &str = "select pg_advisory_xact_lock(7310868735424295029)";

impl Db {
    /// Brings the schema to the end of this history, greenlit's own tables included.
    ///
    /// Each migration runs in a transaction of its own under a lock, so that of two processes that start together one
    /// migrates and the other waits and finds it done. Cancellation and crashes leave a prefix of the history applied;
    /// the next call goes on from there.
    ///
    /// # Errors
    /// [`Error::Migration`] if the database has a migration that this history does not know (it was opened by a newer
    /// version before) or knows differently; [`Error::Database`] if a statement fails; [`Error::Nested`] in a session;
    /// [`Error::Deadline`] if another process holds the lock for ten minutes.
    pub async fn migrate(&self, history: &[Migration]) -> Result<Migrated> {
        retry::outermost()?;
        self.migrate_history("greenlit", OWN).await?;
        self.migrate_history("application", history).await
    }

    async fn migrate_history(&self, name: &str, history: &[Migration]) -> Result<Migrated> {
        let mut migrated = Migrated::default();
        while let Some(version) = self.migrate_next(name, history).await? {
            migrated.applied.push(version);
        }
        Ok(migrated)
    }

    async fn migrate_next(&self, name: &str, history: &[Migration]) -> Result<Option<i64>> {
        let dialect = self.dialect();
        let locked = tokio::time::timeout(LOCK_PATIENCE, self.lock_migrations()).await;
        let mut conn = locked.unwrap_or(Err(Error::Deadline))?;
        conn.script(in_dialect(dialect, HISTORY)?).await?;
        let applied = conn.ask(APPLIED, args![name]).await?.decode::<(i64, String)>()?;
        let next = next(history, &applied)?;
        if dialect == Dialect::MariaDb {
            if let Some(migration) = next {
                steps::apply(&mut conn, name, migration).await?;
            }
        } else {
            if let Some(migration) = next {
                conn.script(in_dialect(dialect, migration.sql)?).await?;
                record(&mut conn, dialect, name, migration).await?;
            }
            conn.commit().await?;
        }
        Ok(next.map(|migration| migration.version))
    }

    /// A connection that alone may migrate, in a transaction where the database has some for DDL.
    async fn lock_migrations(&self) -> Result<Conn> {
        let mut conn = self.acquire(Access::Write).await?;
        if self.dialect() == Dialect::MariaDb {
            conn.own().await?;
            steps::lock(&mut conn, LOCK_PATIENCE).await?;
            return Ok(conn);
        }
        conn.alone();
        conn.begin(Begin { access: Access::Write, serializable: false }).await?;
        if self.dialect() == Dialect::Postgres {
            conn.script(LOCK.to_owned()).await?;
        }
        Ok(conn)
    }
}

/// The first migration that is not applied yet.
fn next<'a>(history: &'a [Migration], applied: &[(i64, String)]) -> Result<Option<&'a Migration>> {
    for (at, (version, script)) in applied.iter().enumerate() {
        match history.get(at) {
            Some(m) if m.version == *version && m.sql == script => {}
            Some(m) if m.version == *version => {
                return Err(Error::Migration(format!(
                    "migration {version} ({}) was changed after it had been applied to this database",
                    m.name
                )));
            }
            _ => {
                return Err(Error::Migration(format!(
                    "the database has migration {version}, which this version does not know: it was used by a newer one"
                )));
            }
        }
    }
    Ok(history.get(applied.len()))
}

/// Writes down that the migration was applied.
async fn record(conn: &mut Conn, dialect: Dialect, history: &str, migration: &Migration) -> Result<()> {
    let now = outbox::now(dialect);
    let record =
        format!("insert into greenlit_migrations (history, version, name, script, applied) values (?, ?, ?, ?, {now})");
    let args: Vec<Value> = args![history, migration.version, migration.name, migration.sql];
    conn.ask(&record, args).await.map(drop)
}

/// Puts the database's own types in the place of the words in braces.
fn in_dialect(dialect: Dialect, sql: &str) -> Result<String> {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, from)) = rest.split_once('{') {
        let unclosed = || Error::Migration(format!("unclosed brace in: {sql}"));
        let (word, after) = from.split_once('}').ok_or_else(unclosed)?;
        out.push_str(before);
        out.push_str(&type_name(dialect, word)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The most characters of utf8mb4 that fit an index of MariaDB's: 3072 bytes.
const MARIADB_KEY: usize = 768;

fn type_name(dialect: Dialect, word: &str) -> Result<Cow<'static, str>> {
    let unknown = || Error::Migration(format!("unknown type {{{word}}}"));
    if let Some(length) = word.strip_prefix("key ") {
        let length: usize = length.trim().parse().map_err(|_| unknown())?;
        // Byte by byte, as SQLite compares: the order and the equality of keys must not depend on a server's locale.
        return Ok(match dialect {
            Dialect::Sqlite => Cow::Borrowed("text"),
            Dialect::Postgres => Cow::Borrowed("text collate \"C\""),
            Dialect::MariaDb => Cow::Owned(format!(
                "varchar({}) character set utf8mb4 collate utf8mb4_nopad_bin",
                length.min(MARIADB_KEY)
            )),
        });
    }
    let [sqlite, postgres, mariadb] = match word {
        "id" => [
            // An explicit AUTOINCREMENT keeps SQLite from using the id of a deleted last row again.
            "integer primary key autoincrement",
            "bigint generated by default as identity primary key",
            "bigint not null auto_increment primary key",
        ],
        "int" => ["integer", "bigint", "bigint"],
        "float" => ["real", "double precision", "double"],
        "bool" => ["integer", "boolean", "boolean"],
        "bytes" => ["blob", "bytea", "longblob"],
        "text" | "json" => ["text", "text", "longtext character set utf8mb4 collate utf8mb4_nopad_bin"],
        _ => return Err(unknown()),
    };
    Ok(Cow::Borrowed(match dialect {
        Dialect::Sqlite => sqlite,
        Dialect::Postgres => postgres,
        Dialect::MariaDb => mariadb,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_put_in() {
        let sql = "create table a (id {id}, b {key 10} not null)";
        let expected = "create table a (id integer primary key autoincrement, b text not null)";
        assert_eq!(in_dialect(Dialect::Sqlite, sql).ok().as_deref(), Some(expected));
        assert!(in_dialect(Dialect::Postgres, "{what}").is_err());
        assert!(in_dialect(Dialect::Postgres, "{int").is_err());
    }
}

//! What runs on a connection to PostgreSQL.

use std::{sync::Arc, time::Duration};

use futures_util::{
    TryStreamExt,
    future::{join, join3},
};
use tokio::time::timeout;
use tokio_postgres::{
    Column, Row,
    error::{DbError, SqlState},
    types::Type,
};

use super::{
    Access, Begin, Conn, Connection, Prepared,
    error::{error, in_full},
    value::{Field, Param},
};
use crate::{Class, Error, Result, Value, row::Answer, sql, statements::Statement};

type Native<T> = Result<T, tokio_postgres::Error>;

/// How long the answer to a COMMIT is waited for before its connection counts as lost.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);
/// How many prepared statements a connection remembers.
const STATEMENTS: usize = 512;
/// How long other transactions' locks are waited for where a caller shall rather be told.
const BRIEFLY: &str = "SET LOCAL lock_timeout = '2s'";
const AS_BEFORE: &str = "SET LOCAL lock_timeout TO DEFAULT";

/// Makes the server look after its client while it works: a pooler tells it by hanging up that the client is gone.
const LOOK_AFTER_CLIENT: &str = "; SET LOCAL client_connection_check_interval = '500ms'";

fn begin_sql(begin: Begin) -> &'static str {
    match (begin.access, begin.serializable) {
        (Access::Write, false) => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        (Access::Write, true) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
        // One snapshot for the whole session.
        (Access::Read, false) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        (Access::Read, true) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
    }
}

/// Whether a statement may be sent before BEGIN was answered.
///
/// Should BEGIN fail, the statement runs on its own, in the read-only transaction that is this connection's default.
/// There the server refuses INSERT, UPDATE, DELETE and SELECT FOR UPDATE before it evaluates anything of them. It does
/// not refuse a SELECT that calls a function whose effects are no rows, such as `pg_notify` or `lo_create`: in a
/// transaction that writes, whatever may call one waits for BEGIN.
fn travels_with(begin: Begin, sql: &str) -> bool {
    let word = sql.trim_start().get(..6).unwrap_or_default();
    let writes = ["insert", "update", "delete"].iter().any(|writing| word.eq_ignore_ascii_case(writing));
    begin.access == Access::Read || writes || !sql.contains('(')
}

impl Conn {
    fn connection(&mut self) -> Result<&mut Connection> {
        self.connection.as_deref_mut().ok_or_else(gone)
    }

    /// Takes note: BEGIN travels with the first statement.
    pub(crate) async fn begin(&mut self, begin: Begin) -> Result<()> {
        self.state.begin = Some(begin);
        Ok(())
    }

    /// Sends work, and a BEGIN in front of it, in one journey.
    async fn send<T>(&mut self, begin: Option<Begin>, work: impl AsyncFnOnce(&Connection) -> Native<T>) -> Result<T> {
        let connection = self.connection.as_deref().ok_or_else(gone)?;
        self.state.in_flight = true;
        let result = match begin {
            None => work(connection).await,
            Some(begin) => {
                (self.state.open, self.state.writes) = (true, begin.access == Access::Write);
                let looking = if self.shared.named_statements { "" } else { LOOK_AFTER_CLIENT };
                let sql = [begin_sql(begin), looking].concat();
                // They are polled in this order, and each sends its message when it is polled first.
                let (begun, done) = Box::pin(join(connection.client.batch_execute(&sql), work(connection))).await;
                // Without its transaction the work's answer does not count, and nobody knows what it left behind.
                self.state.spoiled |= begun.is_err();
                begun.and(done)
            }
        };
        self.state.in_flight = false;
        result.map_err(|e| self.learn(&e))
    }

    /// What an error means for the connection, and in everybody's words.
    fn learn(&mut self, e: &tokio_postgres::Error) -> Error {
        let code = e.code().map(SqlState::code);
        // Told by the function that found it, since messages come in the server's language.
        let stale = |db: &DbError| db.routine() == Some("RevalidateCachedQuery");
        if e.as_db_error().is_some_and(stale) {
            // A plan that was made before a table changed is refused once; the next try plans anew.
            if let Some(connection) = &mut self.connection {
                connection.prepared.clear();
            }
            return Error::database(Class::Retry, code.map(str::to_owned), in_full(e));
        }
        // A replica, though the transaction said that it writes: the primary is another server by now.
        if self.state.writes && (code == Some("25006") || self.state.spoiled && code == Some("0A000")) {
            self.state.spoiled = true;
            self.shared.shelf.clear();
            return Error::database(Class::Lost, code.map(str::to_owned), in_full(e));
        }
        let error = error(e);
        if error.class() == Class::Lost {
            self.state.in_flight = true; // for all that is known
            self.shared.shelf.clear();
        }
        error
    }

    async fn batch(&mut self, sql: &str) -> Result<()> {
        if let Some(begin) = self.state.begin.take() {
            // A script may hold anything: it waits.
            self.send(Some(begin), async |_| Ok(())).await?;
        }
        self.send(None, async |connection| Box::pin(connection.client.batch_execute(sql)).await).await
    }

    pub(crate) async fn run(&mut self, statement: &Arc<Statement>, args: Vec<Value>) -> Result<Answer> {
        self.query(statement, &args, false).await
    }

    pub(crate) async fn ask(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        let statement = self.shared.statements.get(sql);
        self.query(&statement, &args, false).await
    }

    /// Asks what waits for locks no longer than two seconds: the rest fails with SQLSTATE 55P03.
    pub(crate) async fn ask_briefly(&mut self, sql: &str, args: Vec<Value>) -> Result<Answer> {
        let statement = self.shared.statements.get(sql);
        self.query(&statement, &args, true).await
    }

    pub(crate) async fn insert(&mut self, statement: &Arc<Statement>, args: Vec<Value>) -> Result<Answer> {
        self.query(statement.returning(), &args, false).await
    }

    async fn query(&mut self, statement: &Statement, args: &[Value], briefly: bool) -> Result<Answer> {
        let (mut begin, named, sql) = (self.state.begin.take(), self.shared.named_statements, &*statement.sql);
        // Without a state of the session, only a transaction keeps a read that stands alone from writing.
        let alone = !named && begin.is_none() && !self.state.open;
        if alone {
            begin = Some(Begin { access: Access::Read, serializable: false });
        }
        let statement = match self.connection()?.prepared.get(&statement.id) {
            Some(prepared) => Form::Prepared(prepared.clone()),
            // Boxed, as everything that is rare: futures are as large as the largest of what they await.
            None if named => Form::Prepared(Box::pin(self.prepared(begin.take(), statement)).await?),
            None => Form::Unnamed(sql::numbered(sql)),
        };
        let wanted = match &statement {
            Form::Prepared(prepared) => prepared.statement.params().len(),
            Form::Unnamed(_) => sql::placeholders(sql),
        };
        if wanted != args.len() {
            let given = args.len();
            return Err(Error::Encode(format!("{wanted} arguments are wanted, {given} were given: {sql}")));
        }
        if begin.is_some_and(|begin| !named || !travels_with(begin, sql)) {
            Box::pin(self.send(begin.take(), async |_| Ok(()))).await?;
        }
        let ask = async |connection: &Connection| {
            let (rows, batch) = (connection.rows(statement, args), |sql| connection.client.batch_execute(sql));
            if alone {
                let (rows, ended) = Box::pin(join(rows, batch("ROLLBACK"))).await;
                return rows.and_then(|rows| ended.map(|()| rows));
            }
            if briefly {
                let (before, rows, after) = Box::pin(join3(batch(BRIEFLY), rows, batch(AS_BEFORE))).await;
                return before.and(rows).and_then(|rows| after.map(|()| rows));
            }
            rows.await
        };
        let answer = self.send(begin, ask).await?;
        self.state.open &= !alone;
        answer
    }

    async fn prepared(&mut self, begin: Option<Begin>, statement: &Statement) -> Result<Prepared> {
        let (id, text) = (statement.id, sql::numbered(&statement.sql));
        let prepare = async |connection: &Connection| Box::pin(connection.client.prepare(&text)).await;
        let native = self.send(begin, prepare).await?;
        let prepared = Prepared { columns: names(native.columns()), statement: native };
        if !statement.kept {
            return Ok(prepared); // the server forgets it when it is dropped
        }
        let known = &mut self.connection()?.prepared;
        if known.len() >= STATEMENTS {
            known.clear();
        }
        known.insert(id, prepared.clone());
        Ok(prepared)
    }

    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<()> {
        let text = sql::numbered(sql);
        // In a transaction, so that the name is given and taken on the same connection of a pooler.
        let begin = Begin { access: Access::Read, serializable: false };
        self.send(Some(begin), async |_| Ok(())).await?;
        let prepare = async |connection: &Connection| Box::pin(connection.client.prepare(&text)).await;
        let prepared = self.send(None, prepare).await.map(drop);
        self.rollback().await.and(prepared)
    }

    pub(crate) async fn script(&mut self, sql: String) -> Result<()> {
        self.batch(&sql).await
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        if self.state.begin.take().is_some() {
            return Ok(()); // nothing was ever sent
        }
        if self.connection()?.client.is_closed() || self.state.spoiled {
            return Err(Error::database(Class::Retry, None, "the connection was lost before COMMIT"));
        }
        // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, which tokio-postgres does not show. In a
        // failed transaction the command before it is refused, and with it the whole message. It does nothing else: what it
        // closes, COMMIT would close.
        let commit = async |connection: &Connection| {
            let answer = timeout(COMMIT_PATIENCE, Box::pin(connection.client.batch_execute("CLOSE ALL; COMMIT"))).await;
            answer.ok().transpose()
        };
        if self.send(None, commit).await?.is_some() {
            self.state.open = false;
            return Ok(());
        }
        self.state.in_flight = true;
        Err(Error::lost("COMMIT was not answered"))
    }

    pub(crate) async fn rollback(&mut self) -> Result<()> {
        if self.state.begin.take().is_none() && !self.state.spoiled {
            self.batch("ROLLBACK").await?;
        }
        self.state.open = false;
        Ok(())
    }

    pub(crate) fn transaction_ended(&self) -> bool {
        false // an error leaves PostgreSQL's transaction failed but open, and the scope is poisoned by then
    }
}

fn gone() -> Error {
    Error::lost("the connection is gone")
}

/// How a statement is asked for.
enum Form {
    Prepared(Prepared),
    /// Parsed anew each time, and its arguments as text, of the types that the server infers: nothing stays behind.
    Unnamed(String),
}

impl Connection {
    /// All rows, so that no error can hide behind an unread one.
    async fn rows(&self, statement: Form, args: &[Value]) -> Native<Result<Answer>> {
        let (stream, mut columns) = match statement {
            Form::Prepared(Prepared { statement, columns }) => {
                (Box::pin(self.client.query_raw(&statement, args.iter().map(Param))).await?, columns)
            }
            Form::Unnamed(sql) => {
                let args = args.iter().map(|arg| (Param(arg), Type::UNKNOWN));
                (Box::pin(self.client.query_typed_raw(&sql, args)).await?, Arc::default())
            }
        };
        let (mut stream, mut values, mut rows) = (std::pin::pin!(stream), Vec::new(), 0);
        // What cannot be read is told after the last row.
        let mut unread = None;
        while let Some(row) = stream.try_next().await? {
            if columns.is_empty() {
                columns = names(row.columns());
            }
            rows += 1;
            if unread.is_none() {
                unread = read(&row, &mut values).err();
            }
        }
        let affected = stream.rows_affected().unwrap_or_default();
        Ok(unread.map_or(Ok(Answer { columns, values, rows, affected }), Err))
    }
}

fn names(columns: &[Column]) -> Arc<[Box<str>]> {
    columns.iter().map(|column| Box::from(column.name())).collect()
}

/// Adds the row's values.
fn read(row: &Row, values: &mut Vec<Option<Value>>) -> Result<()> {
    for index in 0..row.len() {
        let field = row.try_get::<_, Field>(index);
        let in_full =
            |e: tokio_postgres::Error| std::error::Error::source(&e).map_or(e.to_string(), ToString::to_string);
        values.push(Some(field.map_err(|e| Error::Decode(in_full(e)))?.0));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::{Config, driver::postgres::Pool};

    /// Law 24, one floor below its test in tests/laws: even if a failed statement went unnoticed, COMMIT tells.
    #[tokio::test]
    async fn commit_of_a_failed_transaction_is_no_commit() -> Result<()> {
        let url = std::env::var("GREENLIT_TEST_POSTGRES").expect("scripts/test starts a PostgreSQL and names it");
        let pool = Pool::open(&url, &Config::default(), Arc::default()).await?;
        let mut conn = pool.acquire().await?;
        let write = Begin { access: Access::Write, serializable: false };
        conn.begin(write).await?;
        assert!(conn.script("select 1 / 0".to_owned()).await.is_err());
        let refused = conn.commit().await;
        assert!(matches!(&refused, Err(Error::Database(e)) if e.code.as_deref() == Some("25P02")), "{refused:?}");
        Ok(())
    }

    #[test]
    fn types_that_are_not_read_are_named() {
        let unread = Field::read(&Type::POINT, &[]);
        assert!(unread.is_err_and(|e| e.to_string().contains("point")));
    }
}

//! SQLite's errors, told as every database tells them.

use rusqlite::Connection;

use crate::{Class, Error};

/// The error with its class. Result codes: <https://www.sqlite.org/rescode.html>.
pub(super) fn error(e: &rusqlite::Error, connection: Option<&Connection>) -> Error {
    let message = e.to_string();
    if let rusqlite::Error::InvalidParameterCount(given, wanted) = e {
        return Error::Encode(format!("{wanted} arguments are wanted, {given} were given"));
    }
    if let rusqlite::Error::ToSqlConversionFailure(unfit) = e {
        return Error::Encode(unfit.to_string());
    }
    let Some(code) = e.sqlite_error().map(|e| e.extended_code) else {
        return Error::database(Class::Other, None, message);
    };
    let class = match code {
        // BUSY and LOCKED, with their extended codes.
        _ if matches!(code & 0xff, 5 | 6) => Class::Retry,
        787 => Class::ForeignKey(None),
        // ON DELETE RESTRICT is a trigger inside.
        1811 if message == "FOREIGN KEY constraint failed" => Class::ForeignKey(None),
        // UNIQUE, PRIMARYKEY, ROWID
        2067 | 1555 | 2579 => Class::Unique(violated_index(&message, connection).into()),
        // NOMEM, IOERR, FULL, CANTOPEN, with their extended codes: the system has no room, or no more open files
        _ if matches!(code & 0xff, 7 | 10 | 13 | 14) => Class::Unavailable,
        _ => Class::Other,
    };
    Error::database(class, Some(code.to_string()), message)
}

/// The name of the unique index that was violated. SQLite tells the columns only ("UNIQUE constraint failed: a.x, a.y"),
/// so the indexes of the table are searched for these columns; what has no name of its own is called as PostgreSQL calls it.
fn violated_index(message: &str, connection: Option<&Connection>) -> String {
    let Some((_, names)) = message.rsplit_once("failed: ") else { return String::new() };
    if let Some(index) = names.strip_prefix("index ") {
        return index.trim_matches('\'').to_owned(); // an index over expressions is told by name
    }
    let columns: Vec<&str> = names.split(", ").filter_map(|n| n.split_once('.')).map(|(_, c)| c).collect();
    let table = names.split('.').next().unwrap_or_default();
    let found = connection.and_then(|c| index_over(c, table, &columns).ok().flatten());
    found.unwrap_or_else(|| format!("{table}_pkey"))
}

/// The name of the unique index over exactly these columns; `None` for the primary key.
fn index_over(connection: &Connection, table: &str, columns: &[&str]) -> rusqlite::Result<Option<String>> {
    let mut indexes = connection.prepare_cached(
        "select name, origin from pragma_index_list(?1) where \"unique\" = 1 and origin <> 'pk' order by name",
    )?;
    let mut parts = connection.prepare_cached("select name from pragma_index_info(?1) order by seqno")?;
    for index in indexes.query_map([table], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))? {
        let (index, origin) = index?;
        let over = parts.query_map([&index], |row| row.get::<_, Option<String>>(0))?;
        let over = over.collect::<rusqlite::Result<Vec<_>>>()?;
        if over.iter().map(Option::as_deref).eq(columns.iter().copied().map(Some)) {
            let named = origin == "c"; // made by CREATE INDEX, not by UNIQUE in CREATE TABLE
            return Ok(Some(if named { index } else { format!("{table}_{}_key", columns.join("_")) }));
        }
    }
    Ok(None)
}

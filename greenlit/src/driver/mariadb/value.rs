//! Values on MariaDB's wire, in its binary protocol.

use mysql_async::{Column, Row, Value as Wire, consts::ColumnType};

use crate::{Error, Result, Value};

/// The "character set" of columns that hold bytes.
const BINARY: u16 = 63;

/// An argument.
pub(super) fn param(value: Value) -> Result<Wire> {
    Ok(match value {
        Value::Null => Wire::NULL,
        Value::Bool(b) => Wire::Int(b.into()),
        Value::Int(i) => Wire::Int(i),
        Value::Float(x) if x.is_finite() => Wire::Double(x),
        Value::Float(x) => return Err(Error::Encode(format!("{x} is no number that MariaDB stores"))),
        Value::Text(t) => Wire::Bytes(t.into_bytes()),
        Value::Bytes(b) => Wire::Bytes(b),
        Value::List(_) => return Err(Error::Encode("a list does not fit a parameter".to_owned())),
    })
}

/// Refuses what is larger than the server takes at once: it would break the connection, which looks like an accident that
/// a retry gets over. Counts rather too many bytes than too few.
pub(super) fn fits(sql: &str, args: &[Value], largest: Option<usize>) -> Result<()> {
    let value = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 8,
    };
    // With its type, its length and its share of the bits for NULL.
    let size = sql.len().max(args.iter().map(|arg| value(arg) + 12).sum()) + 64;
    match largest.filter(|largest| size > *largest) {
        Some(largest) => {
            Err(Error::Encode(format!("{size} bytes are more than MariaDB's max_allowed_packet: {largest}")))
        }
        None => Ok(()),
    }
}

/// Adds the row's values, as they came.
pub(super) fn read(mut row: Row, columns: &[Column], values: &mut Vec<Option<Value>>) -> Result<()> {
    for (index, column) in columns.iter().enumerate() {
        values.push(Some(one(row.take(index).unwrap_or(Wire::NULL), column)?));
    }
    Ok(())
}

fn one(value: Wire, column: &Column) -> Result<Value> {
    use ColumnType::{
        MYSQL_TYPE_BLOB as BLOB, MYSQL_TYPE_LONG_BLOB as LONG_BLOB, MYSQL_TYPE_MEDIUM_BLOB as MEDIUM_BLOB,
        MYSQL_TYPE_STRING as STRING, MYSQL_TYPE_TINY_BLOB as TINY_BLOB, MYSQL_TYPE_VAR_STRING as VAR_STRING,
        MYSQL_TYPE_VARCHAR as VARCHAR,
    };
    let name = || column.name_str().into_owned();
    Ok(match (value, column.column_type()) {
        (Wire::NULL, _) => Value::Null,
        (Wire::Int(i), _) => Value::Int(i),
        (Wire::UInt(u), _) => {
            Value::Int(i64::try_from(u).map_err(|_| Error::Decode(format!("column {}: {u} is too large", name())))?)
        }
        (Wire::Float(x), _) => Value::Float(x.into()),
        (Wire::Double(x), _) => Value::Float(x),
        (Wire::Bytes(b), VARCHAR | VAR_STRING | STRING | BLOB | TINY_BLOB | MEDIUM_BLOB | LONG_BLOB) => {
            if column.character_set() == BINARY {
                return Ok(Value::Bytes(b));
            }
            Value::Text(String::from_utf8(b).map_err(|e| Error::Decode(format!("column {}: {e}", name())))?)
        }
        // Such as decimal, which sum() makes of bigints: what it shall become is for the statement to say.
        (_, other) => {
            let known = format!("{other:?}").trim_start_matches("MYSQL_TYPE_").to_ascii_lowercase();
            let column = name();
            return Err(Error::Decode(format!(
                "column {column}: columns of type {known} are not read: cast it in the statement"
            )));
        }
    })
}

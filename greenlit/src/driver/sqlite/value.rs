//! Values between greenlit and SQLite.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::Value;

/// An argument as SQLite takes it, without a copy.
pub(super) struct Argument<'a>(pub(super) &'a Value);

impl ToSql for Argument<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let unfit = |what: &str| Err(rusqlite::Error::ToSqlConversionFailure(what.into()));
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Bool(b) => ValueRef::Integer((*b).into()),
            Value::Int(i) => ValueRef::Integer(*i),
            Value::Float(f) if f.is_nan() => return unfit("SQLite has no NaN: it would store NULL"),
            Value::Float(f) => ValueRef::Real(*f),
            Value::Text(t) => ValueRef::Text(t.as_bytes()),
            Value::Bytes(b) => ValueRef::Blob(b),
            Value::List(_) => return unfit("a list stands where there is no ?*"),
        }))
    }
}

pub(super) fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(i) => Value::Int(i),
        ValueRef::Real(f) => Value::Float(f),
        // SQLite does not check that text is UTF-8. What is not was damaged: it is shown with replacement characters, since an
        // error would hide all rows beside it.
        ValueRef::Text(t) => Value::Text(match std::str::from_utf8(t) {
            Ok(text) => text.to_owned(),
            Err(_) => String::from_utf8_lossy(t).into_owned(),
        }),
        ValueRef::Blob(b) => Value::Bytes(b.to_vec()),
    }
}

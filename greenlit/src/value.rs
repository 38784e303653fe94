//! What travels between Rust and the database: one small set of values for every database.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// A value as a database sees it. Arguments are made of them by [`args!`](crate::args), columns are read from them by
/// [`FromValue`].
///
/// ```
/// use greenlit::Value;
/// assert_eq!(Value::from(7_i64), Value::Int(7));
/// assert_eq!(Value::from(None::<String>), Value::Null);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// SQL's NULL.
    Null,
    /// A boolean; SQLite stores it as 0 or 1.
    Bool(bool),
    /// A 64-bit integer; columns of smaller integers are widened.
    Int(i64),
    /// A double.
    Float(f64),
    /// Text, or a JSON document.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The values of a `?*`, as [`list`] makes them: an argument only, never a column.
    List(Vec<Value>),
}

/// A list as one argument: its values stand where the statement says `?*`.
///
/// The number of placeholders is rounded up to a power of two, by repeating the last value, so that lists of many lengths
/// share few prepared statements. An empty list matches nothing, behind `in` and behind `not in`. The databases
/// take some 30,000 values at most.
///
/// ```
/// # async fn f(tx: &mut greenlit::Tx, keys: &[String]) -> greenlit::Result<()> {
/// use greenlit::{args, list};
/// tx.exec("delete from image where owner = ? and key in (?*)", args![7, list(keys)]).await?;
/// # Ok(()) }
/// ```
#[must_use]
pub fn list<V: Clone + Into<Value>>(values: &[V]) -> Value {
    Value::List(values.iter().cloned().map(Into::into).collect())
}

impl Value {
    /// A JSON document as an argument, for a text or JSON column.
    ///
    /// # Errors
    /// [`Error::Encode`] if the value has no JSON form, such as a map whose keys are not strings.
    ///
    /// ```
    /// # fn main() -> greenlit::Result<()> {
    /// assert_eq!(greenlit::Value::json(&vec![1, 2])?, greenlit::Value::Text("[1,2]".into()));
    /// # Ok(()) }
    /// ```
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Value> {
        serde_json::to_string(value).map(Value::Text).map_err(|e| Error::Encode(e.to_string()))
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) => "integer",
            Value::Float(_) => "float",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
        }
    }
}

/// A column that holds a JSON document, read into `T`. To write one, use [`Value::json`].
///
/// ```
/// use greenlit::{FromValue, Json, Value};
/// let Json(numbers) = Json::<Vec<i32>>::from_value(Value::Text("[1,2]".into())).unwrap();
/// assert_eq!(numbers, [1, 2]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// A type that a column can be read into.
///
/// Newtypes get it with `#[derive(greenlit::Value)]`.
///
/// ```
/// #[derive(Clone, Copy, PartialEq, Debug, greenlit::Value)]
/// struct FeedId(i64);
///
/// use greenlit::{FromValue, Value};
/// assert_eq!(FeedId::from_value(Value::Int(3)), Ok(FeedId(3)));
/// assert_eq!(Value::from(FeedId(3)), Value::Int(3));
/// ```
pub trait FromValue: Sized {
    /// Reads the value, or gives it back if it does not fit.
    ///
    /// # Errors
    /// The value itself; [`Row::get`](crate::Row::get) turns that into [`Error::Decode`] with the column's name.
    fn from_value(value: Value) -> Result<Self, Value>;
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl From<$t> for Value {
            fn from(value: $t) -> Value {
                Value::Int(value.into())
            }
        }
        impl FromValue for $t {
            fn from_value(value: Value) -> Result<Self, Value> {
                match value {
                    Value::Int(i) => i.try_into().map_err(|_| value),
                    _ => Err(value),
                }
            }
        }
    )*};
}
integers!(i64, i32, u32, i16);

macro_rules! plain {
    ($($t:ty, $variant:ident, $pattern:pat => $read:expr;)*) => {$(
        impl From<$t> for Value {
            fn from(value: $t) -> Value {
                Value::$variant(value)
            }
        }
        impl FromValue for $t {
            fn from_value(value: Value) -> Result<Self, Value> {
                match value {
                    Value::$variant(inner) => Ok(inner),
                    $pattern => $read,
                    _ => Err(value),
                }
            }
        }
    )*};
}
plain! {
    // SQLite has no boolean of its own, and stores a double without fraction as an integer.
    bool, Bool, Value::Int(i @ 0..=1) => Ok(i == 1);
    f64, Float, Value::Int(i) => Ok(i as f64);
    String, Text, Value::Null => Err(Value::Null);
    Vec<u8>, Bytes, Value::Null => Err(Value::Null);
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}
impl From<&String> for Value {
    fn from(value: &String) -> Value {
        Value::Text(value.clone())
    }
}
impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Value {
        Value::Bytes(value.to_vec())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, Value> {
        Ok(value)
    }
}
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}
impl<T: DeserializeOwned> FromValue for Json<T> {
    fn from_value(value: Value) -> Result<Self, Value> {
        match &value {
            Value::Text(text) => serde_json::from_str(text).map(Json).map_err(|_| value),
            _ => Err(value),
        }
    }
}

/// The arguments of a statement, in the order of its `?`.
///
/// ```
/// use greenlit::{Value, args};
/// assert_eq!(args![1_i64, "a"], [Value::Int(1), Value::Text("a".into())]);
/// ```
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { ::std::vec![$($crate::Value::from($value)),*] };
}

//! Rows, and how structs and tuples are made of them.

use std::{collections::HashMap, fmt, hash::Hash, sync::Arc};

use crate::{Error, FromValue, Result, Value};

/// One row of an answer. It owns its values: nothing in it reaches back to the session.
pub struct Row {
    columns: Arc<[Box<str>]>,
    /// Those of the whole answer that were not taken; this row's begin at `start`.
    values: Vec<Option<Value>>,
    start: usize,
    /// The column that is read next, most probably.
    next: usize,
}

impl fmt::Debug for Row {
    /// The names of its columns: values have no place in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Row {
    /// Takes the value of the column with this name out of the row.
    ///
    /// # Errors
    /// [`Error::Decode`] if there is no such column, its value does not fit `T`, or it was taken before.
    pub fn get<T: FromValue>(&mut self, name: &str) -> Result<T> {
        // Fields mostly stand in the order of the columns: look at the next one before searching.
        let expected = self.columns.get(self.next).is_some_and(|c| **c == *name);
        let index = if expected {
            self.next
        } else {
            self.columns.iter().position(|c| **c == *name).ok_or_else(|| Error::Decode(format!("no column {name}")))?
        };
        self.next = index + 1;
        self.take(index)
    }

    /// Takes the value of the column at this position, counted from 0, out of the row.
    ///
    /// # Errors
    /// [`Error::Decode`], as [`get`](Row::get).
    pub fn take<T: FromValue>(&mut self, index: usize) -> Result<T> {
        // Behind its own columns stands the next row.
        let own = if index < self.columns.len() { self.values.get_mut(self.start + index) } else { None };
        match own.and_then(Option::take) {
            Some(value) => T::from_value(value).map_err(|value| self.unfit::<T>(index, &value)),
            None => Err(Error::Decode(format!("column {index} is not there or was read before"))),
        }
    }

    #[cold]
    fn unfit<T>(&self, index: usize, value: &Value) -> Error {
        let (name, found) = (&self.columns[index], value.type_name());
        Error::Decode(format!("column {name} holds {found}, which does not fit {}", std::any::type_name::<T>()))
    }
}

/// A type that a row can be read into: tuples of up to eight columns by position, structs by name with
/// `#[derive(greenlit::FromRow)]`, and [`Vec<Value>`](Value) of however many columns there are.
///
/// ```
/// #[derive(greenlit::FromRow)]
/// struct Author { id: i64, nickname: String }
///
/// #[derive(greenlit::FromRow)]
/// struct Feed {
///     title: String,
///     #[row(flatten)]
///     author: Author,
/// }
/// ```
pub trait FromRow: Sized + Send {
    /// Reads the row.
    ///
    /// # Errors
    /// [`Error::Decode`] if a column is missing or does not fit.
    fn from_row(row: &mut Row) -> Result<Self>;
}

/// All columns as they are, for tools that copy tables.
impl FromRow for Vec<Value> {
    fn from_row(row: &mut Row) -> Result<Self> {
        (0..row.columns.len()).map(|index| row.take(index)).collect()
    }
}

macro_rules! tuples {
    ($($($name:ident $index:tt),+;)*) => {$(
        impl<$($name: FromValue + Send),+> FromRow for ($($name,)+) {
            fn from_row(row: &mut Row) -> Result<Self> {
                Ok(($(row.take::<$name>($index)?,)+))
            }
        }
    )*};
}
tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
}

/// Groups rows by a key, in their order: the second half of a select-in.
///
/// ```
/// let images = vec![(1, "a"), (2, "b"), (1, "c")];
/// let by_feed = greenlit::by_key(images, |image| image.0);
/// assert_eq!(by_feed[&1], [(1, "a"), (1, "c")]);
/// ```
#[must_use]
pub fn by_key<K: Eq + Hash, R>(rows: Vec<R>, key: impl Fn(&R) -> K) -> HashMap<K, Vec<R>> {
    let mut groups: HashMap<K, Vec<R>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

/// What a statement brought back.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) columns: Arc<[Box<str>]>,
    /// Those of all rows, one row after the other: a list of its own for each would be most of the work of reading many.
    pub(crate) values: Vec<Option<Value>>,
    pub(crate) rows: usize,
    pub(crate) affected: u64,
}

impl Answer {
    pub(crate) fn decode<R: FromRow>(self) -> Result<Vec<R>> {
        let mut row = Row { columns: self.columns, values: self.values, start: 0, next: 0 };
        let mut decoded = Vec::with_capacity(self.rows);
        for _ in 0..self.rows {
            decoded.push(R::from_row(&mut row)?);
            row.start += row.columns.len();
            row.next = 0;
        }
        Ok(decoded)
    }
}

//! Sessions without async.

use std::{thread, time::Duration};

use serde::Serialize;
use tokio::{runtime::Handle, sync::oneshot};

use super::{Db, block_on};
use crate::{Error, FromRow, Reader as _, Result, Value, list, outbox::Job};

/// A transaction; see [`greenlit::Tx`](crate::Tx).
#[derive(Debug)]
pub struct Tx<'a> {
    tx: &'a mut crate::Tx,
    runtime: Handle,
}

/// A read session; see [`greenlit::Read`](crate::Read).
#[derive(Debug)]
pub struct Read<'a> {
    read: &'a mut crate::Read,
    runtime: Handle,
}

/// See [`Db::single`].
#[derive(Debug)]
pub struct Single<'a> {
    db: &'a Db,
}

impl Tx<'_> {
    /// Called while the session's future is polled, so the runtime is known.
    pub(super) fn over(tx: &mut crate::Tx) -> Tx<'_> {
        Tx { tx, runtime: Handle::current() }
    }

    /// Runs a statement and returns how many rows it affected.
    ///
    /// # Errors
    /// As [`greenlit::Tx::exec`](crate::Tx::exec).
    pub fn exec(&mut self, sql: &str, args: Vec<Value>) -> Result<u64> {
        block_on(&self.runtime, self.tx.exec(sql, args))
    }

    /// Runs an INSERT of one row into a table whose key is `id`, and returns the id that the database made.
    ///
    /// # Errors
    /// As [`greenlit::Tx::insert`](crate::Tx::insert).
    pub fn insert(&mut self, sql: &str, args: Vec<Value>) -> Result<i64> {
        block_on(&self.runtime, self.tx.insert(sql, args))
    }

    /// Joins the transaction as a scope that must succeed; see [`greenlit::Tx::required`](crate::Tx::required).
    ///
    /// # Errors
    /// The closure's own.
    pub fn required<F, T, E>(&mut self, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send,
        T: Send,
        E: From<Error> + Send,
    {
        block_on(&self.runtime, self.tx.required(async move |tx: &mut crate::Tx| f(&mut Tx::over(tx))))
    }

    /// Opens a scope that can fail alone; see [`greenlit::Tx::savepoint`](crate::Tx::savepoint).
    ///
    /// # Errors
    /// As [`greenlit::Tx::savepoint`](crate::Tx::savepoint).
    pub fn savepoint<F, T, E>(&mut self, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send,
        T: Send,
        E: From<Error> + Send,
    {
        block_on(&self.runtime, self.tx.savepoint(async move |tx: &mut crate::Tx| f(&mut Tx::over(tx))))
    }

    /// Registers something to do once the COMMIT was acknowledged; see
    /// [`greenlit::Tx::after_commit`](crate::Tx::after_commit). It runs on a thread of its own and may use the database.
    pub fn after_commit(&mut self, effect: impl FnOnce() + Send + 'static) {
        self.tx.after_commit(move || async move {
            let (ended, end) = oneshot::channel::<()>();
            let effect = move || {
                let _ended = ended; // dropped at the end, and by a panic
                effect();
            };
            if thread::Builder::new().name("greenlit effect".to_owned()).spawn(effect).is_ok() {
                let _ = end.await;
            }
        });
    }

    /// Puts a job into the outbox; see [`greenlit::Tx::outbox`](crate::Tx::outbox).
    ///
    /// # Errors
    /// As [`greenlit::Tx::outbox`](crate::Tx::outbox).
    pub fn outbox<P: Serialize + ?Sized>(&mut self, topic: &str, payload: &P) -> Result<i64> {
        block_on(&self.runtime, self.tx.outbox(topic, payload))
    }

    /// Puts a job into the outbox that is due later; see [`greenlit::Tx::outbox_after`](crate::Tx::outbox_after).
    ///
    /// # Errors
    /// As [`greenlit::Tx::outbox_after`](crate::Tx::outbox_after).
    pub fn outbox_after<P: Serialize + ?Sized>(&mut self, delay: Duration, topic: &str, payload: &P) -> Result<i64> {
        block_on(&self.runtime, self.tx.outbox_after(delay, topic, payload))
    }

    /// Acknowledges an outbox job in this transaction; see [`greenlit::Tx::acknowledge`](crate::Tx::acknowledge).
    ///
    /// # Errors
    /// As [`greenlit::Tx::acknowledge`](crate::Tx::acknowledge).
    pub fn acknowledge(&mut self, job: &Job) -> Result<()> {
        block_on(&self.runtime, self.tx.acknowledge(job))
    }

    /// Stores an answer beside the transaction's commit key; see [`greenlit::Tx::outcome`](crate::Tx::outcome).
    ///
    /// # Errors
    /// As [`greenlit::Tx::outcome`](crate::Tx::outcome).
    pub fn outcome(&mut self, answer: &[u8]) -> Result<()> {
        block_on(&self.runtime, self.tx.outcome(answer))
    }
}

impl Read<'_> {
    pub(super) fn over(read: &mut crate::Read) -> Read<'_> {
        Read { read, runtime: Handle::current() }
    }
}

impl Single<'_> {
    pub(super) fn over(db: &Db) -> Single<'_> {
        Single { db }
    }
}

/// What can read: a [`Tx`], a [`Read`] session or [`Db::single`]; see [`greenlit::Reader`](crate::Reader).
pub trait Reader: sealed::Sealed {
    /// Runs a statement and reads all of its rows.
    ///
    /// # Errors
    /// As [`greenlit::Reader::fetch`](crate::Reader::fetch).
    fn fetch<R: FromRow>(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<R>>;

    /// The first row.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none; as [`fetch`](Reader::fetch).
    fn fetch_one<R: FromRow>(&mut self, sql: &str, args: Vec<Value>) -> Result<R> {
        self.fetch_optional(sql, args)?.ok_or(Error::NotFound)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`fetch`](Reader::fetch).
    fn fetch_optional<R: FromRow>(&mut self, sql: &str, args: Vec<Value>) -> Result<Option<R>> {
        Ok(self.fetch(sql, args)?.into_iter().next())
    }

    /// Runs a statement for a whole list of values; see [`greenlit::Reader::fetch_in`](crate::Reader::fetch_in).
    ///
    /// # Errors
    /// As [`fetch`](Reader::fetch).
    fn fetch_in<R: FromRow, V: Clone + Into<Value>>(&mut self, sql: &str, values: &[V]) -> Result<Vec<R>> {
        if values.is_empty() { Ok(Vec::new()) } else { self.fetch(sql, vec![list(values)]) }
    }
}

impl Reader for Tx<'_> {
    fn fetch<R: FromRow>(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<R>> {
        block_on(&self.runtime, self.tx.fetch(sql, args))
    }
}

impl Reader for Read<'_> {
    fn fetch<R: FromRow>(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<R>> {
        block_on(&self.runtime, self.read.fetch(sql, args))
    }
}

impl Reader for Single<'_> {
    fn fetch<R: FromRow>(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<R>> {
        self.db.fetch(sql, args)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Tx<'_> {}
    impl Sealed for super::Read<'_> {}
    impl Sealed for super::Single<'_> {}
}

//! Transactions and read sessions, as the application sees them.

use std::{future::Future, time::Duration};

use serde::Serialize;

use crate::{Doom, Error, FromRow, Result, Single, Value, args, list, once, outbox, session::Session};

/// An async closure, or async function, whose future is `Send` whatever the lifetime of its argument. The bound is written
/// here once; nobody else names it.
pub trait TxFn<A, R>: AsyncFnOnce(A) -> R + FnOnce(A) -> <Self as TxFn<A, R>>::Fut {
    #[doc(hidden)]
    type Fut: Future<Output = R> + Send;
    #[doc(hidden)]
    fn call(self, argument: A) -> Self::Fut;
}

impl<F, Fut, A, R> TxFn<A, R> for F
where
    F: AsyncFnOnce(A) -> R + FnOnce(A) -> Fut,
    Fut: Future<Output = R> + Send,
{
    type Fut = Fut;
    fn call(self, argument: A) -> Fut {
        self(argument)
    }
}

/// A transaction. It exists only inside the closure of [`Db::tx`](crate::Db::tx), belongs to one task and is used by
/// `&mut`, so that its statements come one after another.
///
/// A failed statement poisons its scope on every database: nothing more runs in it, and it cannot commit.
#[derive(Debug)]
pub struct Tx {
    pub(crate) session: Session,
}

/// A read session: one snapshot, and no way to write. See [`Db::read`](crate::Db::read).
#[derive(Debug)]
pub struct Read {
    pub(crate) session: Session,
}

impl Tx {
    /// Runs a statement and returns how many rows it affected.
    ///
    /// Cancellation, here and in every statement: dropping the future dooms the transaction. The server is told to stop
    /// the statement when the session ends.
    ///
    /// # Errors
    /// [`Error::Database`] if the database refuses it, [`Error::Aborted`] if the scope has failed before,
    /// [`Error::Refused`] for a statement that controls transactions or changes the connection (`set_config`, session
    /// locks, variables and `select .. into` included), [`Error::Budget`], [`Error::Deadline`].
    pub async fn exec(&mut self, sql: &str, args: Vec<Value>) -> Result<u64> {
        Ok(self.session.run(sql, args).await?.affected)
    }

    /// Runs an INSERT of one row into a table whose key is `id`, and returns the id that the database made.
    ///
    /// # Errors
    /// As [`exec`](Tx::exec); [`Error::NotFound`] if nothing was inserted (`on conflict do nothing`), which is no failure:
    /// the scope goes on.
    pub async fn insert(&mut self, sql: &str, args: Vec<Value>) -> Result<i64> {
        self.session.insert(sql, args).await?.ok_or(Error::NotFound)
    }

    /// Joins the transaction as a scope that must succeed (Spring's REQUIRED): if `f` fails, nothing of the
    /// transaction can commit, even if the caller swallows the error. Inside a savepoint it is the savepoint that can
    /// only be undone.
    ///
    /// Cancellation: dropping the future dooms the transaction.
    ///
    /// # Errors
    /// The closure's own.
    #[allow(clippy::manual_async_fn)] // `Send` is part of the promise (law 4)
    pub fn required<F, T, E>(&mut self, f: F) -> impl Future<Output = Result<T, E>> + Send
    where
        F: for<'a> TxFn<&'a mut Tx, Result<T, E>> + Send,
        T: Send,
        E: From<Error> + Send,
    {
        async move {
            let mut scope = Guard { tx: self, ended: false };
            let result = f.call(&mut *scope.tx).await;
            scope.ended = true;
            if result.is_err() {
                scope.tx.session.fail_scope(Doom::RequiredFailed);
            }
            result
        }
    }

    /// Opens a scope that can fail alone (Spring's NESTED): if `f` fails, its rows and effects are undone, and the
    /// caller may handle the error and go on. A deadlock or serialization failure cannot be handled here: the whole
    /// transaction runs again.
    ///
    /// Cancellation: dropping the future dooms the transaction.
    ///
    /// # Errors
    /// The closure's own; [`Error::RolledBack`] if it returned `Ok` though a statement in it had failed;
    /// [`Error::Refused`] for more than 32 savepoints inside each other.
    #[allow(clippy::manual_async_fn)] // `Send` is part of the promise (law 4)
    pub fn savepoint<F, T, E>(&mut self, f: F) -> impl Future<Output = Result<T, E>> + Send
    where
        F: for<'a> TxFn<&'a mut Tx, Result<T, E>> + Send,
        T: Send,
        E: From<Error> + Send,
    {
        async move {
            let mut scope = Guard { tx: self, ended: false };
            let result = match scope.tx.session.open_scope().await {
                Ok(()) => {
                    let result = f.call(&mut *scope.tx).await;
                    let closed = scope.tx.session.close_scope(result.is_ok()).await;
                    match (result, closed) {
                        (Ok(value), Ok(None)) => Ok(value),
                        (Ok(_), Ok(Some(doom))) => Err(Error::RolledBack(doom).into()),
                        (Ok(_), Err(e)) => Err(e.into()),
                        (Err(error), _) => Err(error),
                    }
                }
                Err(e) => Err(e.into()),
            };
            scope.ended = true;
            result
        }
    }

    /// Registers something to do in this process once the COMMIT was acknowledged: to drop a cache entry, to wake a
    /// worker. Effects run one after another, in order, at most once, without a connection; a panic in one does not stop
    /// the next. [`Db::tx`](crate::Db::tx) returns when they have ended, or after half a minute. They are dropped with
    /// their scope. What must not be lost belongs into the [outbox](Tx::outbox).
    ///
    /// ```
    /// # async fn f(tx: &mut greenlit::Tx, wake: std::sync::Arc<tokio::sync::Notify>) {
    /// tx.after_commit(move || async move { wake.notify_one() });
    /// # }
    /// ```
    pub fn after_commit<F, Fut>(&mut self, effect: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.session.effect(Box::new(move || Box::pin(effect())));
    }

    /// Puts a job into the outbox, with `payload` as JSON: it exists if and only if this transaction commits, and is then
    /// delivered at least once. Returns the job's id.
    ///
    /// # Errors
    /// As [`exec`](Tx::exec); [`Error::Encode`] if the payload has no JSON form.
    ///
    /// ```
    /// # async fn f(tx: &mut greenlit::Tx) -> greenlit::Result<()> {
    /// tx.outbox("image.delete", &["a1.png", "b2.png"]).await?;
    /// # Ok(()) }
    /// ```
    pub async fn outbox<P: Serialize + ?Sized>(&mut self, topic: &str, payload: &P) -> Result<i64> {
        self.outbox_after(Duration::ZERO, topic, payload).await
    }

    /// The same for a job that is not due before so much time has passed, by the database's clock.
    ///
    /// # Errors
    /// As [`outbox`](Tx::outbox).
    pub async fn outbox_after<P: Serialize + ?Sized>(
        &mut self,
        delay: Duration,
        topic: &str,
        payload: &P,
    ) -> Result<i64> {
        let payload = Value::json(payload)?;
        let now = outbox::now(self.session.db().dialect());
        let sql = format!("insert into greenlit_outbox (topic, payload, due) values (?, ?, {now} + ?)");
        self.session.insert(&sql, args![topic, payload, outbox::micros(delay)]).await?.ok_or(Error::NotFound)
    }

    /// Acknowledges an outbox job in this transaction: what its handler wrote and the end of the job commit together.
    ///
    /// # Errors
    /// [`Error::Stale`] if the job is no longer this worker's, which fails the scope: nothing of the handler's work is
    /// done twice. As [`exec`](Tx::exec) otherwise.
    pub async fn acknowledge(&mut self, job: &outbox::Job) -> Result<()> {
        if self.exec(outbox::ACKNOWLEDGE, args![job.id, job.attempt]).await? == 0 {
            self.session.fail_scope(Doom::StatementFailed);
            return Err(Error::Stale);
        }
        Ok(())
    }

    /// Stores an answer beside the transaction's commit key, for [`Db::outcome`](crate::Db::outcome).
    ///
    /// # Errors
    /// [`Error::Refused`] if the transaction has no commit key; as [`exec`](Tx::exec).
    pub async fn outcome(&mut self, answer: &[u8]) -> Result<()> {
        let Some(key) = self.session.once().map(str::to_owned) else {
            return Err(Error::Refused("an outcome needs a commit key: Opts::once".to_owned()));
        };
        self.exec(once::STORE, args![answer, key]).await.map(drop)
    }
}

/// Dooms the transaction if the future of an inner scope is dropped before it ended.
struct Guard<'a> {
    tx: &'a mut Tx,
    ended: bool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.tx.session.doom(Doom::ScopeDropped);
        }
    }
}

/// What can read: a [`Tx`], a [`Read`] session or [`Db::single`](crate::Db::single). Functions that only read take
/// `&mut impl Reader` and work in all three (Spring's SUPPORTS); functions that write take `&mut Tx` (MANDATORY).
///
/// ```
/// use greenlit::{Reader, Result, args};
///
/// #[derive(greenlit::FromRow)]
/// struct Feed { id: i64, title: String }
///
/// async fn feeds(r: &mut impl Reader, ids: &[i64]) -> Result<Vec<Feed>> {
///     r.fetch_in("select id, title from feed where id in (?*)", ids).await
/// }
/// ```
pub trait Reader: Send + sealed::Sealed {
    /// Runs a statement and reads all of its rows.
    ///
    /// # Errors
    /// As [`Tx::exec`]; [`Error::Decode`] if a row does not fit.
    fn fetch<R: FromRow>(&mut self, sql: &str, args: Vec<Value>) -> impl Future<Output = Result<Vec<R>>> + Send;

    /// The first row.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none; as [`fetch`](Reader::fetch).
    fn fetch_one<R: FromRow>(&mut self, sql: &str, args: Vec<Value>) -> impl Future<Output = Result<R>> + Send {
        // Made where it is awaited: an `async` block holds a future that it was given twice.
        async move { self.fetch_optional(sql, args).await?.ok_or(Error::NotFound) }
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`fetch`](Reader::fetch).
    fn fetch_optional<R: FromRow>(
        &mut self,
        sql: &str,
        args: Vec<Value>,
    ) -> impl Future<Output = Result<Option<R>>> + Send {
        async move { Ok(self.fetch(sql, args).await?.into_iter().next()) }
    }

    /// Runs a statement for a whole list of values, which stand where it says `?*`: one statement instead of one for
    /// each. No value, no statement. [`by_key`](crate::by_key) groups what comes back; [`list`] is for
    /// statements that have other arguments too.
    ///
    /// # Errors
    /// As [`fetch`](Reader::fetch).
    fn fetch_in<R: FromRow, V: Clone + Into<Value> + Sync>(
        &mut self,
        sql: &str,
        values: &[V],
    ) -> impl Future<Output = Result<Vec<R>>> + Send {
        let (empty, args) = (values.is_empty(), vec![list(values)]);
        async move { if empty { Ok(Vec::new()) } else { self.fetch(sql, args).await } }
    }
}

impl Reader for Tx {
    async fn fetch<R: FromRow>(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<R>> {
        self.session.run(sql, args).await?.decode()
    }
}

impl Reader for Read {
    async fn fetch<R: FromRow>(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<R>> {
        self.session.run(sql, args).await?.decode()
    }
}

impl Reader for Single<'_> {
    async fn fetch<R: FromRow>(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<R>> {
        self.run(sql, args).await?.decode()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Tx {}
    impl Sealed for super::Read {}
    impl Sealed for super::Single<'_> {}
}

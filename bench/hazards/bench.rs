//! What the cases work with: a library on a database, and a second pool that looks at what was written.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::{Kind, Peer, Result};

/// Longer than any library's own patience with its pool.
const PATIENCE: Duration = Duration::from_secs(35);

const TABLES: &str = "create table t (id integer primary key, v integer not null);\
    create table account (id integer primary key, balance integer not null);\
    create table audit (id integer primary key);\
    create table payment (amount integer not null)";

pub(super) fn insert(id: i32) -> String {
    format!("insert into t values ({id}, 0)")
}

pub(super) fn update(id: i32) -> String {
    format!("update t set v = v + 1 where id = {id}")
}

/// One library on one database.
pub(super) struct Bench<P> {
    pub(super) url: String,
    pub(super) kind: Kind,
    /// How many rows SQLite counts in a second: it has no sleep.
    rows_a_second: f64,
    /// A pool that nothing happens to.
    pub(super) watch: P,
}

impl<P: Peer> Bench<P> {
    /// On the new database of the URL, in which it creates the tables.
    pub(super) async fn new(url: &str) -> Result<Bench<P>> {
        let watch = P::open(url, 2).await?;
        watch.create(TABLES).await?;
        let mut bench = Bench { url: url.to_owned(), kind: Kind::of(url), rows_a_second: 1e6, watch };
        if bench.kind == Kind::Sqlite {
            let start = Instant::now();
            bench.watch.number(&bench.slow_read(0.2)).await?;
            bench.rows_a_second = 0.2e6 / start.elapsed().as_secs_f64();
        }
        Ok(bench)
    }

    /// A pool of its own for each case, so that none inherits what another left behind.
    pub(super) async fn pool(&self, connections: usize) -> Result<P> {
        P::open(&self.url, connections).await
    }

    pub(super) async fn clear(&self) -> Result<()> {
        for table in ["t", "account", "audit", "payment"] {
            self.patiently(format!("delete from {table}")).await?;
        }
        Ok(())
    }

    /// A write of the watcher's, which may have to wait for what a case left behind.
    pub(super) async fn patiently(&self, sql: String) -> Result<()> {
        for _ in 0..100 {
            if limit(self.watch.write(sql.clone())).await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        limit(self.watch.write(sql)).await
    }

    pub(super) async fn count(&self, table_where: &str) -> Result<i64> {
        self.watch.number(&format!("select count(*) as n from {table_where}")).await
    }

    /// A SELECT of one number n that takes about so many seconds.
    pub(super) fn slow_read(&self, seconds: f64) -> String {
        match self.kind {
            Kind::Sqlite => format!("select count(*) as n from ({})", self.many_rows(seconds)),
            Kind::Postgres => format!("select count(*) as n from pg_sleep({seconds})"),
            Kind::MariaDb => format!("select cast(sleep({seconds}) as integer) as n"),
        }
    }

    /// An INSERT of the id that takes about a second.
    pub(super) fn slow_write(&self, id: i32) -> String {
        match self.kind {
            Kind::Sqlite => format!("insert into t select {id}, count(*) from ({})", self.many_rows(1.0)),
            Kind::Postgres => format!("insert into t select {id}, 0 from pg_sleep(1)"),
            Kind::MariaDb => format!("insert into t select {id}, sleep(1)"),
        }
    }

    fn many_rows(&self, seconds: f64) -> String {
        let rows = (seconds * self.rows_a_second) as u64;
        format!("with recursive i (i) as (select 1 union all select i + 1 from i where i < {rows}) select i from i")
    }

    /// Which of these ids a second session sees: "1, 3", or "none".
    pub(super) async fn rows(&self, ids: &[i32]) -> Result<String> {
        let mut found = Vec::new();
        for id in ids {
            if self.count(&format!("t where id = {id}")).await? > 0 {
                found.push(id.to_string());
            }
        }
        Ok(if found.is_empty() { "none".to_owned() } else { found.join(", ") })
    }
}

pub(super) async fn limit<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(format!("no answer in {} s", PATIENCE.as_secs()).into()))
}

//! sqlx in the situations of `../../hazards/mod.rs`.

#[path = "../../hazards/mod.rs"]
mod hazards;

use std::{env, sync::Arc};

use hazards::{Failure, GIVE_UP, Kind, Peer, Result, Step};
use sqlx::{Acquire, AssertSqlSafe, MySql, Pool, Postgres, Sqlite, pool::PoolOptions, query, query_scalar, raw_sql};
use tokio::time::timeout;

#[tokio::main]
async fn main() -> Result<()> {
    let url = env::args().nth(1).ok_or("give the database's URL")?;
    match Kind::of(&url) {
        Kind::Sqlite => {
            // WAL, which stays with the file; the rest is sqlx's default.
            let create = Pool::<Sqlite>::connect(&format!("{url}?mode=rwc")).await?;
            query("PRAGMA journal_mode = WAL").execute(&create).await?;
            create.close().await;
            hazards::run::<Pool<Sqlite>>(&url).await
        }
        Kind::Postgres => hazards::run::<Pool<Postgres>>(&url).await,
        Kind::MariaDb => hazards::run::<Pool<MySql>>(&url).await,
    }
}

/// The same calls for every database; generic over it, they would be bounds for the most part.
macro_rules! peer {
    ($database:ty) => {
        impl Peer for Pool<$database> {
            const NAME: &'static str = "sqlx";

            async fn open(url: &str, connections: usize) -> Result<Self> {
                Ok(PoolOptions::new().max_connections(connections as u32).connect(url).await?)
            }

            async fn create(&self, tables: &'static str) -> Result<()> {
                raw_sql(tables).execute(self).await?;
                Ok(())
            }

            async fn write(&self, sql: String) -> Result<()> {
                query(AssertSqlSafe(sql)).execute(self).await?;
                Ok(())
            }

            async fn number(&self, sql: &str) -> Result<i64> {
                Ok(query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(self).await?)
            }

            async fn transaction(&self, steps: Arc<[Step]>) -> Result<()> {
                let mut tx = self.begin().await?;
                for step in steps.iter().cloned() {
                    match step {
                        Step::Run(sql) => drop(query(AssertSqlSafe(sql)).execute(&mut *tx).await?),
                        Step::Swallow(sql) => drop(query(AssertSqlSafe(sql)).execute(&mut *tx).await),
                        Step::GiveUp(sql) => {
                            drop(timeout(GIVE_UP, query(AssertSqlSafe(sql)).execute(&mut *tx)).await);
                        }
                        Step::Savepoint(sql) => {
                            let mut savepoint = tx.begin().await?;
                            match query(AssertSqlSafe(sql)).execute(&mut *savepoint).await {
                                Ok(_) => savepoint.commit().await?,
                                Err(_) => savepoint.rollback().await?,
                            }
                        }
                        Step::Outside(sql) => self.write(sql).await?,
                        Step::Meet(other) => other.wait().await,
                        Step::Panic => panic!("as told"),
                    }
                }
                tx.commit().await.map_err(Failure::from)
            }

            async fn close(self) {
                Pool::close(&self).await;
            }
        }
    };
}

peer!(Sqlite);
peer!(Postgres);
peer!(MySql);

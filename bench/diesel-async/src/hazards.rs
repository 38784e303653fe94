//! diesel-async in the situations of `../../hazards/mod.rs`.

#[path = "../../hazards/mod.rs"]
mod hazards;

use std::{env, sync::Arc};

use diesel::{QueryableByName, SqliteConnection, result::Error, sql_query, sql_types::BigInt};
use diesel_async::{
    AsyncConnection, AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, deadpool::Pool},
    sync_connection_wrapper::SyncConnectionWrapper,
};
use hazards::{Failure, GIVE_UP, Kind, Peer, Result, Step};
use tokio::time::timeout;

type SqliteOnThreads = SyncConnectionWrapper<SqliteConnection>;

#[tokio::main]
async fn main() -> Result<()> {
    let url = env::args().nth(1).ok_or("give the database's URL")?;
    match Kind::of(&url) {
        Kind::Sqlite => {
            // WAL, which stays with the file; the rest is diesel's default.
            let mut create = SqliteOnThreads::establish(&address(&url)).await?;
            create.batch_execute("PRAGMA journal_mode = WAL").await?;
            hazards::run::<Sqlite>(&url).await
        }
        Kind::Postgres => hazards::run::<Postgres>(&url).await,
        Kind::MariaDb => hazards::run::<MariaDb>(&url).await,
    }
}

/// What diesel takes: the path of a file, and a MariaDB without ssl-mode, through the wire and not past it.
fn address(url: &str) -> String {
    match Kind::of(url) {
        Kind::Sqlite => url.trim_start_matches("sqlite:").to_owned(),
        Kind::Postgres => url.to_owned(),
        Kind::MariaDb => url.replace("ssl-mode=disabled", "prefer_socket=false"),
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// The same calls for every database; generic over it, they would be bounds for the most part.
macro_rules! peer {
    ($name:ident, $connection:ty) => {
        #[derive(Clone)]
        struct $name(Pool<$connection>);

        impl Peer for $name {
            const NAME: &'static str = "diesel-async";

            async fn open(url: &str, connections: usize) -> Result<Self> {
                let manager = AsyncDieselConnectionManager::<$connection>::new(address(url));
                Ok($name(Pool::builder(manager).max_size(connections).build()?))
            }

            async fn create(&self, tables: &'static str) -> Result<()> {
                Ok(self.0.get().await?.batch_execute(tables).await?)
            }

            async fn write(&self, sql: String) -> Result<()> {
                sql_query(sql).execute(&mut self.0.get().await?).await?;
                Ok(())
            }

            async fn number(&self, sql: &str) -> Result<i64> {
                let row: Number = sql_query(sql).get_result(&mut self.0.get().await?).await?;
                Ok(row.n)
            }

            async fn transaction(&self, steps: Arc<[Step]>) -> Result<()> {
                let mut connection = self.0.get().await?;
                let outside = self.clone();
                let done = connection.transaction::<(), Failure, _>(async move |tx| {
                    for step in steps.iter().cloned() {
                        match step {
                            Step::Run(sql) => drop(sql_query(sql).execute(tx).await?),
                            Step::Swallow(sql) => drop(sql_query(sql).execute(tx).await),
                            Step::GiveUp(sql) => drop(timeout(GIVE_UP, sql_query(sql).execute(tx)).await),
                            Step::Savepoint(sql) => {
                                let inner = async move |tx: &mut _| sql_query(sql).execute(tx).await;
                                let _handled = tx.transaction::<usize, Error, _>(inner).await;
                            }
                            Step::Outside(sql) => outside.write(sql).await?,
                            Step::Meet(other) => other.wait().await,
                            Step::Panic => panic!("as told"),
                        }
                    }
                    Ok(())
                });
                done.await
            }

            async fn close(self) {
                self.0.close();
            }
        }
    };
}

peer!(Sqlite, SqliteOnThreads);
peer!(Postgres, AsyncPgConnection);
peer!(MariaDb, AsyncMysqlConnection);

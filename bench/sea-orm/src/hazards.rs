//! SeaORM in the situations of `../../hazards/mod.rs`.

#[path = "../../hazards/mod.rs"]
mod hazards;

use std::{env, sync::Arc};

use hazards::{Failure, GIVE_UP, Kind, Peer, Result, Step};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbErr, Statement,
    TransactionError, TransactionTrait,
};
use tokio::time::timeout;

#[tokio::main]
async fn main() -> Result<()> {
    let url = env::args().nth(1).ok_or("give the database's URL")?;
    if Kind::of(&url) == Kind::Sqlite {
        // WAL, which stays with the file; the rest is SeaORM's default.
        let create = Database::connect(format!("{url}?mode=rwc")).await?;
        create.execute_unprepared("PRAGMA journal_mode = WAL").await?;
        create.close().await?;
    }
    hazards::run::<SeaOrm>(&url).await
}

#[derive(Clone)]
struct SeaOrm(DatabaseConnection);

impl Peer for SeaOrm {
    const NAME: &'static str = "sea-orm";

    async fn open(url: &str, connections: usize) -> Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(connections as u32);
        Ok(SeaOrm(Database::connect(options).await?))
    }

    async fn create(&self, tables: &'static str) -> Result<()> {
        for table in tables.split(';') {
            self.0.execute_unprepared(table).await?;
        }
        Ok(())
    }

    async fn write(&self, sql: String) -> Result<()> {
        self.0.execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn number(&self, sql: &str) -> Result<i64> {
        let row = self.0.query_one_raw(Statement::from_string(self.0.get_database_backend(), sql)).await?;
        Ok(row.ok_or("no row")?.try_get("", "n")?)
    }

    async fn transaction(&self, steps: Arc<[Step]>) -> Result<()> {
        let outside = self.clone();
        let done = self.0.transaction::<_, (), Failure>(move |tx| {
            Box::pin(async move {
                for step in steps.iter().cloned() {
                    self::step(tx, &outside, step).await?;
                }
                Ok(())
            })
        });
        done.await.map_err(|e| match e {
            TransactionError::Connection(e) => e.into(),
            TransactionError::Transaction(e) => e,
        })
    }

    async fn outer_in_savepoint(&self, sql: String) -> Option<Result<()>> {
        let outer = async {
            let tx = self.0.begin().await?;
            let savepoint = tx.begin().await?;
            tx.execute_unprepared(&sql).await?;
            savepoint.rollback().await?;
            tx.commit().await
        };
        Some(outer.await.map_err(Failure::from))
    }

    async fn close(self) {
        let _closed = self.0.close().await;
    }
}

async fn step(tx: &DatabaseTransaction, outside: &SeaOrm, step: Step) -> Result<()> {
    match step {
        Step::Run(sql) => drop(tx.execute_unprepared(&sql).await?),
        Step::Swallow(sql) => drop(tx.execute_unprepared(&sql).await),
        Step::GiveUp(sql) => drop(timeout(GIVE_UP, tx.execute_unprepared(&sql)).await),
        Step::Savepoint(sql) => {
            let inner = tx.transaction::<_, _, DbErr>(|tx| Box::pin(async move { tx.execute_unprepared(&sql).await }));
            let _handled = inner.await;
        }
        Step::Outside(sql) => outside.write(sql).await?,
        Step::Meet(other) => other.wait().await,
        Step::Panic => panic!("as told"),
    }
    Ok(())
}

//! greenlit in the situations of `../../hazards/mod.rs`.

#[path = "../../hazards/mod.rs"]
mod hazards;

use std::{env, sync::Arc};

use greenlit::{Config, Db, Error, Migration, Opts, Tx, args};
use hazards::{Failure, GIVE_UP, Peer, Result, Step};
use tokio::time::timeout;

#[tokio::main]
async fn main() -> Result<()> {
    let url = env::args().nth(1).ok_or("give the database's URL")?;
    hazards::run::<Greenlit>(&url).await
}

#[derive(Clone)]
struct Greenlit(Db);

impl Peer for Greenlit {
    const NAME: &'static str = "greenlit";

    async fn open(url: &str, connections: usize) -> Result<Self> {
        let mut config = Config::default();
        config.connections = connections;
        Ok(Greenlit(Db::open_with(url, &config).await?))
    }

    async fn create(&self, tables: &'static str) -> Result<()> {
        self.0.migrate(&[Migration { version: 1, name: "tables", sql: tables }]).await?;
        Ok(())
    }

    async fn write(&self, sql: String) -> Result<()> {
        let written = self.0.tx(Opts::default(), async move |tx| tx.exec(&sql, args![]).await.map(drop));
        written.await.map_err(|e: Error| e.into())
    }

    async fn number(&self, sql: &str) -> Result<i64> {
        let (number,) = self.0.fetch_one(sql, args![]).await?;
        Ok(number)
    }

    async fn transaction(&self, steps: Arc<[Step]>) -> Result<()> {
        let outside = self.clone();
        let done = self.0.tx(Opts::default(), async move |tx| {
            for step in steps.iter().cloned() {
                match step {
                    Step::Run(sql) => drop(tx.exec(&sql, args![]).await?),
                    Step::Swallow(sql) => drop(tx.exec(&sql, args![]).await),
                    Step::GiveUp(sql) => drop(timeout(GIVE_UP, tx.exec(&sql, args![])).await),
                    Step::Savepoint(sql) => {
                        drop(tx.savepoint(async move |tx: &mut Tx| tx.exec(&sql, args![]).await).await);
                    }
                    Step::Outside(sql) => outside.write(sql).await?,
                    Step::Meet(other) => other.wait().await,
                    Step::Panic => panic!("as told"),
                }
            }
            Ok(())
        });
        done.await.map_err(|e: Failure| e)
    }

    async fn once(&self, key: &'static str, sql: String) -> Option<Result<()>> {
        let opts = Opts::default().once(key);
        let done: Result<u64, Error> = self.0.tx(opts, async move |tx| tx.exec(&sql, args![]).await).await;
        Some(done.map(drop).map_err(Failure::from))
    }
}

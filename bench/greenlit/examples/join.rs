//! Two statements at once on one transaction.

use greenlit::{Db, Opts, Result, args};

pub async fn both(db: &Db) -> Result<()> {
    db.tx(Opts::default(), async |tx| {
        let (a, b) = tokio::join!(tx.exec("delete from t", args![]), tx.exec("delete from u", args![]));
        a?;
        b?;
        Ok(())
    })
    .await
}

fn main() {}

//! The outer handle, used while a savepoint is open.

use greenlit::{Db, Opts, Result, Tx, args};

pub async fn outer(db: &Db) -> Result<u64> {
    db.tx(Opts::default(), async |tx| {
        tx.savepoint(async |_inner: &mut Tx| tx.exec("delete from t", args![]).await).await
    })
    .await
}

fn main() {}

//! The outer handle, used while a savepoint is open.

use diesel::{result::Error, sql_query};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

pub async fn outer(connection: &mut AsyncPgConnection) -> Result<usize, Error> {
    connection
        .transaction(async |tx| tx.transaction(async |_inner| sql_query("delete from t").execute(tx).await).await)
        .await
}

fn main() {}

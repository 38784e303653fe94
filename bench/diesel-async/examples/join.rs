//! Two statements at once on one transaction.

use diesel::{result::Error, sql_query};
use diesel_async::{AsyncConnection, AsyncMysqlConnection, RunQueryDsl};

pub async fn both(connection: &mut AsyncMysqlConnection) -> Result<(), Error> {
    connection
        .transaction(async |tx| {
            let (a, b) = tokio::join!(sql_query("delete from t").execute(tx), sql_query("delete from u").execute(tx));
            a?;
            b?;
            Ok(())
        })
        .await
}

fn main() {}

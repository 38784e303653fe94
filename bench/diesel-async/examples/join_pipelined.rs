//! Two statements at once on one transaction, as the documentation of AsyncPgConnection shows it.

use diesel::{result::Error, sql_query};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

pub async fn both(connection: &mut AsyncPgConnection) -> Result<(), Error> {
    connection
        .transaction(async |tx| {
            let tx = &*tx;
            let (mut one, mut two) = (tx, tx);
            let a = sql_query("delete from t").execute(&mut one);
            let b = sql_query("delete from u").execute(&mut two);
            let (a, b) = tokio::join!(a, b);
            a?;
            b?;
            Ok(())
        })
        .await
}

fn main() {}

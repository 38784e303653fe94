//! Two statements at once on one transaction.

use sqlx::{Error, PgPool, query};

pub async fn both(pool: &PgPool) -> Result<(), Error> {
    let mut tx = pool.begin().await?;
    let (a, b) = tokio::join!(query("delete from t").execute(&mut *tx), query("delete from u").execute(&mut *tx));
    a?;
    b?;
    tx.commit().await
}

fn main() {}

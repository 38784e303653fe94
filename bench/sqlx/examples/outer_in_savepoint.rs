//! The outer handle, used while a savepoint is open.

use sqlx::{Acquire, Error, PgPool, query};

pub async fn outer(pool: &PgPool) -> Result<(), Error> {
    let mut tx = pool.begin().await?;
    let savepoint = tx.begin().await?;
    query("delete from t").execute(&mut *tx).await?;
    savepoint.rollback().await?;
    tx.commit().await
}

fn main() {}

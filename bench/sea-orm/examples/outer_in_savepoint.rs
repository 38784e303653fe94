//! The outer handle, used while a savepoint is open.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, TransactionTrait};

pub async fn outer(db: &DatabaseConnection) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let savepoint = tx.begin().await?;
    tx.execute_unprepared("delete from t").await?;
    savepoint.rollback().await?;
    tx.commit().await
}

fn main() {}

//! Two statements at once on one transaction.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, TransactionError, TransactionTrait};

pub async fn both(db: &DatabaseConnection) -> Result<(), TransactionError<DbErr>> {
    db.transaction(|tx| {
        Box::pin(async move {
            let (a, b) = tokio::join!(tx.execute_unprepared("delete from t"), tx.execute_unprepared("delete from u"));
            a?;
            b?;
            Ok(())
        })
    })
    .await
}

fn main() {}

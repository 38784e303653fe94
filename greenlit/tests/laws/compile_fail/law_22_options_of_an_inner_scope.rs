use greenlit::{Db, Error, Opts};

async fn inner_options(db: &Db) -> Result<(), Error> {
    db.tx(Opts::default(), async |tx| {
        tx.required(async |_| Ok::<_, Error>(()), Opts::default().serializable()).await?;
        tx.savepoint(async |_| Ok::<_, Error>(()), Opts::default().attempts(9)).await
    })
    .await
}

fn main() {}

use greenlit::{Db, Error, Opts, args};

async fn a_task_of_its_own(db: &Db) -> Result<(), Error> {
    db.tx(Opts::default(), async |tx| {
        tokio::spawn(async move { tx.exec("delete from a", args![]).await });
        Ok(())
    })
    .await
}

fn main() {}

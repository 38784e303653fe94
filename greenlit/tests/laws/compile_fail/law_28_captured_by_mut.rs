use greenlit::{Db, Error, Opts, args};

async fn state_that_a_second_try_would_see(db: &Db) -> Result<(), Error> {
    let mut seen = Vec::new();
    db.tx(Opts::default(), async |tx| {
        seen.push(tx.exec("delete from a", args![]).await?);
        Ok(())
    })
    .await
}

fn main() {}

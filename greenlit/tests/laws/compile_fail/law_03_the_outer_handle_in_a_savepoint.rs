use greenlit::{Db, Error, Opts, Result, args};

async fn outer_inside_inner(db: &Db) -> Result<()> {
    db.tx(Opts::default(), async |tx| {
        tx.savepoint(async |_inner| {
            tx.exec("delete from a", args![]).await?;
            Ok::<_, Error>(())
        })
        .await
    })
    .await
}

fn main() {}

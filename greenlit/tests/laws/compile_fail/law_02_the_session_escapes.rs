use greenlit::{Db, Error, Opts, args};

async fn kept_for_later(db: &Db) -> Result<u64, Error> {
    let tx = db.tx(Opts::default(), async |tx| Ok::<_, Error>(tx)).await?;
    tx.exec("delete from a", args![]).await
}

fn main() {}

use greenlit::{Db, Error, Opts, args};

async fn two_statements_at_once(db: &Db) -> Result<(), Error> {
    db.tx(Opts::default(), async |tx| {
        let one = tx.exec("delete from a", args![]);
        let two = tx.exec("delete from b", args![]);
        let (one, two) = tokio::join!(one, two);
        one.and(two).map(drop)
    })
    .await
}

fn main() {}

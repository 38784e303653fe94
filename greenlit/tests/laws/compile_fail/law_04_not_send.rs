use std::rc::Rc;

use greenlit::{Db, Error, Opts, args};

async fn something_of_this_thread(db: &Db) -> Result<(), Error> {
    db.tx(Opts::default(), async |tx| {
        let here = Rc::new(1);
        tx.exec("delete from a", args![]).await?;
        drop(here);
        Ok(())
    })
    .await
}

fn main() {}

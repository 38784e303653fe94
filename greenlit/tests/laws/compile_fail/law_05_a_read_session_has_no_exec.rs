use greenlit::{Db, Error, Opts, args};

async fn write_in_a_read_session(db: &Db) -> Result<u64, Error> {
    db.read(Opts::default(), async |r| r.exec("delete from a", args![]).await).await
}

fn main() {}

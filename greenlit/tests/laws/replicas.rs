//! Law 37, as far as a single server can show it: the primary answers for replicas that cannot. Real replicas are in the
//! tier `cluster`.

use std::sync::Arc;

use greenlit::{Db, Error, Opts, Reader, Result, Token, args};

use crate::support::{TestDb, config, item, items, laws, laws_on};

laws! { law_37_without_replicas_the_primary_answers }
laws_on! { [postgres mariadb]: law_37_the_primary_answers_for_a_dead_replica }

async fn law_37_without_replicas_the_primary_answers(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    db.tx(Opts::default(), async |tx| item(tx, 1).await).await?;
    let statements = db.stats().statements;
    let token = db.token().await?;
    assert_eq!((&token, db.stats().statements), (&Token::default(), statements), "nobody needs to be asked");
    assert_eq!(db.read(Opts::default().after(token), async |r| items(r).await).await?, 1);
    let made_up = "; drop table item".parse::<Token>();
    assert!(matches!(made_up, Err(Error::Decode(_))));
    if t.is_sqlite() {
        let mut config = config(1);
        config.replicas = vec![t.url().to_owned()];
        assert!(matches!(Db::open_with(t.url(), &config).await, Err(Error::Config(_))));
    }
    Ok(())
}

async fn law_37_the_primary_answers_for_a_dead_replica(t: Arc<TestDb>) -> Result<()> {
    let mut config = config(1);
    let dead = t.says("", "postgres://nobody@127.0.0.1:1/none", "mariadb://nobody@127.0.0.1:1/none");
    // The primary itself replays nothing: it cannot be waited for.
    config.replicas = vec![dead.to_owned(), t.url().to_owned()];
    let db = Db::open_with(t.url(), &config).await?;
    db.tx(Opts::default(), async |tx| item(tx, 1).await).await?;
    let token = match db.token().await {
        // Nothing can replicate it, and an empty token would be as good as none.
        Err(Error::Config(why)) if t.is_mariadb() && why.contains("log_bin") => "0-1-1".parse()?,
        token => token?,
    };
    assert_eq!(token.to_string().parse::<Token>()?, token);
    for _ in 0..5 {
        assert_eq!(db.read(Opts::default().after(token.clone()), async |r| items(r).await).await?, 1);
        let (items,): (i64,) = db.single().after(token.clone()).fetch_one("select count(*) from item", args![]).await?;
        assert_eq!(items, 1);
    }
    // What writes never goes there.
    db.tx(Opts::default().after(token), async |tx| item(tx, 2).await).await?;
    Ok(())
}

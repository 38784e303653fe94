//! A COMMIT that the server gets and whose answer never arrives.

use super::{
    Kind, Peer, Result, Step,
    bench::{Bench, limit},
    proxy::{Proxy, Wire},
    told,
};

pub(super) async fn lost_commit<P: Peer>(bench: &Bench<P>) -> Result<String> {
    if bench.kind == Kind::Sqlite {
        return Ok("-".to_owned()); // no wire
    }
    let proxy = Proxy::to(&bench.url).await;
    let pool = P::open(&proxy.url, 1).await?;
    limit(pool.number("select count(*) as n from payment")).await?;
    let pay = "insert into payment values (5)".to_owned();
    proxy.set(Wire::LoseAnswerOfCommit);
    let first = limit(pool.transaction([Step::Run(pay.clone())].into())).await;
    let again = limit(pool.transaction([Step::Run(pay.clone())].into())).await;
    let paid = bench.count("payment").await?;
    let mut seen = format!("{}, again: {}; paid {paid} times", told(&first), told(&again));
    proxy.set(Wire::LoseAnswerOfCommit);
    if let Some(first) = limit(async { Ok(pool.once("5 to you", pay.clone()).await) }).await? {
        let again = pool.once("5 to you", pay).await.unwrap_or(Ok(()));
        let paid = bench.count("payment").await? - paid;
        seen += &format!(". With a commit key: {}, again: {}; paid {paid} times", told(&first), told(&again));
    }
    pool.close().await;
    Ok(seen)
}

//! Transactions that wait for each other.

use super::{
    Kind, Peer, Result, Step,
    bench::{Bench, insert, limit, update},
    peer::Meeting,
    told, words,
};

/// Two transactions that write a row each, lock t's rows 1 and 2 crosswise, and write a row again.
async fn deadlock<P: Peer>(bench: &Bench<P>, crossing: fn(String) -> Step) -> Result<[Result<()>; 2]> {
    for id in [1, 2] {
        bench.patiently(insert(id)).await?;
    }
    let (pool, meeting) = (bench.pool(2).await?, Meeting::new());
    let one = |first, second| {
        let meet = Step::Meet(meeting.clone());
        let (before, after) = (Step::Run(insert(10 * first)), Step::Run(insert(10 * first + 1)));
        let steps = [before, Step::Run(update(first)), meet, crossing(update(second)), after];
        let pool = pool.clone();
        async move { limit(pool.transaction(steps.into())).await }
    };
    let (a, b) = tokio::join!(one(1, 2), one(2, 1));
    pool.close().await;
    Ok([a, b])
}

/// What [`deadlock`] did to each of its transactions: what it answered, and its rows before and after the deadlock.
async fn deadlocked<P: Peer>(bench: &Bench<P>, crossing: fn(String) -> Step) -> Result<String> {
    if bench.kind == Kind::Sqlite {
        return Ok("-".to_owned()); // one writer: nothing to deadlock with
    }
    let mut seen = Vec::new();
    for (result, first) in deadlock(bench, crossing).await?.iter().zip([10, 20]) {
        let before = bench.count(&format!("t where id = {first}")).await?;
        let after = bench.count(&format!("t where id = {first} + 1")).await?;
        let half = if before == after { "" } else { "**half done**: " };
        seen.push(format!("{}, {half}{before} row before and {after} after it", told(result)));
    }
    seen.sort();
    let increments = bench.watch.number("select count(*) as n from t where id < 9 and v < 2").await?;
    let missing = if increments == 0 { "" } else { "; an update is missing" };
    Ok(format!("{}; the other: {}{missing}", seen[1], seen[0]))
}

pub(super) async fn deadlock_in_savepoint<P: Peer>(bench: &Bench<P>) -> Result<String> {
    deadlocked(bench, Step::Savepoint).await
}

pub(super) async fn deadlock_swallowed<P: Peer>(bench: &Bench<P>) -> Result<String> {
    deadlocked(bench, Step::Swallow).await
}

pub(super) async fn in_the_way<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let results = match bench.kind {
        Kind::Sqlite => {
            let (pool, meeting) = (bench.pool(2).await?, Meeting::new());
            let one = |id| {
                let read = Step::Run("select count(*) as n from t".to_owned());
                let steps = [read, Step::Meet(meeting.clone()), Step::Run(insert(id))];
                let pool = pool.clone();
                async move { limit(pool.transaction(steps.into())).await }
            };
            let (a, b) = tokio::join!(one(1), one(2));
            pool.close().await;
            [a, b]
        }
        _ => deadlock(bench, Step::Run).await?,
    };
    Ok(match results {
        [Ok(()), Ok(())] => "both Ok".to_owned(),
        [Ok(()), Err(e)] | [Err(e), Ok(())] => format!("one Ok, one Err \"{}\"", words(&e)),
        [Err(a), Err(b)] => format!("Err \"{}\", Err \"{}\"", words(&a), words(&b)),
    })
}

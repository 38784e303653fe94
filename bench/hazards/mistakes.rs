//! Mistakes of a program's own: an error that it ignores, the wrong handle, a second connection, a panic.

use std::time::Instant;

use super::{
    Peer, Result, Step,
    bench::{Bench, insert, limit},
    told,
};

pub(super) async fn swallowed<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    let result = limit(pool.transaction([Step::Run(insert(1)), Step::Swallow(insert(1))].into())).await;
    pool.close().await;
    Ok(row_of(&result, bench.count("t where id = 1").await?))
}

pub(super) async fn nested<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    let start = Instant::now();
    let result = limit(pool.transaction([Step::Run(insert(1)), Step::Outside(insert(2))].into())).await;
    let after = start.elapsed();
    pool.close().await;
    Ok(format!("{} after {:.1} s", told(&result), after.as_secs_f64()))
}

pub(super) async fn outer_in_savepoint<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    let result = limit(async { Ok(pool.outer_in_savepoint(insert(1)).await) }).await?;
    pool.close().await;
    let rows = bench.count("t where id = 1").await?;
    Ok(result
        .map_or("-".to_owned(), |result| format!("compiles; {}; {rows} of the outer's 1 row written", told(&result))))
}

pub(super) async fn panicked<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    let ended = tokio::spawn({
        let pool = pool.clone();
        async move { pool.transaction([Step::Run(insert(1)), Step::Panic].into()).await }
    });
    let result = match ended.await {
        Ok(result) => told(&result),
        Err(_) => "the panic goes on".to_owned(),
    };
    let next = limit(pool.write(insert(9))).await;
    pool.close().await;
    let (row, written) = (bench.count("t where id = 1").await?, bench.count("t where id = 9").await?);
    Ok(format!("{result}, {row} of its 1 row written; the next write: {}, {written} of 1 row written", told(&next)))
}

/// What was answered about one row, and whether it is there.
fn row_of<T>(result: &Result<T>, rows: i64) -> String {
    let seen = format!("{}; {rows} of 1 row written", told(result));
    if result.is_ok() && rows == 0 { format!("**{seen}**") } else { seen }
}

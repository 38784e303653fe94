//! Futures that are dropped before they are done.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use super::{
    Peer, Result, Step,
    bench::{Bench, insert, limit},
    told, words,
};

/// Polls so many times and drops the future after it has lain for a while, or tells what it ended with.
pub(super) async fn cut<T>(work: impl Future<Output = T>, polls: u64, lie: Duration) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    let done = poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => {
            left -= 1;
            if left == 0 { Poll::Ready(None) } else { Poll::Pending }
        }
    });
    let done = done.await;
    if done.is_none() && !lie.is_zero() {
        sleep(lie).await;
    }
    done
}

pub(super) async fn dropped_at_each_poll<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let (mut cuts, mut lost, mut refused, mut halves, mut left_open) = (0, Vec::new(), 0, 0, 0);
    let mut failed = String::new();
    for lie in [Duration::ZERO, Duration::from_millis(20)] {
        for polls in 1..100 {
            bench.clear().await?;
            let pool = bench.pool(1).await?;
            limit(pool.number("select count(*) as n from t")).await?; // so that there is a connection
            let steps = [Step::Run(insert(1)), Step::Run(insert(2))].into();
            let result = cut(pool.transaction(steps), polls, lie).await;
            let done = result.is_some();
            if let Some(Err(e)) = result {
                failed = format!("; not cut: Err \"{}\"", words(&e));
            }
            if let (Some(open), false) = (bench.kind.open_transactions(), lie.is_zero()) {
                sleep(Duration::from_millis(200)).await;
                left_open += bench.count(open).await?.min(1);
            }
            let next = limit(pool.write(insert(9))).await;
            cuts += u32::from(!done);
            let seen = bench.count("t where id = 9").await?;
            match next {
                Ok(()) if seen == 0 => lost.push(polls.to_string()),
                Ok(()) => {}
                Err(_) => refused += 1,
            }
            halves += i64::from(bench.count("t where id < 9").await? == 1);
            pool.close().await;
            if done {
                break;
            }
        }
    }
    let mut seen = match lost.as_slice() {
        [] => format!("{cuts} cuts: no write lost"),
        lost => format!("{cuts} cuts: **{} writes answered Ok and lost** (after poll {})", lost.len(), lost.join(", ")),
    };
    if left_open > 0 {
        seen += &format!(", {left_open} transactions open until the connection was used again");
    }
    if refused > 0 {
        seen += &format!(", {refused} answered with an error");
    }
    if halves > 0 {
        seen += &format!(", **{halves} transactions half done**");
    }
    Ok(seen + &failed)
}

pub(super) async fn slow_read_dropped<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    limit(pool.number("select count(*) as n from t")).await?;
    let start = Instant::now();
    drop(timeout(Duration::from_millis(100), pool.number(&bench.slow_read(3.0))).await);
    let next = tokio::spawn({
        let pool = pool.clone();
        async move { (limit(pool.number("select count(*) as n from t")).await, start.elapsed()) }
    });
    sleep(Duration::from_secs(1)).await;
    let busy = match bench.kind.slow_reads() {
        Some(sql) if bench.watch.number(sql).await? > 0 => "; the server still at it after 1 s",
        Some(_) => "; the server has stopped it",
        None => "",
    };
    let (answer, after) = next.await?;
    pool.close().await;
    Ok(format!("{} after {:.1} s{busy}", told(&answer), after.as_secs_f64()))
}

pub(super) async fn dropped_inside<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let pool = bench.pool(1).await?;
    let slow = bench.slow_write(2);
    let result = limit(pool.transaction([Step::Run(insert(1)), Step::GiveUp(slow), Step::Run(insert(3))].into())).await;
    pool.close().await;
    Ok(format!("{}; rows written of 1, 2, 3: {}", told(&result), bench.rows(&[1, 2, 3]).await?))
}

//! Many transactions cut at random.

use std::{env, time::Duration};

use tokio::task::JoinSet;

use super::{
    Peer, Result, Step,
    bench::{Bench, limit},
    cancellation::cut,
};

const TASKS: u32 = 8;
const ACCOUNTS: u64 = 10;
const CUTS: u32 = 400;

/// What one task has counted.
#[derive(Default)]
struct Counts {
    done: u32,
    failed: u32,
    cut: u32,
    /// Ids of the writes that were answered Ok.
    written: Vec<u32>,
    refused: u32,
}

pub(super) async fn storm<P: Peer>(bench: &Bench<P>) -> Result<String> {
    let seed = env::var("BENCH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122);
    eprintln!("seed: run again with BENCH_SEED={seed}");
    for account in 0..ACCOUNTS {
        bench.patiently(format!("insert into account values ({account}, 1000)")).await?;
    }
    let pool = bench.pool(4).await?;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (pool, random) = (pool.clone(), Random(seed + u64::from(task)));
        tasks.spawn(one(pool, task, random));
    }
    let mut all = Counts::default();
    while let Some(counts) = tasks.join_next().await {
        let counts = counts?;
        all.done += counts.done;
        all.failed += counts.failed;
        all.cut += counts.cut;
        all.refused += counts.refused;
        all.written.extend(counts.written);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut lost = 0;
    for id in &all.written {
        lost += u32::from(bench.count(&format!("audit where id = {id}")).await? == 0);
    }
    let mut seen = format!("{} cuts, {} done", all.cut, all.done);
    seen += &if all.failed > 0 { format!(", {} failed; ", all.failed) } else { "; ".to_owned() };
    seen += &match lost {
        0 => format!("0 of {} writes that were answered Ok lost", all.written.len()),
        _ => format!("**{lost} of {} writes that were answered Ok lost**", all.written.len()),
    };
    if all.refused > 0 {
        seen += &format!(", {} more answered with an error", all.refused);
    }
    if let Some(open) = bench.kind.open_transactions() {
        seen += &format!("; {} transactions open a second later", bench.count(open).await?);
    }
    let balance = "select count(*) as n from (select sum(balance) as s from account) as a where s = 10000";
    seen += if bench.watch.number(balance).await? == 1 { "; the sum is kept" } else { "; **the sum is not kept**" };
    pool.close().await;
    Ok(seen)
}

async fn one<P: Peer>(pool: P, task: u32, mut random: Random) -> Counts {
    let mut counts = Counts::default();
    for n in 0.. {
        if counts.cut == CUTS / TASKS || n == 10 * CUTS {
            break;
        }
        // In the order of their ids: no deadlocks.
        let from = random.below(ACCOUNTS - 1);
        let to = from + 1 + random.below(ACCOUNTS - 1 - from);
        let change = |id, by: i32| Step::Run(format!("update account set balance = balance + {by} where id = {id}"));
        let transfer = pool.transaction([change(from, -1), change(to, 1)].into());
        match limit(async { Ok(cut(transfer, 1 + random.below(10), Duration::ZERO).await) }).await {
            Ok(Some(Ok(()))) => counts.done += 1,
            Ok(Some(Err(_))) => counts.failed += 1,
            _ => counts.cut += 1,
        }
        let id = task * 100_000 + n;
        match limit(pool.write(format!("insert into audit values ({id})"))).await {
            Ok(()) => counts.written.push(id),
            Err(_) => counts.refused += 1,
        }
    }
    counts
}

/// splitmix64
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

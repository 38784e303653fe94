//! Twice what a board carries, and whether it still does its work: `bench/run overload --help`.

mod board;
mod http;
mod load;
mod work;

use std::{process::Command, time::Duration};

use board::{Board, busy_time, processor_time};
use load::{Ended, Load, Shared, Tally};
use work::{KINDS, LISTS, MIX, Shares, TEXTS, Work};

const HELP: &str = "\
Finds what a board carries, asks twice as much of it, then half, and tells what it answered. Prints Markdown, asserts nothing.

Usage: bench/run overload [--seconds N] [--times X] [--only mix|texts|lists] [--together] [--program PATH] [--feeds N]

--seconds   how long too much is asked: 60 if not told
--times     how much: 2 if not told
--together  board and load share all processors; else the board has the first to itself, and the load the second
";

/// Who find out what it carries: no more than may wait with a photo on one processor, so that nobody is refused.
const CLIENTS: usize = 32;
const WARM: Duration = Duration::from_secs(3);
const CALM: Duration = Duration::from_secs(10);
const AFTER: Duration = Duration::from_secs(15);

struct Options {
    seconds: u64,
    times: f64,
    only: Option<String>,
    together: bool,
    program: String,
    feeds: usize,
}

fn options() -> Option<Options> {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let program = format!("{target}/release/madang");
    let mut options = Options { seconds: 60, times: 2.0, only: None, together: false, program, feeds: 2_000 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => options.seconds = arguments.next()?.parse().ok()?,
            "--times" => options.times = arguments.next()?.parse().ok()?,
            "--only" => options.only = Some(arguments.next()?),
            "--together" => options.together = true,
            "--program" => options.program = arguments.next()?,
            "--feeds" => options.feeds = arguments.next()?.parse().ok()?,
            _ => return None,
        }
    }
    Some(options)
}

fn main() {
    let Some(options) = options() else {
        eprint!("{HELP}");
        std::process::exit(2);
    };
    if !options.together {
        let own = std::process::id().to_string();
        let pinned = Command::new("taskset").args(["-pc", "1", &own]).output();
        assert!(pinned.is_ok_and(|output| output.status.success()), "taskset (util-linux), or --together");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (name, shares) in [("mix", MIX), ("texts", TEXTS), ("lists", LISTS)] {
        if options.only.as_deref().is_none_or(|only| only == name) {
            tokio::task::LocalSet::new().block_on(&runtime, measure(&options, name, shares));
        }
    }
}

async fn measure(options: &Options, name: &str, shares: Shares) {
    let processor = (!options.together).then_some(0);
    let board = Board::start(&options.program, processor, options.feeds).await;
    let work = Work::new(shares, options.feeds, board.tokens.clone());
    println!("\n{name}: {shares:?} of a hundred are {KINDS:?}; a photo has {} bytes\n", work.photo_bytes());
    let load = Load::new(board.address, work);
    load.closed(CLIENTS, WARM).await;
    let capacity = timed(&board, load.closed(CLIENTS, CALM)).await;
    let rate = good(&capacity.borrow()).count() as f64 / CALM.as_secs_f64();
    let before = timed(&board, load.open(rate / 2.0, CALM)).await;
    let during = timed(&board, load.open(rate * options.times, Duration::from_secs(options.seconds))).await;
    // Nothing is waited for in between: what is in work still is.
    let after = timed(&board, load.open(rate / 2.0, AFTER)).await;
    load.rest(Duration::from_secs(60)).await;

    println!(
        "| | sent/s | answered/s | p50, ms | p99, ms | refused/s | p50, ms | p99, ms | failed | not sent | board's CPU | µs/good answer | load's CPU | load late, p99 ms |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (name, tally) in [
        (format!("{CLIENTS} clients"), &capacity),
        ("half of that".to_owned(), &before),
        (format!("{} times", options.times), &during),
        ("half, right after".to_owned(), &after),
    ] {
        tell(&name, &tally.borrow());
    }
    for (name, tally) in [("within", &capacity), ("too much", &during)] {
        for kind in KINDS {
            let tally = tally.borrow();
            let failed = tally.ended.iter().filter(|e| e.kind == kind && !e.is_good() && !e.is_refused());
            let mut statuses: Vec<Option<u16>> = failed.map(|ended| ended.status).collect();
            statuses.sort_unstable();
            for same in statuses.chunk_by(|a, b| a == b) {
                println!("\n{name}, {kind:?}: {} failed with {:?}", same.len(), same[0]);
            }
        }
    }
    let (capacity, during) = (capacity.borrow(), during.borrow());
    let whole = during.seconds / capacity.seconds;
    println!(
        "\nanswered of what it carries: {:.1} %",
        100.0 * good(&during).count() as f64 / whole / good(&capacity).count() as f64
    );
    for (kind, share) in KINDS.iter().zip(shares).filter(|(_, share)| *share > 0) {
        let count = |tally: &Tally| good(tally).filter(|ended| ended.kind == *kind).count() as f64;
        println!("- {kind:?} ({share} %): {:.1} %", 100.0 * count(&during) / whole / count(&capacity));
    }
    // A second is normal when its p99 is within twice that of before.
    let normal = 2 * percentile(good(&before.borrow()).map(Ended::took), 99);
    let after = after.borrow();
    let seconds: Vec<Duration> = (0..AFTER.as_secs())
        .map(|second| percentile(good(&after).filter(|e| e.due.as_secs() == second).map(Ended::took), 99))
        .collect();
    let first = seconds.iter().position(|p99| *p99 <= normal);
    println!(
        "\nnormal again (p99 of a second at most {:.1} ms) in second {first:?} after; p99 of each, ms: {}",
        ms(normal),
        seconds.iter().map(|p99| format!("{:.1}", ms(*p99))).collect::<Vec<_>>().join(" ")
    );
    println!("most memory: {} MiB", board.most_memory());
}

async fn timed(board: &Board, phase: impl Future<Output = Shared>) -> Shared {
    let (used, own, busy) = (board.processor_time(), processor_time("self"), busy_time());
    let tally = phase.await;
    let (used, own) = (board.processor_time() - used, processor_time("self") - own);
    let mut told = tally.borrow_mut();
    (told.used, told.own, told.others) = (used, own, (busy_time() - busy - used - own).max(0.0));
    drop(told);
    tally
}

/// Good answers that came in the time of the phase.
fn good(tally: &Tally) -> impl Iterator<Item = &Ended> {
    tally.ended.iter().filter(|ended| ended.is_good() && ended.at.as_secs_f64() <= tally.seconds)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn percentile(times: impl Iterator<Item = Duration>, percent: usize) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn tell(name: &str, tally: &Tally) {
    let a_second = |count: usize| count as f64 / tally.seconds;
    let answered = good(tally).count();
    // Of all that were answered, also late: who waits longest must not be left out.
    let took = |percent| ms(percentile(tally.ended.iter().filter(|e| e.is_good()).map(Ended::took), percent));
    let refused: Vec<Duration> = tally.ended.iter().filter(|e| e.is_refused()).map(Ended::took).collect();
    let refusal = |percent| ms(percentile(refused.iter().copied(), percent));
    let failed = tally.ended.iter().filter(|e| !e.is_good() && !e.is_refused()).count();
    println!(
        "| {name} | {:.0} | {:.0} | {:.1} | {:.1} | {:.0} | {:.1} | {:.1} | {failed} | {} | {:.2} | {:.0} | {:.2} | {:.2} | {:.1} |",
        a_second(tally.sent),
        a_second(answered),
        took(50),
        took(99),
        a_second(refused.len()),
        refusal(50),
        refusal(99),
        tally.unsent,
        tally.used / tally.seconds,
        1e6 * tally.used / answered.max(1) as f64,
        tally.own / tally.seconds,
        tally.others / tally.seconds,
        ms(percentile(tally.lags.iter().copied(), 99)),
    );
}

//! The same mistakes and accidents for every library, and what becomes of them: only what was seen is told.

mod bench;
mod cancellation;
mod deadlock;
mod kind;
mod lost_commit;
mod mistakes;
mod peer;
#[path = "../../greenlit/tests/laws/proxy.rs"]
#[allow(dead_code)] // the laws spoil the wire in more ways
mod proxy;
mod storm;

use std::{env, error::Error, fmt::Display};

use bench::Bench;
use cancellation::{dropped_at_each_poll, dropped_inside, slow_read_dropped};
use deadlock::{deadlock_in_savepoint, deadlock_swallowed, in_the_way};
pub use kind::Kind;
use lost_commit::lost_commit;
use mistakes::{nested, outer_in_savepoint, panicked, swallowed};
pub use peer::{GIVE_UP, Peer, Step};

pub type Failure = Box<dyn Error + Send + Sync>;
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Runs all hazards on the new database of the URL and prints a line for each: `database, hazard, library, what was seen`.
pub async fn run<P: Peer>(url: &str) -> Result<()> {
    std::panic::set_hook(Box::new(|_| {})); // the one panic is meant
    let bench = Bench::<P>::new(url).await?;
    let only = env::args().nth(2);
    macro_rules! hazards {
        ($($name:literal: $hazard:expr,)*) => {$(
            if only.as_deref().is_none_or(|only| $name.contains(only)) {
                let seen = match bench.clear().await {
                    Ok(()) => $hazard(&bench).await,
                    Err(e) => Err(e),
                };
                let seen = seen.unwrap_or_else(|e| format!("could not be tried: {}", words(&e)));
                println!("{}\t{}\t{}\t{seen}", bench.kind.name(), $name, P::NAME);
            }
        )*};
    }
    hazards! {
        "A statement's error is swallowed, then the transaction commits": swallowed,
        "The transaction is dropped at its first, second, ... poll; the next write through the pool": dropped_at_each_poll,
        "400 transfers, each dropped at a random poll, then a write; 8 tasks, pool of 4": storm::storm,
        "A read of about 3 s is dropped after 0.1 s; the next read through a pool of 1": slow_read_dropped,
        "A slow INSERT's future is dropped inside the transaction, which goes on and commits": dropped_inside,
        "Inside a transaction the pool of 1 is asked for another connection": nested,
        "The outer handle is used while a savepoint is open, which is then rolled back": outer_in_savepoint,
        "A deadlock is handled in a savepoint, and the transaction commits": deadlock_in_savepoint,
        "A deadlock's error is swallowed, and the transaction commits": deadlock_swallowed,
        "COMMIT's answer is lost, and the caller repeats the call": lost_commit,
        "Two transactions deadlock; on SQLite both read, then write": in_the_way,
        "A panic inside the transaction": panicked,
    }
    Ok(())
}

fn told<T>(result: &Result<T>) -> String {
    match result {
        Ok(_) => "Ok".to_owned(),
        Err(e) => format!("Err \"{}\"", words(e)),
    }
}

/// The first words of an error, fit for a table.
fn words(e: &impl Display) -> String {
    let line = e.to_string().replace(['\n', '\t', '|'], " ");
    if line.chars().count() <= 90 { line } else { line.chars().take(90).chain(['…']).collect() }
}

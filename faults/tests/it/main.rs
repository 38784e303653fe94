//! A few kills on each database, that the oracle objects to what is broken, and that no release can be killed this way.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on shall panic
#![allow(clippy::print_stdout)] // seeds

mod guard;
mod kills;
mod oracle;

use faults::{board::Program, campaign::Campaign, place::Place};

/// The same choices in every run: what the campaigns by hand choose afresh is repeated here.
const SEED: u64 = 20_261_127;

/// A board in this place, which nobody has killed yet.
async fn campaign(place: Place) -> Campaign {
    println!("{place}, seed {SEED}");
    Campaign::new(place, Program::new(env!("CARGO_BIN_EXE_faults")), SEED).await.unwrap()
}

//! Whether a board kept its word, by a list of promises:
//!
//! - (a) what was acknowledged is there as it was sent, and nothing else is;
//! - (b) every address that is shown is served;
//! - (c) once all that waits is done, there is no object and no temporary file without a row;
//! - (d) every number is that of the rows it counts, and no job is left;
//! - (e) what was not acknowledged is wholly there or not at all, and its repetition takes effect once;
//! - (f) the database finds nothing wrong with itself;
//! - (h) the log tells of no panic that was not planned, and no secret.
//!
//! (g), what a process holds, is for tests that let one live: here each lives for a second.

mod inside;
mod open;
mod outside;
mod tools;

pub use inside::look_inside;
pub use open::{Trace, repeat, trace};
pub use outside::look_at;

use std::collections::BTreeSet;

use crate::{
    Breach,
    history::{History, PASSWORD},
};

/// Compares what the boards logged with (h).
pub fn read_log(log: &str, history: &History) -> Vec<Breach> {
    let mut breaches = Vec::new();
    // The head of a token is that of all of them: there are too many to look for each.
    let heads = history.users.values().filter_map(|user| user.token.split('.').next());
    let secrets: BTreeSet<&str> = heads.chain([PASSWORD]).collect();
    for line in log.lines() {
        if line.contains("panicked") {
            breaches.push(Breach::new('h', line));
        }
        if secrets.iter().any(|secret| line.contains(secret)) {
            breaches.push(Breach::new('h', "a line of the log holds a secret"));
        }
    }
    breaches
}

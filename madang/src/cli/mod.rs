//! The commands beside `serve`.

pub mod check;
pub mod import_old;
pub mod user;

use std::io::{self, Write};

/// Says something to the operator on standard output, where nobody may be listening.
fn say(text: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

//! What each bomb costs of the processor, and what becomes of it. Linux alone counts that apart from other programs.
#![allow(clippy::print_stdout, missing_docs)]

#[path = "../src/markdown/bombs.rs"]
mod bombs;

use madang::markdown::{excerpt, render};

fn main() {
    println!("| bomb | ms | bytes | excerpt ms |\n|---|---|---|---|");
    // What is made once for all.
    render("*warm* https://a.b");
    for (name, text) in bombs::all() {
        let start = processor();
        let html = render(&text);
        let rendered = processor();
        excerpt(&text, 200);
        println!("| {name} | {:.1} | {} | {:.2} |", rendered - start, html.len(), processor() - rendered);
    }
}

/// Milliseconds of the processor that this thread has had.
fn processor() -> f64 {
    let of_thread = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    of_thread.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default() / 1e6
}

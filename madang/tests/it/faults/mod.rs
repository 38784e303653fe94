//! What the board depends on fails, and comes back: databases, disks, files, clocks, other nodes.

mod busy;
mod clock;
mod commit;
mod damage;
mod disk;
mod files;
mod jobs;
mod keys;
mod load;
mod nodes;
// The one of greenlit's laws.
#[allow(dead_code)]
#[path = "../../../../greenlit/tests/laws/proxy.rs"]
mod proxy;
mod read_only;
mod readers;
mod restart;
mod silence;
mod start;

use std::{fs::File, path::Path, process::Stdio};

use crate::process::{Board, madang};

/// What a test has measured, for whoever reads its output.
#[allow(clippy::print_stdout)]
fn tell(measured: &str) {
    println!("{measured}");
}

/// How often what goes wrong goes wrong; more often by `MADANG_TEST_ROUNDS`.
fn rounds(usual: u32) -> u32 {
    std::env::var("MADANG_TEST_ROUNDS").map_or(usual, |rounds| rounds.parse().unwrap())
}

/// A board with its log in this file.
async fn logged(data: &Path, log: &Path, arguments: &[&str]) -> Board {
    let mut command =
        madang(&["serve", "--listen", "127.0.0.1:0", "--limits", "off", "--data", data.to_str().unwrap()]);
    let log = File::options().create(true).append(true).open(log).unwrap();
    command.args(arguments).env("MADANG_LOG", "warn").stderr(Stdio::from(log));
    Board::run(command).await
}

/// `madang check` must find all well.
async fn assert_checked(data: &Path, arguments: &[&str]) {
    let output = madang(&["check", "--data", data.to_str().unwrap()]).args(arguments).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}

//! `faults`: a campaign of kills. With `serve` as its first argument it is the board itself, with its failpoints.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // its output is what it is for

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Parser;
use faults::{
    Failure, Rng,
    board::Program,
    campaign::{Campaign, Target},
    place::{Objects, Place, Rows},
    report,
};

/// Kills a board under load, again and again, and looks each time whether it kept its word.
#[derive(Parser)]
struct Arguments {
    /// Where it keeps its rows
    #[arg(long, value_enum, default_value = "sqlite")]
    database: Rows,
    /// Where it keeps its images
    #[arg(long, value_enum, default_value = "file")]
    media: Objects,
    /// How often it is killed at each point
    #[arg(long, default_value_t = 10)]
    kills: u32,
    /// Only at points with this in their name; `anywhere` is at any instant
    #[arg(long)]
    point: Option<String>,
    /// What the clients choose, as an earlier campaign printed it
    #[arg(long)]
    seed: Option<u64>,
    /// Where to write the table, beside printing it: FILE.md and FILE.json
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return madang::command_line::main();
    }
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(run(&arguments))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            println!("faults: {e}");
            ExitCode::from(2)
        }
    }
}

/// Whether the board kept its word.
async fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let seed = arguments.seed.unwrap_or_else(Rng::fresh_seed);
    let place = Place::new(arguments.database, arguments.media).await?;
    let title = format!("{place}, {} kills a point, seed {seed}", arguments.kills);
    println!("{title}");
    let wanted = |target: &Target| arguments.point.as_ref().is_none_or(|part| target.name().contains(part));
    let targets: Vec<Target> = Target::all(&place).into_iter().filter(wanted).collect();
    if targets.is_empty() {
        return Err("no point has such a name".into());
    }
    let mut campaign = Campaign::new(place, Program::new(std::env::current_exe()?), seed).await?;
    let (mut rows, mut kept) = (Vec::new(), true);
    for target in targets {
        let (row, breaches) = campaign.kill(target, arguments.kills).await?;
        println!("{}", serde_json::to_string(&row)?);
        rows.push(row);
        for breach in &breaches {
            println!("BREACH {breach}");
        }
        kept = breaches.is_empty();
        if !kept {
            break;
        }
    }
    let table = report::markdown(&rows);
    println!("\n{title}\n\n{table}");
    if let Some(file) = &arguments.report {
        fs::write(file.with_extension("md"), format!("{title}\n\n{table}"))?;
        fs::write(file.with_extension("json"), serde_json::to_string_pretty(&rows)?)?;
    }
    Ok(kept)
}

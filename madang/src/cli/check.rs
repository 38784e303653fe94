//! `madang check`: does what is kept agree with what is there?

use std::process::ExitCode;

use clap::Args;
use greenlit::Db;
use serde_json::json;

use super::{find_database, say};
use crate::{
    check::{Finding, check},
    config::Flags,
};

/// The arguments of `madang check`, beside those that name the board.
#[derive(Args, Clone, Debug)]
#[group(skip)] // it would bear the name of the command's own
pub struct Check {
    /// Make right what is wrong
    #[arg(long)]
    pub repair: bool,

    /// Print one JSON object a line: each finding, then the result
    #[arg(long)]
    pub json: bool,
}

/// Checks a board, which may be serving meanwhile. The exit code is 0 if all is well, or is by now, else 1.
///
/// # Errors
/// A sentence for the operator.
pub async fn run(flags: &Flags, args: &Check) -> Result<ExitCode, String> {
    let url = flags.database.url(&flags.server.data());
    find_database(&url)?;
    let failed = |e: greenlit::Error| format!("the database does not serve: {e}");
    let db = Db::open(&url).await.map_err(failed)?;
    let show = |finding: &Finding| match args.json {
        true => say(&json!(finding).to_string()),
        false => say(&sentence(finding)),
    };
    let found = check(&db, args.repair, show).await.map_err(failed)?;
    let well = found == 0 || args.repair;
    match args.json {
        true => say(&json!({"found": found, "repaired": args.repair && found > 0, "ok": well}).to_string()),
        false if found == 0 => say("All is well."),
        false if args.repair => say(&format!("{found} found and repaired.")),
        false => say(&format!("{found} found. The same command with --repair makes right what is wrong.")),
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn sentence(finding: &Finding) -> String {
    let of = finding.id.map(|id| format!(" of id {id}")).unwrap_or_default();
    format!("{}{of} is {} and should be {}", finding.what, finding.kept, finding.counted)
}

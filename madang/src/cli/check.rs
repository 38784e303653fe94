//! `madang check`: is everything there, and does what is kept agree with it?

use std::process::ExitCode;

use clap::Args;
use greenlit::Db;
use serde_json::json;

use super::{bar, find_database, say};
use crate::{
    check::{Board, Failure, Fault, Finding, Outcome, check},
    clock::Clock,
    config::Flags,
    media::store::Store,
};

/// The arguments of `madang check`, beside those that name the board.
#[derive(Args, Clone, Debug)]
#[group(skip)] // it would bear the name of the command's own
pub struct Check {
    /// Make right what can be made right
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
    let place = flags.store().map_err(|e| e.to_string())?;
    let store = Store::beside(&place).await.map_err(|e| format!("{}: {e}", flags.sources.name("media.url")))?;
    let db = Db::open(&url).await.map_err(|e| Failure::from(e).to_string())?;
    super::same_board(flags, &db, &store).await?;
    let bar = bar();
    let show = |finding: &Finding, repaired: bool| {
        // Lines and the bar may share a terminal.
        bar.suspend(|| match args.json {
            true => say(&json!(finding).to_string()),
            false => say(&sentence(finding, args.repair, repaired)),
        });
    };
    let board = Board { db, store, clock: Clock::default() };
    let outcome = check(&board, args.repair, &bar, show).await.map_err(|e| e.to_string())?;
    bar.finish_and_clear();
    conclude(outcome, args);
    Ok(if outcome.left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn conclude(Outcome { found, left }: Outcome, args: &Check) {
    let well = left == 0;
    match args.json {
        true => say(&json!({"found": found, "repaired": found > left, "left": left, "ok": well}).to_string()),
        false if found == 0 => say("All is well."),
        false if well => say(&format!("{found} found and repaired.")),
        false if args.repair => say(&format!("{found} found, {left} of them not repaired.")),
        false => say(&format!("{found} found. The same command with --repair makes right what can be made right.")),
    }
}

/// What it is, and what there is to do about it.
pub(super) fn sentence(finding: &Finding, repair: bool, repaired: bool) -> String {
    match finding {
        Finding::Count { what, id, kept, counted } => {
            let of = id.map(|id| format!(" of id {id}")).unwrap_or_default();
            format!("{what}{of} is {kept} and should be {counted}")
        }
        Finding::Object { what, name, feed_id } => {
            let of = feed_id.map(|id| format!(" of feed {id}")).unwrap_or_default();
            let (wrong, remedy) = of_object(*what, repair, repaired);
            format!("{name}{of} {wrong}: {remedy}")
        }
        Finding::Job { id, topic, last_error, .. } => format!(
            "job {id} ({topic}) failed too often and is parked ({last_error}): mend the cause, then \
             `update greenlit_outbox set due = 0 where id = {id}` has it tried again"
        ),
        Finding::Database { what: "database.integrity", told } => {
            format!("the database file is damaged ({told}): restore it from a backup")
        }
        Finding::Database { told, .. } => format!("{told}: restore the row that is missing from a backup"),
    }
}

fn of_object(fault: Fault, repair: bool, repaired: bool) -> (&'static str, &'static str) {
    let wrong = match fault {
        Fault::ImageMissing => "is missing",
        Fault::ImageEmpty => "has no bytes",
        Fault::ImageCut => "ends before its end",
        Fault::ThumbnailMissing => "is a thumbnail that is missing",
        Fault::ThumbnailEmpty => "is a thumbnail that has no bytes",
        Fault::ThumbnailCut => "is a thumbnail that ends before its end",
        Fault::ThumbnailUnmade => "has no thumbnail, and no job to make one",
        Fault::Orphan => "belongs to no image",
    };
    let remedy = match fault {
        Fault::ImageMissing | Fault::ImageEmpty | Fault::ImageCut => {
            "put it back from a backup of the images, or remove the image from its feed"
        }
        Fault::Orphan if repaired => "a job deletes it",
        Fault::Orphan if repair => "it is new, and is deleted by a repair in an hour",
        Fault::Orphan => "--repair has it deleted",
        _ if repaired => "a job makes it anew",
        _ if repair => "it cannot be made anew as long as its image is not there",
        _ => "--repair has it made anew",
    };
    (wrong, remedy)
}

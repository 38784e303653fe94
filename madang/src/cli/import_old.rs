//! `madang import-old`: takes over a board of the FastAPI kind.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::say;
use crate::{
    app::App,
    clock::Clock,
    config::{Config, Flags},
    import_old::{Options, Origin, Summary, import},
    store_url::{S3Url, StoreUrl},
};

/// The arguments of `madang import-old`, beside those that name the new board.
#[derive(Args, Clone, Debug)]
#[group(skip)] // it would bear the name of the command's own
pub struct ImportOld {
    /// The old board's database, like postgresql://USER@HOST/DATABASE; it is only read
    #[arg(long, env = "MADANG_IMPORT_FROM", value_name = "URL", hide_env_values = true)]
    pub from: String,

    /// Read images from a folder with the objects of the old board's bucket [default: they are fetched from their
    /// addresses]
    #[arg(long, value_name = "FOLDER")]
    pub images: Option<PathBuf>,

    /// Read images from the old board's bucket, s3://BUCKET/PREFIX?endpoint=URL&region=NAME; the credentials are in
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    #[arg(long, value_name = "URL", conflicts_with = "images")]
    pub s3: Option<String>,

    /// Fetch images from this host alone; may be given more than once
    #[arg(long, value_name = "HOST", conflicts_with_all = ["images", "s3"])]
    pub image_host: Vec<String>,

    /// Fetch images also from private networks and from this machine
    #[arg(long, conflicts_with_all = ["images", "s3"])]
    pub allow_private: bool,
}

/// Takes over the old board, or goes on with it, and tells what came of it.
///
/// # Errors
/// A sentence for the operator.
pub async fn run(flags: &Flags, args: &ImportOld) -> Result<ExitCode, String> {
    let bucket = args.s3.as_deref().map(bucket).transpose()?;
    let config = Config::new(flags, flags.server.listen()).map_err(|e| e.to_string())?;
    let app = App::open(&config, Clock::default()).await.map_err(|e| e.to_string())?;
    let report = config.data.path().join("import-report.jsonl");
    let images = Origin {
        folder: args.images.clone(),
        bucket,
        hosts: args.image_host.clone(),
        allow_private: args.allow_private,
    };
    let options = Options { from: args.from.clone(), images, report: report.clone(), bar: bar() };
    let summary = import(&app, options).await.map_err(|e| e.0)?;
    show(&summary);
    say(&format!("\nThe report is {}", report.display()));
    Ok(ExitCode::SUCCESS)
}

fn bucket(url: &str) -> Result<S3Url, String> {
    match StoreUrl::parse(url) {
        Ok(StoreUrl::S3(bucket)) => Ok(bucket),
        Err(e) if url.starts_with("s3:") => Err(format!("--s3 {e}")),
        _ => Err("--s3 must be like s3://bucket/prefix; a folder is named by --images".to_owned()),
    }
}

/// A bar that is seen on a terminal only.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} rows, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn show(summary: &Summary) {
    say(&format!("{:<28}{:>12}{:>12}", "", "old board", "taken over"));
    for (name, old, new) in &summary.rows {
        let old = old.map(|old| old.to_string()).unwrap_or_default();
        say(&format!("{name:<28}{old:>12}{new:>12}"));
    }
    for (problem, count) in &summary.problems {
        say(&format!("{problem:<40}{count:>12}"));
    }
}

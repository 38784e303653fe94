//! The command line.

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand, error::ErrorKind};
use madang::{config::Flags, serve};

/// A community board server in one binary.
#[derive(Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the board; what madang does when nothing else is said
    Serve(Flags),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            #[allow(clippy::print_stderr)] // the last word to the operator, whatever the log is set to
            {
                eprintln!("madang: {}", message.replace('\n', " "));
            }
            ExitCode::from(2)
        }
    }
}

/// Does what the command line says.
///
/// # Errors
/// One line for the operator.
fn run() -> Result<(), String> {
    let cli = Cli::try_parse().or_else(|e| match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => e.exit(),
        // Its first line says what is wrong; the others repeat the usage.
        _ => Err(e.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()),
    })?;
    let flags = match cli.command {
        Some(Command::Serve(flags)) => flags,
        None => cli.flags,
    };
    serve::start_log().map_err(|e| e.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    let ended = runtime.block_on(serve::serve(&flags)).map_err(|e| e.to_string());
    // A picture that is still being decoded for nobody, or a disk that hangs, is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

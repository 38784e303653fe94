//! The command line.

use std::{ffi::OsString, io::Write, process::ExitCode, time::Duration};

use clap::{Args, Command, FromArgMatches, Subcommand, error::ErrorKind};
use madang::{
    cli::{check, import_old, user},
    config::{self, Flags},
    serve,
};

/// The commands, and what madang does when none is named: serve.
fn command() -> Command {
    // Flags' own description would stand in the place of the command's.
    let command = |name: &'static str, about: &'static str| Flags::augment_args(Command::new(name)).about(about);
    let check = command("check", "Look for kept numbers that do not agree with the rows they count");
    let user = command("user", "Look after the accounts, while the board serves or not").subcommand_required(true);
    let import = command("import-old", "Take over a board of the FastAPI kind, into an empty board");
    command("madang", "A community board server in one binary.")
        .version(env!("CARGO_PKG_VERSION"))
        .args_conflicts_with_subcommands(true)
        .subcommand(command("serve", "Serve the board; what madang does when nothing else is said"))
        .subcommand(command("config", "Show the configuration, with the source of each setting and without secrets"))
        .subcommand(check::Check::augment_args(check))
        .subcommand(user::Action::augment_subcommands(user))
        .subcommand(import_old::ImportOld::augment_args(import))
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
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
fn run() -> Result<ExitCode, String> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let matches = command().try_get_matches_from(&arguments).or_else(|e| match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => e.exit(),
        _ => Err(config::explain(&e, &command(), &arguments)),
    })?;
    let (name, of) = matches.subcommand().unwrap_or(("serve", &matches));
    let flags = Flags::read(of).map_err(|e| e.to_string())?;
    if name == "config" {
        return show(&flags);
    }
    serve::start_log().map_err(|e| e.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    let ended = match name {
        "check" => runtime.block_on(check::run(&flags, &arguments_of(of)?)),
        "user" => {
            let done = runtime.block_on(user::run(&flags.database.url(&flags.server.data()), arguments_of(of)?));
            done.map(|()| ExitCode::SUCCESS)
        }
        "import-old" => runtime.block_on(import_old::run(&flags, &arguments_of(of)?)),
        _ => runtime.block_on(serve::serve(&flags)).map(|()| ExitCode::SUCCESS).map_err(|e| e.to_string()),
    };
    // A picture that is still being decoded for nobody, or a disk that hangs, is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

/// A command's own arguments.
fn arguments_of<T: FromArgMatches>(matches: &clap::ArgMatches) -> Result<T, String> {
    T::from_arg_matches(matches).map_err(|e| e.to_string())
}

fn show(flags: &Flags) -> Result<ExitCode, String> {
    flags.check().map_err(|e| e.to_string())?;
    let text = flags.show().map_err(|e| e.to_string())?;
    std::io::stdout().write_all(text.as_bytes()).map_err(|e| e.to_string())?;
    Ok(ExitCode::SUCCESS)
}

//! The command line.

use std::{ffi::OsString, io::Write, process::ExitCode, time::Duration};

use crate::{
    cli::{backup, check, import_old, user},
    config::{self, Flags},
    serve,
};
use clap::{Arg, Args, Command, FromArgMatches, Subcommand, error::ErrorKind};

/// The settings by which a board's database is found.
const DATABASE: [&str; 3] = ["config", "data", "database_url"];
/// The settings that say where a board keeps everything.
const STORES: [&str; 4] = ["config", "data", "database_url", "media"];

/// The commands, and what madang does when none is named: serve.
fn command() -> Command {
    let check = check::Check::augment_args(Command::new("check"));
    let check = showing(&STORES, with_settings(check, "Prove that nothing is lost and that all that is kept agrees"));
    let back_up = backup::Backup::augment_args(Command::new("backup"));
    let back_up = showing(&STORES, with_settings(back_up, "Back the board up, while it serves or not"));
    let restore = backup::Restore::augment_args(Command::new("restore"));
    let restore = showing(&STORES, with_settings(restore, "Bring a board back from a backup, into an empty database"));
    let user = user::Action::augment_subcommands(Command::new("user")).subcommand_required(true);
    let user = showing(&DATABASE, with_settings(user, "Look after the accounts, while the board serves or not"));
    let import = import_old::ImportOld::augment_args(Command::new("import-old"));
    let import = showing(&STORES, with_settings(import, "Take over a board of the FastAPI kind, into an empty board"));
    let serve = "Serve the board; what madang does when nothing else is said";
    let config = "Show the configuration, with the source of each setting and without secrets";
    with_settings(Command::new("madang"), "A community board server in one binary.")
        .version(env!("CARGO_PKG_VERSION"))
        .args_conflicts_with_subcommands(true)
        .subcommand(with_settings(Command::new("serve"), serve))
        .subcommand(with_settings(Command::new("config"), config))
        .subcommand(check)
        .subcommand(back_up)
        .subcommand(restore)
        .subcommand(user.mut_args(|setting| setting.global(true)))
        .subcommand(import)
}

/// The command with all settings: a file of settings may have any.
fn with_settings(command: Command, about: &'static str) -> Command {
    // Last, since the description of the arguments would stand in the place of the command's.
    Flags::augment_args(command).about(about)
}

/// Of the settings, its help shows only these.
fn showing(settings: &[&str], command: Command) -> Command {
    let all = Flags::augment_args(Command::new(""));
    let is_other = |arg: &Arg| {
        let id = arg.get_id();
        all.get_arguments().any(|setting| setting.get_id() == id) && !settings.contains(&id.as_str())
    };
    command.mut_args(|arg| {
        let hidden = is_other(&arg);
        arg.hide(hidden)
    })
}

/// The program: does what the command line says, and tells on standard error what keeps it from that.
pub fn main() -> ExitCode {
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
        "backup" => runtime.block_on(backup::back_up(&flags, &arguments_of(of)?)),
        "restore" => runtime.block_on(backup::restore(&flags, &arguments_of(of)?)),
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

//! Puts the file below what the command line and the environment say.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{ArgMatches, FromArgMatches};
use toml::{Table, Value};

use super::{ConfigError, Flags, source::Sources};

/// The file's name in the data folder.
const NAME: &str = "madang.toml";

impl Flags {
    /// Reads what the operator said, wherever he said it.
    ///
    /// # Errors
    /// A sentence for the operator, with the file's line or the flag or variable.
    pub fn read(matches: &ArgMatches) -> Result<Flags, ConfigError> {
        let said = Flags::from_arg_matches(matches).map_err(|e| ConfigError(e.to_string()))?;
        let above = table(&said)?;
        let mut sources = Sources::of(matches, &above);
        let mut flags = said.clone();
        if let Some(path) = find(&said)? {
            let below = table(&read(&path)?)?;
            let by_default = said.config.is_none();
            if by_default && value(&below, "server", "data").is_some() {
                // Which file was meant, this one or the other folder's?
                let name = path.display();
                return Err(ConfigError(format!(
                    "{name}: server.data cannot stand in a file found in the data folder"
                )));
            }
            sources.add_file(&path, &below);
            flags = over(below, above).try_into().map_err(|e| ConfigError(e.to_string()))?;
        }
        Ok(Flags { config: said.config, adopt: said.adopt, sources, ..flags })
    }
}

fn find(said: &Flags) -> Result<Option<PathBuf>, ConfigError> {
    if let Some(path) = &said.config {
        return Ok(Some(path.clone()));
    }
    let path = said.server.data().join(NAME);
    match fs::exists(&path) {
        Ok(there) => Ok(there.then_some(path)),
        // The folder is none, which is told when it is taken.
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(e) => Err(ConfigError(format!("cannot read {}: {e}", path.display()))),
    }
}

fn read(path: &Path) -> Result<Flags, ConfigError> {
    let text = fs::read_to_string(path).map_err(|e| ConfigError(format!("cannot read {}: {e}", path.display())))?;
    toml::from_str(&text).map_err(|e| ConfigError(format!("{}, {}", path.display(), sentence(&e, &text))))
}

/// The line with its key, and what is wrong with it; not the value, which may be a secret.
fn sentence(error: &toml::de::Error, text: &str) -> String {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let is_key = |key: &&str| key.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    let key = text.lines().nth(line - 1).and_then(|line| Some(line.split_once('=')?.0.trim())).filter(is_key);
    let section = before.lines().filter_map(|line| line.trim().strip_prefix('[')?.split_once(']')).next_back();
    let message = error.message().lines().next().unwrap_or_default();
    let message = match message.split_once(", expected ") {
        Some((what, expected)) if what.starts_with("invalid ") => format!("it must be {expected}"),
        _ => message.to_owned(),
    };
    match (section, key) {
        (Some((section, _)), Some(key)) => format!("line {line}, {section}.{key}: {message}"),
        (None, Some(key)) => format!("line {line}, {key}: {message}"),
        _ => format!("line {line}: {message}"),
    }
}

/// What was said, as `section.key`.
pub(super) fn table(flags: &Flags) -> Result<Table, ConfigError> {
    Table::try_from(flags).map_err(|e| ConfigError(e.to_string()))
}

pub(super) fn value<'t>(table: &'t Table, section: &str, key: &str) -> Option<&'t Value> {
    table.get(section)?.as_table()?.get(key)
}

/// Each section's keys of `above`, and where it is silent those of `below`.
fn over(mut below: Table, above: Table) -> Table {
    for (section, keys) in above {
        match (below.get_mut(&section).and_then(Value::as_table_mut), keys) {
            (Some(known), Value::Table(keys)) => known.extend(keys),
            (_, keys) => drop(below.insert(section, keys)),
        }
    }
    below
}

//! Who said what.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use clap::{ArgMatches, Args, Command, parser::ValueSource};
use toml::Table;

use super::Flags;

/// For each key such as `server.listen`, who said it; the others have their defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources(BTreeMap<String, Source>);

#[derive(Clone, Debug)]
enum Source {
    Flag(String),
    Variable(String),
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag(name) => write!(f, "--{name}"),
            Source::Variable(name) => f.write_str(name),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Sources {
    /// The sources of what the command line and the environment said.
    pub(super) fn of(matches: &ArgMatches, said: &Table) -> Sources {
        let command = Flags::augment_args(Command::new(""));
        let source = |section: &str, key: &str| {
            let arg = argument(&command, section, key)?;
            match matches.value_source(arg.get_id().as_str())? {
                ValueSource::EnvVariable => Some(Source::Variable(arg.get_env()?.to_string_lossy().into_owned())),
                _ => Some(Source::Flag(arg.get_long()?.to_owned())),
            }
        };
        Sources(
            keys(said).filter_map(|(section, key)| Some((format!("{section}.{key}"), source(section, key)?))).collect(),
        )
    }

    /// What the file says and nobody above it.
    pub(super) fn add_file(&mut self, path: &Path, said: &Table) {
        for (section, key) in keys(said) {
            self.0.entry(format!("{section}.{key}")).or_insert_with(|| Source::File(path.to_owned()));
        }
    }

    /// How to speak of a setting to the operator: as he knows it from where he set it.
    pub fn name(&self, key: &str) -> String {
        match self.0.get(key) {
            Some(source @ Source::File(_)) => format!("{key} in {source}"),
            Some(source) => source.to_string(),
            None => key.to_owned(),
        }
    }

    /// Where a setting comes from.
    pub(super) fn origin(&self, key: &str) -> String {
        self.0.get(key).map_or_else(|| "default".to_owned(), ToString::to_string)
    }
}

/// The flag of a key: named by it, by section and key where the key alone would not tell, or by its section.
fn argument<'c>(command: &'c Command, section: &str, key: &str) -> Option<&'c clap::Arg> {
    let named = |id: &str| command.get_arguments().find(|arg| arg.get_id() == id);
    named(&format!("{section}_{key}")).or_else(|| named(key)).or_else(|| named(section))
}

fn keys(table: &Table) -> impl Iterator<Item = (&str, &str)> {
    let sections = table.iter().filter_map(|(section, keys)| Some((section, keys.as_table()?)));
    sections.flat_map(|(section, keys)| keys.keys().map(move |key| (section.as_str(), key.as_str())))
}

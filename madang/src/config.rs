//! What the operator decides: flags, each also by an environment variable.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::secret::Key;

/// A configuration that cannot be used: one line for the operator.
#[derive(Debug)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// The flags of `madang serve`.
#[derive(Args, Clone, Debug)]
pub struct Flags {
    /// The address and port to listen on
    #[arg(long, env = "MADANG_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// The folder for the key, and for what is not kept elsewhere; made if it is not there
    #[arg(long, env = "MADANG_DATA", default_value = "./madang-data", value_name = "FOLDER")]
    pub data: PathBuf,

    /// sqlite:PATH or postgres://USER@HOST/DATABASE [default: a SQLite file in the data folder]
    #[arg(long, env = "MADANG_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// file:FOLDER, where images are kept [default: a folder in the data folder]
    #[arg(long, env = "MADANG_MEDIA", value_name = "URL", hide_env_values = true)]
    pub media: Option<String>,

    /// The address by which clients reach the board, as it stands in the URLs of images [default: http:// and the
    /// address listened on]
    #[arg(long, env = "MADANG_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
}

/// A configuration that was checked, and whose data folder is this process's alone.
#[derive(Debug)]
pub struct Config {
    /// The data folder.
    pub data: DataFolder,
    /// The database.
    pub database_url: String,
    /// The folder of images.
    pub media: PathBuf,
    /// How clients reach the board, without a slash at the end.
    pub public_url: String,
}

impl Config {
    /// Checks the flags and takes the data folder. `listening` is the address that was really bound, for the default of
    /// the public URL.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(flags: &Flags, listening: SocketAddr) -> Result<Config, ConfigError> {
        let public_url = match &flags.public_url {
            Some(url) => public_url(url)?,
            None => format!("http://{listening}"),
        };
        let media = flags.media.as_deref().map(media_folder).transpose()?;
        let data = DataFolder::take(&flags.data)?;
        let default_database = || format!("sqlite:{}", data.folder().join("madang.db").display());
        Ok(Config {
            database_url: flags.database_url.clone().unwrap_or_else(default_database),
            media: media.unwrap_or_else(|| data.folder().join("images")),
            public_url,
            data,
        })
    }
}

fn public_url(url: &str) -> Result<String, ConfigError> {
    let trimmed = url.trim_end_matches('/');
    let rest = trimmed.strip_prefix("https://").or_else(|| trimmed.strip_prefix("http://"));
    let plain =
        |rest: &str| !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_graphic() && !b"?#\"<>\\@".contains(&c));
    if rest.is_some_and(plain) {
        Ok(trimmed.to_owned())
    } else {
        Err(ConfigError(format!("--public-url must be like https://board.example.org, not {url:?}")))
    }
}

fn media_folder(url: &str) -> Result<PathBuf, ConfigError> {
    let path = url.strip_prefix("file:").filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| ConfigError("--media must be like file:/var/lib/madang/images".to_owned()))?;
    Ok(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

/// The data folder, locked: as long as this value lives no other process serves from it.
#[derive(Debug)]
pub struct DataFolder {
    folder: PathBuf,
    /// The operating system drops the lock with the file, even after kill -9.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is not there, for its owner alone, and locks it.
    ///
    /// # Errors
    /// A sentence for the operator, also if another process has it.
    pub fn take(folder: &Path) -> Result<DataFolder, ConfigError> {
        let failed = |what: &str, e: std::io::Error| {
            ConfigError(format!("cannot {what} the data folder {}: {e}", folder.display()))
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| failed("make", e))?;
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"));
        let lock = lock.map_err(|e| failed("use", e))?;
        match lock.try_lock() {
            Ok(()) => Ok(DataFolder { folder: folder.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(ConfigError(format!(
                "another madang serves from {}: stop it, or name another folder by --data",
                folder.display()
            ))),
            Err(TryLockError::Error(e)) => Err(failed("lock", e)),
        }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The installation's key, made at the first start.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn key(&self) -> Result<Key, String> {
        Key::load_or_create(&self.folder.join("key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_are_checked() {
        assert_eq!(public_url("https://a.example/board/").ok().as_deref(), Some("https://a.example/board"));
        for bad in
            ["", "a.example", "ftp://a", "https://", "https://a b", "https://a?x", "https://a/\"><", "javascript:x"]
        {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_process_has_the_folder() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("made/by/itself");
        let first = DataFolder::take(&folder).unwrap();
        assert!(DataFolder::take(&folder).unwrap_err().0.contains("another madang"));
        drop(first);
        assert!(DataFolder::take(&folder).is_ok());
    }
}

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

/// A configuration that was checked, and whose folders are this process's alone.
#[derive(Debug)]
pub struct Config {
    /// The data folder.
    pub data: Folder,
    /// The database.
    pub database_url: String,
    /// The folder of images.
    pub media: Folder,
    /// How clients reach the board, without a slash at the end.
    pub public_url: String,
}

impl Config {
    /// Checks the flags and takes the folders. `listening` is the address that was really bound, for the default of
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
        let data = Folder::take(&flags.data, "data folder")?;
        let media = Folder::take(&media.unwrap_or_else(|| data.path().join("images")), "image folder")?;
        let default_database = || format!("sqlite:{}", data.path().join("madang.db").display());
        Ok(Config {
            database_url: flags.database_url.clone().unwrap_or_else(default_database),
            media,
            public_url,
            data,
        })
    }

    /// The installation's key, made at the first start.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn key(&self) -> Result<Key, ConfigError> {
        Key::load_or_create(&self.data.path().join("key")).map_err(ConfigError)
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

/// A folder, locked: as long as this value lives no other process serves from it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The operating system drops the lock with the file, even after kill -9.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is not there, for its owner alone, and locks it. `what` it is goes into the errors.
    ///
    /// # Errors
    /// A sentence for the operator, also if another process has it.
    pub fn take(path: &Path, what: &str) -> Result<Folder, ConfigError> {
        let failed =
            |verb: &str, e: std::io::Error| ConfigError(format!("cannot {verb} the {what} {}: {e}", path.display()));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| failed("make", e))?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.map_err(|e| failed("use", e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(ConfigError(format!(
                "another madang serves from the {what} {}: stop it, or name another folder",
                path.display()
            ))),
            Err(TryLockError::Error(e)) => Err(failed("lock", e)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
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
        let first = Folder::take(&folder, "data folder").unwrap();
        assert!(Folder::take(&folder, "data folder").unwrap_err().0.contains("another madang"));
        drop(first);
        assert!(Folder::take(&folder, "data folder").is_ok());
    }
}

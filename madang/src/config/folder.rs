//! A folder that is one process's alone.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::ConfigError;

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
    fn one_process_has_the_folder() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("made/by/itself");
        let first = Folder::take(&folder, "data folder").unwrap();
        assert!(Folder::take(&folder, "data folder").unwrap_err().0.contains("another madang"));
        drop(first);
        assert!(Folder::take(&folder, "data folder").is_ok());
    }
}

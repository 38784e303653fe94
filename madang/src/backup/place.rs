//! Where backups are kept: a folder or a bucket.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::PathBuf,
};

use tokio::task::spawn_blocking;

use super::MANIFEST;
use crate::{
    clock::Timestamp,
    media::store::{LocalStore, S3Store, Store},
    store_url::{S3Url, StoreUrl},
};

const IMAGES: &str = "images";
const SNAPSHOTS: &str = "snapshots";

/// A place of backups.
#[derive(Debug)]
pub struct Place {
    /// The objects of all snapshots.
    pub(super) images: Store,
    files: Files,
    /// Held while backups are made into a folder. A bucket has none.
    _lock: Option<File>,
}

#[derive(Debug)]
enum Files {
    Folder(PathBuf),
    Bucket { url: S3Url, store: S3Store },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.files {
            Files::Folder(folder) => folder.display().fmt(f),
            Files::Bucket { url, .. } => url.fmt(f),
        }
    }
}

impl Place {
    /// Opens a place to make backups; a folder that is not there is made, for its owner alone, and is locked.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn open(url: &StoreUrl) -> Result<Place, String> {
        match url {
            StoreUrl::Folder(folder) => {
                let failed = |e: io::Error| format!("backups cannot be kept in {}: {e}", folder.display());
                make_private(folder).map_err(failed)?;
                let lock = File::create(folder.join("lock")).map_err(failed)?;
                lock.try_lock().map_err(|e| match e {
                    TryLockError::WouldBlock => format!("another backup is being made into {}", folder.display()),
                    TryLockError::Error(e) => failed(e),
                })?;
                let images = LocalStore::open(folder.join(IMAGES)).await.map_err(failed)?;
                Ok(Place { images: Store::Local(images), files: Files::Folder(folder.clone()), _lock: Some(lock) })
            }
            StoreUrl::S3(url) => Place::bucket(url),
        }
    }

    /// Opens a place that is there, to read backups.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn existing(url: &StoreUrl) -> Result<Place, String> {
        match url {
            StoreUrl::Folder(folder) => {
                let failed = |e: io::Error| format!("there are no backups in {}: {e}", folder.display());
                let images = LocalStore::existing(folder.join(IMAGES)).await.map_err(failed)?;
                Ok(Place { images: Store::Local(images), files: Files::Folder(folder.clone()), _lock: None })
            }
            StoreUrl::S3(url) => Place::bucket(url),
        }
    }

    fn bucket(url: &S3Url) -> Result<Place, String> {
        let images = S3Store::open(&S3Url { prefix: url.path_of(IMAGES), ..url.clone() })?;
        let store = S3Store::open(url)?;
        Ok(Place { images: Store::S3(images), files: Files::Bucket { url: url.clone(), store }, _lock: None })
    }

    /// Whether its pool of objects is this store: it would be a copy of itself.
    pub(super) async fn is_within(&self, store: &Store) -> io::Result<bool> {
        Ok(self.images.place().await? == store.place().await?)
    }

    /// The names of all snapshots that came to their end, the oldest first.
    pub(super) async fn snapshots(&self) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = match &self.files {
            Files::Folder(folder) => {
                let listed = match fs::read_dir(folder.join(SNAPSHOTS)) {
                    Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                    listed => listed?,
                };
                let names: io::Result<Vec<_>> = listed.map(|entry| Ok(entry?.file_name().into_string())).collect();
                let ended = |name: &String| folder.join(SNAPSHOTS).join(name).join(MANIFEST).exists();
                names?.into_iter().filter_map(Result::ok).filter(ended).collect()
            }
            Files::Bucket { store, .. } => {
                let manifest = format!("/{MANIFEST}");
                let keys = store.keys(SNAPSHOTS).await?;
                keys.iter().filter_map(|key| key.strip_suffix(&manifest)).map(str::to_owned).collect()
            }
        };
        names.retain(|name| is_name(name));
        names.sort();
        Ok(names)
    }

    /// Keeps a file of a snapshot durably.
    pub(super) async fn save(&self, snapshot: &str, name: &str, file: File) -> io::Result<()> {
        match &self.files {
            Files::Folder(folder) => {
                let folder = folder.join(SNAPSHOTS).join(snapshot);
                let name = name.to_owned();
                spawn_blocking(move || {
                    make_private(&folder)?;
                    let mut kept = tempfile::NamedTempFile::new_in(&folder)?;
                    io::copy(&mut io::BufReader::new(file), &mut kept)?;
                    kept.as_file().sync_all()?;
                    kept.persist(folder.join(name))?;
                    File::open(&folder)?.sync_all()?;
                    folder.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
                })
                .await
                .map_err(io::Error::other)?
            }
            Files::Bucket { store, .. } => store.put_file(&format!("{SNAPSHOTS}/{snapshot}/{name}"), file).await,
        }
    }

    /// A file of a snapshot; one of a bucket is fetched into a temporary file first.
    pub(super) async fn read(&self, snapshot: &str, name: &str) -> io::Result<File> {
        match &self.files {
            Files::Folder(folder) => File::open(folder.join(SNAPSHOTS).join(snapshot).join(name)),
            Files::Bucket { store, .. } => store.get_file(&format!("{SNAPSHOTS}/{snapshot}/{name}")).await,
        }
    }

    /// Forgets a snapshot, its manifest first: what is left of it when this breaks off is none.
    pub(super) async fn forget(&self, snapshot: &str) -> io::Result<()> {
        match &self.files {
            Files::Folder(folder) => {
                let folder = folder.join(SNAPSHOTS).join(snapshot);
                fs::remove_file(folder.join(MANIFEST))?;
                fs::remove_dir_all(folder)
            }
            Files::Bucket { store, .. } => {
                for name in [MANIFEST, super::ROWS, super::OBJECTS] {
                    store.delete_key(&format!("{SNAPSHOTS}/{snapshot}/{name}")).await?;
                }
                Ok(())
            }
        }
    }
}

/// The name of a snapshot that is taken now: names sort as times do.
pub(super) fn name(now: Timestamp) -> String {
    let digits: Vec<char> = now.to_string().chars().filter(|c| c.is_ascii_digit()).collect();
    let (day, time): (String, String) = (digits.iter().take(8).collect(), digits.iter().skip(8).take(9).collect());
    format!("{day}T{time}Z")
}

fn is_name(text: &str) -> bool {
    text.len() == 19 && text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'T' | b'Z'))
}

/// For its owner alone: a backup holds addresses and the hashes of passwords.
fn make_private(folder: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_times_do() {
        let name = |micros| name(Timestamp(micros));
        assert_eq!(name(1_795_750_000_123_456), "20261127T032640123Z");
        assert!(is_name(&name(0)) && name(0) < name(1_000_000_000_000_000));
        assert!(!is_name("../../../etc/passwd") && !is_name(""));
    }
}

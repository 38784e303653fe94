//! Pictures in a folder of this machine.

#[cfg(test)]
mod tests;

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::io::AsyncReadExt;
use tokio::task::spawn_blocking;
use tokio_util::io::ReaderStream;

use super::{Head, Name, Object};
use crate::{
    fault::{self, Point},
    secret::random_name,
};

/// What names of unfinished files start with; no key does.
const TEMPORARY: &str = ".tmp-";

/// The file in which the folder has its own name.
const PLACE: &str = "place";

/// Bytes that are left free on the disk.
const RESERVE: u64 = 256 << 20;

/// Bytes that are read and sent at a time. A reader who takes nothing holds about four times as many.
const PIECE: usize = 32 * 1024;

/// A folder with 256 sub-folders named by the first two characters of the keys in them. Clones are
/// the same store. All methods do their work on a blocking thread.
#[derive(Debug, Clone)]
pub struct LocalStore {
    folder: Arc<Path>,
    reserve: u64,
}

impl LocalStore {
    /// Opens a store, creating its folder where it is absent.
    ///
    /// # Errors
    /// The folder cannot be created or written to.
    pub async fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        blocking(move || {
            fs::create_dir_all(&folder)?;
            // All of them at once, so that storing never has to make one durable.
            for shard in shards(&folder) {
                match fs::create_dir(shard) {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
            }
            if !fs::exists(folder.join(PLACE))? {
                write_durably(&folder.join(PLACE), format!("folder:{}", random_name()).as_bytes())?;
            }
            sync_folder(&folder)?;
            if let Some(parent) = folder.canonicalize()?.parent() {
                sync_folder(parent)?;
            }
            Ok(Self { folder: folder.into(), reserve: RESERVE })
        })
        .await
    }

    /// Opens a store that is there already, and makes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], or that of the file system.
    pub async fn existing(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        blocking(move || {
            fs::read_dir(&folder)?;
            Ok(Self { folder: folder.into(), reserve: RESERVE })
        })
        .await
    }

    /// The folder's own name: `folder:` and 32 hexadecimal digits, from when it was first opened.
    ///
    /// # Errors
    /// That of the file system.
    pub async fn place(&self) -> io::Result<String> {
        let path = self.folder.join(PLACE);
        let reading = blocking(move || match fs::read_to_string(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok("a folder without a name".to_owned()),
            read => read.map(|name| name.trim().to_owned()),
        });
        reading.await
    }

    /// Where an object is, or would be.
    pub fn path(&self, name: &Name) -> PathBuf {
        self.folder.join(&name.key()[..2]).join(name.to_string())
    }

    /// Whether the disk has room.
    ///
    /// # Errors
    /// [`ErrorKind::StorageFull`], or that of the file system.
    pub async fn check_room(&self) -> io::Result<()> {
        let (folder, reserve) = (Arc::clone(&self.folder), self.reserve);
        let looking = blocking(move || Ok(rustix::fs::statvfs(&*folder)?));
        let disk = looking.await?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < reserve { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Stores an object durably: it is written under a temporary name, synced and then renamed.
    ///
    /// Cancelled, it goes on to the end on its blocking thread, or never starts.
    ///
    /// # Errors
    /// That of the file system; then no temporary file stays.
    pub async fn put(&self, name: &Name, bytes: Vec<u8>) -> io::Result<()> {
        let path = self.path(name);
        blocking(move || write_durably(&path, &bytes)).await
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], or that of the file system.
    pub async fn get(&self, name: &Name) -> io::Result<Vec<u8>> {
        let path = self.path(name);
        blocking(move || {
            let (mut file, length) = open(&path)?;
            let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        })
        .await
    }

    /// The number of an object's bytes, and when it was written.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], or that of the file system.
    pub async fn head(&self, name: &Name) -> io::Result<Head> {
        let path = self.path(name);
        let looking = blocking(move || {
            let (file, length) = open(&path)?;
            Ok(Head { length, modified: file.metadata()?.modified()?.into() })
        });
        looking.await
    }

    /// Opens an object for reading piece by piece.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], or that of the file system.
    pub async fn open_object(&self, name: &Name, part: Option<Range<u64>>) -> io::Result<Object> {
        let path = self.path(name);
        let opening = blocking(move || {
            let (mut file, length) = open(&path)?;
            let part = part.unwrap_or(0..length);
            file.seek(SeekFrom::Start(part.start))?;
            Ok((file, length, part.end.saturating_sub(part.start)))
        });
        let (file, length, wanted) = opening.await?;
        let pieces = ReaderStream::with_capacity(tokio::fs::File::from_std(file).take(wanted), PIECE);
        Ok(Object { length, pieces: pieces.boxed() })
    }

    /// Deletes an object durably; one that is absent counts as deleted.
    ///
    /// # Errors
    /// That of the file system.
    pub async fn delete(&self, name: &Name) -> io::Result<()> {
        let path = self.path(name);
        blocking(move || {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            fault::point(Point::FileRemoved);
            // Even where it was absent: an earlier deletion may have failed right before this.
            sync_folder(parent(&path)?)
        })
        .await
    }

    /// The names of all objects, sub-folder by sub-folder.
    pub fn list(&self) -> BoxStream<'_, io::Result<Name>> {
        let page = |shard: PathBuf| async move {
            let names = blocking(move || {
                let mut names = Vec::new();
                let listed = for_each_file(&shard, |_, name| {
                    names.extend(Name::parse(name));
                    Ok(())
                });
                match listed {
                    // Copies of the folder may lack what was empty in it.
                    Err(e) if e.kind() == ErrorKind::NotFound => Ok(names),
                    listed => listed.map(|()| names),
                }
            });
            stream::iter(match names.await {
                Ok(names) => names.into_iter().map(Ok).collect(),
                Err(e) => vec![Err(e)],
            })
        };
        stream::iter(shards(&self.folder)).then(page).flatten().boxed()
    }

    /// Removes the temporary files that a crash left; for the start, when no [`put`](Self::put) of this
    /// or another process can be under way. Returns how many there were.
    ///
    /// # Errors
    /// That of the file system.
    pub async fn sweep_leftovers(&self) -> io::Result<usize> {
        let folder = Arc::clone(&self.folder);
        blocking(move || {
            let mut removed = 0;
            for shard in shards(&folder) {
                for_each_file(&shard, |path, name| {
                    if name.starts_with(TEMPORARY) {
                        fs::remove_file(path)?;
                        removed += 1;
                    }
                    Ok(())
                })?;
            }
            Ok(removed)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

fn shards(folder: &Path) -> impl Iterator<Item = PathBuf> {
    (0..=0xff_u8).map(move |shard| folder.join(format!("{shard:02x}")))
}

/// Calls `visit` with the path and name of every file in the shard.
fn for_each_file(shard: &Path, mut visit: impl FnMut(&Path, &str) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(shard)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str() {
            visit(&entry.path(), name)?;
        }
    }
    Ok(())
}

/// Opens an object and tells its length. What is no plain file is no object: a link or a folder.
fn open(path: &Path) -> io::Result<(File, u64)> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = parent(path)?;
    // Removed again when it is dropped before it got its name.
    let mut file =
        tempfile::Builder::new().prefix(TEMPORARY).permissions(Permissions::from_mode(0o644)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    fault::point(Point::FileWritten);
    file.as_file().sync_all()?;
    fault::point(Point::FileSynced);
    file.persist(path)?;
    fault::point(Point::FileRenamed);
    sync_folder(folder)?;
    fault::point(Point::FolderSynced);
    Ok(())
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| ErrorKind::InvalidInput.into())
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

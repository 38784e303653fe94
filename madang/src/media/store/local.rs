//! Pictures in a folder of this machine.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::{is_key, parse_name};
use crate::media::picture::Format;

/// What names of unfinished files start with; no key does.
const TEMPORARY: &str = ".tmp-";

/// A folder with 256 sub-folders named by the first two characters of the keys in them. Clones are
/// the same store. All methods do their work on a blocking thread.
#[derive(Debug, Clone)]
pub struct LocalStore {
    folder: Arc<Path>,
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
            sync_folder(&folder)?;
            if let Some(parent) = folder.canonicalize()?.parent() {
                sync_folder(parent)?;
            }
            Ok(Self { folder: folder.into() })
        })
        .await
    }

    /// Where an object is, or would be.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`]: not a key.
    pub fn path(&self, key: &str, format: Format) -> io::Result<PathBuf> {
        if !is_key(key) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not an object key"));
        }
        let name = format!("{key}.{}", format.extension());
        Ok(self.folder.join(&key[..2]).join(name))
    }

    /// Stores an object durably: it is written under a temporary name, synced and then renamed.
    ///
    /// Cancelled, it goes on to the end on its blocking thread, or never starts.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`], or that of the file system; then no temporary file stays.
    pub async fn put(&self, key: &str, format: Format, bytes: Vec<u8>) -> io::Result<()> {
        let path = self.path(key, format)?;
        blocking(move || write_durably(&path, &bytes)).await
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::InvalidInput`], or that of the file system.
    pub async fn get(&self, key: &str, format: Format) -> io::Result<Vec<u8>> {
        let path = self.path(key, format)?;
        blocking(move || fs::read(path)).await
    }

    /// Opens an object for reading piece by piece. What is no plain file is no object: a link or a folder.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::InvalidInput`], or that of the file system.
    pub async fn open_object(&self, key: &str, format: Format) -> io::Result<tokio::fs::File> {
        let path = self.path(key, format)?;
        let opening = blocking(move || {
            let is_object = fs::symlink_metadata(&path)?.is_file();
            if is_object { File::open(path) } else { Err(ErrorKind::NotFound.into()) }
        });
        opening.await.map(tokio::fs::File::from_std)
    }

    /// Deletes an object durably; one that is absent counts as deleted.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`], or that of the file system.
    pub async fn delete(&self, key: &str, format: Format) -> io::Result<()> {
        let path = self.path(key, format)?;
        blocking(move || {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            // Even where it was absent: an earlier deletion may have failed right before this.
            sync_folder(parent(&path)?)
        })
        .await
    }

    /// The names of all objects, in no order; other files are passed over.
    ///
    /// # Errors
    /// That of the file system.
    pub async fn list(&self) -> io::Result<Vec<(String, Format)>> {
        let folder = Arc::clone(&self.folder);
        blocking(move || {
            let mut objects = Vec::new();
            for_each_file(&folder, |_, name| {
                objects.extend(parse_name(name).map(|(key, format)| (key.to_owned(), format)));
                Ok(())
            })?;
            Ok(objects)
        })
        .await
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
            for_each_file(&folder, |path, name| {
                if name.starts_with(TEMPORARY) {
                    fs::remove_file(path)?;
                    removed += 1;
                }
                Ok(())
            })?;
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

/// Calls `visit` with the path and name of every file in every shard.
fn for_each_file(folder: &Path, mut visit: impl FnMut(&Path, &str) -> io::Result<()>) -> io::Result<()> {
    for shard in shards(folder) {
        for entry in fs::read_dir(shard)? {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str() {
                visit(&entry.path(), name)?;
            }
        }
    }
    Ok(())
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = parent(path)?;
    // Removed again when it is dropped before it got its name.
    let mut file =
        tempfile::Builder::new().prefix(TEMPORARY).permissions(Permissions::from_mode(0o644)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(folder)
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| ErrorKind::InvalidInput.into())
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    async fn store() -> (tempfile::TempDir, LocalStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path().join("images")).await.unwrap();
        (folder, store)
    }

    fn files(store: &LocalStore) -> Vec<String> {
        let mut names = Vec::new();
        for_each_file(&store.folder, |_, name| {
            names.push(name.to_owned());
            Ok(())
        })
        .unwrap();
        names
    }

    #[tokio::test]
    async fn objects_come_back_and_go() {
        let (_folder, store) = store().await;
        store.put(KEY, Format::Png, b"one".to_vec()).await.unwrap();
        store.put(KEY, Format::Png, b"two".to_vec()).await.unwrap();
        assert_eq!(store.get(KEY, Format::Png).await.unwrap(), b"two");
        let path = store.path(KEY, Format::Png).unwrap();
        assert!(path.ends_with(format!("01/{KEY}.png")));
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(store.list().await.unwrap(), [(KEY.to_owned(), Format::Png)]);

        let absent = store.get(KEY, Format::Jpeg).await.unwrap_err();
        assert_eq!(absent.kind(), ErrorKind::NotFound);
        store.delete(KEY, Format::Png).await.unwrap();
        store.delete(KEY, Format::Png).await.unwrap();
        assert!(files(&store).is_empty());
    }

    #[tokio::test]
    async fn opening_again_keeps_what_is_there() {
        let (_folder, store) = store().await;
        store.put(KEY, Format::Webp, b"x".to_vec()).await.unwrap();
        let again = LocalStore::open(&*store.folder).await.unwrap();
        assert_eq!(again.get(KEY, Format::Webp).await.unwrap(), b"x");
    }

    #[tokio::test]
    async fn u08_only_keys_of_ours_reach_the_file_system() {
        let (_folder, store) = store().await;
        let upper = KEY.to_uppercase();
        let long = format!("{KEY}0");
        let climbing = format!("../../{}", &KEY[6..]);
        let with_nul = format!("{}\0", &KEY[1..]);
        let names = [
            "",
            "..",
            "../../etc/passwd",
            "..\\",
            "/etc/passwd",
            ".htaccess",
            "con.png",
            &KEY[1..],
            &long,
            &upper,
            &climbing,
            &with_nul,
            "가가가가가가가가가가12",
        ];
        for name in names {
            let refused = store.put(name, Format::Png, b"x".to_vec()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{name}");
            assert!(store.get(name, Format::Png).await.is_err());
            assert!(store.delete(name, Format::Png).await.is_err());
        }
        assert!(files(&store).is_empty());
    }

    #[tokio::test]
    async fn a_failed_put_leaves_nothing() {
        let (_folder, store) = store().await;
        // A folder in the object's place: the last step, the renaming, fails.
        let path = store.path(KEY, Format::Png).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("in the way"), b"").unwrap();
        store.put(KEY, Format::Png, b"x".to_vec()).await.unwrap_err();
        assert_eq!(files(&store), [format!("{KEY}.png")]);
    }

    #[tokio::test]
    async fn a_cancelled_put_leaves_the_whole_object_or_nothing() {
        let (_folder, store) = store().await;
        let bytes = vec![7; 1 << 20];
        let key = |i: usize| format!("{i:032x}");
        for i in 0..20 {
            let name = key(i);
            let put = store.put(&name, Format::Png, bytes.clone());
            // Some are dropped before their first poll, most on the way.
            tokio::time::timeout(Duration::from_micros(i as u64 * 50), put).await.ok();
        }
        // Blocking work that has begun ends on its own; only then there is nothing temporary.
        for _ in 0..200 {
            if files(&store).iter().all(|name| !name.starts_with(TEMPORARY)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for (key, format) in store.list().await.unwrap() {
            assert_eq!(store.get(&key, format).await.unwrap(), bytes);
        }
        assert!(files(&store).iter().all(|name| !name.starts_with(TEMPORARY)));
    }

    #[tokio::test]
    async fn leftovers_of_a_crash_are_swept_and_nothing_else() {
        let (_folder, store) = store().await;
        store.put(KEY, Format::Png, b"x".to_vec()).await.unwrap();
        let shard = store.folder.join("01");
        fs::write(shard.join(".tmp-a1B2c3"), b"half").unwrap();
        fs::write(shard.join("README"), b"not ours").unwrap();
        assert_eq!(store.list().await.unwrap().len(), 1);
        assert_eq!(store.sweep_leftovers().await.unwrap(), 1);
        assert_eq!(store.sweep_leftovers().await.unwrap(), 0);
        let mut names = files(&store);
        names.sort();
        assert_eq!(names, [format!("{KEY}.png"), "README".to_owned()]);
    }
}

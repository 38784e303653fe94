//! Where pictures are kept.

mod local;

use std::io;

pub use local::LocalStore;

use super::picture::Format;

/// The store of pictures. An object is named by a key, 32 lower-case hexadecimal characters that are
/// made by us, and by its format; anything else is refused with [`io::ErrorKind::InvalidInput`], so
/// that no name reaches a path or an URL from outside.
#[derive(Debug, Clone)]
pub enum Store {
    /// A folder of this machine.
    Local(LocalStore),
}

impl Store {
    /// Stores an object durably; an object of the same name is replaced.
    ///
    /// Cancelled, it leaves the whole object or nothing.
    ///
    /// # Errors
    /// Whatever the storage says; then the object is to be deleted, as it may be there nevertheless.
    pub async fn put(&self, key: &str, format: Format, bytes: Vec<u8>) -> io::Result<()> {
        match self {
            Self::Local(store) => store.put(key, format, bytes).await,
        }
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or whatever the storage says.
    pub async fn get(&self, key: &str, format: Format) -> io::Result<Vec<u8>> {
        match self {
            Self::Local(store) => store.get(key, format).await,
        }
    }

    /// Opens an object for reading piece by piece.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or whatever the storage says.
    pub async fn open(&self, key: &str, format: Format) -> io::Result<tokio::fs::File> {
        match self {
            Self::Local(store) => store.open_object(key, format).await,
        }
    }

    /// Deletes an object durably; one that is absent counts as deleted. Cancelled, it may yet happen.
    ///
    /// # Errors
    /// Whatever the storage says; then the deletion has to be tried again.
    pub async fn delete(&self, key: &str, format: Format) -> io::Result<()> {
        match self {
            Self::Local(store) => store.delete(key, format).await,
        }
    }

    /// The names of all objects, in no order.
    ///
    /// # Errors
    /// Whatever the storage says.
    pub async fn list(&self) -> io::Result<Vec<(String, Format)>> {
        match self {
            Self::Local(store) => store.list().await,
        }
    }

    /// Removes what uploads that a crash interrupted left behind; for the start, when no upload can be
    /// under way. Returns how many there were.
    ///
    /// # Errors
    /// Whatever the storage says.
    pub async fn sweep_leftovers(&self) -> io::Result<usize> {
        match self {
            Self::Local(store) => store.sweep_leftovers().await,
        }
    }
}

/// The length of a key, in hexadecimal digits.
const KEY_LENGTH: usize = 32;

fn is_key(key: &str) -> bool {
    key.len() == KEY_LENGTH && key.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

/// The key and format that the name of an object stands for, if it is one of ours.
pub(crate) fn parse_name(name: &str) -> Option<(&str, Format)> {
    let (key, extension) = name.split_once('.')?;
    let format = Format::from_extension(extension)?;
    is_key(key).then_some((key, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_know_their_extensions() {
        for format in [Format::Jpeg, Format::Png, Format::Webp] {
            assert_eq!(Format::from_extension(format.extension()), Some(format));
        }
        for other in ["", "JPG", "jpeg", "gif", ".png", "png/../x"] {
            assert_eq!(Format::from_extension(other), None);
        }
    }
}

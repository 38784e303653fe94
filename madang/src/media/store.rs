//! Where pictures are kept.

mod local;
mod name;
mod object;
mod s3;

use std::{io, ops::Range};

use futures_util::stream::BoxStream;

use crate::store_url::StoreUrl;

pub use local::LocalStore;
pub use name::Name;
pub use object::{Head, Object, Pieces};
pub use s3::S3Store;

/// What clients may do with an object: keep it for ever, since it never changes.
pub(super) const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// The store of pictures.
#[derive(Debug, Clone)]
pub enum Store {
    /// A folder of this machine.
    Local(LocalStore),
    /// A bucket.
    S3(S3Store),
}

impl Store {
    /// Opens a store beside the server that has it, or without one: nothing is made, and nothing locked.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn beside(url: &StoreUrl) -> Result<Self, String> {
        match url {
            StoreUrl::Folder(folder) => {
                let opened = LocalStore::existing(folder).await;
                opened.map(Self::Local).map_err(|e| format!("there are no images in {}: {e}", folder.display()))
            }
            StoreUrl::S3(url) => S3Store::open(url).map(Self::S3),
        }
    }

    /// What tells this place from others, wherever it is looked at from: it is kept in the database. A folder has a name of
    /// its own in a file, which moves with it; a bucket is known by its name and prefix.
    ///
    /// # Errors
    /// Whatever the storage says.
    pub async fn place(&self) -> io::Result<String> {
        match self {
            Self::Local(store) => store.place().await,
            Self::S3(store) => Ok(store.place()),
        }
    }

    /// Whether something may be stored: a disk is not filled to its end, since the database may be on it too.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`], or whatever the storage says.
    pub async fn check_room(&self) -> io::Result<()> {
        match self {
            Self::Local(store) => store.check_room().await,
            Self::S3(_) => Ok(()),
        }
    }

    /// Stores an object durably; an object of the same name is replaced.
    ///
    /// Cancelled, it leaves the whole object or nothing.
    ///
    /// # Errors
    /// Whatever the storage says; then the object is to be deleted, as it may be there nevertheless.
    pub async fn put(&self, name: &Name, bytes: Vec<u8>) -> io::Result<()> {
        match self {
            Self::Local(store) => store.put(name, bytes).await,
            Self::S3(store) => store.put(name, bytes).await,
        }
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or whatever the storage says.
    pub async fn get(&self, name: &Name) -> io::Result<Vec<u8>> {
        match self {
            Self::Local(store) => store.get(name).await,
            Self::S3(store) => store.get(name).await,
        }
    }

    /// The number of an object's bytes, and when it was stored.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or whatever the storage says.
    pub async fn head(&self, name: &Name) -> io::Result<Head> {
        match self {
            Self::Local(store) => store.head(name).await,
            Self::S3(store) => store.head(name).await,
        }
    }

    /// Opens an object, or a part of it that is there, for reading piece by piece.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or whatever the storage says.
    pub async fn open(&self, name: &Name, part: Option<Range<u64>>) -> io::Result<Object> {
        match self {
            Self::Local(store) => store.open_object(name, part).await,
            Self::S3(store) => store.open_object(name, part).await,
        }
    }

    /// Deletes an object durably; one that is absent counts as deleted. Cancelled, it may yet happen.
    ///
    /// # Errors
    /// Whatever the storage says; then the deletion has to be tried again.
    pub async fn delete(&self, name: &Name) -> io::Result<()> {
        match self {
            Self::Local(store) => store.delete(name).await,
            Self::S3(store) => store.delete(name).await,
        }
    }

    /// The names of all objects, in no order, page by page; what is not ours is passed over. It ends at the first error.
    pub fn list(&self) -> BoxStream<'_, io::Result<Name>> {
        match self {
            Self::Local(store) => store.list(),
            Self::S3(store) => store.list(),
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
            // A bucket shows an object when it is whole, and forgets an upload that broke off.
            Self::S3(_) => Ok(0),
        }
    }

    /// Where clients find the object without us, if there is such a place.
    pub fn public_url(&self, name: &Name) -> Option<String> {
        match self {
            Self::Local(_) => None,
            Self::S3(store) => store.public_url(name),
        }
    }

    /// What all addresses of [`public_url`](Store::public_url) begin with.
    pub fn public_base(&self) -> Option<&str> {
        match self {
            Self::Local(_) => None,
            Self::S3(store) => store.public_base(),
        }
    }
}

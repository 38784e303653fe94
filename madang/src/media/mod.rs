//! Images: checked and re-encoded, staged before a transaction, claimed inside it, served, and deleted after it.
//!
//! Invariants: a stored object has a row from before it is written; when the row goes, a job comes that deletes it. A row is
//! staged (it has an expiry and belongs to its owner alone) or claimed by one feed, never both. Nothing here touches the store
//! inside a transaction: what a transaction removes is deleted by an outbox job that commits with it, and the thumbnails of
//! what it claims are made by others.

mod api;
pub(crate) mod jobs;
pub mod picture;
pub(crate) mod queries;
pub mod spool;
mod staging;
pub mod store;

use std::{io, path::PathBuf};

use bytes::Bytes;
use futures_util::stream::BoxStream;

pub(crate) use api::api;
pub(crate) use queries::{Image, JoinedImage, image_columns, of_feeds};
pub(crate) use staging::{Staged, claim, discard, remove, stage};

use crate::{
    config::{Config, ConfigError, Images},
    error::{Code, Error},
    http::form::FileSink,
    turns::Turns,
};
use picture::{DecodeBudget, Refused};
use spool::{Spool, SpoolError};
use store::{LocalStore, Name, S3Store, Store};

/// The most images that a feed has.
pub const IMAGES_PER_FEED: usize = 10;

/// How many requests wait for their uploads to be checked; further ones are told to come back.
const LINE: usize = 32;

/// The path under which images are served; their addresses are made of it here alone.
const PATH: &str = "/images";

/// Everything that images need beside the database.
pub struct Media {
    /// Where they are kept.
    pub store: Store,
    budget: DecodeBudget,
    /// For the requests whose uploads are being checked.
    turns: Turns,
    spools: PathBuf,
    base_url: String,
}

impl Media {
    /// Opens the store and removes what interrupted uploads left in it.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn open(config: &Config) -> Result<Media, ConfigError> {
        let failed = |e| ConfigError(format!("the images in {} cannot be kept: {e}", config.media));
        let store = match &config.media {
            Images::Folder(folder) => Store::Local(LocalStore::open(folder.path()).await.map_err(failed)?),
            Images::S3(url) => Store::S3(bucket(S3Store::open(url).map_err(|e| ConfigError(format!("--media: {e}")))?)),
        };
        let swept = store.sweep_leftovers().await.map_err(failed)?;
        if swept > 0 {
            tracing::info!(swept, "removed what interrupted uploads had left");
        }
        Ok(Media {
            store,
            budget: DecodeBudget::new(),
            turns: Turns::per_processor(LINE),
            spools: config.data.path().to_owned(),
            base_url: format!("{}{PATH}", config.public_url),
        })
    }

    /// The address of an image.
    pub(crate) fn url(&self, image: &Image) -> String {
        format!("{}/{}", self.base_url, image.file_name())
    }

    /// The address of an image's thumbnail, or of the image as long as it has none.
    pub(crate) fn thumb_url(&self, image: &Image) -> String {
        match Name::parse(&image.file_name()).filter(|_| image.thumb_width.is_some()) {
            Some(name) => format!("{}/{}", self.base_url, name.thumbnail()),
            None => self.url(image),
        }
    }

    /// The bytes of an image as they are stored, piece by piece.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or whatever the storage says.
    pub(crate) async fn pieces(&self, image: &Image) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let name = store::Name::parse(&image.file_name()).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.store.open(&name, None).await?.pieces)
    }

    /// Where up to `limit` bytes wait outside of memory.
    fn spool(&self, limit: u64) -> Spool {
        Spool::new(&self.spools, limit)
    }

    /// Where an upload waits until it is checked.
    pub(crate) fn upload(&self) -> Spool {
        self.spool(picture::MAX_BYTES as u64)
    }
}

/// The board starts without its bucket too; somebody should know then.
fn bucket(store: S3Store) -> S3Store {
    let probed = store.clone();
    tokio::spawn(async move {
        if let Err(e) = probed.probe().await {
            tracing::warn!(cause = %e, "images cannot be stored for now");
        }
    });
    store
}

impl FileSink for Spool {
    async fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        Spool::write(self, piece).await.map_err(|e| match e {
            SpoolError::TooLarge => Code::ImageTooLarge.into(),
            SpoolError::Io(e) => Error::from(Code::Unavailable).caused_by(e),
        })
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        match refused {
            Refused::TooLarge => Code::ImageTooLarge.into(),
            Refused::UnsupportedType => Code::UnsupportedImageType.into(),
            Refused::Broken => Code::BrokenImage.into(),
        }
    }
}

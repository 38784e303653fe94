//! Images: checked and re-encoded, staged before a transaction, claimed inside it, served, and deleted after it.
//!
//! # The life of an image
//!
//! | state | row in `images` | object |
//! |---|---|---|
//! | staged | an expiry and an owner, no feed | on its way or there |
//! | attached | a feed, no expiry | there |
//! | detached | none; a job names the object | there until that job is done |
//! | deleted | none, and no job | none |
//!
//! | from, to | who, in which transaction | what may come at the same time |
//! |---|---|---|
//! | staged | [`stage`]: the rows of a request in one of its own, before the first object is written | |
//! | staged, attached | [`claim`]: in that of the feed. Of the owner's staged rows that have not expired, all or none | discard, sweeper: who comes second finds no such row |
//! | staged, detached | [`discard`] when the request failed, `jobs::sweep` when the row has expired: row and job in one of their own | a claim; each other, on several nodes: a second job does no harm |
//! | attached, detached | [`remove`]: rows and jobs in that of the feed's change, its deletion, or its author's erasure | another change: the feed's row is locked first |
//! | detached, deleted | `jobs::delete`: outside of transactions, as often as it takes | itself, on several nodes |
//!
//! Nothing goes back. Names are random and never used again, so a deletion that is repeated or late meets nothing else.
//!
//! A wide image gets a thumbnail while it is attached: the claim pushes a job, `jobs::thumbnail` stores the object and then
//! notes it in the row. If there is no row then, a job deletes it again; a detached image's job names both objects.
//!
//! An object that the store did not acknowledge may arrive when it has been deleted already, so a second deletion is due an
//! hour later. What a killed process left is staged and expires. Hence, when all jobs are done and what was staged has
//! expired, the store holds what is attached, the noted thumbnails, and nothing else.
//!
//! Nothing here touches the store inside a transaction.

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

pub(crate) use api::{api, is_image};
pub(crate) use picture::MAX_BYTES;
pub(crate) use queries::{Image, JoinedImage, image_columns, of_feeds};
pub(crate) use staging::{Staged, claim, discard, remove, stage};

use crate::{
    config::{Config, ConfigError, Images},
    error::{Code, Error},
    http::form::FileSink,
    turns::Turns,
    web::frame::Site,
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
    /// The path of `base_url`: what stands in pages, so that they show images by whatever name they were asked for.
    base_path: String,
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
            base_path: format!("{}{PATH}", Site::new(&config.public_url, true, None).base),
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

    /// The address of an image on pages of the board.
    pub(crate) fn path(&self, image: &Image) -> String {
        format!("{}/{}", self.base_path, image.file_name())
    }

    /// The address of its thumbnail there: see [`thumb_url`](Media::thumb_url).
    pub(crate) fn thumb_path(&self, image: &Image) -> String {
        let thumb = self.thumb_url(image);
        format!("{}{}", self.base_path, thumb.strip_prefix(&self.base_url).unwrap_or(&thumb))
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

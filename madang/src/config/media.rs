//! `[media]`: where images are kept.

use std::{fmt, path::Path};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{ConfigError, Folder};
use crate::store_url::{S3Url, StoreUrl};

/// What the operator says of the images' store.
#[derive(Args, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// file:FOLDER or s3://BUCKET/PREFIX?endpoint=URL&region=NAME&public_url=URL, where images are kept [default: a
    /// folder in the data folder]
    #[arg(long, env = "MADANG_MEDIA", value_name = "URL", hide_env_values = true)]
    #[serde(rename = "url")]
    pub media: Option<String>,
}

impl Media {
    /// The store's URL.
    pub fn url(&self, data: &Path) -> String {
        self.media.clone().unwrap_or_else(|| format!("file:{}", data.join("images").display()))
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Media(hidden)")
    }
}

/// Where images are kept.
#[derive(Debug)]
pub enum Images {
    /// A folder of this process alone.
    Folder(Folder),
    /// A bucket.
    S3(S3Url),
}

impl Images {
    /// Takes the folder, if it is one.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn take(store: StoreUrl) -> Result<Images, ConfigError> {
        match store {
            StoreUrl::Folder(path) => Folder::take(&path, "image folder").map(Images::Folder),
            StoreUrl::S3(url) => Ok(Images::S3(url)),
        }
    }
}

impl fmt::Display for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Images::Folder(folder) => folder.path().display().fmt(f),
            Images::S3(url) => url.fmt(f),
        }
    }
}

//! `[media]`: where images are kept.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::{Deserialize, Serialize};

/// What the operator says of the images' store.
#[derive(Args, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// file:FOLDER, where images are kept [default: a folder in the data folder]
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

/// The folder that a URL of a store names.
pub(super) fn folder(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("file:").filter(|path| !path.is_empty())?;
    Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

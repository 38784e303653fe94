//! `[cors]`: which sites' scripts may use the board from a browser.

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::http::cors::Origin;

/// What the operator says of other sites.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    /// Sites whose scripts may use the board, as https://a.example,https://b.example [default: none]
    #[arg(long, env = "MADANG_CORS_ORIGINS", value_name = "ORIGINS", value_delimiter = ',')]
    #[serde(rename = "origins")]
    pub cors_origins: Option<Vec<Origin>>,
}

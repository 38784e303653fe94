//! `[metrics]`: where Prometheus finds the figures.

use std::net::SocketAddr;

use clap::Args;
use serde::{Deserialize, Serialize};

/// What the operator says of metrics.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// The address and port to serve metrics on, which nobody else shall reach [default: none, no metrics]
    #[arg(long, env = "MADANG_METRICS_LISTEN", value_name = "ADDRESS")]
    #[serde(rename = "listen")]
    pub metrics_listen: Option<SocketAddr>,
}

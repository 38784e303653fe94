//! `[privacy]`: what people see of each other.

use clap::Args;
use serde::{Deserialize, Serialize};

/// What the operator says of privacy.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Privacy {
    /// Whether everybody sees everybody's e-mail address, as on the board before [default: false]
    #[arg(long, env = "MADANG_PUBLIC_EMAILS", value_name = "TRUE|FALSE", hide_possible_values = true)]
    pub public_emails: Option<bool>,
}

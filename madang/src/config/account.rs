//! `[account]`: who may have an account.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// What the operator says of accounts.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// Whether anybody may sign up [default: open]
    #[arg(long, env = "MADANG_SIGNUP", value_name = "OPEN|CLOSED", hide_possible_values = true)]
    pub signup: Option<Signup>,
}

/// Who may sign up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Signup {
    /// Anybody.
    #[default]
    Open,
    /// Nobody: those who have an account keep it.
    Closed,
}

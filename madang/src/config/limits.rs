//! `[limits]`: how much anybody may do. The quotas are settings of the file alone.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::limits::{Quota, Quotas};

/// What the operator says of rate limits.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Whether requests are limited by how often they come [default: on]
    #[arg(long, env = "MADANG_LIMITS", value_name = "ON|OFF", hide_possible_values = true)]
    #[serde(rename = "mode")]
    pub limits: Option<Switch>,
    /// Sign-ups of a network.
    #[arg(skip)]
    pub signup: Option<Quota>,
    /// Failed log-ins of a network.
    #[arg(skip)]
    pub login: Option<Quota>,
    /// Failed log-ins of a network to one account.
    #[arg(skip)]
    pub login_account: Option<Quota>,
    /// Failed log-ins of a network's neighbourhood.
    #[arg(skip)]
    pub login_neighbourhood: Option<Quota>,
    /// Refreshed tokens of a network.
    #[arg(skip)]
    pub refresh: Option<Quota>,
    /// Writes of a user.
    #[arg(skip)]
    pub user: Option<Quota>,
    /// Writes of a network.
    #[arg(skip)]
    pub network: Option<Quota>,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// It is.
    #[default]
    On,
    /// It is not.
    Off,
}

impl Limits {
    /// The quotas, unless limits are off.
    pub fn quotas(&self) -> Option<Quotas> {
        let default = Quotas::default();
        (self.limits.unwrap_or_default() == Switch::On).then(|| Quotas {
            signup: self.signup.unwrap_or(default.signup),
            login: self.login.unwrap_or(default.login),
            login_account: self.login_account.unwrap_or(default.login_account),
            login_neighbourhood: self.login_neighbourhood.unwrap_or(default.login_neighbourhood),
            refresh: self.refresh.unwrap_or(default.refresh),
            user: self.user.unwrap_or(default.user),
            network: self.network.unwrap_or(default.network),
        })
    }

    /// The same with every default filled in.
    pub(super) fn effective(&self) -> Limits {
        let limits = Some(self.limits.unwrap_or_default());
        match self.quotas() {
            None => Limits { limits, ..self.clone() },
            Some(quotas) => Limits {
                limits,
                signup: Some(quotas.signup),
                login: Some(quotas.login),
                login_account: Some(quotas.login_account),
                login_neighbourhood: Some(quotas.login_neighbourhood),
                refresh: Some(quotas.refresh),
                user: Some(quotas.user),
                network: Some(quotas.network),
            },
        }
    }
}

//! What the operator decides: a file, the environment and flags, each stronger than the one before.
//!
//! Every section has a file of its own, whose one struct is what the file may say, what the flags are, and what the
//! variables are called. A flag bears the name of its key, with its section's name before it where the key alone would not
//! tell: `server.listen` is `--listen`, `metrics.listen` is `--metrics-listen`.

mod account;
mod cors;
mod database;
mod file;
mod folder;
mod limits;
mod line;
mod media;
mod metrics;
mod privacy;
mod server;
mod show;
mod source;

use std::{fmt, net::SocketAddr, path::PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

pub use self::{
    account::{Account, Signup},
    cors::Cors,
    database::Database,
    folder::Folder,
    limits::{Limits, Switch},
    line::{Line, LineSettings},
    media::{Images, Media},
    metrics::Metrics,
    privacy::Privacy,
    server::{PublicUrl, Server},
    show::explain,
    source::Sources,
};
use crate::{
    http::{client::Network, cors::Origin},
    limits::Quotas,
    secret::Key,
    store_url::StoreUrl,
};

/// Has a type of `FromStr` and `Display` read and written as text.
macro_rules! as_text {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = <$type as std::str::FromStr>::Err;
            fn try_from(text: String) -> Result<$type, Self::Error> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    };
}
pub(crate) use as_text;

/// A configuration that cannot be used: one line for the operator.
#[derive(Debug)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// What the operator said. What he did not say is `None`; [`effective`](Flags::effective) has the defaults.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flags {
    /// A file of settings [default: madang.toml in the data folder, if it is there]
    #[arg(long, env = "MADANG_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Take this key and this place of images for the database's own, if it knows others: after they were moved or lost.
    /// For one start
    #[arg(long)]
    #[serde(skip)]
    pub adopt: bool,
    /// `[server]`
    #[command(flatten)]
    pub server: Server,
    /// `[database]`
    #[command(flatten)]
    pub database: Database,
    /// `[media]`
    #[command(flatten)]
    pub media: Media,
    /// `[account]`
    #[command(flatten)]
    pub account: Account,
    /// `[privacy]`
    #[command(flatten)]
    pub privacy: Privacy,
    /// `[cors]`
    #[command(flatten)]
    pub cors: Cors,
    /// `[limits]`
    #[command(flatten)]
    pub limits: Limits,
    /// `[metrics]`
    #[command(flatten)]
    pub metrics: Metrics,
    /// `[line]`
    #[command(flatten)]
    pub line: Line,
    /// Who said what of it.
    #[arg(skip)]
    #[serde(skip)]
    pub sources: Sources,
}

impl Flags {
    /// Checks what can be checked without touching anything.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.line.settings(&self.sources)?;
        self.store().map(drop)
    }

    /// Where images are kept.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn store(&self) -> Result<StoreUrl, ConfigError> {
        let url = self.media.url(&self.server.data());
        StoreUrl::parse(&url).map_err(|e| ConfigError(format!("{} {e}", self.sources.name("media.url"))))
    }

    /// The same with every default filled in.
    #[must_use]
    pub fn effective(&self) -> Flags {
        let (listen, data) = (self.server.listen(), self.server.data());
        Flags {
            database: Database { database_url: Some(self.database.url(&data)) },
            media: Media { media: Some(self.media.url(&data)) },
            account: Account { signup: Some(self.account.signup.unwrap_or_default()) },
            privacy: Privacy { public_emails: Some(self.privacy.public_emails.unwrap_or_default()) },
            cors: Cors { cors_origins: Some(self.cors.cors_origins.clone().unwrap_or_default()) },
            limits: self.limits.effective(),
            line: self.line.effective(),
            server: Server {
                public_url: Some(self.server.public_url(listen)),
                trusted_proxies: Some(self.server.trusted_proxies.clone().unwrap_or_default()),
                listen: Some(listen),
                data: Some(data),
                drain_delay: Some(self.server.drain_delay.unwrap_or_default()),
            },
            ..self.clone()
        }
    }
}

/// A configuration that was checked, and whose folders are this process's alone.
#[derive(Debug)]
pub struct Config {
    /// The data folder.
    pub data: Folder,
    /// The database.
    pub database_url: String,
    /// Where images are kept.
    pub media: Images,
    /// How clients reach the board, without a slash at the end.
    pub public_url: String,
    /// Whether the operator named that, or it was guessed.
    pub public_url_is_known: bool,
    /// What requests are answered by.
    pub settings: Settings,
    /// Whether the database takes the server's key and images for its own.
    pub adopt: bool,
    /// Who said what.
    pub sources: Sources,
}

/// What requests are answered by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may sign up.
    pub signup: Signup,
    /// Whether everybody sees everybody's e-mail address.
    pub public_emails: bool,
    /// Sites whose scripts may use the board.
    pub cors_origins: Vec<Origin>,
    /// Proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<Network>,
    /// How much anybody may do; `None` is without limits.
    pub quotas: Option<Quotas>,
    /// The board's account at LINE, if it has one.
    pub line: Option<LineSettings>,
}

impl Config {
    /// Checks what the operator said and takes the folders. `listening` is the address that was really bound, for the
    /// default of the public URL.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(flags: &Flags, listening: SocketAddr) -> Result<Config, ConfigError> {
        let data = flags.server.data();
        let store = flags.store()?;
        let line = flags.line.settings(&flags.sources)?;
        Ok(Config {
            database_url: flags.database.url(&data),
            public_url: flags.server.public_url(listening).to_string(),
            public_url_is_known: flags.server.public_url.is_some(),
            data: Folder::take(&data, "data folder")?,
            media: Images::take(store)?,
            settings: Settings {
                signup: flags.account.signup.unwrap_or_default(),
                public_emails: flags.privacy.public_emails.unwrap_or_default(),
                cors_origins: flags.cors.cors_origins.clone().unwrap_or_default(),
                trusted_proxies: flags.server.trusted_proxies.clone().unwrap_or_default(),
                quotas: flags.limits.quotas(),
                line,
            },
            adopt: flags.adopt,
            sources: flags.sources.clone(),
        })
    }

    /// The installation's key, made at the first start.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn key(&self) -> Result<Key, ConfigError> {
        Key::load_or_create(&self.data.path().join("key")).map_err(ConfigError)
    }

    /// The key before it, whose tokens are still good as long as the operator keeps it.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn old_key(&self) -> Result<Option<Key>, ConfigError> {
        Key::load(&self.data.path().join("key.old")).map_err(ConfigError)
    }
}

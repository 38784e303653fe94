//! `[database]`: where rows are kept.

use std::{fmt, path::Path};

use clap::Args;
use serde::{Deserialize, Serialize};

/// What the operator says of the database.
#[derive(Args, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// sqlite:PATH, postgres://USER@HOST/DATABASE or mariadb://USER@HOST/DATABASE [default: a SQLite file in the data
    /// folder]
    #[arg(long, env = "MADANG_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    #[serde(rename = "url")]
    pub database_url: Option<String>,
}

impl Database {
    /// The database's URL.
    pub fn url(&self, data: &Path) -> String {
        let in_the_folder = || format!("sqlite:{}", data.join("madang.db").display());
        self.database_url.clone().unwrap_or_else(in_the_folder)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database(hidden)")
    }
}

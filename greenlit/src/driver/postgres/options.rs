//! What the URL of a PostgreSQL says.

use std::time::Duration;

use tokio_postgres::{Config, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Mode};
use crate::{Error, Result};

/// libpq's names.
const MODES: [(&str, Mode); 5] = [
    ("disable", Mode::Disabled),
    ("prefer", Mode::Preferred),
    ("require", Mode::Required),
    ("verify-ca", Mode::Authority),
    ("verify-full", Mode::Identity),
];

/// The driver's options, and how it encrypts.
pub(super) fn options(url: &str) -> Result<(Config, MakeRustlsConnect)> {
    const NAMES: [&str; 2] = ["sslmode", "sslrootcert"];
    let (url, [mode, file]) = tls::take(url, NAMES)?;
    let (mode, file) = tls::mode(&MODES, (NAMES[0], mode.as_deref()), (NAMES[1], file.as_deref()))?;
    // As in libpq.
    let mode = if mode == Mode::Required && file.is_some() { Mode::Authority } else { mode };
    let mut pg: Config = url.parse().map_err(|e| Error::Config(format!("the database's URL cannot be read: {e}")))?;
    pg.ssl_mode(match mode {
        Mode::Disabled => SslMode::Disable,
        Mode::Preferred => SslMode::Prefer,
        Mode::Required | Mode::Authority | Mode::Identity => SslMode::Require,
    });
    if pg.get_application_name().is_none() {
        pg.application_name("greenlit");
    }
    if pg.get_connect_timeout().is_none() {
        pg.connect_timeout(Duration::from_secs(5));
    }
    Ok((pg, MakeRustlsConnect::new(tls::client(mode, file.as_deref())?)))
}

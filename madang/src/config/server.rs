//! `[server]`: where the board is, on this machine and for its clients.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::http::client::Network;

/// What the operator says of the server.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address and port to listen on [default: 127.0.0.1:8000]
    #[arg(long, env = "MADANG_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// The folder for the key, and for what is not kept elsewhere; made if it is not there [default: ./madang-data]
    #[arg(long, env = "MADANG_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,

    /// The address by which clients reach the board, as it stands in the URLs of images [default: http:// and the
    /// address listened on]
    #[arg(long, env = "MADANG_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,

    /// Proxies whose X-Forwarded-For is believed, as 10.0.0.0/8,::1 [default: none]
    #[arg(long, env = "MADANG_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',')]
    pub trusted_proxies: Option<Vec<Network>>,

    /// For how many seconds after a SIGTERM the board goes on serving while /readyz answers 503, so that a proxy sends its
    /// requests elsewhere before the board listens no more [default: 0]
    #[arg(long, env = "MADANG_DRAIN_DELAY", value_name = "SECONDS")]
    pub drain_delay: Option<u16>,
}

impl Server {
    /// Where to listen.
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8_000)))
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from("./madang-data"))
    }

    /// How long the board goes on serving after a SIGTERM.
    pub fn drain_delay(&self) -> Duration {
        Duration::from_secs(self.drain_delay.unwrap_or_default().into())
    }

    /// How clients reach the board that listens there.
    pub fn public_url(&self, listening: SocketAddr) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| PublicUrl(format!("http://{listening}")))
    }
}

/// How clients reach the board: `http://` or `https://`, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl(String);

super::as_text!(PublicUrl);

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<PublicUrl, String> {
        let trimmed = url.trim_end_matches('/');
        let rest = trimmed.strip_prefix("https://").or_else(|| trimmed.strip_prefix("http://"));
        let plain =
            |rest: &str| !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_graphic() && !b"?#\"<>\\@".contains(&c));
        if rest.is_some_and(plain) {
            Ok(PublicUrl(trimmed.to_owned()))
        } else {
            Err("it must be like https://board.example.org".to_owned())
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_are_checked() {
        let url = "https://a.example/board/".parse::<PublicUrl>().unwrap();
        assert_eq!(url.to_string(), "https://a.example/board");
        for bad in
            ["", "a.example", "ftp://a", "https://", "https://a b", "https://a?x", "https://a/\"><", "javascript:x"]
        {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }
}

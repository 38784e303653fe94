//! Where the old board's images come from: their addresses, its bucket, or a folder that is a copy of the bucket.
//!
//! The addresses stand in a database that others wrote to, so they are not trusted: nothing is fetched from machines that only
//! this one can reach, redirects are not followed, and each image has a deadline and a size.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Component, Path, PathBuf},
    time::Duration,
};

use reqwest::{
    Client, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use tokio::io::AsyncReadExt;

use super::bucket::Bucket;
use crate::{
    app::App,
    media::spool::{Spool, SpoolError},
    store_url::S3Url,
};

/// How long one image may take, from the name's resolution to the last byte.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
/// How often an image is asked for whose server does not answer.
const ATTEMPTS: u32 = 3;
/// Grows from attempt to attempt.
const PAUSE: Duration = Duration::from_millis(500);
/// After so many images in a row that could not be reached, it is not they that are gone.
const GIVE_UP_AFTER: u32 = 10;
/// What is read of a file at a time.
const PIECE: usize = 64 * 1024;

/// Why there is no image.
#[derive(Debug)]
pub(super) enum Missing {
    /// It is not there.
    Absent(String),
    /// We do not go there.
    Forbidden(String),
    /// Nobody answers.
    Unreachable(String),
    /// Nobody has answered for long.
    GivenUp(String),
}

/// Where images come from, as the operator says.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// A folder with the old bucket's objects.
    pub folder: Option<PathBuf>,
    /// The old bucket. Without both they are fetched.
    pub bucket: Option<S3Url>,
    /// The hosts that they are fetched from; all if none is named.
    pub hosts: Vec<String>,
    /// Whether addresses are fetched from that the Internet does not know.
    pub allow_private: bool,
}

pub(super) struct Images {
    origin: Origin,
    bucket: Option<Bucket>,
    client: Option<Client>,
    unreachable: u32,
}

impl Images {
    /// Nothing is asked for yet.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn new(origin: Origin) -> Result<Images, String> {
        if let Some(folder) = origin.folder.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(format!("--images: {} is no folder", folder.display()));
        }
        let bucket = origin.bucket.as_ref().map(Bucket::open).transpose()?;
        Ok(Images { origin, bucket, client: None, unreachable: 0 })
    }

    /// Brings an image, unchecked.
    pub(super) async fn fetch(&mut self, app: &App, url: &str) -> Result<Spool, Missing> {
        let url = Url::parse(url).map_err(|e| Missing::Forbidden(format!("no address: {e}")))?;
        if let Some(folder) = &self.origin.folder {
            return read(folder, &url, app.media.upload()).await;
        }
        if let Some(bucket) = &self.bucket {
            return bucket.fetch(&url, app.media.upload()).await;
        }
        self.permit(&url)?;
        let client = self.client()?;
        let mut attempt = 1;
        loop {
            match get(&client, &url, app.media.upload()).await {
                Err(Missing::Unreachable(_)) if attempt < ATTEMPTS => {
                    tokio::time::sleep(PAUSE * attempt).await;
                    attempt += 1;
                }
                Err(Missing::Unreachable(why)) => return Err(self.missed(why)),
                ended => {
                    self.unreachable = 0;
                    return ended;
                }
            }
        }
    }

    fn missed(&mut self, why: String) -> Missing {
        self.unreachable += 1;
        if self.unreachable < GIVE_UP_AFTER {
            return Missing::Unreachable(why);
        }
        Missing::GivenUp(format!(
            "{GIVE_UP_AFTER} images in a row could not be fetched, the last because {why}; mend that and run the same \
             command again, or name the bucket by --s3 or a copy of it by --images"
        ))
    }

    /// What can be said before a name is resolved.
    fn permit(&self, url: &Url) -> Result<(), Missing> {
        let forbidden = |why: &str| Err(Missing::Forbidden(why.to_owned()));
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
            return forbidden("neither http nor https");
        }
        if !self.origin.hosts.is_empty() && !self.origin.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            return forbidden("not one of the hosts that --image-host names");
        }
        // An address is not resolved, so nobody else looks at it.
        match host.parse::<IpAddr>() {
            Ok(address) if !self.origin.allow_private && !is_public(address) => forbidden("not a public address"),
            _ => Ok(()),
        }
    }

    fn client(&mut self) -> Result<Client, Missing> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let builder = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .user_agent(concat!("madang/", env!("CARGO_PKG_VERSION")));
        let builder = if self.origin.allow_private { builder } else { builder.dns_resolver(PublicOnly) };
        let client = builder.build().map_err(|e| Missing::GivenUp(format!("no images can be fetched: {e}")))?;
        Ok(self.client.insert(client).clone())
    }
}

async fn get(client: &Client, url: &Url, mut upload: Spool) -> Result<Spool, Missing> {
    let unreachable = |e: reqwest::Error| {
        let cause = std::error::Error::source(&e).map(|cause| format!(": {cause}")).unwrap_or_default();
        Missing::Unreachable(format!("{}{cause}", e.without_url()))
    };
    let mut response = client.get(url.clone()).send().await.map_err(unreachable)?;
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Missing::Unreachable(format!("the server answers {status}")));
    }
    if status != StatusCode::OK {
        return Err(Missing::Absent(format!("the server answers {status}")));
    }
    while let Some(piece) = response.chunk().await.map_err(unreachable)? {
        write(&mut upload, &piece).await?;
    }
    Ok(upload)
}

/// Reads the object from a copy of the bucket: its key is the address's path, behind the bucket's name or not.
async fn read(folder: &Path, url: &Url, mut upload: Spool) -> Result<Spool, Missing> {
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
    let path = Path::new(path.trim_start_matches('/'));
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(Missing::Forbidden("its path leads elsewhere".to_owned()));
    }
    let without_bucket: PathBuf = path.components().skip(1).collect();
    for candidate in [path, &without_bucket] {
        let Ok(mut file) = tokio::fs::File::open(folder.join(candidate)).await else { continue };
        if !file.metadata().await.is_ok_and(|file| file.is_file()) {
            continue;
        }
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece).await {
                Ok(0) => return Ok(upload),
                Ok(length) => write(&mut upload, &piece[..length]).await?,
                Err(e) => return Err(Missing::GivenUp(format!("{} cannot be read: {e}", candidate.display()))),
            }
        }
    }
    Err(Missing::Absent("not in the folder".to_owned()))
}

pub(super) async fn write(upload: &mut Spool, piece: &[u8]) -> Result<(), Missing> {
    upload.write(piece).await.map_err(|e| match e {
        SpoolError::TooLarge => Missing::Absent("larger than 10 MB".to_owned()),
        SpoolError::Io(e) => Missing::GivenUp(format!("images cannot be held in the data folder: {e}")),
    })
}

/// Resolves names to addresses of the Internet alone. The connection is made to the very addresses that were looked at.
#[derive(Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("it is on a private network, which needs --allow-private".into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether the address is one of the Internet, not of this machine or a network of its own.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public_v4(v4),
            None => is_public_v6(v6),
        },
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_documentation();
    let shared = (a == 100 && (64..128).contains(&b)) || (a == 198 && (18..20).contains(&b));
    let assigned = a == 192 && ((b == 0 && c == 0) || (b == 88 && c == 99));
    let unused = a == 0 || a >= 224;
    !(special || shared || assigned || unused)
}

/// Of the block for global unicast, without what stands for other addresses.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [a, b, ..] = v6.segments();
    let unicast = a & 0xe000 == 0x2000;
    let special = (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || a == 0x2002 || a == 0x3fff;
    unicast && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u17_only_public_addresses_are_fetched_from() {
        let public = |text: &str| is_public(text.parse().unwrap());
        for inner in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:a9fe:a9fe",
            "::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "ff02::1",
        ] {
            assert!(!public(inner), "{inner}");
        }
        for outer in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "2001:4860:4860::8888"] {
            assert!(public(outer), "{outer}");
        }
    }

    #[tokio::test]
    async fn u17_what_leads_inside_is_refused_before_anything_is_sent() {
        let images = Images::new(Origin::default()).unwrap();
        for url in [
            "http://127.0.0.1/a",
            "http://2130706433/a",
            "http://0x7f.1/a",
            "http://[::1]/a",
            "http://[::ffff:7f00:1]/a",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "ftp://a.example/a",
            "gopher://127.0.0.1/",
        ] {
            let refused = images.permit(&Url::parse(url).unwrap());
            assert!(matches!(refused, Err(Missing::Forbidden(_))), "{url}");
        }
        assert!(PublicOnly.resolve("localhost".parse().unwrap()).await.is_err());
        let named = Images::new(Origin { hosts: vec!["cdn.example".to_owned()], ..Origin::default() }).unwrap();
        assert!(named.permit(&Url::parse("https://CDN.example/a").unwrap()).is_ok());
        assert!(named.permit(&Url::parse("https://cdn.example.evil.example/a").unwrap()).is_err());
    }
}

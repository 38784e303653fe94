//! Who is at the other end: the client's address, also behind proxies.
//!
//! `X-Forwarded-For` is believed as far as trusted proxies wrote it: read from its right end, the first address that is
//! no trusted proxy's is the client's. `Forwarded` and `X-Real-IP` are never read.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, HeaderName, request::Parts},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A network as `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

crate::config::as_text!(Network);

impl Network {
    /// Its loopback networks.
    pub fn of_this_machine() -> [Network; 2] {
        let network = |address: IpAddr, bits| Network(IpNet::new_assert(address, bits));
        [network(Ipv4Addr::new(127, 0, 0, 0).into(), 8), network(Ipv6Addr::LOCALHOST.into(), 128)]
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Network).map_err(|_| "it must be a network such as 10.0.0.0/8 or an address".to_owned())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The client's address: an extension of every request, and an extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The network that acts as one: an IPv4 address, or an IPv6 /64, which is what one customer gets at least.
    pub fn network(self) -> u128 {
        self.masked(32, 64)
    }

    /// The network's neighbourhood, among which one attacker may well move: a /24, or an IPv6 /48.
    pub fn neighbourhood(self) -> u128 {
        self.masked(24, 48)
    }

    fn masked(self, v4_bits: u32, v6_bits: u32) -> u128 {
        let (address, bits) = match self.0 {
            IpAddr::V4(address) => (address.to_ipv6_mapped(), 96 + v4_bits),
            IpAddr::V6(address) => (address, v6_bits),
        };
        address.to_bits() & (u128::MAX << (128 - bits))
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or(UNKNOWN))
    }
}

/// Whoever comes without a socket.
const UNKNOWN: ClientAddress = ClientAddress(IpAddr::V6(Ipv6Addr::UNSPECIFIED));

/// Finds out who asks; clones share what was said already.
#[derive(Clone, Debug)]
pub struct Proxies {
    trusted: Arc<[Network]>,
    told: Arc<AtomicBool>,
}

impl Proxies {
    /// Believes these.
    pub fn trusted(networks: &[Network]) -> Proxies {
        Proxies { trusted: networks.into(), told: Arc::default() }
    }

    /// Gives a request its [`ClientAddress`].
    pub fn identify(&self, request: &mut Request) -> ClientAddress {
        let peer =
            request.extensions().get().map_or(UNKNOWN.0, |ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
        self.warn_of_forgotten(peer, request.headers());
        let client = self.client(peer, request.headers());
        request.extensions_mut().insert(client);
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut known = peer.to_canonical();
        let hops =
            headers.get_all(FORWARDED_FOR).iter().rev().flat_map(|value| value.as_bytes().rsplit(|b| *b == b','));
        for hop in hops {
            if !self.trusts(known) {
                break;
            }
            // What cannot be read was written by nobody we trust.
            let Some(next) = address(hop) else { break };
            known = next;
        }
        ClientAddress(known)
    }

    /// A proxy that was forgotten in the configuration makes one client of all people behind it.
    fn warn_of_forgotten(&self, peer: IpAddr, headers: &HeaderMap) {
        if headers.contains_key(FORWARDED_FOR) && !self.trusts(peer.to_canonical()) && !self.told.swap(true, Relaxed) {
            tracing::warn!(%peer, "X-Forwarded-For is ignored: if this peer is your proxy, name it in server.trusted_proxies");
        }
    }
}

/// An address as proxies write it: perhaps with a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let plain = text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    plain.ok().or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        headers.insert("x-real-ip", "203.0.113.66".parse().unwrap());
        headers.insert("forwarded", "for=203.0.113.66".parse().unwrap());
        Proxies::trusted(&trusted).client(peer.parse().unwrap(), &headers).0.to_string()
    }

    #[test]
    fn a16_only_trusted_proxies_are_believed_and_only_what_they_wrote() {
        let ours = ["10.0.0.0/8", "::1"];
        assert_eq!(client(&[], "192.0.2.1", &["203.0.113.5"]), "192.0.2.1");
        assert_eq!(client(&ours, "192.0.2.1", &["203.0.113.5"]), "192.0.2.1", "an untrusted peer");
        assert_eq!(client(&ours, "10.0.0.1", &["203.0.113.5"]), "203.0.113.5");
        assert_eq!(
            client(&ours, "10.0.0.1", &["9.9.9.9, 203.0.113.5, 10.0.0.2"]),
            "203.0.113.5",
            "the right-most untrusted"
        );
        assert_eq!(client(&ours, "10.0.0.1", &["9.9.9.9", "203.0.113.5"]), "203.0.113.5", "two headers are one list");
        assert_eq!(client(&ours, "10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3", "all are ours");
        assert_eq!(client(&ours, "10.0.0.1", &["9.9.9.9, nonsense"]), "10.0.0.1");
        assert_eq!(client(&ours, "10.0.0.1", &[""]), "10.0.0.1");
        assert_eq!(client(&ours, "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client(&ours, "::ffff:10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client(&ours, "::1", &["203.0.113.5:4711"]), "203.0.113.5");
        assert_eq!(client(&ours, "::1", &["[2001:db8::2]"]), "2001:db8::2");
    }

    #[test]
    fn r03_an_ipv6_customer_is_one_network() {
        let of = |text: &str| ClientAddress(text.parse().unwrap());
        assert_eq!(of("2001:db8::1").network(), of("2001:db8::ffff:0:0:1").network());
        assert_ne!(of("2001:db8::1").network(), of("2001:db8:0:1::1").network());
        assert_eq!(of("2001:db8::1").neighbourhood(), of("2001:db8:0:1::1").neighbourhood());
        assert_ne!(of("192.0.2.1").network(), of("192.0.2.2").network());
        assert_eq!(of("192.0.2.1").neighbourhood(), of("192.0.2.2").neighbourhood());
        assert_ne!(of("192.0.2.1").neighbourhood(), of("192.0.3.1").neighbourhood());
    }

    #[test]
    fn networks_are_checked() {
        for good in ["10.0.0.0/8", "10.0.0.1", "::1", "2001:db8::/32"] {
            assert!(good.parse::<Network>().is_ok(), "{good}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0", "proxy", "*", "::/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}

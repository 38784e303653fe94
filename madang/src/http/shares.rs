//! How many connections each network has, so that nobody takes all there are.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use super::client::{ClientAddress, Network};

/// Counts the connections of each network; clones share the counts. There is an entry for each network that has some.
#[derive(Clone)]
pub(super) struct Shares {
    most: usize,
    unbounded: Arc<[Network]>,
    taken: Arc<Mutex<HashMap<u128, usize>>>,
}

/// The right to one connection, given back when dropped.
pub(super) struct Share {
    shares: Shares,
    network: Option<u128>,
}

impl Shares {
    /// So many for each network, and any number for `unbounded`.
    pub(super) fn new(most: usize, unbounded: &[Network]) -> Shares {
        Shares { most, unbounded: unbounded.into(), taken: Arc::default() }
    }

    /// A share for this peer, unless its network has all of its own.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Share> {
        let peer = peer.to_canonical();
        if self.unbounded.iter().any(|network| network.contains(peer)) {
            return Some(Share { shares: self.clone(), network: None });
        }
        let network = ClientAddress(peer).network();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(network).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Share { shares: self.clone(), network: Some(network) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_share_and_no_more() {
        let shares = Shares::new(2, &["10.0.0.0/8".parse().unwrap()]);
        let take = |peer: &str| shares.take(peer.parse().unwrap());
        let held = [take("192.0.2.1").unwrap(), take("::ffff:192.0.2.1").unwrap()];
        assert!(take("192.0.2.1").is_none());
        let (_another, _customer) = (take("192.0.2.2").unwrap(), take("2001:db8::1").unwrap());
        let _same = take("2001:db8::2").unwrap();
        assert!(take("2001:db8::3").is_none(), "an IPv6 customer is one network");
        let _proxy: Vec<Share> = (0..5).map(|_| take("10.1.2.3").unwrap()).collect();
        drop(held);
        drop(take("192.0.2.1").unwrap());
        assert_eq!(shares.taken.lock().unwrap().len(), 2, "those with a connection");
    }
}

//! Client addresses as limits see them: an IPv4 address, or the /64 network of an IPv6 address, which one customer of a
//! provider has alone. And how many connections each of them has.

use std::net::IpAddr;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use ipnet::IpNet;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AddressKey {
    V4(u32),
    /// The first 64 bits.
    V6(u64),
}

impl From<IpAddr> for AddressKey {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => Self::V6((v6.to_bits() >> 64) as u64),
        }
    }
}

/// What the operator allows one address.
#[derive(Clone, Debug)]
pub struct ConnectionsPerAddress {
    /// Connections of one address that count, without those of signed-in users; 0: no limit.
    pub connections: usize,
    /// Addresses that have no limit.
    pub exempt: Vec<IpNet>,
}

impl ConnectionsPerAddress {
    /// No limit for any address.
    pub fn none() -> Self {
        Self { connections: 0, exempt: Vec::new() }
    }

    /// The key under which this address is limited; `None`: it is not.
    pub fn key(&self, address: IpAddr) -> Option<AddressKey> {
        let address = address.to_canonical();
        let is_exempt = self.connections == 0 || self.exempt.iter().any(|network| network.contains(&address));
        (!is_exempt).then(|| address.into())
    }
}

/// The number of connections of each address. It has an entry only for addresses with a connection, so it is never larger than
/// the number of open connections.
#[derive(Debug, Default)]
pub struct AddressCounts(DashMap<AddressKey, usize>);

impl AddressCounts {
    pub fn get(&self, key: AddressKey) -> usize {
        self.0.get(&key).map_or(0, |count| *count)
    }

    /// Adds a connection, and returns how many there are with it.
    pub fn add(&self, key: AddressKey) -> usize {
        let mut count = self.0.entry(key).or_insert(0);
        *count += 1;
        *count
    }

    pub fn remove(&self, key: AddressKey) {
        if let Entry::Occupied(mut entry) = self.0.entry(key) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    /// How many addresses have a connection.
    pub fn address_count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(limit: &ConnectionsPerAddress, address: &str) -> Option<AddressKey> {
        limit.key(address.parse().unwrap())
    }

    #[test]
    fn ipv6_addresses_of_one_network_share_a_limit() {
        let limit = ConnectionsPerAddress { connections: 1, exempt: Vec::new() };
        assert_eq!(key(&limit, "2001:db8:1:2::1"), key(&limit, "2001:db8:1:2:ffff::9"));
        assert_ne!(key(&limit, "2001:db8:1:2::1"), key(&limit, "2001:db8:1:3::1"));
        assert_ne!(key(&limit, "10.0.0.1"), key(&limit, "10.0.0.2"));
        assert_eq!(key(&limit, "::ffff:10.0.0.1"), key(&limit, "10.0.0.1"));
    }

    #[test]
    fn exempt_networks_have_no_limit() {
        let exempt = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap(), "10.1.0.0/16".parse().unwrap()];
        let limit = ConnectionsPerAddress { connections: 1, exempt };
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.9", "10.1.2.3"] {
            assert_eq!(key(&limit, address), None, "{address}");
        }
        for address in ["10.2.0.1", "::2", "128.0.0.1"] {
            assert!(key(&limit, address).is_some(), "{address}");
        }
        assert_eq!(key(&ConnectionsPerAddress::none(), "10.2.0.1"), None);
    }

    #[test]
    fn address_without_connections_is_forgotten() {
        let counts = AddressCounts::default();
        let key = AddressKey::V4(1);
        assert_eq!([counts.add(key), counts.add(key), counts.get(key)], [1, 2, 2]);
        counts.remove(key);
        counts.remove(key);
        assert_eq!((counts.get(key), counts.address_count()), (0, 0));
        counts.remove(key);
    }
}

//! Addresses that a person typed on a page: they are resolved, checked, and only a checked address is connected to.
//!
//! Otherwise a user who types an address could make this server connect to what only its own network reaches: a database, a metadata
//! service of a cloud, a router. The check is on the resolved address and the connection goes to exactly that address, so a name that
//! resolves to another one a moment later changes nothing.

mod client;
pub mod operator_http;
pub mod provider_http;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

pub use client::{FetchError, GuardedClient, tls_config};

/// How long a name may take to resolve.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(5);
/// So many addresses of one name are tried.
const ADDRESSES_MAX: usize = 8;

/// Why a typed address is not used. The text is shown to the user who typed it.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
pub enum GuardedAddressError {
    #[error("the name {0} is not known")]
    UnknownName(String),
    #[error("the name {0} could not be resolved in time")]
    ResolveTimeout(String),
    #[error("{0} is in a private network; the operator can allow it with --allow-private-address")]
    Private(String),
    #[error("{0} cannot be reached")]
    Unreachable(String),
}

/// Decides which addresses may be reached on behalf of somebody who typed one.
#[derive(Clone, Debug, Default)]
pub struct AddressGuard {
    /// Networks of the operator that may be reached too.
    allowed: Arc<[IpNet]>,
}

impl AddressGuard {
    /// `allowed`: networks that are reached although they are not public.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed: allowed.into() }
    }

    pub fn is_allowed(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.allowed.iter().any(|network| network.contains(&address))
    }

    /// The addresses of a host that may be connected to, at most eight. `host` is a name, or an address without brackets.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, GuardedAddressError> {
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => match timeout(RESOLVE_DEADLINE, lookup_host((host, port))).await {
                Ok(Ok(found)) => found.collect(),
                Ok(Err(_)) => return Err(GuardedAddressError::UnknownName(host.to_owned())),
                Err(_) => return Err(GuardedAddressError::ResolveTimeout(host.to_owned())),
            },
        };
        if found.is_empty() {
            return Err(GuardedAddressError::UnknownName(host.to_owned()));
        }
        let checked: Vec<SocketAddr> =
            found.into_iter().filter(|address| self.is_allowed(address.ip())).take(ADDRESSES_MAX).collect();
        if checked.is_empty() { Err(GuardedAddressError::Private(host.to_owned())) } else { Ok(checked) }
    }

    /// Connects to the first checked address of a host that answers. `deadline` holds for each of them.
    pub async fn connect(&self, host: &str, port: u16, deadline: Duration) -> Result<TcpStream, GuardedAddressError> {
        for address in self.resolve(host, port).await? {
            if let Ok(Ok(stream)) = timeout(deadline, TcpStream::connect(address)).await {
                return Ok(stream);
            }
        }
        Err(GuardedAddressError::Unreachable(host.to_owned()))
    }
}

/// Whether the whole internet may reach this address, so that we reach nothing by it that others could not.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_reserved = match (a, b, c) {
        // This network, shared by providers, protocol assignments, relays to IPv6, benchmarks, and what has no use yet.
        (0, ..) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _) | (240.., ..) => true,
        _ => false,
    };
    !(is_reserved
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3. Left out are protocol assignments (with Teredo), documentation and 6to4, which hide other addresses.
    let is_special = matches!((a, b), (0x2001, 0x0000..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0x0000..=0x0fff));
    (0x2000..=0x3fff).contains(&a) && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_special_addresses_are_not_public() {
        for (address, expected) in [
            ("93.184.216.34", true),
            ("8.8.8.8", true),
            ("172.32.0.1", true),
            ("100.128.0.1", true),
            ("2606:2800:220:1::1", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.1", false),
            ("192.0.2.1", false),
            ("192.168.1.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::7f00:1", false),
            ("fd00::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[tokio::test]
    async fn name_of_a_private_address_is_refused_unless_the_operator_allows_it() {
        let closed = AddressGuard::default();
        for host in ["localhost", "127.0.0.1", "::1", "10.0.0.5"] {
            assert_eq!(closed.resolve(host, 25).await, Err(GuardedAddressError::Private(host.to_owned())), "{host}");
        }
        let open = AddressGuard::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let expected: SocketAddr = "127.0.0.1:25".parse().unwrap();
        assert_eq!(open.resolve("127.0.0.1", 25).await, Ok(vec![expected]));
        assert!(open.resolve("localhost", 25).await.unwrap().iter().all(|address| address.is_ipv4()));
        assert!(open.resolve("10.0.0.5", 25).await.is_err());
    }

    #[tokio::test]
    async fn checked_address_is_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = AddressGuard::new(vec!["127.0.0.1/32".parse().unwrap()]);
        assert!(open.connect("127.0.0.1", port, Duration::from_secs(5)).await.is_ok());
        let refused = AddressGuard::default().connect("127.0.0.1", port, Duration::from_secs(5)).await;
        assert_eq!(refused.unwrap_err(), GuardedAddressError::Private("127.0.0.1".to_owned()));
    }
}

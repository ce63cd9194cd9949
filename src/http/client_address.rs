//! The address of the client: the address of the socket, or the one that a trusted proxy reports. For the logs.

use std::net::{IpAddr, SocketAddr};

use axum::http::request::Parts;

/// The address of the socket; the accept loop adds it to each request.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// A socket that listens on `[::]` shows an IPv4 client as `::ffff:10.0.0.1`; this turns it into 10.0.0.1.
    pub fn from_socket(address: SocketAddr) -> Self {
        Self(address.ip().to_canonical())
    }
}

/// Proxies whose `X-Forwarded-For` header is trusted.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpAddr>);

impl TrustedProxies {
    pub fn new(trusted: Vec<IpAddr>) -> Self {
        Self(trusted.into_iter().map(|ip| ip.to_canonical()).collect())
    }

    /// Whether this is the address of such a proxy.
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// The address of the client: from the right, the first hop that is not a trusted proxy. Everything further left can be
    /// forged by the client.
    pub fn client_ip(&self, parts: &Parts) -> Option<IpAddr> {
        let ClientAddress(peer) = *parts.extensions.get::<ClientAddress>()?;
        let headers = parts.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = headers.flat_map(|value| value.split(',')).map(str::trim).collect();
        let mut client = peer;
        for hop in hops.iter().rev() {
            if !self.is_trusted(client) {
                break;
            }
            let Ok(before) = hop.parse::<IpAddr>() else { break };
            client = before.to_canonical();
        }
        Some(client)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn forwarded_address_is_used_only_from_a_trusted_proxy() {
        let proxies = TrustedProxies::new(vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()]);
        for (peer, forwarded, expected) in [
            ("7.7.7.7", None, "7.7.7.7"),
            ("7.7.7.7", Some("1.1.1.1"), "7.7.7.7"),
            ("10.0.0.1", Some("1.1.1.1"), "1.1.1.1"),
            ("10.0.0.1", Some("6.6.6.6, 1.1.1.1"), "1.1.1.1"),
            ("10.0.0.1", Some("6.6.6.6, 1.1.1.1, 10.0.0.2"), "1.1.1.1"),
            ("10.0.0.1", Some("nonsense"), "10.0.0.1"),
            ("10.0.0.1", None, "10.0.0.1"),
            ("::ffff:10.0.0.1", Some("1.1.1.1"), "1.1.1.1"),
            ("::ffff:7.7.7.7", Some("1.1.1.1"), "7.7.7.7"),
        ] {
            let mut request = Request::builder();
            if let Some(forwarded) = forwarded {
                request = request.header("X-Forwarded-For", forwarded);
            }
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            parts.extensions.insert(ClientAddress::from_socket(SocketAddr::new(peer.parse().unwrap(), 40_000)));
            assert_eq!(proxies.client_ip(&parts), Some(expected.parse().unwrap()), "{peer} {forwarded:?}");
        }
    }
}

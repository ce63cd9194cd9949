//! The address of the client: the address of the socket, or the one that a trusted proxy reports in `X-Forwarded-For`.
//!
//! `Forwarded` (RFC 7239) is not read: a proxy that writes only one of the two headers passes on the other one as the client sent it,
//! so that a server which reads both believes the client.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use ipnet::IpNet;

use super::AppState;

/// The address of the socket; the accept loop adds it to each request.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// A socket that listens on `[::]` shows an IPv4 client as `::ffff:10.0.0.1`; this turns it into 10.0.0.1.
    pub fn from_socket(address: SocketAddr) -> Self {
        Self(address.ip().to_canonical())
    }
}

/// The address of the client who sends a request.
pub struct ClientIp(pub Option<IpAddr>);

impl FromRequestParts<AppState> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self(state.trusted_proxies.client_ip(parts)))
    }
}

/// Proxies whose `X-Forwarded-For` header is trusted.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// IPv4 ranges match IPv4 clients of an IPv6 socket too.
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self(trusted)
    }

    /// Whether this is the address of such a proxy.
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(&address))
    }

    /// Whether a trusted proxy says that the client's connection is HTTPS.
    pub fn reports_https(&self, parts: &Parts) -> bool {
        let is_from_proxy = parts.extensions.get::<ClientAddress>().is_some_and(|peer| self.is_trusted(peer.0));
        let scheme = parts.headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        is_from_proxy && scheme.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
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
            let Some(before) = parse_hop(hop) else { break };
            client = before;
        }
        Some(client)
    }
}

/// The address in one hop of the header. Some proxies write the port too: `10.0.0.1:4711`, `[::1]:4711`.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim_matches('"');
    let address = |text: &str| text.parse::<IpAddr>().ok();
    let with_port = || Some(hop.parse::<SocketAddr>().ok()?.ip());
    let in_brackets = || address(hop.strip_prefix('[')?.strip_suffix(']')?);
    Some(address(hop).or_else(with_port).or_else(in_brackets)?.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn forwarded_address_is_used_only_from_a_trusted_proxy() {
        let ranges = ["10.0.0.1/32", "10.0.0.2/32", "172.16.0.0/12", "fd00::/8"];
        let proxies = TrustedProxies::new(ranges.iter().map(|range| range.parse().unwrap()).collect());
        for (peer, forwarded, expected) in [
            ("7.7.7.7", None, "7.7.7.7"),
            ("7.7.7.7", Some("1.1.1.1"), "7.7.7.7"),
            ("10.0.0.1", Some("1.1.1.1"), "1.1.1.1"),
            ("10.0.0.1", Some("6.6.6.6, 1.1.1.1"), "1.1.1.1"),
            ("10.0.0.1", Some("6.6.6.6, 1.1.1.1, 10.0.0.2"), "1.1.1.1"),
            ("10.0.0.1", Some("1.1.1.1:567"), "1.1.1.1"),
            ("10.0.0.1", Some("[2001:db8::1]:567"), "2001:db8::1"),
            ("10.0.0.1", Some("[2001:db8::1]"), "2001:db8::1"),
            ("10.0.0.1", Some("2001:db8::1"), "2001:db8::1"),
            ("10.0.0.1", Some("\"[2001:db8::1]:567\""), "2001:db8::1"),
            ("10.0.0.1", Some("::ffff:1.1.1.1"), "1.1.1.1"),
            ("10.0.0.1", Some("[::ffff:1.1.1.1]:567"), "1.1.1.1"),
            ("10.0.0.1", Some("6.6.6.6:1, 1.1.1.1:2, 10.0.0.2:3"), "1.1.1.1"),
            ("172.20.3.4", Some("1.1.1.1"), "1.1.1.1"),
            ("172.32.0.1", Some("1.1.1.1"), "172.32.0.1"),
            ("::ffff:172.20.3.4", Some("1.1.1.1"), "1.1.1.1"),
            ("fd12::1", Some("1.1.1.1, 172.16.0.9"), "1.1.1.1"),
            ("10.0.0.1", Some("1.1.1.1:"), "10.0.0.1"),
            ("10.0.0.1", Some("1.1.1.1:99999"), "10.0.0.1"),
            ("10.0.0.1", Some("unknown"), "10.0.0.1"),
            ("10.0.0.1", Some(""), "10.0.0.1"),
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

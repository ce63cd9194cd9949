//! Who reaches a demo: the host names that it answers to, and the requests that come from its own machine.
//!
//! A demo gives tokens away, so the web must not reach it through a browser on this machine. With DNS rebinding, the name of a
//! foreign page is resolved to this machine, and the page is then same-origin with the demo. Its `Host` header still has the
//! foreign name, and that is what is checked here. An IP address in `Host` was typed, so no name was rebound.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::AppState;
use super::client_address::ClientAddress;
use super::error::Problem;
use crate::domain::ErrorCode;

/// What a proxy adds to the requests that it forwards. A request with one of them was not sent by a program on this machine,
/// although the proxy may run here.
const FORWARDING_HEADERS: [&str; 9] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];

/// The hosts of a demo.
#[derive(Debug, Default)]
pub struct DemoHosts {
    /// In lower case, without a port.
    names: Vec<String>,
    /// The operator gave a public address, so a proxy or a tunnel on this machine may forward the requests of strangers.
    is_published: bool,
}

#[derive(PartialEq, Eq, Debug)]
enum Host {
    Loopback,
    Address,
    Name(String),
}

impl Host {
    /// Parses the value of a `Host` header, or the authority of a URL.
    fn parse(text: &str) -> Option<Self> {
        let authority: Authority = text.parse().ok().filter(|_| !text.contains('@'))?;
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        Some(match bare.parse::<IpAddr>() {
            Ok(ip) if ip.to_canonical().is_loopback() => Host::Loopback,
            Ok(_) => Host::Address,
            // Every name under `localhost` is this machine (RFC 6761); browsers do not ask a name server for it.
            Err(_) if host == "localhost" || host.ends_with(".localhost") => Host::Loopback,
            Err(_) if host.is_empty() => return None,
            Err(_) => Host::Name(host),
        })
    }

    /// The only `Host` header. A target in absolute form must not name another host.
    fn of(parts: &Parts) -> Option<Self> {
        let mut given = parts.headers.get_all(header::HOST).iter();
        let host = Host::parse(given.next()?.to_str().ok()?)?;
        let is_only_one = given.next().is_none();
        let target = parts.uri.authority().map(|authority| Host::parse(authority.as_str()));
        (is_only_one && target.is_none_or(|target| target.as_ref() == Some(&host))).then_some(host)
    }
}

impl DemoHosts {
    /// `names`: further names under which browsers reach the demo. `base_url`: its public address. Fails if one of them is not
    /// a host name; the message names it.
    pub fn new(names: &[String], base_url: Option<&str>) -> Result<Self, String> {
        let parse = |name: &str| match Host::parse(name) {
            Some(Host::Name(host)) if !name.contains(':') => Ok(Some(host)),
            Some(Host::Loopback | Host::Address) => Ok(None),
            _ => Err(format!("--host `{name}` is not a host name: write it like demo.shop.example")),
        };
        let mut known = Vec::new();
        for name in names {
            known.extend(parse(name)?);
        }
        let public = base_url.and_then(|url| url.split_once("://")).and_then(|(_, rest)| rest.split('/').next());
        let public = public.and_then(Host::parse);
        let is_published = public.as_ref().is_some_and(|host| *host != Host::Loopback);
        if let Some(Host::Name(name)) = public {
            known.push(name);
        }
        Ok(Self { names: known, is_published })
    }

    fn accepts(&self, parts: &Parts) -> bool {
        match Host::of(parts) {
            Some(Host::Loopback | Host::Address) => true,
            Some(Host::Name(name)) => self.names.contains(&name),
            None => false,
        }
    }

    /// Whether a program on this machine sent the request to this machine: a loopback client, a loopback `Host`, and no sign
    /// of a proxy in between.
    ///
    /// HTTP/1.0 counts as such a sign: nginx uses it unless it is told otherwise, and sends a loopback `Host` and no forwarding
    /// header then. A forwarder that only copies bytes cannot be seen; with a public `--base-url` nobody counts as local.
    fn is_local(&self, parts: &Parts) -> bool {
        let is_forwarded = FORWARDING_HEADERS.iter().any(|name| parts.headers.contains_key(*name));
        let peer = parts.extensions.get::<ClientAddress>();
        !self.is_published
            && !is_forwarded
            && parts.version >= Version::HTTP_11
            && peer.is_some_and(|ClientAddress(ip)| ip.is_loopback())
            && Host::of(parts) == Some(Host::Loopback)
            && has_local_origin(&parts.headers)
    }
}

/// A page that `--allow-origin` admits may call the demo, but it does not become its host.
fn has_local_origin(headers: &HeaderMap) -> bool {
    headers.get_all(header::ORIGIN).iter().all(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(_, host)| Host::parse(host) == Some(Host::Loopback))
    })
}

/// Middleware of a demo that refuses requests for other hosts. It is on every route, the pages included: a rebound page must
/// not even read what the shop sells.
pub async fn check_host(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match &state.demo_hosts {
        Some(hosts) if !hosts.accepts(&parts) => Problem::of(&ErrorCode::HOST_NOT_ALLOWED).into_response(),
        _ => next.run(Request::from_parts(parts, body)).await,
    }
}

/// Whether the request comes from this machine itself; never true outside a demo.
pub struct IsLocal(pub bool);

impl FromRequestParts<AppState> for IsLocal {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        Ok(Self(state.demo_hosts.as_ref().is_some_and(|hosts| hosts.is_local(parts))))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn request(peer: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = axum::http::Request::builder().uri("/v1/shop");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(ClientAddress::from_socket(SocketAddr::new(peer.parse().unwrap(), 40_000)));
        parts
    }

    #[test]
    fn demo_answers_to_loopback_addresses_and_named_hosts_only() {
        let given = ["Demo.Example".to_owned(), "10.0.0.1".to_owned()];
        let hosts = DemoHosts::new(&given, Some("https://live.example:8443/shop")).unwrap();
        for (host, good) in [
            ("127.0.0.1", true),
            ("127.0.0.1:8080", true),
            ("127.8.8.8", true),
            ("localhost:8080", true),
            ("LOCALHOST", true),
            ("localhost.", true),
            ("shop.localhost:1", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]", true),
            ("192.168.1.7:8080", true),
            ("[fe80::1]", true),
            ("demo.example", true),
            ("DEMO.example.:8080", true),
            ("live.example", true),
            ("evil.example", false),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("xlocalhost", false),
            ("demo.example.evil.example", false),
            ("sub.demo.example", false),
            ("127.0.0.1@evil.example", false),
            ("", false),
            (":8080", false),
            ("a b", false),
        ] {
            assert_eq!(hosts.accepts(&request("127.0.0.1", &[("host", host)])), good, "{host}");
        }
        assert!(!hosts.accepts(&request("127.0.0.1", &[])), "no Host");
        assert!(!hosts.accepts(&request("127.0.0.1", &[("host", "127.0.0.1"), ("host", "evil.example")])), "two");
        let mut absolute = request("127.0.0.1", &[("host", "127.0.0.1")]);
        absolute.uri = "http://evil.example/v1/shop".parse().unwrap();
        assert!(!hosts.accepts(&absolute), "another host in the target");
        assert!(!DemoHosts::default().accepts(&request("127.0.0.1", &[("host", "demo.example")])), "not named");
    }

    #[test]
    fn only_this_machine_itself_is_local() {
        let hosts = DemoHosts::new(&["demo.example".to_owned()], Some("http://localhost:8080")).unwrap();
        let loopback = ("host", "127.0.0.1:8080");
        for (peer, headers, local) in [
            ("127.0.0.1", vec![loopback], true),
            ("::1", vec![("host", "[::1]:8080")], true),
            ("::ffff:127.0.0.1", vec![("host", "localhost")], true),
            ("127.0.0.1", vec![loopback, ("origin", "http://127.0.0.1:8080")], true),
            ("192.168.1.7", vec![loopback], false),
            ("::ffff:192.168.1.7", vec![loopback], false),
            ("127.0.0.1", vec![("host", "192.168.1.7:8080")], false),
            ("127.0.0.1", vec![("host", "demo.example")], false),
            ("127.0.0.1", vec![], false),
            ("192.168.1.7", vec![loopback, ("x-forwarded-for", "127.0.0.1")], false),
            ("127.0.0.1", vec![loopback, ("x-forwarded-for", "127.0.0.1")], false),
            ("127.0.0.1", vec![loopback, ("forwarded", "for=6.6.6.6")], false),
            ("127.0.0.1", vec![loopback, ("x-real-ip", "6.6.6.6")], false),
            ("127.0.0.1", vec![loopback, ("via", "1.1 proxy")], false),
            ("127.0.0.1", vec![loopback, ("origin", "https://shop.example")], false),
            ("127.0.0.1", vec![loopback, ("origin", "null")], false),
        ] {
            assert_eq!(hosts.is_local(&request(peer, &headers)), local, "{peer} {headers:?}");
        }
        let mut by_nginx = request("127.0.0.1", &[loopback]);
        by_nginx.version = Version::HTTP_10;
        assert!(!hosts.is_local(&by_nginx));
        let published = DemoHosts::new(&[], Some("https://demo.example")).unwrap();
        assert!(!published.is_local(&request("127.0.0.1", &[loopback])), "a proxy is in front");
    }

    #[test]
    fn host_that_is_no_name_is_refused() {
        for bad in ["https://demo.example", "demo.example:8080", "demo example", ""] {
            assert!(DemoHosts::new(&[bad.to_owned()], None).unwrap_err().contains("--host"), "{bad}");
        }
    }
}

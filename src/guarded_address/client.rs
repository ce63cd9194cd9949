//! Fetches what is behind an address that a person typed: every host is resolved and checked, only a checked address is connected to, at
//! most three redirects are followed, each checked in the same way, and size and time are limited.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::{AddressGuard, GuardedAddressError};

const REDIRECTS_MAX: usize = 3;
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Why nothing was fetched. The text is shown to the user who typed the address.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
pub enum FetchError {
    #[error("this is not an address of a file on the web")]
    BadAddress,
    #[error(transparent)]
    Address(#[from] GuardedAddressError),
    #[error("it leads from an encrypted to an unencrypted address")]
    LeavesEncryption,
    #[error("it redirects more than {REDIRECTS_MAX} times")]
    TooManyRedirects,
    #[error("the server answers with status {0}")]
    Status(u16),
    #[error("the connection failed: {0}")]
    Broken(String),
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
    #[error("it did not arrive within {0} s")]
    TooSlow(u64),
}

/// What a server answered.
enum Answer {
    File(Bytes),
    Redirect(Uri),
}

/// Fetches files from addresses that people typed.
#[derive(Clone, Debug)]
pub struct GuardedClient {
    guard: AddressGuard,
}

impl GuardedClient {
    pub fn new(guard: AddressGuard) -> Self {
        Self { guard }
    }

    /// Fetches a file of at most `bytes_max` bytes. `deadline` holds for everything together, redirects included.
    pub async fn fetch(&self, address: &str, bytes_max: usize, deadline: Duration) -> Result<Bytes, FetchError> {
        let fetched = tokio::time::timeout(deadline, self.follow(address, bytes_max)).await;
        fetched.unwrap_or(Err(FetchError::TooSlow(deadline.as_secs())))
    }

    async fn follow(&self, address: &str, bytes_max: usize) -> Result<Bytes, FetchError> {
        let without_fragment = address.split('#').next().unwrap_or_default();
        let mut uri: Uri = without_fragment.parse().map_err(|_| FetchError::BadAddress)?;
        for _ in 0..=REDIRECTS_MAX {
            match self.request(&uri, bytes_max).await? {
                Answer::File(file) => return Ok(file),
                Answer::Redirect(next) if is_https(&uri) && !is_https(&next) => {
                    return Err(FetchError::LeavesEncryption);
                }
                Answer::Redirect(next) => uri = next,
            }
        }
        Err(FetchError::TooManyRedirects)
    }

    async fn request(&self, uri: &Uri, bytes_max: usize) -> Result<Answer, FetchError> {
        let is_known = matches!(uri.scheme_str(), Some("https" | "http"));
        let authority = uri.authority().filter(|one| is_known && !one.as_str().contains('@') && !one.host().is_empty());
        let authority = authority.ok_or(FetchError::BadAddress)?;
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = authority.port_u16().unwrap_or(if is_https(uri) { 443 } else { 80 });
        let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(header::HOST, authority.as_str())
            .header(header::ACCEPT, "image/jpeg, image/png, image/webp, */*;q=0.5")
            .header(header::USER_AGENT, concat!("livesouk/", env!("CARGO_PKG_VERSION")))
            .body(Body::empty())
            .map_err(|_| FetchError::BadAddress)?;
        let socket = self.guard.connect(bare, port, CONNECT_DEADLINE).await?;
        if !is_https(uri) {
            return exchange(socket, request, uri, bytes_max).await;
        }
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| FetchError::BadAddress)?;
        let connector = TlsConnector::from(tls_config().await.map_err(FetchError::Broken)?);
        let socket = connector.connect(name, socket).await.map_err(|error| FetchError::Broken(error.to_string()))?;
        exchange(socket, request, uri, bytes_max).await
    }
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

/// One request and its answer. The connection is closed with the end of this future.
async fn exchange(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send,
    request: Request<Body>,
    uri: &Uri,
    bytes_max: usize,
) -> Result<Answer, FetchError> {
    let broken = |error: hyper::Error| FetchError::Broken(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(broken)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            return to.and_then(|to| resolve(uri, to)).map(Answer::Redirect).ok_or(FetchError::Status(status.as_u16()));
        }
        if status != StatusCode::OK {
            return Err(FetchError::Status(status.as_u16()));
        }
        let body = Limited::new(response.into_body(), bytes_max).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => broken(*error),
            Err(_) => FetchError::TooLarge(bytes_max),
        })?;
        Ok(Answer::File(body.to_bytes()))
    };
    // The connection moves the bytes and may end before the answer is read out, so its end decides nothing.
    let drive = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        biased;
        answer = exchange => answer,
        never = drive => never,
    }
}

/// The address that a redirect names: whole, or relative to the one that was asked for.
fn resolve(from: &Uri, to: &str) -> Option<Uri> {
    let to = to.split('#').next()?;
    if to.contains("://") {
        return to.parse().ok();
    }
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    if let Some(rest) = to.strip_prefix("//") {
        return format!("{scheme}://{rest}").parse().ok();
    }
    if to.starts_with('/') {
        return format!("{scheme}://{authority}{to}").parse().ok();
    }
    let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{scheme}://{authority}{folder}/{to}").parse().ok()
}

/// The TLS settings. The system's certificates are read once.
pub async fn tls_config() -> Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();
    let load = || async {
        let certificates = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.map_err(|error| error.to_string())?.certs);
        let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    };
    CONFIG.get_or_try_init(load).await.cloned()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::HeaderValue;
    use axum::response::{IntoResponse, Response};
    use axum::routing::get;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);

    fn redirect(to: &str) -> Response {
        (StatusCode::FOUND, [(header::LOCATION, HeaderValue::from_str(to).unwrap())]).into_response()
    }

    /// A server on this machine, and a client that may reach only it.
    async fn server() -> (String, GuardedClient) {
        let pages = Router::new()
            .route("/a.png", get(|| async { "a picture" }))
            .route("/in/folder", get(|| async { redirect("a.png") }))
            .route("/in/a.png", get(|| async { "a picture" }))
            .route("/near", get(|| async { redirect("/a.png") }))
            .route("/round", get(|| async { redirect("/round") }))
            .route("/inside", get(|| async { redirect("http://127.0.0.2:1/secret") }))
            .route("/metadata", get(|| async { redirect("http://169.254.169.254/latest") }))
            .route("/other", get(|| async { redirect("ftp://127.0.0.1/a") }))
            .route("/slow", get(|| async { std::future::pending::<&str>().await }))
            .route("/large", get(|| async { "x".repeat(2_000) }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, pages).await });
        let guard = AddressGuard::new(vec!["127.0.0.1/32".parse().unwrap()]);
        (format!("http://{address}"), GuardedClient::new(guard))
    }

    #[tokio::test]
    async fn file_is_fetched_and_redirects_are_followed() {
        let (url, client) = server().await;
        for path in ["/a.png", "/a.png#focus=1,2", "/near", "/in/folder"] {
            let found = client.fetch(&format!("{url}{path}"), 1_000, DEADLINE).await;
            assert_eq!(found, Ok(Bytes::from_static(b"a picture")), "{path}");
        }
    }

    #[tokio::test]
    async fn what_is_private_too_large_or_too_slow_is_refused() {
        let (url, client) = server().await;
        let private = |host: &str| FetchError::Address(GuardedAddressError::Private(host.to_owned()));
        for (address, expected) in [
            (format!("{url}/inside"), private("127.0.0.2")),
            (format!("{url}/metadata"), private("169.254.169.254")),
            ("http://10.0.0.1/a".to_owned(), private("10.0.0.1")),
            ("http://[::1]/a".to_owned(), private("::1")),
            (format!("{url}/round"), FetchError::TooManyRedirects),
            (format!("{url}/large"), FetchError::TooLarge(1_000)),
            (format!("{url}/missing"), FetchError::Status(404)),
            (format!("{url}/other"), FetchError::BadAddress),
            ("file:///etc/passwd".to_owned(), FetchError::BadAddress),
            (url.replace("http://", "http://user@"), FetchError::BadAddress),
            ("no address".to_owned(), FetchError::BadAddress),
        ] {
            assert_eq!(client.fetch(&address, 1_000, DEADLINE).await, Err(expected), "{address}");
        }
        let slow = client.fetch(&format!("{url}/slow"), 1_000, Duration::from_millis(200)).await;
        assert_eq!(slow, Err(FetchError::TooSlow(0)));
    }

    #[test]
    fn redirect_is_resolved_against_the_address_that_was_asked_for() {
        let from: Uri = "https://shop.example:8443/a/b.png?x".parse().unwrap();
        for (to, expected) in [
            ("https://cdn.example/c#d", "https://cdn.example/c"),
            ("//cdn.example/c", "https://cdn.example/c"),
            ("/c", "https://shop.example:8443/c"),
            ("c?d", "https://shop.example:8443/a/c?d"),
        ] {
            assert_eq!(resolve(&from, to).unwrap().to_string(), expected);
        }
    }
}

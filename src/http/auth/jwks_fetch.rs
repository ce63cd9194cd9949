//! Reads a key set from its file or URL, with a size limit and a deadline.
//!
//! The URL is the operator's own, so it may be on a private network. Redirects are not followed: the URL on the command line is
//! the one that is trusted. TLS is rustls with ring, as for the database and Redis; the authorities are those of the system.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::guarded_address::tls_config;

const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// For the connection, the request and the whole response.
const FETCH_DEADLINE: Duration = Duration::from_secs(5);

/// Where a key set is.
#[derive(Clone, PartialEq, Debug)]
pub enum JwksLocation {
    File(PathBuf),
    Url(Uri),
}

/// The answer of a location.
pub enum Fetched {
    /// The content, and its ETag.
    New(Vec<u8>, Option<HeaderValue>),
    NotModified,
}

impl JwksLocation {
    /// A path, or a URL that begins with `https://` or `http://`.
    pub fn parse(given: &str) -> Result<Self, String> {
        if !given.starts_with("https://") && !given.starts_with("http://") {
            return Ok(Self::File(PathBuf::from(given)));
        }
        let url: Uri = given.parse().map_err(|error| format!("--jwks {given}: {error}"))?;
        match url.authority() {
            Some(authority) if !authority.as_str().contains('@') && !authority.host().is_empty() => Ok(Self::Url(url)),
            _ => Err("--jwks: a URL has a host and no user name or password".to_owned()),
        }
    }

    /// Reads the key set; `etag` is that of the last content.
    pub async fn fetch(&self, etag: Option<&HeaderValue>) -> Result<Fetched, String> {
        let read = async {
            match self {
                JwksLocation::File(path) => read_file(path.clone()).await,
                JwksLocation::Url(url) => request(url, etag).await,
            }
        };
        let in_time = tokio::time::timeout(FETCH_DEADLINE, read).await;
        in_time.unwrap_or_else(|_| Err(format!("it was not read within {} s", FETCH_DEADLINE.as_secs())))
    }
}

impl std::fmt::Display for JwksLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JwksLocation::File(path) => path.display().fmt(f),
            // A query may have a secret.
            JwksLocation::Url(url) => write!(f, "{}{}", url.authority().map_or("", |host| host.as_str()), url.path()),
        }
    }
}

async fn read_file(path: PathBuf) -> Result<Fetched, String> {
    let read = tokio::task::spawn_blocking(move || {
        let mut content = Vec::new();
        let mut limited = std::fs::File::open(path)?.take(KEY_SET_BYTES_MAX as u64 + 1);
        limited.read_to_end(&mut content).map(|_| content)
    });
    match read.await {
        Ok(Ok(content)) if content.len() <= KEY_SET_BYTES_MAX => Ok(Fetched::New(content, None)),
        Ok(Ok(_)) => Err(format!("it is larger than {KEY_SET_BYTES_MAX} bytes")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

async fn request(url: &Uri, etag: Option<&HeaderValue>) -> Result<Fetched, String> {
    let authority = url.authority().ok_or("the URL has no host")?;
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_https = url.scheme_str() == Some("https");
    let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let mut request = Request::get(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::HOST, authority.as_str())
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .header(header::USER_AGENT, concat!("livesouk/", env!("CARGO_PKG_VERSION")));
    if let Some(etag) = etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    let request = request.body(Body::empty()).map_err(|error| error.to_string())?;
    let socket = TcpStream::connect((bare, port)).await.map_err(|error| format!("cannot connect: {error}"))?;
    if !is_https {
        return exchange(socket, request).await;
    }
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(tls_config().await?);
    let socket = connector.connect(name, socket).await.map_err(|error| format!("no TLS connection: {error}"))?;
    exchange(socket, request).await
}

/// One request and its response. The connection is closed with the end of this future.
async fn exchange(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send,
    request: Request<Body>,
) -> Result<Fetched, String> {
    let opened = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await;
    let (mut sender, connection) = opened.map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| format!("no response: {error}"))?;
        match response.status() {
            StatusCode::NOT_MODIFIED => return Ok(Fetched::NotModified),
            StatusCode::OK => {}
            status => return Err(format!("it was answered with status {}", status.as_u16())),
        }
        let etag = response.headers().get(header::ETAG).cloned();
        let body = Limited::new(response.into_body(), KEY_SET_BYTES_MAX).collect().await;
        let body = body.map_err(|error| format!("the response is broken, or larger than 256 KiB: {error}"))?;
        Ok(Fetched::New(body.to_bytes().to_vec(), etag))
    };
    // The connection moves the bytes and may end before the response is read out, so its end decides nothing.
    let drive = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        biased;
        fetched = exchange => fetched,
        never = drive => never,
    }
}

//! One HTTP request to an address that the operator set: a key set, an identity provider.
//!
//! Such an address may be on a private network. Redirects are not followed: the address of the settings is the one that is trusted. TLS
//! is rustls with ring, as for the database and Redis; the authorities are those of the system. The caller sets the deadline.

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::tls_config;

/// Sends a request whose address is whole, and reads an answer of at most `bytes_max`. The connection is closed with the end of this
/// future. The error is a sentence for the log.
pub async fn send(request: Request<Vec<u8>>, bytes_max: usize) -> Result<Response<Vec<u8>>, String> {
    let (mut parts, body) = request.into_parts();
    let url = parts.uri.clone();
    let authority = url.authority().ok_or("the URL has no host")?;
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_https = url.scheme_str() == Some("https");
    let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().map_err(|_| "the path of the URL is not valid")?;
    let named = HeaderValue::from_str(authority.as_str()).map_err(|error| error.to_string())?;
    parts.headers.insert(header::HOST, named);
    let agent = HeaderValue::from_static(concat!("livesouk/", env!("CARGO_PKG_VERSION")));
    parts.headers.insert(header::USER_AGENT, agent);
    let request = Request::from_parts(parts, Body::from(body));
    let socket = TcpStream::connect((bare, port)).await.map_err(|error| format!("cannot connect: {error}"))?;
    if !is_https {
        return exchange(socket, request, bytes_max).await;
    }
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(tls_config().await?);
    let socket = connector.connect(name, socket).await.map_err(|error| format!("no TLS connection: {error}"))?;
    exchange(socket, request, bytes_max).await
}

async fn exchange(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send,
    request: Request<Body>,
    bytes_max: usize,
) -> Result<Response<Vec<u8>>, String> {
    let opened = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await;
    let (mut sender, connection) = opened.map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| format!("no response: {error}"))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, bytes_max).collect().await;
        let kib = bytes_max / 1_024;
        let body = body.map_err(|error| format!("the response is broken, or larger than {kib} KiB: {error}"))?;
        Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
    };
    // The connection moves the bytes and may end before the response is read out, so its end decides nothing.
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

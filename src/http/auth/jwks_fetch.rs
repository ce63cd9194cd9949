//! Reads a key set from its file or URL, with a size limit and a deadline. The URL is the operator's own.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderValue, Request, StatusCode, Uri, header};

use crate::guarded_address::operator_http;

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
    let mut request = Request::get(url).header(header::ACCEPT, "application/jwk-set+json, application/json");
    if let Some(etag) = etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    let request = request.body(Vec::new()).map_err(|error| error.to_string())?;
    let response = operator_http::send(request, KEY_SET_BYTES_MAX).await?;
    match response.status() {
        StatusCode::NOT_MODIFIED => Ok(Fetched::NotModified),
        StatusCode::OK => {
            let etag = response.headers().get(header::ETAG).cloned();
            Ok(Fetched::New(response.into_body(), etag))
        }
        status => Err(format!("it was answered with status {}", status.as_u16())),
    }
}

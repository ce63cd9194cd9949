//! The opening handshake of a WebSocket (RFC 6455, 4.2): checks the request and finds what both sides agree on.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version, header};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::error::Problem;
use crate::protocol::deflate_offer;

/// A valid handshake.
#[derive(Debug)]
pub struct Handshake {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: HeaderValue,
    /// The value of `Sec-WebSocket-Extensions` in the answer, if an offer of compression fits.
    pub compression: Option<&'static str>,
}

impl Handshake {
    /// Refuses a request that is no WebSocket handshake of version 13 with 426, and one that breaks the standard with 400.
    pub fn check<B>(request: &Request<B>) -> Result<Self, Box<Problem>> {
        let refused = |status, why: &str| Err(Box::new(Problem::bad_request(status, why)));
        let headers = request.headers();
        if !has_token(headers, header::CONNECTION, "upgrade") || !has_token(headers, header::UPGRADE, "websocket") {
            return refused(StatusCode::UPGRADE_REQUIRED, "This address accepts only WebSocket connections.");
        }
        if request.method() != Method::GET || request.version() < Version::HTTP_11 {
            return refused(StatusCode::BAD_REQUEST, "A WebSocket starts with a GET request of HTTP/1.1.");
        }
        if single(headers, header::SEC_WEBSOCKET_VERSION) != Some("13") {
            return refused(StatusCode::UPGRADE_REQUIRED, "Only WebSocket version 13 is supported.");
        }
        let Some(key) = single(headers, header::SEC_WEBSOCKET_KEY).filter(|key| is_valid_key(key)) else {
            return refused(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64, given once.");
        };
        let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) else {
            return refused(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is not valid.");
        };
        match deflate_offer::negotiate(&joined(headers, header::SEC_WEBSOCKET_EXTENSIONS)) {
            Ok(compression) => Ok(Self { accept, compression }),
            Err(_) => refused(StatusCode::BAD_REQUEST, "Sec-WebSocket-Extensions is not valid."),
        }
    }
}

/// Is `token` one of the comma-separated values of a header?
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

/// The value of a header that must be there once.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value.trim())
}

/// All values of a header as one list. A byte that is not ASCII becomes one that the grammar refuses.
fn joined(headers: &HeaderMap, name: HeaderName) -> String {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    values.join(",")
}

/// 16 bytes in base64 are 22 characters of its alphabet and two signs that fill the group.
fn is_valid_key(key: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    key.len() == 24 && key.ends_with("==") && key.bytes().take(22).all(is_base64)
}

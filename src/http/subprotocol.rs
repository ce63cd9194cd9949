//! The subprotocols that a client offers with a WebSocket: `livesouk.v1`, and beside it `token.TOKEN`.
//!
//! A browser cannot send an `Authorization` header with a WebSocket. A token in the address ends up in the logs of proxies; one among the
//! subprotocols does not. The server agrees on `livesouk.v1` only, so the token is never sent back.

use axum::http::{HeaderMap, header};

pub const SUBPROTOCOL: &str = "livesouk.v1";
const TOKEN_PREFIX: &str = "token.";

/// Whether the client speaks our protocol by name.
pub fn offers_protocol(headers: &HeaderMap) -> bool {
    offers(headers).any(|offer| offer == SUBPROTOCOL)
}

/// The token that the client offers as a subprotocol.
pub fn offered_token(headers: &HeaderMap) -> Option<&str> {
    offers(headers).find_map(|offer| offer.strip_prefix(TOKEN_PREFIX)).filter(|token| !token.is_empty())
}

fn offers(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn token_is_read_from_any_place_of_the_list() {
        for (values, protocol, token) in [
            (vec!["livesouk.v1, token.a.b-c._d"], true, Some("a.b-c._d")),
            (vec!["token.a.b.c,livesouk.v1"], true, Some("a.b.c")),
            (vec!["livesouk.v1", "token.x"], true, Some("x")),
            (vec!["token.x"], false, Some("x")),
            (vec!["livesouk.v1, token."], true, None),
            (vec!["livesouk.v10, tokens"], false, None),
            (vec![], false, None),
        ] {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(value));
            }
            assert_eq!((offers_protocol(&headers), offered_token(&headers)), (protocol, token), "{values:?}");
        }
    }
}

//! The `Host` header: a request of HTTP/1.1 has exactly one (RFC 9112, 3.2). Hyper does not check this.

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::Problem;

/// Middleware that refuses a request without a valid `Host`, or with several, as the standard requires. HTTP/1.0 needs none.
pub async fn check_host_header(request: Request, next: Next) -> Response {
    if request.version() == Version::HTTP_11 && !has_one_host(request.headers()) {
        return Problem::bad_request(StatusCode::BAD_REQUEST, "A request must have exactly one valid Host header.")
            .into_response();
    }
    next.run(request).await
}

fn has_one_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let first = hosts.next().and_then(|host| host.to_str().ok());
    let is_valid = first.is_some_and(|host| !host.contains('@') && host.parse::<Authority>().is_ok());
    is_valid && hosts.next().is_none()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn request_needs_exactly_one_valid_host() {
        for (hosts, expected) in [
            (&[][..], false),
            (&["shop.example"], true),
            (&["shop.example:8080"], true),
            (&["[::1]:8080"], true),
            (&["127.0.0.1"], true),
            (&["shop.example", "shop.example"], false),
            (&[""], false),
            (&["user@shop.example"], false),
            (&["shop example"], false),
            (&["shop.example/path"], false),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            assert_eq!(has_one_host(&headers), expected, "{hosts:?}");
        }
    }
}

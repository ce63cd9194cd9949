//! Which cookie counts for which request, with the headers that browsers send.

use std::net::IpAddr;

use axum::http::Request;

use super::*;
use crate::http::client_address::ClientAddress;

fn secret() -> SessionSecret {
    SessionSecret::new([7; 32])
}

fn request(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().uri("/v1/session");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    parts.extensions.insert(ClientAddress("10.0.0.1".parse::<IpAddr>().unwrap()));
    parts
}

fn scope(base_url: Option<&str>, headers: &[(&str, &str)]) -> CookieScope {
    let origins = Origins::new(&["*".to_owned()], base_url).unwrap();
    CookieScope::of(&origins, &TrustedProxies::new(vec!["10.0.0.1/32".parse().unwrap()]), &request(headers))
}

const HTTPS: Option<&str> = Some("https://live.shop.example");

/// The cookie that a browser holds for this shop, in the header that it sends.
fn header_of(scope: &CookieScope) -> String {
    format!("theme=dark; {}={}", scope.session_name(), secret().as_str())
}

fn counts(scope: &CookieScope, method: Method, headers: &[(&str, &str)]) -> bool {
    let cookie = header_of(scope);
    let all: Vec<(&str, &str)> = headers.iter().copied().chain([("cookie", cookie.as_str())]).collect();
    scope.secret(&method, &request(&all).headers) == Some(secret())
}

#[test]
fn cookie_has_a_prefix_on_https_and_the_path_of_the_shop() {
    for (base_url, headers, expected) in [
        (HTTPS, &[][..], "__Host-livesouk=S; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"),
        (
            Some("https://shop.example/live"),
            &[],
            "__Secure-livesouk=S; Path=/live; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure",
        ),
        (Some("http://shop.example"), &[], "livesouk_dev=S; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"),
        (None, &[("host", "a.example")], "livesouk_dev=S; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"),
        (
            None,
            &[("host", "a.example"), ("x-forwarded-proto", "https")],
            "__Host-livesouk=S; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure",
        ),
    ] {
        let (_, value) = scope(base_url, headers).start(&secret());
        assert_eq!(value.to_str().unwrap().replace(secret().as_str(), "S"), expected, "{base_url:?} {headers:?}");
    }
    let (_, ended) = scope(HTTPS, &[]).end();
    assert_eq!(ended, "__Host-livesouk=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
}

#[test]
fn changing_request_counts_only_from_our_own_origin() {
    let scope = scope(HTTPS, &[]);
    for (headers, good) in [
        (&[("origin", "https://live.shop.example"), ("sec-fetch-site", "same-origin")][..], true),
        (&[("origin", "https://live.shop.example")], true),
        // A page of another site, and one of a sibling subdomain; both are allowed by `--allow-origin *`.
        (&[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")], false),
        (&[("origin", "https://blog.shop.example"), ("sec-fetch-site", "same-site")], false),
        (&[("origin", "https://shop.example"), ("sec-fetch-site", "same-site")], false),
        (&[("origin", "http://live.shop.example"), ("sec-fetch-site", "cross-site")], false),
        (&[("origin", "https://live.shop.example:8443"), ("sec-fetch-site", "same-site")], false),
        (&[("origin", "null"), ("sec-fetch-site", "cross-site")], false),
        (&[("origin", "https://live.shop.example"), ("origin", "https://evil.example")], false),
        (&[("sec-fetch-site", "same-origin")], false),
        (&[("sec-fetch-site", "none")], false),
        (&[], false),
    ] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(counts(&scope, method.clone(), headers), good, "{method} {headers:?}");
        }
        let cookie = header_of(&scope);
        let all: Vec<(&str, &str)> = headers.iter().copied().chain([("cookie", cookie.as_str())]).collect();
        let upgrade = scope.secret_for_upgrade(&request(&all).headers);
        assert_eq!(upgrade.is_some(), good, "upgrade {headers:?}");
    }
}

#[test]
fn reading_request_counts_from_our_own_page_and_from_the_address_bar() {
    let (https, http) = (scope(HTTPS, &[]), scope(None, &[("host", "10.0.0.7:8080")]));
    for (headers, on_https, on_http) in [
        (&[("sec-fetch-site", "same-origin")][..], true, true),
        (&[("sec-fetch-site", "none")], true, true),
        (&[("sec-fetch-site", "same-site")], false, false),
        (&[("sec-fetch-site", "cross-site")], false, false),
        (&[], false, true),
        (&[("origin", "https://live.shop.example")], true, false),
        (&[("origin", "http://10.0.0.7:8080")], false, true),
        (&[("origin", "https://evil.example")], false, false),
        (&[("origin", "https://evil.example"), ("sec-fetch-site", "none")], false, false),
    ] {
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(counts(&https, method.clone(), headers), on_https, "https {headers:?}");
            assert_eq!(counts(&http, method, headers), on_http, "http {headers:?}");
        }
    }
}

#[test]
fn without_a_base_url_our_origin_is_the_scheme_and_the_host_of_the_request() {
    for (host, proto, origin, good) in [
        ("live.example", "https", "https://live.example", true),
        ("live.example:443", "https", "https://live.example", true),
        ("LIVE.example", "https", "https://live.example", true),
        ("live.example", "http", "http://live.example", true),
        ("live.example:8080", "http", "http://live.example:8080", true),
        ("live.example", "http", "https://live.example", false),
        ("live.example", "https", "http://live.example", false),
        ("live.example:8080", "http", "http://live.example", false),
    ] {
        let scope = scope(None, &[("host", host), ("x-forwarded-proto", proto)]);
        assert_eq!(counts(&scope, Method::POST, &[("origin", origin)]), good, "{host} {proto} {origin}");
    }
}

#[test]
fn cookie_of_plain_http_is_not_read_on_https_and_two_that_differ_are_none() {
    let (https, own) = (scope(HTTPS, &[]), ("origin", "https://live.shop.example"));
    let read = |cookie: &str| https.secret(&Method::POST, &request(&[own, ("cookie", cookie)]).headers);
    let (mine, other) = (secret(), SessionSecret::new([8; 32]));
    let (mine, other) = (mine.as_str(), other.as_str());
    assert!(read(&format!("__Host-livesouk={mine}")).is_some());
    assert!(read(&format!("livesouk_dev={mine}")).is_none());
    assert!(read(&format!("__Secure-livesouk={mine}")).is_none());
    assert!(read(&format!("__Host-livesouk={mine}; __Host-livesouk={mine}")).is_some());
    assert!(read(&format!("__Host-livesouk={other}; __Host-livesouk={mine}")).is_none());
    assert!(read("__Host-livesouk=short").is_none());
}

//! Origins (CORS): which sites may use this server from a browser. These are the server itself and the sites that the operator
//! allows.
//!
//! A foreign page cannot act for a user: it has no token, and the cookie of a session does not count for its requests
//! (`session_cookie.rs`). The list prevents that a shop and its chat are embedded in sites that the operator does not want.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::AppState;
use super::base_url::BaseUrl;
use super::error::Problem;
use super::rate_limit::{RATE_LIMIT, RATE_LIMIT_POLICY};
use super::refused_origins::RefusedOrigins;
use crate::domain::ErrorCode;

#[derive(Debug)]
pub struct Origins {
    /// Like `https://shop.example`, without a path; `*` allows any origin.
    allowed: Vec<String>,
    /// The public address behind a proxy, if it is set.
    base_url: Option<BaseUrl>,
    pub refused: RefusedOrigins,
}

impl Origins {
    /// Fails if one of them is not an origin; the message names it.
    pub fn new(allowed: &[String], base_url: Option<&str>) -> Result<Self, String> {
        let of = |setting: &'static str| {
            move |given: &str| normalize_origin(given).map_err(|why| format!("{setting}: {why}"))
        };
        let allow = of("--allow-origin (LIVESOUK_ALLOW_ORIGIN)");
        let allowed: Vec<String> = allowed.iter().map(|given| allow(given)).collect::<Result<_, _>>()?;
        let own =
            base_url.map(BaseUrl::parse).transpose().map_err(|why| format!("--base-url (LIVESOUK_BASE_URL): {why}"))?;
        Ok(Self { allowed, base_url: own, refused: RefusedOrigins::default() })
    }

    /// The public address of this server, if the operator has set it: `https://shop.example/live`, without a slash at the end.
    pub fn base_url(&self) -> Option<&str> {
        self.base_url.as_ref().map(|base| base.url.as_str())
    }

    /// The origin of the public address, if it is set: `https://shop.example`.
    pub fn base_origin(&self) -> Option<&str> {
        self.base_url.as_ref().map(|base| base.origin.as_str())
    }

    /// The path below which the shop is on its host, like `/live`; empty for a shop of its own.
    pub fn base_path(&self) -> &str {
        self.base_url.as_ref().map_or("", |base| base.path.as_str())
    }

    /// The origins that may use this server beside its own.
    pub fn allowed(&self) -> &[String] {
        &self.allowed
    }

    /// Requests without an `Origin` header come from programs or from our own pages.
    fn allows(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        self.is_own(origin, headers) || self.is_allowed(origin)
    }

    fn is_own(&self, origin: &str, headers: &HeaderMap) -> bool {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        host.is_some_and(|host| is_same_host(origin, host))
            || self.base_url.as_ref().is_some_and(|base| base.origin == origin)
    }

    fn is_allowed(&self, origin: &str) -> bool {
        self.allowed.iter().any(|known| known == "*" || known == origin)
    }

    /// The site that `given` names, if its pages may link to ours with a sign-in code.
    pub fn linking_site(&self, given: &str, headers: &HeaderMap) -> Option<String> {
        let site = normalize_origin(given).ok().filter(|site| site != "*")?;
        (self.is_own(&site, headers) || self.is_allowed(&site)).then_some(site)
    }

    /// The site whose page uses a sign-in code. A page of another site is named by the `Origin` header, which no page can
    /// forge. Our own page says which site linked to it, in `referrer`.
    pub fn linked_from(&self, headers: &HeaderMap, referrer: Option<&str>) -> Option<String> {
        let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let other_site = origin.filter(|origin| !self.is_own(origin, headers));
        normalize_origin(other_site.or(referrer)?).ok()
    }
}

/// Whether a page of this origin was loaded from the host that the request names. Proxies write the host in capitals, or with the
/// port of the scheme, which browsers leave out; behind a proxy that ends TLS the port may be that of the other scheme.
fn is_same_host(origin: &str, host: &str) -> bool {
    let Some((scheme, from)) = origin.split_once("://") else { return false };
    let usual_port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let from = from.strip_suffix(usual_port).unwrap_or(from);
    let host = host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")).unwrap_or(host);
    from.eq_ignore_ascii_case(host)
}

/// Normalizes an origin as browsers do: lower case, without the default port of the scheme.
pub(super) fn normalize_origin(given: &str) -> Result<String, String> {
    let text = given.trim().trim_end_matches('/').to_ascii_lowercase();
    let usual_port = if text.starts_with("https:") { ":443" } else { ":80" };
    let text = text.strip_suffix(usual_port).unwrap_or(&text);
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte))
    };
    match text == "*" || host.is_some_and(is_host) {
        true => Ok(text.to_owned()),
        // Browsers send the encoded form, so the other would never match.
        false if !text.is_ascii() => Err(format!("`{given}`: write the host in ASCII, as browsers send it (xn--…)")),
        false => Err(format!("`{given}` is not an origin: write it like https://shop.example")),
    }
}

/// Middleware that refuses requests from other sites. Assets are the same for everybody, and a page without its scripts could not
/// even show what is wrong. Mail programs end a follow from wherever they are. A script of the other site can read why it is refused: the refusal has CORS headers, although it allows
/// nothing. A preflight is refused by its status.
pub async fn check_origin(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_open = path.starts_with("/assets/") || path.starts_with("/unsubscribe/");
    if !is_open && !state.origins.allows(request.headers()) {
        state.origins.refused.warn(request.headers(), state.app.clock().now());
        let origin = request.headers().get(header::ORIGIN).cloned();
        let mut response = Problem::of(&ErrorCode::ORIGIN_NOT_ALLOWED).into_response();
        let headers = response.headers_mut();
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        return response;
    }
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Allows browsers to read the responses. [`check_origin`] has refused all other sites before.
pub fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("idempotency-key")])
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            header::ETAG,
            header::CONTENT_DISPOSITION,
            HeaderName::from_static("idempotency-replayed"),
            RATE_LIMIT.clone(),
            RATE_LIMIT_POLICY.clone(),
        ])
        .max_age(Duration::from_secs(3_600))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("live.example:8080"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        headers
    }

    #[test]
    fn own_and_allowed_origins_are_accepted() {
        let origins =
            Origins::new(&["https://Shop.example:443/".to_owned()], Some("https://live.shop.example")).unwrap();
        for (origin, good) in [
            (None, true),
            (Some("http://live.example:8080"), true),
            (Some("https://shop.example"), true),
            (Some("https://live.shop.example"), true),
            (Some("https://evil.example"), false),
            (Some("https://shop.example.evil.example"), false),
            (Some("null"), false),
        ] {
            assert_eq!(origins.allows(&headers(origin)), good, "{origin:?}");
        }
        assert_eq!(origins.allowed(), ["https://shop.example"]);
    }

    #[test]
    fn sign_in_code_may_be_bound_to_our_own_and_to_allowed_sites() {
        let origins = Origins::new(&["https://shop.example".to_owned()], Some("https://live.shop.example")).unwrap();
        for (given, expected) in [
            ("https://Shop.example:443/", Some("https://shop.example")),
            ("https://live.shop.example", Some("https://live.shop.example")),
            ("http://live.example:8080", Some("http://live.example:8080")),
            ("https://evil.example", None),
            ("*", None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(origins.linking_site(given, &headers(None)).as_deref(), expected, "{given}");
            let all = Origins::new(&["*".to_owned()], None).unwrap();
            assert_eq!(all.linking_site(given, &headers(None)).is_some(), given.starts_with("http"), "{given} of all");
        }
    }

    #[test]
    fn page_of_another_site_cannot_say_that_it_was_linked_by_the_shop() {
        let origins = Origins::new(&["https://shop.example".to_owned()], Some("https://live.shop.example")).unwrap();
        let shop = Some("https://shop.example");
        for (origin, referrer, expected) in [
            (Some("https://live.shop.example"), shop, shop),
            (Some("http://live.example:8080"), shop, shop),
            (None, shop, shop),
            (Some("https://live.shop.example"), Some("https://evil.example"), Some("https://evil.example")),
            (Some("https://live.shop.example"), None, None),
            (Some("https://shop.example"), None, shop),
            (Some("https://evil.example"), shop, Some("https://evil.example")),
        ] {
            let found = origins.linked_from(&headers(origin), referrer);
            assert_eq!(found.as_deref(), expected, "{origin:?} {referrer:?}");
        }
    }

    #[test]
    fn host_may_have_a_default_port_and_capitals() {
        let origins = Origins::new(&[], None).unwrap();
        for (origin, host, good) in [
            ("https://shop.example", "shop.example", true),
            ("https://shop.example", "shop.example:443", true),
            ("https://shop.example", "SHOP.example", true),
            ("https://shop.example", "Shop.Example:443", true),
            ("https://shop.example", "shop.example:80", true),
            ("http://shop.example", "shop.example:80", true),
            ("http://shop.example", "shop.example", true),
            ("https://shop.example:443", "shop.example", true),
            ("http://shop.example:8080", "shop.example:8080", true),
            ("http://[::1]:8080", "[::1]:8080", true),
            ("https://[2001:db8::1]", "[2001:DB8::1]:443", true),
            ("https://shop.example:8443", "shop.example", false),
            ("https://shop.example", "shop.example:8443", false),
            ("https://shop.example", "shop.example.evil.example", false),
            ("https://evil.example", "shop.example", false),
            ("https://shop.example:80", "shop.example", false),
            ("null", "null", false),
            ("", "", false),
        ] {
            let mut headers = headers(Some(origin));
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            assert_eq!(origins.allows(&headers), good, "{origin} on {host}");
        }
    }

    #[test]
    fn base_url_with_a_path_is_its_origin() {
        let origins = Origins::new(&[], Some("https://shop.example/live/")).unwrap();
        assert_eq!((origins.base_url(), origins.base_path()), (Some("https://shop.example/live"), "/live"));
        assert!(origins.allows(&headers(Some("https://shop.example"))));
        assert!(!origins.allows(&headers(Some("https://shop.example/live"))));
    }

    #[test]
    fn origin_needs_a_scheme_and_has_no_path() {
        for bad in [
            "shop.example",
            "https://",
            "https://shop.example/path",
            "https://a;script-src *",
            "https://*.example",
            "https://متجر.example",
        ] {
            assert!(Origins::new(&[bad.to_owned()], None).is_err(), "{bad}");
        }
    }
}

//! The cookie of a sign-in session, and when it counts.
//!
//! Browsers add cookies to requests that any page makes, so a cookie alone proves nothing about who made the request. It counts
//! only if the request comes from our own page:
//!
//! - For every changing request and for the upgrade to a WebSocket, `Origin` must be our own. Browsers add it to those, and no
//!   page can forge it.
//! - A GET or HEAD changes nothing, and a foreign page cannot read its answer. Browsers do not add `Origin` to those of our own
//!   page, so `Sec-Fetch-Site` counts too, and on plain HTTP, where browsers send neither, their absence.
//!
//! `SameSite=Lax` is not enough: a page on another subdomain of the same domain is "same-site". An origin of `--allow-origin` is
//! not our own either; it sends a token.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::AppState;
use super::client_address::TrustedProxies;
use super::error::{ApiError, Problem};
use super::origin::{Origins, normalize_origin};
use crate::domain::email_code::EMAIL_CODE_TTL_MS;
use crate::domain::passkey::PasskeySite;
use crate::domain::sign_in_session::SESSION_IDLE_MAX_MS;
use crate::domain::{ErrorCode, SessionSecret};

/// How a request reaches the shop: what its cookies are called, and from where its page must come.
#[derive(Clone, PartialEq, Debug)]
pub struct CookieScope {
    /// Our own origin, like `https://live.shop.example`; `None`: the request does not say how it reached us.
    origin: Option<String>,
    /// The path of the shop on its host, like `/live`; `/` for a host of its own.
    path: String,
}

impl CookieScope {
    /// With a public address that the operator set, that is it. Without one, the scheme and the `Host` of the request are.
    pub fn of(origins: &Origins, proxies: &TrustedProxies, parts: &Parts) -> Self {
        let path = if origins.base_path().is_empty() { "/" } else { origins.base_path() }.to_owned();
        if let Some(origin) = origins.base_origin() {
            return Self { origin: Some(origin.to_owned()), path };
        }
        let scheme = if proxies.reports_https(parts) { "https" } else { "http" };
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let origin = host.and_then(|host| normalize_origin(&format!("{scheme}://{host}")).ok());
        Self { origin, path }
    }

    /// The address of the shop, without a slash at its end: `https://shop.example/live`.
    pub fn base_url(&self) -> Option<String> {
        self.origin.as_ref().map(|origin| format!("{origin}{}", self.path.trim_end_matches('/')))
    }

    /// The site for which browsers make passkeys here; `None`: they make none.
    pub fn passkey_site(&self) -> Option<PasskeySite> {
        self.origin.as_deref().and_then(PasskeySite::of_origin)
    }

    fn is_https(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.starts_with("https://"))
    }

    /// The cookie of the session. On HTTPS its prefix makes browsers refuse one that another subdomain set.
    fn session_name(&self) -> &'static str {
        match (self.is_https(), self.path.as_str()) {
            (true, "/") => "__Host-livesouk",
            (true, _) => "__Secure-livesouk",
            (false, _) => "livesouk_dev",
        }
    }

    /// The cookie that binds a code by e-mail to the browser that asked for it.
    fn code_name(&self) -> &'static str {
        match (self.is_https(), self.path.as_str()) {
            (true, "/") => "__Host-livesouk-code",
            (true, _) => "__Secure-livesouk-code",
            (false, _) => "livesouk_dev_code",
        }
    }

    /// Whether a page of ours sent this request, by its `Origin`.
    pub fn is_own_page(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(header::ORIGIN).iter();
        let (origin, more) = (given.next().and_then(|origin| origin.to_str().ok()), given.next());
        let origin = origin.and_then(|origin| normalize_origin(origin).ok());
        more.is_none() && origin.is_some() && origin == self.origin
    }

    /// Whether a cookie counts for a request that only reads.
    fn counts_for_reading(&self, headers: &HeaderMap) -> bool {
        if headers.contains_key(header::ORIGIN) {
            return self.is_own_page(headers);
        }
        match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            Some(site) => site == b"same-origin" || site == b"none",
            None => !self.is_https(),
        }
    }

    /// The secret of the session for an upgrade to a WebSocket, if the cookie counts.
    pub fn secret_for_upgrade(&self, headers: &HeaderMap) -> Option<SessionSecret> {
        if self.is_own_page(headers) { cookie(headers, self.session_name()) } else { None }
    }

    /// The secret of the session, if the cookie counts for this request.
    pub fn secret(&self, method: &Method, headers: &HeaderMap) -> Option<SessionSecret> {
        let counts = match *method {
            Method::GET | Method::HEAD => self.counts_for_reading(headers),
            _ => self.is_own_page(headers),
        };
        if counts { cookie(headers, self.session_name()) } else { None }
    }

    /// The header that gives a browser its session.
    pub fn start(&self, secret: &SessionSecret) -> (HeaderName, HeaderValue) {
        self.set(self.session_name(), secret.as_str(), SESSION_IDLE_MAX_MS / 1_000)
    }

    /// The header that takes the session from a browser.
    pub fn end(&self) -> (HeaderName, HeaderValue) {
        self.set(self.session_name(), "", 0)
    }

    /// The header that binds a code by e-mail to this browser.
    pub fn bind_code(&self, secret: &SessionSecret) -> (HeaderName, HeaderValue) {
        self.set(self.code_name(), secret.as_str(), EMAIL_CODE_TTL_MS / 1_000)
    }

    fn set(&self, name: &str, value: &str, max_age_s: i64) -> (HeaderName, HeaderValue) {
        let secure = if self.is_https() { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path={}; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}", self.path);
        // The path was checked when the server started, and a secret has hexadecimal digits only.
        (header::SET_COOKIE, HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("")))
    }
}

/// The secret in the cookie of this name. Two that differ are none: one of them is not from us.
fn cookie(headers: &HeaderMap, name: &str) -> Option<SessionSecret> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut values = lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (known, value) = pair.trim().split_once('=')?;
        (known == name).then_some(value)
    });
    let first = values.next()?;
    values.all(|other| other == first).then(|| SessionSecret::parse(first)).flatten()
}

impl FromRequestParts<AppState> for CookieScope {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&state.origins, &state.trusted_proxies, parts))
    }
}

/// A request of our own page. Every other one is refused: it would get a cookie that does not count.
pub struct OwnPage {
    pub scope: CookieScope,
    /// What an earlier code left in this browser.
    pub code_secret: Option<SessionSecret>,
    pub user_agent: String,
}

impl FromRequestParts<AppState> for OwnPage {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let scope = CookieScope::of(&state.origins, &state.trusted_proxies, parts);
        if !scope.is_own_page(&parts.headers) {
            state.origins.refused.warn(&parts.headers, state.app.clock().now());
            return Err(ApiError(Problem::of(&ErrorCode::ORIGIN_NOT_ALLOWED)));
        }
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let code_secret = cookie(&parts.headers, scope.code_name());
        Ok(Self { code_secret, user_agent: user_agent.unwrap_or_default().to_owned(), scope })
    }
}

#[cfg(test)]
#[path = "session_cookie_test.rs"]
mod tests;

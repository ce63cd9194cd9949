//! One warning for each kind of request that is refused because of its `Origin`.
//!
//! Mostly it is the shop itself behind a proxy that does not pass on the `Host` header. Its page then stays on "connecting", so the log has
//! to say how to fix it. Anybody can send any `Origin`, so the number of lines is bounded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, header};

use crate::domain::Millis;

/// The same pair of `Origin` and `Host` is logged once in this time.
const QUIET_MS: Millis = 3_600_000;
/// Different pairs that are logged in that time; further ones are not.
const PAIRS_MAX: usize = 32;
/// A longer header is cut in the log.
const SHOWN_CHARS_MAX: usize = 100;

/// The pairs that were logged, and when.
#[derive(Debug, Default)]
pub struct RefusedOrigins(Mutex<HashMap<(String, String), Millis>>);

impl RefusedOrigins {
    pub fn warn(&self, headers: &HeaderMap, now: Millis) {
        let shown = |name| {
            let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("unreadable");
            text.chars().take(SHOWN_CHARS_MAX).collect::<String>()
        };
        let (origin, host) = (shown(header::ORIGIN), shown(header::HOST));
        if self.is_new(&origin, &host, now) {
            tracing::warn!(
                "a request was refused because its Origin, {origin}, is not this shop's: its Host is {host}. If {origin} is the \
                 address of this shop, let the proxy pass on the Host header, or set --base-url {origin}; if it is another site \
                 that may use the shop, add --allow-origin {origin}"
            );
        }
    }

    fn is_new(&self, origin: &str, host: &str, now: Millis) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, at| now - *at < QUIET_MS);
        let pair = (origin.to_owned(), host.to_owned());
        if known.contains_key(&pair) || known.len() >= PAIRS_MAX {
            return false;
        }
        known.insert(pair, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_logged_once_an_hour() {
        let refused = RefusedOrigins::default();
        assert!(refused.is_new("https://a.example", "b", 0));
        assert!(!refused.is_new("https://a.example", "b", 1));
        assert!(refused.is_new("https://a.example", "c", 2));
        assert!(refused.is_new("https://a.example", "b", QUIET_MS));
    }

    #[test]
    fn invented_origins_do_not_fill_the_log() {
        let refused = RefusedOrigins::default();
        let logged = (0..1_000).filter(|at| refused.is_new(&format!("https://{at}.example"), "b", *at)).count();
        assert_eq!(logged, PAIRS_MAX);
        assert!(refused.is_new("https://a.example", "b", 1_000 + QUIET_MS), "the next hour has lines again");
    }
}

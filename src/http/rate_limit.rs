//! What rate limits say in an answer: `RateLimit-Policy` and `RateLimit`, as the IETF draft `draft-ietf-httpapi-ratelimit-headers-10` has
//! them. A client reads from them how much is left before it is refused; a refusal has `Retry-After` besides.
//!
//! A bucket that judges a request leaves its state in the task of the request, and the middleware writes it into the answer. Buckets
//! behind the use cases (chat, purchases) answer with `Retry-After` only.

use std::cell::Cell;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::domain::Millis;

pub static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The state of the bucket that judged a request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Judged {
    /// For what the limit is: `key` or `address`.
    pub policy: &'static str,
    /// How many requests a full bucket gives at once.
    pub burst: f64,
    /// How many it gains a second.
    pub per_second: f64,
    /// How many it has now.
    pub left: i64,
    pub full_in_ms: Millis,
}

impl Judged {
    /// `"key";q=50;w=5`: 50 requests in 5 seconds.
    fn policy_header(&self) -> String {
        format!("\"{}\";q={};w={}", self.policy, self.burst as i64, (self.burst / self.per_second).ceil() as i64)
    }

    /// `"key";r=49;t=1`: what is left, and the seconds until it is full again.
    fn state_header(&self) -> String {
        let full_in_s = (self.full_in_ms.max(0) as u64).div_ceil(1_000);
        format!("\"{}\";r={};t={full_in_s}", self.policy, self.left)
    }
}

tokio::task_local! {
    static JUDGED: Cell<Option<Judged>>;
}

/// Notes the state of a bucket for the answer of this request. The last one counts.
pub fn note(judged: Judged) {
    // Outside of a request, in tests, nobody asks.
    let _ = JUDGED.try_with(|last| last.set(Some(judged)));
}

/// Middleware that writes the state into the answer.
pub async fn add_headers(request: Request, next: Next) -> Response {
    JUDGED
        .scope(Cell::new(None), async {
            let mut response = next.run(request).await;
            if let Some(judged) = JUDGED.with(Cell::get) {
                let texts = [(&RATE_LIMIT_POLICY, judged.policy_header()), (&RATE_LIMIT, judged.state_header())];
                for (name, text) in texts {
                    if let Ok(value) = HeaderValue::from_str(&text) {
                        response.headers_mut().insert(name, value);
                    }
                }
            }
            response
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_the_form_of_the_draft() {
        let judged = Judged { policy: "key", burst: 50.0, per_second: 10.0, left: 49, full_in_ms: 100 };
        assert_eq!(judged.policy_header(), "\"key\";q=50;w=5");
        assert_eq!(judged.state_header(), "\"key\";r=49;t=1");
        let empty = Judged { left: 0, full_in_ms: 5_000, ..judged };
        assert_eq!(empty.state_header(), "\"key\";r=0;t=5");
    }
}

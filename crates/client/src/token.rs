//! Tokens as a shop's own site signs them.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// Signs a token with HS256. `user` is the id and the name; `ttl_s` is the time to live in seconds, and a negative value
/// makes a token that has expired.
///
/// # Errors
///
/// When the claims cannot be encoded, which does not happen with text.
pub fn sign(key: &str, user: &str, role: &str, ttl_s: i64) -> Result<String, jsonwebtoken::errors::Error> {
    #[expect(clippy::disallowed_methods, reason = "a token expires at a time of the day, whatever clock the tests use")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    sign_claims(key, &json!({"sub": user, "name": user, "role": role, "iat": now, "exp": now + ttl_s}))
}

/// Signs any claims with HS256.
///
/// # Errors
///
/// When the claims cannot be encoded, which does not happen with JSON.
pub fn sign_claims(key: &str, claims: &Value) -> Result<String, jsonwebtoken::errors::Error> {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(key.as_bytes()))
}

//! Authentication: token → [`Actor`]. Tokens are JWTs, signed with the auth key by the operator's own site or by `livesouk token`.

use std::net::IpAddr;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::domain::{Actor, Millis, Name, Refusal, Role, StreamId, UserId};

/// HMAC-SHA-256 keys: the first one signs, all verify, so that keys can be rotated.
pub struct TokenAuth {
    signing_key: EncodingKey,
    verifying_keys: Vec<DecodingKey>,
    clock: Clock,
}

/// A key that is shorter than the hash is easier to guess than the hash is to break.
pub const KEY_BYTES_MIN: usize = 32;

#[derive(Serialize, Deserialize)]
struct TokenClaims<Seconds> {
    sub: String,
    name: String,
    role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<StreamId>,
    /// When the token was signed. Only informative, so it may be missing.
    #[serde(default)]
    iat: Seconds,
    /// Seconds; fractions are allowed, as in the standard.
    exp: Seconds,
}

impl TokenAuth {
    /// Fails if there is no key, or if a key is too short; the message says which.
    pub fn new(keys: &[String], clock: Clock) -> Result<Self, String> {
        let first =
            keys.first().ok_or("--auth-key (LIVESOUK_AUTH_KEY), or a file with it (--auth-key-file), is missing")?;
        if let Some(at) = keys.iter().position(|key| key.len() < KEY_BYTES_MIN) {
            return Err(format!(
                "--auth-key (LIVESOUK_AUTH_KEY) number {} has fewer than {KEY_BYTES_MIN} bytes",
                at + 1
            ));
        }
        let verify = keys.iter().map(|key| DecodingKey::from_secret(key.as_bytes())).collect();
        Ok(Self { signing_key: EncodingKey::from_secret(first.as_bytes()), verifying_keys: verify, clock })
    }

    /// Signs a token that expires `ttl_ms` from now.
    pub fn sign(&self, actor: &Actor, ttl_ms: Millis) -> Result<String, String> {
        let iat = self.clock.now() / 1_000;
        let claims = TokenClaims {
            sub: actor.user.to_string(),
            name: actor.name.as_str().to_owned(),
            role: actor.role.name().to_owned(),
            stream: actor.stream,
            iat,
            exp: iat + ttl_ms / 1_000,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing_key)
            .map_err(|error| error.to_string())
    }

    /// The actor of a valid token. The reason why a token is invalid is logged, but not sent to the client.
    pub fn verify(&self, token: &str, client: Option<IpAddr>) -> Result<Actor, Refusal> {
        self.decode(token).map_err(|(refusal, why)| {
            let client = client.map(tracing::field::display);
            tracing::info!(client.ip = client, code = refusal.code(), why, "token refused");
            refusal
        })
    }

    fn decode(&self, token: &str) -> Result<Actor, (Refusal, String)> {
        let invalid = |why: &str| (Refusal::TokenInvalid, why.to_owned());
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_required_spec_claims(&["exp", "sub"]);
        // The expiry is checked below with our own clock; the library would use the system clock.
        rules.validate_exp = false;
        rules.validate_aud = false;
        let mut why = "there is no key".to_owned();
        let claims = self.verifying_keys.iter().find_map(|key| {
            match jsonwebtoken::decode::<TokenClaims<f64>>(token, key, &rules) {
                Ok(read) => Some(read.claims),
                // With several keys, the error of the key whose signature matches is the useful one.
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {
                    why = "it is not signed with one of our keys".to_owned();
                    None
                }
                Err(error) => {
                    why = error.to_string();
                    None
                }
            }
        });
        let claims = claims.ok_or_else(|| invalid(&why))?;
        let expires_at = (claims.exp * 1_000.0) as Millis;
        if expires_at <= self.clock.now() {
            return Err((Refusal::TokenExpired, "it has expired".to_owned()));
        }
        Ok(Actor {
            user: UserId::parse(&claims.sub).map_err(|_| invalid("`sub` is not a valid id"))?,
            name: Name::parse(&claims.name).map_err(|_| invalid("`name` is not a valid name"))?,
            role: Role::parse(&claims.role).ok_or_else(|| invalid("`role` is unknown"))?,
            stream: claims.stream,
            expires_at: Some(expires_at),
        })
    }
}

/// A user without a token, who may only watch.
pub fn guest_actor() -> Actor {
    let id = format!("guest-{}", uuid::Uuid::new_v4().simple());
    let parsed = UserId::parse(&id).and_then(|user| Ok((user, Name::parse("Guest")?)));
    let (user, name) = parsed.unwrap_or_else(|_| unreachable!("the id and the name of a guest are valid"));
    Actor { user, name, role: Role::Guest, stream: None, expires_at: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "an-auth-key-of-at-least-32-bytes!";
    const OTHER: &str = "another-auth-key-of-over-32-bytes";

    fn auth(keys: &[&str], clock: &Clock) -> TokenAuth {
        TokenAuth::new(&keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>(), clock.clone()).unwrap()
    }

    fn host() -> Actor {
        Actor { name: Name::parse("سارة").unwrap(), role: Role::Host, ..guest_actor() }
    }

    #[test]
    fn token_is_valid_until_it_expires() {
        let clock = Clock::manual(1_000_000);
        let auth = auth(&[KEY], &clock);
        let token = auth.sign(&host(), 60_000).unwrap();
        let actor = auth.verify(&token, None).unwrap();
        assert_eq!((actor.role, actor.name.as_str(), actor.expires_at), (Role::Host, "سارة", Some(1_060_000)));
        clock.advance(59_999);
        assert!(auth.verify(&token, None).is_ok());
        clock.advance(1);
        assert_eq!(auth.verify(&token, None).unwrap_err(), Refusal::TokenExpired);
    }

    #[test]
    fn expiry_may_have_fractions_of_a_second() {
        let clock = Clock::manual(1_000_000);
        let auth = auth(&[KEY], &clock);
        for (claims, good) in [
            (r#"{"sub":"a","name":"A","role":"viewer","exp":1000.5}"#, true),
            (r#"{"sub":"a","name":"A","role":"viewer","iat":999.9,"exp":1001}"#, true),
            (r#"{"sub":"a","name":"A","role":"viewer","exp":1000}"#, false),
            (r#"{"sub":"a","name":"A","role":"viewer","exp":-1e300}"#, false),
            (r#"{"sub":"a","name":"A","role":"viewer","exp":"1001"}"#, false),
            (r#"{"sub":"a","name":"A","role":"viewer"}"#, false),
        ] {
            let value: serde_json::Value = serde_json::from_str(claims).unwrap();
            let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &value, &auth.signing_key).unwrap();
            assert_eq!(auth.verify(&token, None).is_ok(), good, "{claims}");
        }
    }

    #[test]
    fn rotated_key_verifies_but_an_unknown_key_does_not() {
        let clock = Clock::manual(0);
        let token = auth(&[KEY], &clock).sign(&host(), 60_000).unwrap();
        assert!(auth(&[OTHER, KEY], &clock).verify(&token, None).is_ok());
        assert_eq!(auth(&[OTHER], &clock).verify(&token, None).unwrap_err(), Refusal::TokenInvalid);
    }

    #[test]
    fn unsigned_or_altered_token_is_refused() {
        let clock = Clock::manual(0);
        let auth = auth(&[KEY], &clock);
        let token = auth.sign(&host(), 60_000).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        // {"alg":"none","typ":"JWT"} · {"alg":"HS512","typ":"JWT"}
        for header in ["eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9"] {
            for signature in ["", parts[2]] {
                let forged = format!("{header}.{}.{signature}", parts[1]);
                assert_eq!(auth.verify(&forged, None).unwrap_err(), Refusal::TokenInvalid, "{forged}");
            }
        }
        for broken in ["", "x", "a.b.c", &token[..token.len() - 2], &format!("{token}A")] {
            assert_eq!(auth.verify(broken, None).unwrap_err(), Refusal::TokenInvalid, "{broken}");
        }
    }

    #[test]
    fn short_or_missing_keys_are_refused() {
        assert!(TokenAuth::new(&[], Clock::system()).is_err());
        assert!(TokenAuth::new(&["x".repeat(31)], Clock::system()).is_err());
        assert!(TokenAuth::new(&[KEY.to_owned(), "short".to_owned()], Clock::system()).is_err());
    }

    #[test]
    fn reason_of_an_invalid_token_is_logged() {
        let clock = Clock::manual(1_000_000);
        let auth = auth(&[KEY], &clock);
        let signed =
            |claims: serde_json::Value| jsonwebtoken::encode(&Header::default(), &claims, &auth.signing_key).unwrap();
        let claims = |name: &str, value: &str| {
            let mut claims = serde_json::json!({"sub": "a", "name": "A", "role": "viewer", "exp": 2_000});
            claims[name] = value.into();
            signed(claims)
        };
        for (token, part) in [
            ("x".to_owned(), "InvalidToken"),
            (claims("sub", "a b"), "`sub`"),
            (claims("name", ""), "`name`"),
            (claims("role", "king"), "`role`"),
            (claims("exp", "soon"), "exp"),
            (signed(serde_json::json!({"sub": "a", "name": "A", "role": "viewer", "exp": 1_000})), "expired"),
            (self::auth(&[OTHER], &clock).sign(&host(), 1_000).unwrap(), "not signed with"),
        ] {
            let (_, why) = auth.decode(&token).unwrap_err();
            assert!(why.contains(part), "{why} for {part}");
        }
    }
}

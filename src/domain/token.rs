//! Rules for user tokens, after RFC 7519: what the claims of a correctly signed token must say, and whether it was revoked.
//!
//! A refusal here may say why: the token was signed by somebody who holds one of our keys. Nothing in this file looks at a
//! signature.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::account::is_reserved;
use super::{Actor, AuditEntry, Author, Millis, Name, Refusal, Role, StreamId, TokenRevocationId, UserId};

/// How far the clocks of a signer and of this server may differ.
pub const LEEWAY_MS: Millis = 60_000;

/// The id of a token, its claim `jti`, as a digest: a connection keeps it, and it must not cost more than it has to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TokenId([u8; 16]);

impl TokenId {
    /// In bytes. A longer `jti` identifies a token as well, but it cannot be revoked.
    pub const LENGTH_MAX: usize = 256;

    pub fn of(jti: &str) -> Self {
        let digest = Sha256::digest(jti.as_bytes());
        Self(std::array::from_fn(|at| digest[at]))
    }
}

/// What an actor's token says about itself; empty for an actor without a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TokenStamp {
    /// The claim `iat`.
    pub issued_at: Option<Millis>,
    /// The claim `jti`.
    pub id: Option<TokenId>,
}

/// What the operator demands of every token.
#[derive(Clone, PartialEq, Debug)]
pub struct TokenRules {
    /// A token must name one of these in `aud`; empty: `aud` is not checked.
    pub audiences: Vec<String>,
    /// A token must have one of these as `iss`; empty: `iss` is not checked.
    pub issuers: Vec<String>,
    /// The longest lifetime, from `iat` to `exp`. A token without `iat` may end at most this long after now.
    pub max_ttl_ms: Millis,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self { audiences: Vec::new(), issuers: Vec::new(), max_ttl_ms: 90 * 86_400_000 }
    }
}

impl TokenRules {
    /// The actor whom these claims name, if they are valid now.
    pub fn check(&self, claims: &Map<String, Value>, now: Millis) -> Result<Actor, Refusal> {
        let expires_at = time(claims, "exp")?.ok_or(refused("The token has no `exp`."))?.saturating_add(LEEWAY_MS);
        let (issued_at, not_before) = (time(claims, "iat")?, time(claims, "nbf")?);
        if expires_at <= now {
            return Err(Refusal::TokenExpired);
        }
        let latest = now.saturating_add(LEEWAY_MS);
        if not_before.is_some_and(|at| latest < at) {
            return Err(Refusal::TokenNotYetValid);
        }
        if issued_at.is_some_and(|at| latest < at) {
            return Err(refused("The token was issued in the future: the clock of its signer is ahead."));
        }
        // The leeway is part of `expires_at`. Without `iat` the lifetime is counted from now, as if it had just been signed.
        let lifetime = expires_at.saturating_sub(issued_at.unwrap_or(now)).saturating_sub(LEEWAY_MS);
        let tolerated = if issued_at.is_some() { 0 } else { LEEWAY_MS };
        if self.max_ttl_ms.saturating_add(tolerated) < lifetime {
            return Err(refused("The token is valid for longer than this server allows (--token-max-ttl)."));
        }
        if !self.audiences.is_empty() && !names_one_of(claims.get("aud"), &self.audiences) {
            return Err(refused("The token is for another audience (`aud`)."));
        }
        if !self.issuers.is_empty() && !claims.get("iss").is_some_and(|issuer| is_one_of(issuer, &self.issuers)) {
            return Err(refused("The token is of another issuer (`iss`)."));
        }
        let id = text(claims, "jti", "The `jti` of the token must be a text.")?.map(TokenId::of);
        let user = text(claims, "sub", "The `sub` of the token must be a text.")?;
        if user.is_some_and(is_reserved) {
            return Err(refused(
                "The `sub` of the token begins with `acct:`, `guest:`, `oidc:` or `crowd:`: such ids are given by this server only.",
            ));
        }
        let user = user.and_then(|user| UserId::parse(user).ok());
        let name = text(claims, "name", "The `name` of the token must be a text.")?;
        let name = name.and_then(|name| Name::parse(name).ok());
        let role = text(claims, "role", "The `role` of the token must be a text.")?.and_then(Role::of_token);
        let stream = text(claims, "stream", "The `stream` of the token must be a text.")?;
        let stream = stream.map(|stream| stream.parse::<StreamId>()).transpose();
        Ok(Actor {
            user: user.ok_or(refused("The `sub` of the token is not a valid user id."))?,
            name: name.ok_or(refused("The `name` of the token is not a valid name."))?,
            role: role.ok_or(refused("The `role` of the token is unknown."))?,
            stream: stream.map_err(|_| refused("The `stream` of the token is not the id of a stream."))?,
            expires_at: Some(expires_at),
            token: TokenStamp { issued_at, id },
            session: None,
        })
    }
}

fn refused(why: &'static str) -> Refusal {
    Refusal::TokenRefused(why)
}

/// A NumericDate: seconds since 1970, which may have fractions. Huge numbers become the first or last time there is.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Millis>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().ok_or(refused("`exp`, `iat` and `nbf` must be numbers: seconds since 1970."))?;
    Ok(Some((seconds * 1_000.0) as Millis))
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str, why: &'static str) -> Result<Option<&'a str>, Refusal> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(refused(why)),
    }
}

fn is_one_of(value: &Value, known: &[String]) -> bool {
    value.as_str().is_some_and(|value| known.iter().any(|known| known == value))
}

/// `aud` is a text or a list of texts.
fn names_one_of(audience: Option<&Value>, known: &[String]) -> bool {
    match audience {
        Some(Value::Array(all)) => all.iter().any(|one| is_one_of(one, known)),
        Some(one) => is_one_of(one, known),
        None => false,
    }
}

/// What a revocation is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RevokedTokens {
    /// Every token of this user that was issued before this time, or does not say when: the user is signed out everywhere.
    OfUser { user: UserId, not_before: Millis },
    /// The token with this `jti`.
    One { jti: String },
}

/// Tokens that are refused although they are signed and in time.
#[derive(Clone, PartialEq, Debug)]
pub struct TokenRevocation {
    pub id: TokenRevocationId,
    pub tokens: RevokedTokens,
    /// When it is forgotten: by then every token that it is about has expired.
    pub expires_at: Millis,
    pub created_at: Millis,
    pub by: Author,
    pub reason: Option<String>,
}

/// All revocations that are in force, for a look-up with every request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TokenRevocations {
    users: HashMap<UserId, Millis>,
    tokens: HashSet<TokenId>,
}

impl TokenRevocations {
    pub fn new(all: impl IntoIterator<Item = RevokedTokens>) -> Self {
        let mut revoked = Self::default();
        for one in all {
            match one {
                RevokedTokens::OfUser { user, not_before } => {
                    let latest = revoked.users.entry(user).or_insert(not_before);
                    *latest = not_before.max(*latest);
                }
                RevokedTokens::One { jti } => drop(revoked.tokens.insert(TokenId::of(&jti))),
            }
        }
        revoked
    }

    pub fn len(&self) -> usize {
        self.users.len() + self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this actor's token was revoked. An anonymous user has no token.
    pub fn contains(&self, actor: &Actor) -> bool {
        if actor.role == Role::Anonymous {
            return false;
        }
        let TokenStamp { issued_at, id } = actor.token;
        let is_older = |not_before: &Millis| issued_at.is_none_or(|issued_at| issued_at < *not_before);
        self.users.get(&actor.user).is_some_and(is_older) || id.is_some_and(|id| self.tokens.contains(&id))
    }
}

impl AuditEntry {
    /// The entry, with the user or the token that it is about.
    pub fn about_tokens(self, tokens: &RevokedTokens) -> Self {
        match tokens {
            RevokedTokens::OfUser { user, .. } => Self { user: Some(user.clone()), ..self },
            RevokedTokens::One { jti } => Self { subject: Some(jti.clone()), ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Millis = 1_000_000_000;
    /// The same in seconds.
    const S: i64 = NOW / 1_000;
    const DAY: i64 = 86_400;

    fn check(rules: &TokenRules, change: Value) -> Result<Actor, Refusal> {
        let mut claims = json!({"sub": "ann", "name": "Ann", "role": "viewer", "iat": S, "exp": S + 60});
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        rules.check(claims.as_object().unwrap(), NOW)
    }

    fn answer(rules: &TokenRules, change: Value) -> String {
        check(rules, change).map_or_else(|refusal| refusal.to_string(), |_| "valid".to_owned())
    }

    #[test]
    fn times_are_judged_with_a_leeway_of_a_minute() {
        let (expired, early) = ("The token has expired.", "The token is not valid yet.");
        for (change, expected) in [
            (json!({}), "valid"),
            (json!({"exp": S}), "valid"),
            (json!({"exp": S - 59}), "valid"),
            (json!({"exp": S as f64 - 59.5}), "valid"),
            (json!({"exp": S - 60}), expired),
            (json!({"exp": -1e300}), expired),
            (json!({"exp": 0}), expired),
            (json!({"nbf": S + 60}), "valid"),
            (json!({"nbf": S as f64 + 60.001}), early),
            (json!({"nbf": S + 61}), early),
            (json!({"nbf": 1e300}), early),
            (json!({"nbf": S - 1_000}), "valid"),
            (json!({"iat": S + 60, "exp": S + 120}), "valid"),
            (json!({"iat": S + 61, "exp": S + 120}), "issued in the future"),
            (json!({"iat": 1e300, "exp": 1e300}), "issued in the future"),
            (json!({"exp": "soon"}), "must be numbers"),
            (json!({"nbf": "soon"}), "must be numbers"),
            (json!({"iat": [S]}), "must be numbers"),
            (json!({"exp": null}), "no `exp`"),
        ] {
            let answer = answer(&TokenRules::default(), change.clone());
            assert!(answer.contains(expected), "{change}: {answer}");
        }
    }

    #[test]
    fn lifetime_is_counted_from_iat_or_from_now() {
        let week = TokenRules { max_ttl_ms: 7 * DAY * 1_000, ..TokenRules::default() };
        let (standard, long) = (TokenRules::default(), "for longer than");
        for (rules, change, expected) in [
            (&standard, json!({"exp": S + 90 * DAY}), "valid"),
            (&standard, json!({"exp": S + 90 * DAY + 1}), long),
            (&standard, json!({"iat": S - 80 * DAY, "exp": S + 10 * DAY}), "valid"),
            (&standard, json!({"iat": S - 80 * DAY, "exp": S + 11 * DAY}), long),
            (&standard, json!({"exp": 1e300}), long),
            (&week, json!({"exp": S + 7 * DAY}), "valid"),
            (&week, json!({"exp": S + 8 * DAY}), long),
            (&week, json!({"iat": null, "exp": S + 7 * DAY}), "valid"),
            (&week, json!({"iat": null, "exp": S + 7 * DAY + 61}), long),
            (&week, json!({"iat": -1e300}), long),
        ] {
            let answer = answer(rules, change.clone());
            assert!(answer.contains(expected), "{change}: {answer}");
        }
    }

    #[test]
    fn audience_and_issuer_are_judged_only_when_given() {
        let given = TokenRules {
            audiences: vec!["live".to_owned(), "shop".to_owned()],
            issuers: vec!["https://id.example".to_owned()],
            ..TokenRules::default()
        };
        let issuer = json!("https://id.example");
        let (audience, other) = ("another audience", "another issuer");
        for (rules, change, expected) in [
            (&TokenRules::default(), json!({"aud": "blog", "iss": 7}), "valid"),
            (&given, json!({"aud": "live", "iss": issuer}), "valid"),
            (&given, json!({"aud": ["blog", "shop"], "iss": issuer}), "valid"),
            (&given, json!({"aud": "blog", "iss": issuer}), audience),
            (&given, json!({"aud": "LIVE", "iss": issuer}), audience),
            (&given, json!({"aud": ["blog", 7], "iss": issuer}), audience),
            (&given, json!({"aud": [], "iss": issuer}), audience),
            (&given, json!({"aud": {"live": 1}, "iss": issuer}), audience),
            (&given, json!({"iss": issuer}), audience),
            (&given, json!({"aud": "live"}), other),
            (&given, json!({"aud": "live", "iss": "https://id.example/"}), other),
            (&given, json!({"aud": "live", "iss": [issuer]}), other),
        ] {
            let answer = answer(rules, change.clone());
            assert!(answer.contains(expected), "{change}: {answer}");
        }
    }

    #[test]
    fn invalid_claim_is_named() {
        for (change, part) in [
            (json!({"sub": "a b"}), "`sub`"),
            (json!({"sub": "crowd:layla"}), "`sub`"),
            (json!({"sub": 7}), "`sub`"),
            (json!({"sub": null}), "`sub`"),
            (json!({"name": ""}), "`name`"),
            (json!({"role": "king"}), "`role`"),
            (json!({"role": "anonymous"}), "`role`"),
            (json!({"role": "owner"}), "`role`"),
            (json!({"stream": "all"}), "`stream`"),
            (json!({"jti": 7}), "`jti`"),
        ] {
            let refusal = check(&TokenRules::default(), change.clone()).unwrap_err();
            assert_eq!(refusal.code(), "token_invalid");
            assert!(refusal.to_string().contains(part), "{change}: {refusal}");
        }
    }

    #[test]
    fn revocation_by_user_and_by_token_hits_exactly_those_tokens() {
        let user = |id: &str| UserId::parse(id).unwrap();
        let revoked = TokenRevocations::new([
            RevokedTokens::OfUser { user: user("ann"), not_before: 5_000 },
            RevokedTokens::OfUser { user: user("ann"), not_before: 4_000 },
            RevokedTokens::One { jti: "one".to_owned() },
        ]);
        assert_eq!(revoked.len(), 2);
        let actor = |user: &str, issued_at, jti: Option<&str>| Actor {
            user: UserId::parse(user).unwrap(),
            name: Name::parse("A").unwrap(),
            role: Role::Viewer,
            stream: None,
            expires_at: None,
            token: TokenStamp { issued_at, id: jti.map(TokenId::of) },
            session: None,
        };
        for (actor, expected) in [
            (actor("ann", Some(4_999), None), true),
            (actor("ann", Some(5_000), None), false),
            (actor("ann", None, None), true),
            (actor("bob", Some(1), None), false),
            (actor("bob", Some(9_000), Some("one")), true),
            (actor("bob", Some(9_000), Some("two")), false),
            (Actor { role: Role::Anonymous, ..actor("ann", None, None) }, false),
        ] {
            assert_eq!(revoked.contains(&actor), expected, "{actor:?}");
        }
    }
}

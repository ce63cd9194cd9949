//! Authentication: token → [`Actor`]. Tokens are JWTs (RFC 7519), signed with an auth key by the operator's own site or by
//! `livesouk token`, or with a key of a published key set (JWKS).
//!
//! Why a token is refused is sent to the client only when its signature is valid: until then it may come from anybody. Claims are
//! judged by `domain::token`.

pub mod jwks;

#[cfg(test)]
mod auth_test;
mod jwks_fetch;
mod key;

use std::net::IpAddr;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use serde_json::{Map, Value};

use super::admission::TicketKeys;
use super::log_sampler::LogSampler;
use super::media_key::MediaKeys;
use crate::clock::Clock;
use crate::domain::{Actor, Millis, Name, Refusal, Role, StreamId, TokenRules, TokenStamp, UserId};
use jwks::Jwks;
use key::VerifyingKey;

pub use jwks_fetch::JwksLocation;

/// The keys and the rules that tokens are checked with.
pub struct TokenAuth {
    signing_key: EncodingKey,
    secrets: Vec<VerifyingKey>,
    jwks: Vec<Jwks>,
    rules: TokenRules,
    clock: Clock,
    /// For admission tickets.
    ticket_keys: TicketKeys,
    media_keys: MediaKeys,
    /// A flood of bad tokens must not flood the log.
    refusals: LogSampler,
}

/// A key that is shorter than the hash is easier to guess than the hash is to break.
pub const KEY_BYTES_MIN: usize = 32;

/// Public keys that are tried for one token. More than one fits only if the token names none, or if sources share a name; each
/// try costs up to a third of a millisecond, and anybody can send such tokens.
const PUBLIC_KEYS_TRIED_MAX: usize = 4;

/// The claims of our own tokens.
#[derive(Serialize)]
struct TokenClaims<'a> {
    sub: &'a str,
    name: &'a str,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<StreamId>,
    iat: i64,
    exp: i64,
    /// With it, this one token can be revoked.
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
}

impl TokenAuth {
    /// HMAC-SHA-256 keys, which all verify, so that keys can be rotated; the first one signs. Fails if there is no key, or if a
    /// key is too short; the message says which.
    pub fn new(keys: &[String], clock: Clock) -> Result<Self, String> {
        Self::with_max_roles(keys, &[], clock)
    }

    /// The same with the highest role that the tokens of each key may have: one for all keys, or one for each. The first key
    /// without a limit signs.
    pub fn with_max_roles(keys: &[String], roles: &[Role], clock: Clock) -> Result<Self, String> {
        if keys.is_empty() {
            return Err("--auth-key (LIVESOUK_AUTH_KEY), or a file with it (--auth-key-file), is missing".to_owned());
        }
        if let Some(at) = keys.iter().position(|key| key.len() < KEY_BYTES_MIN) {
            let number = at + 1;
            return Err(format!("--auth-key (LIVESOUK_AUTH_KEY) number {number} has fewer than {KEY_BYTES_MIN} bytes"));
        }
        let roles = role_per_key(roles, keys.len(), "--auth-key-max-role", "--auth-key")?;
        let unlimited = keys.iter().zip(&roles).find(|(_, role)| **role == Role::Admin);
        let (signing_key, _) = unlimited.ok_or(
            "--auth-key-max-role: one --auth-key must be allowed every role (admin): it signs the tokens of this server",
        )?;
        Ok(Self {
            signing_key: EncodingKey::from_secret(signing_key.as_bytes()),
            secrets: keys.iter().zip(roles).map(|(key, role)| VerifyingKey::from_secret(key, role)).collect(),
            jwks: Vec::new(),
            rules: TokenRules::default(),
            clock,
            ticket_keys: TicketKeys::new(keys.iter().map(String::as_bytes)),
            media_keys: MediaKeys::new(keys.iter().map(String::as_bytes)),
            refusals: LogSampler::default(),
        })
    }

    pub fn with_rules(self, rules: TokenRules) -> Self {
        Self { rules, ..self }
    }

    /// Further keys from these files and URLs, with the highest role that the tokens of each source may have.
    pub fn with_jwks(self, sources: Vec<JwksLocation>, roles: &[Role]) -> Result<Self, String> {
        let roles = role_per_key(roles, sources.len(), "--jwks-max-role", "--jwks")?;
        let jwks = sources.into_iter().zip(roles).map(|(source, role)| Jwks::new(source, role)).collect();
        Ok(Self { jwks, ..self })
    }

    /// The keys of admission tickets: those of tokens that are secret.
    pub fn ticket_keys(&self) -> TicketKeys {
        self.ticket_keys.clone()
    }

    /// What signs keys for media servers.
    pub fn media_keys(&self) -> &MediaKeys {
        &self.media_keys
    }

    pub fn jwks(&self) -> &[Jwks] {
        &self.jwks
    }

    /// Reads every key set for the first time. Fails if a file cannot be read: the operator has to fix that. A URL that does
    /// not answer is tried again later.
    pub async fn load_jwks(&self) -> Result<(), String> {
        for source in &self.jwks {
            if let (Err(why), JwksLocation::File(path)) = (source.load().await, &source.location) {
                return Err(format!("--jwks {}: {why}", path.display()));
            }
        }
        Ok(())
    }

    /// The lifetime of a token that should be valid for `ttl_ms`: not longer than this server allows.
    pub fn allowed_ttl(&self, ttl_ms: Millis) -> Millis {
        ttl_ms.min(self.rules.max_ttl_ms)
    }

    /// Signs a token that expires `ttl_ms` from now, or earlier if that is longer than allowed.
    pub fn sign(&self, actor: &Actor, ttl_ms: Millis) -> Result<String, String> {
        self.sign_with_id(actor, ttl_ms, &uuid::Uuid::new_v4().to_string())
    }

    /// The same with the claim `jti`.
    pub fn sign_with_id(&self, actor: &Actor, ttl_ms: Millis, id: &str) -> Result<String, String> {
        let iat = self.clock.time_of_day() / 1_000;
        let claims = TokenClaims {
            sub: actor.user.as_str(),
            name: actor.name.as_str(),
            role: actor.role.name(),
            stream: actor.stream,
            iat,
            exp: iat + self.allowed_ttl(ttl_ms) / 1_000,
            jti: id,
            aud: self.rules.audiences.first().map(String::as_str),
            iss: self.rules.issuers.first().map(String::as_str),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing_key)
            .map_err(|error| error.to_string())
    }

    /// The actor of a valid token. Whether the token was revoked is not known here: ask `AppState::authenticate`.
    pub async fn verify(&self, token: &str, client: Option<IpAddr>) -> Result<Actor, Refusal> {
        self.decode(token).await.map_err(|(refusal, why)| {
            let client = client.map(tracing::field::display);
            if let Some(left_out) = self.refusals.line(self.clock.now()) {
                tracing::info!(client.ip = client, code = refusal.code(), why, left_out, "a token was refused");
            }
            refusal
        })
    }

    async fn decode(&self, token: &str) -> Result<Actor, (Refusal, String)> {
        let unsigned = |why: &str| (Refusal::TokenInvalid, why.to_owned());
        let header = jsonwebtoken::decode_header(token).map_err(|error| unsigned(&error.to_string()))?;
        let mut opened = self.open(token, &header);
        if opened.is_none() && self.may_be_new_key(&header) {
            for source in &self.jwks {
                // Boxed: it is rare, and it would enlarge the future of every request.
                Box::pin(source.load_for_unknown_key()).await;
            }
            opened = self.open(token, &header);
        }
        let (claims, max_role) = opened.ok_or_else(|| unsigned("it is not signed with one of our keys"))?;
        let known = |refusal: Refusal| {
            let why = refusal.to_string();
            (refusal, why)
        };
        if header.crit.is_some() {
            return Err(known(Refusal::TokenRefused("The token needs an extension that is not known here (`crit`).")));
        }
        // The time of day, and not the server's own clock that never goes backwards: after a jump of the system clock that was
        // corrected, tokens are checked correctly at once.
        let actor = self.rules.check(&claims, self.clock.time_of_day()).map_err(known)?;
        if !actor.role.is_within(max_role) {
            return Err(known(Refusal::TokenRefused("The key that signed the token may not give this role.")));
        }
        Ok(actor)
    }

    /// The claims of a token and the highest role that its key may give, if it was signed with one of our keys.
    fn open(&self, token: &str, header: &Header) -> Option<(Map<String, Value>, Role)> {
        let open = |key: &VerifyingKey| Some((key.open(token)?, key.max_role));
        let mut tries = PUBLIC_KEYS_TRIED_MAX;
        let published = || {
            self.jwks.iter().find_map(|source| {
                let keys = source.keys();
                let fitting = keys.iter().filter(|key| key.fits(header)).take(tries);

                fitting.inspect(|_| tries -= 1).find_map(open)
            })
        };
        self.secrets.iter().filter(|key| key.fits(header)).find_map(open).or_else(published)
    }

    /// Whether a key that is not known yet may have signed a token with this header.
    fn may_be_new_key(&self, header: &Header) -> bool {
        let is_public = matches!(header.alg, Algorithm::EdDSA | Algorithm::ES256);
        let is_known = |source: &Jwks| header.kid.is_some() && source.keys().iter().any(|key| key.fits(header));
        is_public && !self.jwks.is_empty() && !self.jwks.iter().any(is_known)
    }
}

/// The highest role of each key: all roles if none is given, one for all keys, or one for each.
fn role_per_key(given: &[Role], keys: usize, flag: &str, of: &str) -> Result<Vec<Role>, String> {
    match given {
        [] => Ok(vec![Role::Admin; keys]),
        [role] => Ok(vec![*role; keys]),
        roles if roles.len() == keys => Ok(roles.to_vec()),
        roles => Err(format!("{flag}: give one role, or one for each {of}; there are {} for {keys}", roles.len())),
    }
}

/// A user without a token, who may only watch.
pub fn anonymous_actor() -> Actor {
    let id = format!("anonymous-{}", uuid::Uuid::new_v4().simple());
    let parsed = UserId::parse(&id).and_then(|user| Ok((user, Name::parse("Anonymous")?)));
    let (user, name) = parsed.unwrap_or_else(|_| unreachable!("the id and the name of an anonymous user are valid"));
    Actor {
        user,
        name,
        role: Role::Anonymous,
        stream: None,
        expires_at: None,
        token: TokenStamp::default(),
        session: None,
    }
}

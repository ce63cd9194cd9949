//! The keys that verify tokens. Each key has one algorithm, and the algorithm that a token names is ignored, so that a public key is never taken for a
//! secret.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::Role;

/// More keys than an identity provider publishes: one that is in use, and the ones before and after it.
const KEYS_MAX: usize = 100;
/// The length of an uncompressed point of P-256: a tag and two coordinates.
const P256_POINT_BYTES: usize = 65;
const ED25519_KEY_BYTES: usize = 32;

/// A key, its algorithm, and the highest role that its tokens may have.
pub struct VerifyingKey {
    algorithm: Algorithm,
    /// The `kid`; a secret has none and is tried for every HS256 token.
    id: Option<String>,
    key: DecodingKey,
    pub max_role: Role,
}

impl VerifyingKey {
    pub fn from_secret(secret: &str, max_role: Role) -> Self {
        let key = DecodingKey::from_secret(secret.as_bytes());
        Self { algorithm: Algorithm::HS256, id: None, key, max_role }
    }

    /// `None`: a key of another kind, for another use, or one that is not valid.
    fn from_jwk(jwk: &Jwk, max_role: Role) -> Option<Self> {
        let (algorithm, known_as, length) = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                (Algorithm::ES256, KeyAlgorithm::ES256, P256_POINT_BYTES)
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                (Algorithm::EdDSA, KeyAlgorithm::EdDSA, ED25519_KEY_BYTES)
            }
            _ => return None,
        };
        let common = &jwk.common;
        let is_for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
            && common.key_operations.as_ref().is_none_or(|uses| uses.contains(&KeyOperations::Verify))
            && common.key_algorithm.is_none_or(|algorithm| algorithm == known_as);
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let has_length = key.try_get_as_bytes().is_ok_and(|bytes| bytes.len() == length);
        (is_for_signatures && has_length).then(|| Self { algorithm, id: common.key_id.clone(), key, max_role })
    }

    /// Whether this key may have signed a token with this header.
    pub fn fits(&self, header: &Header) -> bool {
        let is_named = match (&self.id, &header.kid) {
            (Some(id), Some(named)) => id == named,
            _ => true,
        };
        self.algorithm == header.alg && is_named
    }

    /// The claims of a token, if this key signed it.
    pub fn open(&self, token: &str) -> Option<Map<String, Value>> {
        let mut rules = Validation::new(self.algorithm);
        // The claims are checked by `domain::token`, with our own clock.
        rules.set_required_spec_claims::<&str>(&[]);
        (rules.validate_exp, rules.validate_nbf, rules.validate_aud) = (false, false, false);
        jsonwebtoken::decode(token, &self.key, &rules).ok().map(|read| read.claims)
    }
}

/// The keys of a JWKS (RFC 7517) that we can use: EdDSA with Ed25519, and ES256. Other keys are skipped, secrets among them: who
/// publishes a key set does not publish a secret. Fails if none is left.
pub fn parse_key_set(json: &[u8], max_role: Role) -> Result<Vec<VerifyingKey>, String> {
    #[derive(Deserialize)]
    struct KeySet {
        keys: Vec<Value>,
    }
    let KeySet { keys } =
        serde_json::from_slice(json).map_err(|error| format!("it is not a JSON Web Key Set: {error}"))?;
    if KEYS_MAX < keys.len() {
        return Err(format!("it has {} keys, and at most {KEYS_MAX} are read", keys.len()));
    }
    let usable: Vec<_> = keys
        .into_iter()
        .filter_map(|key| VerifyingKey::from_jwk(&serde_json::from_value(key).ok()?, max_role))
        .collect();
    if usable.is_empty() {
        return Err("it has no key for EdDSA (Ed25519) or ES256".to_owned());
    }
    Ok(usable)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_valid_keys_for_our_algorithms_are_taken_from_a_key_set() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let y = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        let ec = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
        let with = |key: &Value, name: &str, value: Value| {
            let mut key = key.clone();
            key[name] = value;
            key
        };
        for (key, good) in [
            (ed.clone(), true),
            (ec.clone(), true),
            (with(&ed, "alg", json!("EdDSA")), true),
            (with(&ec, "alg", json!("ES256")), true),
            (with(&ed, "use", json!("sig")), true),
            (with(&ed, "key_ops", json!(["verify"])), true),
            (with(&ed, "x5t", json!("anything else")), true),
            (with(&ed, "use", json!("enc")), false),
            (with(&ed, "key_ops", json!(["sign"])), false),
            (with(&ed, "alg", json!("ES256")), false),
            (with(&ec, "alg", json!("HS256")), false),
            (with(&ed, "x", json!("AAAA")), false),
            (with(&ed, "x", json!("%%")), false),
            (with(&ec, "crv", json!("P-384")), false),
            (json!({"kty": "oct", "k": "c2VjcmV0"}), false),
            (json!({"kty": "RSA", "n": x, "e": "AQAB"}), false),
            (json!({"kty": "new"}), false),
            (json!(7), false),
        ] {
            let alone = json!({"keys": [key]}).to_string();
            assert_eq!(parse_key_set(alone.as_bytes(), Role::Admin).is_ok(), good, "{key}");
            let beside = json!({"keys": [key, ec]}).to_string();
            let found = parse_key_set(beside.as_bytes(), Role::Admin).map(|keys| keys.len());
            assert_eq!(found, Ok(1 + usize::from(good)), "{key}");
        }
        for bad in ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":{}}"#] {
            assert!(parse_key_set(bad.as_bytes(), Role::Admin).is_err(), "{bad}");
        }
        let many = json!({"keys": vec![ed; KEYS_MAX + 1]}).to_string();
        assert!(parse_key_set(many.as_bytes(), Role::Admin).is_err_and(|why| why.contains("101 keys")));
    }

    #[test]
    fn key_fits_its_own_algorithm_and_id_only() {
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
        let public = parse_key_set(set.to_string().as_bytes(), Role::Admin).unwrap().remove(0);
        let secret = VerifyingKey::from_secret("a secret", Role::Admin);
        for (key, algorithm, id, expected) in [
            (&public, Algorithm::EdDSA, Some("a"), true),
            (&public, Algorithm::EdDSA, None, true),
            (&public, Algorithm::EdDSA, Some("b"), false),
            (&public, Algorithm::HS256, Some("a"), false),
            (&public, Algorithm::ES256, Some("a"), false),
            (&secret, Algorithm::HS256, None, true),
            (&secret, Algorithm::HS256, Some("any"), true),
            (&secret, Algorithm::HS512, None, false),
            (&secret, Algorithm::EdDSA, None, false),
        ] {
            let mut header = Header::new(algorithm);
            header.kid = id.map(str::to_owned);
            assert_eq!(key.fits(&header), expected, "{algorithm:?} {id:?}");
        }
    }
}

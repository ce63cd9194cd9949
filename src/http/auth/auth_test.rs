//! Tests of tokens and keys; the claims alone are tested in `domain::token`.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;

const KEY: &str = "an-auth-key-of-at-least-32-bytes!";
const OTHER: &str = "another-auth-key-of-over-32-bytes";
const START: Millis = 1_000_000_000;
const DAY: Millis = 86_400_000;

fn auth(keys: &[&str], clock: &Clock) -> TokenAuth {
    TokenAuth::new(&keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>(), clock.clone()).unwrap()
}

fn host() -> Actor {
    Actor { name: Name::parse("سارة").unwrap(), role: Role::Host, ..anonymous_actor() }
}

/// A token with this key, header and role, that was signed now.
fn token(key: &EncodingKey, header: &Header, role: &str) -> String {
    let seconds = START / 1_000;
    let claims = json!({"sub": "ann", "name": "Ann", "role": role, "iat": seconds, "exp": seconds + 60});
    jsonwebtoken::encode(header, &claims, key).unwrap()
}

async fn answer(auth: &TokenAuth, token: &str) -> String {
    auth.verify(token, None).await.map_or_else(|refusal| refusal.to_string(), |actor| actor.role.name().to_owned())
}

#[tokio::test]
async fn token_is_valid_until_a_minute_after_it_expires() {
    let clock = Clock::manual(START);
    let auth = auth(&[KEY], &clock);
    let token = auth.sign(&host(), 60_000).unwrap();
    let actor = auth.verify(&token, None).await.unwrap();
    assert_eq!((actor.role, actor.name.as_str(), actor.expires_at), (Role::Host, "سارة", Some(START + 120_000)));
    assert_eq!(actor.token.issued_at, Some(START));
    clock.advance(119_999);
    assert!(auth.verify(&token, None).await.is_ok());
    clock.advance(1);
    assert_eq!(auth.verify(&token, None).await.unwrap_err(), Refusal::TokenExpired);
}

#[tokio::test]
async fn clock_that_jumped_and_was_corrected_refuses_no_good_token() {
    let clock = Clock::manual(START);
    let auth = auth(&[KEY], &clock);
    let before = auth.sign(&host(), 3_600_000).unwrap();
    // The system clock is a day ahead for a moment. The server's own clock never goes back.
    clock.advance(DAY);
    assert_eq!(auth.verify(&before, None).await.unwrap_err(), Refusal::TokenExpired);
    clock.correct(-DAY);
    assert_eq!((clock.now(), clock.time_of_day()), (START + DAY, START));
    assert!(auth.verify(&before, None).await.is_ok());
    let after = auth.sign(&host(), 3_600_000).unwrap();
    assert_eq!(auth.verify(&after, None).await.unwrap().token.issued_at, Some(START));
}

#[tokio::test]
async fn rotated_key_verifies_but_an_unknown_key_does_not() {
    let clock = Clock::manual(START);
    let token = auth(&[KEY], &clock).sign(&host(), 60_000).unwrap();
    assert!(auth(&[OTHER, KEY], &clock).verify(&token, None).await.is_ok());
    assert_eq!(auth(&[OTHER], &clock).verify(&token, None).await.unwrap_err(), Refusal::TokenInvalid);
}

#[tokio::test]
async fn unsigned_or_altered_token_is_refused_without_a_reason() {
    let clock = Clock::manual(START);
    let auth = auth(&[KEY], &clock);
    let token = auth.sign(&host(), 60_000).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    // {"alg":"none","typ":"JWT"} · {"alg":"HS512","typ":"JWT"}
    for header in ["eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9"] {
        for signature in ["", parts[2]] {
            let forged = format!("{header}.{}.{signature}", parts[1]);
            assert_eq!(auth.verify(&forged, None).await.unwrap_err(), Refusal::TokenInvalid, "{forged}");
        }
    }
    for broken in ["", "x", "a.b.c", &token[..token.len() - 2], &format!("{token}A")] {
        assert_eq!(auth.verify(broken, None).await.unwrap_err(), Refusal::TokenInvalid, "{broken}");
    }
    // An expired token with another signature does not learn that it has expired.
    let expired = self::auth(&[OTHER], &clock).sign(&host(), -DAY).unwrap();
    assert_eq!(auth.verify(&expired, None).await.unwrap_err(), Refusal::TokenInvalid);
    let expired = auth.sign(&host(), -DAY).unwrap();
    assert_eq!(auth.verify(&expired, None).await.unwrap_err(), Refusal::TokenExpired);
}

#[tokio::test]
async fn unknown_critical_extension_is_refused() {
    let auth = auth(&[KEY], &Clock::manual(START));
    let key = EncodingKey::from_secret(KEY.as_bytes());
    for (crit, part) in [
        (None, "viewer"),
        (Some(vec!["exp".to_owned()]), "`crit`"),
        (Some(vec!["b64".to_owned()]), "`crit`"),
        (Some(vec![]), "`crit`"),
    ] {
        let header = Header { crit: crit.clone(), ..Header::new(Algorithm::HS256) };
        let answer = answer(&auth, &token(&key, &header, "viewer")).await;
        assert!(answer.contains(part), "{crit:?}: {answer}");
    }
}

#[test]
fn short_or_missing_keys_are_refused() {
    assert!(TokenAuth::new(&[], Clock::system()).is_err());
    assert!(TokenAuth::new(&["x".repeat(31)], Clock::system()).is_err());
    assert!(TokenAuth::new(&[KEY.to_owned(), "short".to_owned()], Clock::system()).is_err());
}

#[tokio::test]
async fn key_gives_no_role_above_its_own() {
    let clock = Clock::manual(START);
    let keys = [KEY.to_owned(), OTHER.to_owned()];
    for (roles, part) in [
        (&[Role::Viewer][..], "every role (admin)"),
        (&[Role::Host, Role::Viewer], "every role (admin)"),
        (&[Role::Admin, Role::Host, Role::Host], "there are 3 for 2"),
    ] {
        let why = TokenAuth::with_max_roles(&keys, roles, clock.clone()).err().unwrap();
        assert!(why.contains(part), "{roles:?}: {why}");
    }
    let (header, other) = (Header::new(Algorithm::HS256), EncodingKey::from_secret(OTHER.as_bytes()));
    for (max, role, good) in [
        (Role::Viewer, "viewer", true),
        (Role::Viewer, "moderator", false),
        (Role::Viewer, "analyst", false),
        (Role::Moderator, "analyst", false),
        (Role::Producer, "analyst", true),
        (Role::Producer, "moderator", true),
        (Role::Producer, "host", false),
        (Role::Host, "admin", false),
        (Role::Admin, "admin", true),
    ] {
        let auth = TokenAuth::with_max_roles(&keys, &[Role::Admin, max], clock.clone()).unwrap();
        let answer = answer(&auth, &token(&other, &header, role)).await;
        assert_eq!(answer == role, good, "{role} of a key for {max:?}: {answer}");
        assert!(good || answer.contains("may not give this role"), "{answer}");
        // Our own tokens are signed with the key that may give every role.
        assert!(auth.verify(&auth.sign(&host(), 60_000).unwrap(), None).await.is_ok());
    }
}

#[tokio::test]
async fn own_token_fits_the_rules_of_its_server() {
    let rules = TokenRules {
        audiences: vec!["live".to_owned()],
        issuers: vec!["https://live.example".to_owned()],
        max_ttl_ms: 3_600_000,
    };
    let clock = Clock::manual(START);
    let auth = auth(&[KEY], &clock).with_rules(rules);
    let actor = auth.verify(&auth.sign(&host(), 30 * DAY).unwrap(), None).await.unwrap();
    assert_eq!(actor.expires_at, Some(START + 3_660_000));
    let key = EncodingKey::from_secret(KEY.as_bytes());
    let answer = answer(&auth, &token(&key, &Header::new(Algorithm::HS256), "viewer")).await;
    assert!(answer.contains("`aud`"), "{answer}");
}

// Key pairs that were made for these tests, as PKCS#8 (RFC 5958); nothing else trusts them.
const ED25519: &[u8] = include_bytes!("../../../tests/corpus/keys/ed25519.pk8");
const P256: &[u8] = include_bytes!("../../../tests/corpus/keys/p256.pk8");

fn signed_by(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::EdDSA => EncodingKey::from_ed_der(ED25519),
        _ => EncodingKey::from_ec_der(P256),
    }
}

fn key_set(ids: &[(&str, Algorithm)]) -> Value {
    let keys = ids.iter().map(|(id, algorithm)| {
        let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&signed_by(*algorithm), *algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(id);
        jwk
    });
    json!({"keys": keys.collect::<Vec<_>>()})
}

fn header(algorithm: Algorithm, id: Option<&str>) -> Header {
    Header { kid: id.map(str::to_owned), ..Header::new(algorithm) }
}

#[tokio::test]
async fn token_of_a_published_key_is_valid_and_its_algorithm_is_bound_to_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let published = key_set(&[("ed", Algorithm::EdDSA), ("ec", Algorithm::ES256)]);
    std::fs::write(&file, published.to_string()).unwrap();
    let source = JwksLocation::parse(file.to_str().unwrap()).unwrap();
    let auth = auth(&[KEY], &Clock::manual(START)).with_jwks(vec![source], &[Role::Moderator]).unwrap();
    auth.load_jwks().await.unwrap();
    let invalid = "The token is not valid.";
    for (algorithm, id, role, part) in [
        (Algorithm::EdDSA, Some("ed"), "viewer", "viewer"),
        (Algorithm::ES256, Some("ec"), "moderator", "moderator"),
        (Algorithm::EdDSA, None, "viewer", "viewer"),
        (Algorithm::EdDSA, Some("ed"), "host", "may not give this role"),
        (Algorithm::EdDSA, Some("ec"), "viewer", invalid),
        (Algorithm::ES256, Some("unknown"), "viewer", invalid),
    ] {
        let answer = answer(&auth, &token(&signed_by(algorithm), &header(algorithm, id), role)).await;
        assert!(answer.contains(part), "{algorithm:?} {id:?} {role}: {answer}");
    }
    // Everybody knows the public key: a token that is signed with it as a secret must not be valid.
    for jwk in published["keys"].as_array().unwrap() {
        for secret in [jwk["x"].as_str().unwrap().to_owned(), jwk.to_string(), published.to_string()] {
            let forged = token(
                &EncodingKey::from_secret(secret.as_bytes()),
                &header(Algorithm::HS256, jwk["kid"].as_str()),
                "viewer",
            );
            assert_eq!(answer(&auth, &forged).await, invalid);
        }
    }
}

#[tokio::test]
async fn unreadable_key_set_stops_the_start_and_later_keeps_the_last_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let source = || vec![JwksLocation::parse(file.to_str().unwrap()).unwrap()];
    let clock = Clock::manual(START);
    let missing = auth(&[KEY], &clock).with_jwks(source(), &[]).unwrap();
    assert!(missing.load_jwks().await.is_err_and(|why| why.contains("--jwks")));
    std::fs::write(&file, key_set(&[("ed", Algorithm::EdDSA)]).to_string()).unwrap();
    let auth = auth(&[KEY], &clock).with_jwks(source(), &[]).unwrap();
    auth.load_jwks().await.unwrap();
    let good = token(&signed_by(Algorithm::EdDSA), &header(Algorithm::EdDSA, Some("ed")), "host");
    for broken in ["", "{}", r#"{"keys":[]}"#, &"x".repeat(300_000)] {
        std::fs::write(&file, broken).unwrap();
        assert!(auth.jwks()[0].load().await.is_err());
        assert_eq!(answer(&auth, &good).await, "host");
    }
    assert_eq!(auth.jwks()[0].failures(), 4);
    // A key that was withdrawn is forgotten.
    std::fs::write(&file, key_set(&[("ec", Algorithm::ES256)]).to_string()).unwrap();
    auth.jwks()[0].load().await.unwrap();
    assert_eq!(answer(&auth, &good).await, "The token is not valid.");
}

#[tokio::test(start_paused = true)]
async fn unknown_key_causes_one_fetch_in_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, key_set(&[("old", Algorithm::EdDSA)]).to_string()).unwrap();
    let source = JwksLocation::parse(file.to_str().unwrap()).unwrap();
    let auth = auth(&[KEY], &Clock::manual(START)).with_jwks(vec![source], &[]).unwrap();
    auth.load_jwks().await.unwrap();
    std::fs::write(&file, key_set(&[("new", Algorithm::ES256)]).to_string()).unwrap();
    let new = token(&signed_by(Algorithm::ES256), &header(Algorithm::ES256, Some("new")), "viewer");
    assert_eq!(answer(&auth, &new).await, "The token is not valid.", "the keys were read a moment ago");
    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    assert_eq!(answer(&auth, &new).await, "viewer");
    std::fs::remove_file(&file).unwrap();
    let unknown = token(&signed_by(Algorithm::ES256), &header(Algorithm::ES256, Some("x")), "viewer");
    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    for _ in 0..20 {
        assert_eq!(answer(&auth, &unknown).await, "The token is not valid.");
    }
    assert_eq!(auth.jwks()[0].failures(), 1, "one fetch for twenty tokens");
    assert_eq!(answer(&auth, &new).await, "viewer", "the last known keys stay in use");
}

#[test]
fn location_is_a_path_or_a_url_without_credentials() {
    for (given, good) in [
        ("jwks.json", true),
        ("/etc/livesouk/jwks.json", true),
        ("https://id.example/keys", true),
        ("http://10.0.0.1:9000/keys?v=1", true),
        ("https://[::1]/keys", true),
        ("https://user:pass@id.example/keys", false),
        ("https://", false),
        ("https:///keys", false),
        ("https://a b/keys", false),
    ] {
        assert_eq!(JwksLocation::parse(given).is_ok(), good, "{given}");
    }
}

//! The cryptography of tokens: HS256, ES256 and EdDSA (Ed25519), for the crate `jsonwebtoken`.
//!
//! `jsonwebtoken` brings its own, but only with RSA, P-384 and two more libraries of hash functions: fourteen seconds of
//! each cold build for algorithms that are refused. `ring` is in the binary already, for TLS.
//!
//! A program calls [`install`] first in `main`. Tests do not need to: they are built with the other implementation, and the
//! tests here compare the two.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm};

/// Signs with HS256; verifies HS256, ES256 and EdDSA. Everything else is an error of the kind `InvalidAlgorithm`.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    // Only for keys that are published; we publish none.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes this the cryptography of every token in the process. A second call changes nothing.
pub fn install() {
    let _ = PROVIDER.install_default();
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => Ok(Box::new(Hmac::new(key.as_bytes()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let public = |algorithm, verification: &'static dyn VerificationAlgorithm| {
        let key = UnparsedPublicKey::new(verification, key.try_get_as_bytes()?.to_vec());
        Ok(Box::new(PublicKey { algorithm, key }) as Box<dyn JwtVerifier>)
    };
    // The family is that of the key: a public key is never taken for a secret.
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => Ok(Box::new(Hmac::new(key.try_get_as_bytes()?))),
        (Algorithm::ES256, AlgorithmFamily::Ec) => public(Algorithm::ES256, &ECDSA_P256_SHA256_FIXED),
        (Algorithm::EdDSA, AlgorithmFamily::Ed) => public(Algorithm::EdDSA, &ED25519),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

/// HMAC with SHA-256. The comparison takes the same time for every signature.
struct Hmac(ring::hmac::Key);

impl Hmac {
    fn new(secret: &[u8]) -> Self {
        Self(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret))
    }
}

impl Signer<Vec<u8>> for Hmac {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(ring::hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Hmac {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hmac {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        ring::hmac::verify(&self.0, message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Hmac {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

struct PublicKey {
    algorithm: Algorithm,
    key: UnparsedPublicKey<Vec<u8>>,
}

impl Verifier<Vec<u8>> for PublicKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.key.verify(message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for PublicKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test reports a failure by a panic")]
mod tests {
    use jsonwebtoken::crypto::rust_crypto;
    use jsonwebtoken::jwk::Jwk;
    use jsonwebtoken::{Header, encode};
    use serde_json::json;

    use super::*;

    const ED25519_KEY: &[u8] = include_bytes!("../../../tests/corpus/keys/ed25519.pk8");
    const P256_KEY: &[u8] = include_bytes!("../../../tests/corpus/keys/p256.pk8");

    /// A token of the other implementation: what is signed, and the signature.
    fn signed(algorithm: Algorithm, key: &EncodingKey) -> (Vec<u8>, Vec<u8>) {
        let token = encode(&Header::new(algorithm), &json!({"sub": "Ann"}), key).unwrap();
        let message = token.rsplit_once('.').unwrap().0.as_bytes().to_vec();
        let signature = (rust_crypto::DEFAULT_PROVIDER.signer_factory)(&algorithm, key).unwrap().sign(&message);
        (message, signature)
    }

    fn public(key: &EncodingKey, algorithm: Algorithm) -> DecodingKey {
        DecodingKey::from_jwk(&Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap()
    }

    #[test]
    fn signatures_of_the_other_implementation_are_good_here_and_changed_ones_are_not() {
        let (ed, ec) = (EncodingKey::from_ed_der(ED25519_KEY), EncodingKey::from_ec_der(P256_KEY));
        let secret = b"a secret of this test, and of no server";
        for (algorithm, private, public) in [
            (Algorithm::HS256, EncodingKey::from_secret(secret), DecodingKey::from_secret(secret)),
            (Algorithm::EdDSA, ed.clone(), public(&ed, Algorithm::EdDSA)),
            (Algorithm::ES256, ec.clone(), public(&ec, Algorithm::ES256)),
        ] {
            let (message, signature) = signed(algorithm, &private);
            let verifier = verifier(&algorithm, &public).unwrap();
            assert!(verifier.verify(&message, &signature).is_ok(), "{algorithm:?}");
            assert!(verifier.verify(b"another message", &signature).is_err(), "{algorithm:?}");
            for at in [0, signature.len() / 2, signature.len() - 1] {
                let mut changed = signature.clone();
                changed[at] ^= 1;
                assert!(verifier.verify(&message, &changed).is_err(), "{algorithm:?}, byte {at}");
            }
            assert!(verifier.verify(&message, &signature[1..].to_vec()).is_err(), "{algorithm:?}, too short");
            assert!(verifier.verify(&message, &Vec::new()).is_err(), "{algorithm:?}, empty");
        }
    }

    #[test]
    fn hs256_signs_as_the_other_implementation() {
        let key = EncodingKey::from_secret(b"a secret of this test, and of no server");
        let (message, signature) = signed(Algorithm::HS256, &key);
        assert_eq!(signer(&Algorithm::HS256, &key).unwrap().sign(&message), signature);
    }

    #[test]
    fn key_of_another_kind_or_algorithm_is_refused() {
        let ed = EncodingKey::from_ed_der(ED25519_KEY);
        let published = public(&ed, Algorithm::EdDSA);
        let secret = DecodingKey::from_secret(published.try_get_as_bytes().unwrap());
        for (algorithm, key) in [
            (Algorithm::HS256, &published),
            (Algorithm::ES256, &published),
            (Algorithm::EdDSA, &secret),
            (Algorithm::HS512, &secret),
            (Algorithm::RS256, &secret),
        ] {
            assert!(verifier(&algorithm, key).is_err(), "{algorithm:?}");
        }
        assert!(signer(&Algorithm::EdDSA, &ed).is_err(), "only HS256 is signed");
        assert!(signer(&Algorithm::HS512, &EncodingKey::from_secret(b"secret")).is_err());
    }
}

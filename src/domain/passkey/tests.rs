use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::*;

const ORIGIN: &str = "https://live.shop.example";
const CHALLENGE: [u8; 32] = [7; 32];
const VERIFIED: u8 = FLAG_USER_PRESENT | FLAG_USER_VERIFIED;

/// An authenticator with one key.
enum Authenticator {
    Es256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Authenticator {
    fn es256() -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        Self::Es256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random).unwrap())
    }

    fn ed25519() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    fn cose(&self) -> Vec<u8> {
        match self {
            Self::Es256(key) => {
                let point = key.public_key().as_ref();
                [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], &point[1..33], &[0x22, 0x58, 32], &point[33..]]
                    .concat()
            }
            Self::Ed25519(key) => [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32], key.public_key().as_ref()].concat(),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

fn site() -> PasskeySite {
    PasskeySite::of_origin(ORIGIN).unwrap()
}

fn client_data(kind: &str, origin: &str) -> Vec<u8> {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(CHALLENGE);
    serde_json::json!({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false})
        .to_string()
        .into_bytes()
}

fn data(site: &PasskeySite, flags: u8, count: u32) -> Vec<u8> {
    [&site.hash()[..], &[flags], &count.to_be_bytes()].concat()
}

fn made(authenticator: &Authenticator) -> NewPasskey {
    let attested = [&[0; 16][..], &[0, 4], b"cred", &authenticator.cose()].concat();
    let authenticator_data = [data(&site(), VERIFIED | FLAG_ATTESTED, 1), attested].concat();
    NewPasskey { client_data: client_data("webauthn.create", ORIGIN), authenticator_data }
}

fn stored(authenticator: &Authenticator) -> Passkey {
    let Credential { id, public_key, sign_count } = made(authenticator).verify(&site()).unwrap();
    Passkey {
        id: PasskeyId::new(),
        account: AccountId::new(),
        credential: id,
        public_key,
        rp_id: site().rp_id,
        sign_count,
        name: "Phone".to_owned(),
        created_at: 0,
        last_used_at: None,
    }
}

fn used(authenticator: &Authenticator, client_data: Vec<u8>, authenticator_data: Vec<u8>) -> PasskeyAssertion {
    let message = [&authenticator_data[..], &Sha256::digest(&client_data)].concat();
    let signature = authenticator.sign(&message);
    PasskeyAssertion { credential: b"cred".to_vec(), client_data, authenticator_data, signature }
}

#[test]
fn passkey_that_was_made_is_accepted_when_it_is_used() {
    for authenticator in [Authenticator::es256(), Authenticator::ed25519()] {
        let passkey = stored(&authenticator);
        assert_eq!((passkey.credential.as_slice(), passkey.sign_count), (&b"cred"[..], 1));
        let assertion = used(&authenticator, client_data("webauthn.get", ORIGIN), data(&site(), VERIFIED, 2));
        assert_eq!(assertion.verify(&passkey, &site()), Ok(2));
        assert_eq!(answered_challenge(&assertion.client_data), Ok(CHALLENGE.to_vec()));
    }
}

#[test]
fn answer_that_is_wrong_in_one_point_is_refused() {
    let authenticator = Authenticator::es256();
    let passkey = stored(&authenticator);
    let get = || client_data("webauthn.get", ORIGIN);
    let other = PasskeySite::of_origin("https://evil.example").unwrap();
    let cross = String::from_utf8(get()).unwrap().replace("false", "true").into_bytes();
    for (what, client, authenticator_data) in [
        ("another question", client_data("webauthn.create", ORIGIN), data(&site(), VERIFIED, 2)),
        ("another page", client_data("webauthn.get", "https://evil.example"), data(&site(), VERIFIED, 2)),
        ("another port", client_data("webauthn.get", "https://live.shop.example:444"), data(&site(), VERIFIED, 2)),
        ("a frame of another site", cross, data(&site(), VERIFIED, 2)),
        ("another site", get(), data(&other, VERIFIED, 2)),
        ("nobody there", get(), data(&site(), FLAG_USER_VERIFIED, 2)),
        ("not verified", get(), data(&site(), FLAG_USER_PRESENT, 2)),
        ("a counter that stands still", get(), data(&site(), VERIFIED, 1)),
        ("a counter that went away", get(), data(&site(), VERIFIED, 0)),
        ("too short", get(), data(&site(), VERIFIED, 2)[..36].to_vec()),
    ] {
        assert!(used(&authenticator, client, authenticator_data).verify(&passkey, &site()).is_err(), "{what}");
    }
    let good = || used(&authenticator, get(), data(&site(), VERIFIED, 2));
    let mut changed = good();
    changed.signature[8] ^= 1;
    assert!(changed.verify(&passkey, &site()).is_err(), "a changed signature");
    let of_another = used(&Authenticator::es256(), get(), data(&site(), VERIFIED, 2));
    assert!(of_another.verify(&passkey, &site()).is_err(), "another key");
    let elsewhere = Passkey { rp_id: "other.example".to_owned(), ..passkey.clone() };
    assert!(good().verify(&elsewhere, &site()).is_err(), "a passkey of another site");
    assert_eq!(good().verify(&passkey, &site()), Ok(2));
}

#[test]
fn damaged_registration_is_refused_and_never_panics() {
    let good = made(&Authenticator::es256());
    for length in 0..good.authenticator_data.len() {
        let cut = NewPasskey { authenticator_data: good.authenticator_data[..length].to_vec(), ..good.clone() };
        assert!(cut.verify(&site()).is_err(), "{length} bytes");
    }
    for at in 37..good.authenticator_data.len() {
        for byte in [0, 0x1f, 0x5f, 0x7f, 0xff] {
            let mut changed = good.clone();
            changed.authenticator_data[at] = byte;
            let _ = changed.verify(&site());
        }
    }
    let mut longer = good.clone();
    longer.authenticator_data.push(0);
    assert!(longer.verify(&site()).is_err(), "something behind the key");
    let mut unattested = good;
    unattested.authenticator_data[32] = VERIFIED;
    assert!(unattested.verify(&site()).is_err());
}

#[test]
fn passkeys_need_a_host_name_and_https_except_on_this_machine() {
    for (origin, rp_id) in [
        ("https://live.shop.example", Some("live.shop.example")),
        ("https://live.shop.example:8443", Some("live.shop.example")),
        ("http://localhost:8080", Some("localhost")),
        ("http://shop.localhost", Some("shop.localhost")),
        ("http://live.shop.example", None),
        ("https://192.0.2.1", None),
        ("https://192.0.2.1:8443", None),
        ("http://127.0.0.1:8080", None),
        ("https://[2001:db8::1]:8443", None),
    ] {
        assert_eq!(PasskeySite::of_origin(origin).map(|site| site.rp_id).as_deref(), rp_id, "{origin}");
    }
}

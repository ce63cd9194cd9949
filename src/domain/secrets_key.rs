//! The key with which secrets of the shop are encrypted in the database, like the password of its mail server.
//!
//! It comes from the operator and is never stored in the database, so a copy of the database gives no secret away. The name of a secret
//! is part of what is authenticated: a value that was moved to another place in the database is not opened there.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};

/// The first part of a sealed secret: which format it has.
const FORMAT: &str = "1";

/// A key of 32 bytes.
#[derive(Clone)]
pub struct SecretsKey {
    key: [u8; 32],
}

/// Not derived: a key must not get into a log.
impl std::fmt::Debug for SecretsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretsKey({})", self.id())
    }
}

/// Why a secret cannot be read.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealFault {
    #[error("it was encrypted with another key")]
    OtherKey,
    #[error("it is damaged")]
    Damaged,
}

/// Whether this text has the form of a sealed secret. A key in hexadecimal digits, which was stored as it is, has no dots.
pub fn is_sealed(text: &str) -> bool {
    text.split('.').count() == 3 && text.starts_with(FORMAT)
}

impl SecretsKey {
    /// Reads 32 bytes in base64, as `head -c 32 /dev/urandom | base64` prints them. The message of an error never has the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = BASE64_STANDARD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        let key = bytes.ok_or("it must be 32 bytes in base64: head -c 32 /dev/urandom | base64")?;
        Ok(Self { key })
    }

    /// Names the key without giving it away: the first bytes of its hash.
    fn id(&self) -> String {
        let hash = Sha256::new_with_prefix(b"livesouk secrets key ").chain_update(self.key).finalize();
        hex::encode(&hash[..4])
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        Some(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &self.key).ok()?))
    }

    /// Encrypts the secret `name`. `nonce` must be random. `None` only for a secret of gigabytes.
    pub fn seal(&self, name: &str, secret: &str, nonce: [u8; NONCE_LEN]) -> Option<String> {
        let mut text = secret.as_bytes().to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.cipher()?.seal_in_place_append_tag(unique, Aad::from(name), &mut text).ok()?;
        Some(format!("{FORMAT}.{}.{}{}", self.id(), hex::encode(nonce), hex::encode(text)))
    }

    /// The secret `name` that was sealed with this key.
    pub fn open(&self, name: &str, sealed: &str) -> Result<String, SealFault> {
        let mut parts = sealed.split('.');
        let (Some(FORMAT), Some(id), Some(bytes), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SealFault::Damaged);
        };
        if id != self.id() {
            return Err(SealFault::OtherKey);
        }
        let mut bytes = hex::decode(bytes).map_err(|_| SealFault::Damaged)?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(SealFault::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealFault::Damaged)?;
        let cipher = self.cipher().ok_or(SealFault::Damaged)?;
        let opened = cipher.open_in_place(nonce, Aad::from(name), text).map_err(|_| SealFault::Damaged)?;
        String::from_utf8(opened.to_vec()).map_err(|_| SealFault::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SecretsKey {
        SecretsKey::parse(&BASE64_STANDARD.encode([byte; 32])).unwrap()
    }

    #[test]
    fn secret_is_opened_only_with_its_key_under_its_name() {
        let sealed = key(1).seal("mail", "p/w@1", [9; NONCE_LEN]).unwrap();
        assert!(!sealed.contains("p/w"));
        assert_eq!(key(1).open("mail", &sealed).as_deref(), Ok("p/w@1"));
        assert_eq!(key(2).open("mail", &sealed), Err(SealFault::OtherKey));
        assert_eq!(key(1).open("other", &sealed), Err(SealFault::Damaged));
        let mut changed = sealed.clone();
        let last = if changed.pop() == Some('0') { '1' } else { '0' };
        changed.push(last);
        for damaged in [changed.as_str(), "", "1", "1.ab", &sealed[..20], "2.00000000.00"] {
            assert!(key(1).open("mail", damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn key_is_32_bytes_in_base64_and_is_not_printed() {
        for bad in ["", "abc", &BASE64_STANDARD.encode([1; 31]), &BASE64_STANDARD.encode([1; 33])] {
            let why = SecretsKey::parse(bad).unwrap_err();
            assert!(why.contains("32 bytes") && (bad.is_empty() || !why.contains(bad)), "{why}");
        }
        let text = BASE64_STANDARD.encode([1; 32]);
        assert!(!format!("{:?}", SecretsKey::parse(&format!("{text}\n")).unwrap()).contains(&text[..8]));
    }
}

//! Passkeys: what a browser and an authenticator say when one is made and when one is used, and whether it is true.
//!
//! This follows WebAuthn level 3, sections 7.1 and 7.2, without attestation: which make of authenticator people use is not our business.
//! The known libraries bring OpenSSL as a second TLS stack, so the few steps stand here and the signatures are verified by ring.

mod client_data;
mod public_key;

use sha2::{Digest, Sha256};

use super::{AccountId, Millis, PasskeyId, Refusal, text};
use client_data::ClientData;
use public_key::PublicKey;

/// A challenge is answered within this time: people look for their phone.
pub const PASSKEY_CHALLENGE_TTL_MS: Millis = 300_000;
/// Random bytes of a challenge.
pub const CHALLENGE_BYTES: usize = 32;
pub const PASSKEYS_OF_ACCOUNT_MAX: i64 = 10;
/// The algorithms that are offered to authenticators, the preferred one first: ES256, EdDSA and RS256, by their COSE numbers.
pub const PASSKEY_ALGORITHMS: [i64; 3] = [-7, -8, -257];
/// What an authenticator and a browser send at most, in bytes.
pub const PASSKEY_PART_BYTES_MAX: usize = 4_096;

const FLAG_USER_PRESENT: u8 = 1;
const FLAG_USER_VERIFIED: u8 = 1 << 2;
const FLAG_ATTESTED: u8 = 1 << 6;
const FLAG_EXTENSIONS: u8 = 1 << 7;
/// The hash of the site, the flags and the counter.
const FIXED_BYTES: usize = 37;
const CREDENTIAL_ID_BYTES_MAX: usize = 1_023;

/// In characters.
pub const PASSKEY_NAME_MAX: usize = 60;

/// What the owner of a passkey calls it.
pub fn parse_passkey_name(name: &str) -> Result<String, Refusal> {
    let line = text::single_line(name, PASSKEY_NAME_MAX);
    line.ok_or_else(|| Refusal::bad_field("name", "must have 1 to 60 characters."))
}

/// The SHA-256 hash of a challenge. Only the hash is stored.
pub type ChallengeHash = [u8; 32];

pub fn hash_challenge(challenge: &[u8]) -> ChallengeHash {
    Sha256::digest(challenge).into()
}

/// What a challenge allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasskeyPurpose {
    /// A new passkey for this account.
    Register(AccountId),
    /// A sign-in, or the proof of a session.
    Prove,
}

/// The site for which passkeys are made: browsers use one only there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasskeySite {
    /// Like `https://live.shop.example`.
    pub origin: String,
    /// The host of the origin.
    pub rp_id: String,
}

impl PasskeySite {
    /// `None`: browsers make no passkeys there. They need a host name, and HTTPS except on the own machine.
    pub fn of_origin(origin: &str) -> Option<Self> {
        let (scheme, rest) = origin.split_once("://")?;
        let host = rest.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let host = host.map_or(rest, |(host, _)| host);
        let is_name = !host.starts_with('[') && host.parse::<std::net::Ipv4Addr>().is_err() && !host.is_empty();
        let is_secure = scheme == "https" || host == "localhost" || host.ends_with(".localhost");
        (is_name && is_secure).then(|| Self { origin: origin.to_owned(), rp_id: host.to_owned() })
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.rp_id.as_bytes()).into()
    }
}

/// A passkey, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passkey {
    pub id: PasskeyId,
    pub account: AccountId,
    /// The id that the authenticator gave it.
    pub credential: Vec<u8>,
    /// The public key in COSE.
    pub public_key: Vec<u8>,
    /// The site for which it was made.
    pub rp_id: String,
    /// What the authenticator counted at its last use; 0 where it does not count.
    pub sign_count: u32,
    /// What its owner calls it.
    pub name: String,
    pub created_at: Millis,
    pub last_used_at: Option<Millis>,
}

/// What a browser sends when a passkey was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPasskey {
    pub client_data: Vec<u8>,
    pub authenticator_data: Vec<u8>,
}

/// What a browser sends when a passkey was used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasskeyAssertion {
    /// The id of the passkey that was used.
    pub credential: Vec<u8>,
    pub client_data: Vec<u8>,
    pub authenticator_data: Vec<u8>,
    pub signature: Vec<u8>,
}

/// A credential that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    pub id: Vec<u8>,
    pub public_key: Vec<u8>,
    pub sign_count: u32,
}

/// The challenge that a browser answered, to look it up.
pub fn answered_challenge(client_data: &[u8]) -> Result<Vec<u8>, Refusal> {
    ClientData::parse(client_data)?.challenge()
}

impl NewPasskey {
    /// The credential that was made for this site.
    pub fn verify(&self, site: &PasskeySite) -> Result<Credential, Refusal> {
        ClientData::parse(&self.client_data)?.check("webauthn.create", &site.origin)?;
        let (data, rest) = AuthenticatorData::parse(&self.authenticator_data, site)?;
        if data.flags & FLAG_ATTESTED == 0 {
            return Err(Refusal::PasskeyInvalid("It has no credential."));
        }
        // The model of the authenticator, the length of the id, and the id.
        let (_model, rest) = rest.split_at_checked(16).ok_or(TOO_SHORT)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(TOO_SHORT)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 || length > CREDENTIAL_ID_BYTES_MAX {
            return Err(Refusal::PasskeyInvalid("The id of the credential is too long."));
        }
        let (id, rest) = rest.split_at_checked(length).ok_or(TOO_SHORT)?;
        let (_, rest_of_key) = PublicKey::parse(rest)?;
        let public_key = &rest[..rest.len() - rest_of_key.len()];
        if !rest_of_key.is_empty() && data.flags & FLAG_EXTENSIONS == 0 {
            return Err(Refusal::PasskeyInvalid("Something stands behind the key."));
        }
        Ok(Credential { id: id.to_vec(), public_key: public_key.to_vec(), sign_count: data.sign_count })
    }
}

impl PasskeyAssertion {
    /// Checks that the owner of `passkey` used it for this site. Gives the counter of the authenticator.
    pub fn verify(&self, passkey: &Passkey, site: &PasskeySite) -> Result<u32, Refusal> {
        if passkey.credential != self.credential || passkey.rp_id != site.rp_id {
            return Err(Refusal::PasskeyInvalid("It is another passkey, or one of another site."));
        }
        ClientData::parse(&self.client_data)?.check("webauthn.get", &site.origin)?;
        let (data, _) = AuthenticatorData::parse(&self.authenticator_data, site)?;
        let (key, _) = PublicKey::parse(&passkey.public_key)?;
        let client_data_hash = Sha256::digest(&self.client_data);
        key.verify(&[&self.authenticator_data[..], &client_data_hash].concat(), &self.signature)?;
        // A counter that did not grow is that of a copy. Passkeys that are synced between devices do not count.
        if (data.sign_count, passkey.sign_count) != (0, 0) && data.sign_count <= passkey.sign_count {
            return Err(Refusal::PasskeyInvalid("Its counter went back: there may be a copy of it."));
        }
        Ok(data.sign_count)
    }
}

const TOO_SHORT: Refusal = Refusal::PasskeyInvalid("What the authenticator sent is too short.");

struct AuthenticatorData {
    flags: u8,
    sign_count: u32,
}

impl AuthenticatorData {
    /// Reads the part that is always there, and checks the site and that the person was there and proved it by PIN or biometrics.
    fn parse<'a>(bytes: &'a [u8], site: &PasskeySite) -> Result<(Self, &'a [u8]), Refusal> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED_BYTES>().ok_or(TOO_SHORT)?;
        let [hash @ .., flags, a, b, c, d] = fixed;
        if hash != &site.hash() {
            return Err(Refusal::PasskeyInvalid("It is for another site."));
        }
        let needed = FLAG_USER_PRESENT | FLAG_USER_VERIFIED;
        if flags & needed != needed {
            return Err(Refusal::PasskeyInvalid("The person was not verified by PIN or biometrics."));
        }
        Ok((Self { flags: *flags, sign_count: u32::from_be_bytes([*a, *b, *c, *d]) }, rest))
    }
}

#[cfg(test)]
mod tests;

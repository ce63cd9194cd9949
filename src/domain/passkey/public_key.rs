//! The public key of a passkey in COSE (RFC 9052), and the check of a signature.
//!
//! A key is a map from small numbers to numbers and byte strings, so the reader below knows no more of CBOR than that: everything else is
//! refused, nothing nests, and nothing is allocated by a length that somebody else names.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

use crate::domain::Refusal;

const CANNOT_READ: Refusal = Refusal::PasskeyInvalid("The key cannot be read.");
const UNKNOWN_KEY: Refusal = Refusal::PasskeyInvalid("The key has an algorithm that is not offered.");
const ENTRIES_MAX: u64 = 8;

/// The parameters of a key, by their COSE numbers: 1 is the type, 3 the algorithm; the negative ones depend on the type.
const KEY_TYPE: i64 = 1;
const ALGORITHM: i64 = 3;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PublicKey {
    /// A point on P-256, uncompressed.
    Es256([u8; 65]),
    Ed25519([u8; 32]),
    Rs256 {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value<'a> {
    Number(i64),
    Bytes(&'a [u8]),
}

impl PublicKey {
    /// Reads a key; gives it and what stands behind it.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Refusal> {
        let (5, entries, mut rest) = head(bytes)? else { return Err(CANNOT_READ) };
        if entries > ENTRIES_MAX {
            return Err(CANNOT_READ);
        }
        let mut map: Vec<(i64, Value<'_>)> = Vec::new();
        for _ in 0..entries {
            let (name, after) = value(rest)?;
            let (Value::Number(name), (found, after)) = (name, value(after)?) else { return Err(CANNOT_READ) };
            if map.iter().any(|(known, _)| *known == name) {
                return Err(CANNOT_READ);
            }
            map.push((name, found));
            rest = after;
        }
        let get = |name: i64| map.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let bytes_of = |name: i64| match get(name) {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            _ => Err(CANNOT_READ),
        };
        let number = |name: i64| match get(name) {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        };
        let key = match (number(KEY_TYPE), number(ALGORITHM), number(-1)) {
            // An elliptic curve with two coordinates: P-256.
            (Some(2), Some(-7), Some(1)) => {
                let (x, y) = (exactly::<32>(bytes_of(-2)?)?, exactly::<32>(bytes_of(-3)?)?);
                let mut point = [4; 65];
                point[1..33].copy_from_slice(&x);
                point[33..].copy_from_slice(&y);
                PublicKey::Es256(point)
            }
            // A curve with one coordinate: Ed25519.
            (Some(1), Some(-8), Some(6)) => PublicKey::Ed25519(exactly(bytes_of(-2)?)?),
            (Some(3), Some(-257), None) => PublicKey::Rs256 { n: bytes_of(-1)?.to_vec(), e: bytes_of(-2)?.to_vec() },
            _ => return Err(UNKNOWN_KEY),
        };
        Ok((key, rest))
    }

    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        let verified = match self {
            PublicKey::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            PublicKey::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            PublicKey::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.map_err(|_| Refusal::PasskeyInvalid("The signature does not match."))
    }
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Refusal> {
    bytes.try_into().map_err(|_| CANNOT_READ)
}

/// The type of an item, its number or length, and what follows.
fn head(bytes: &[u8]) -> Result<(u8, u64, &[u8]), Refusal> {
    let (first, rest) = bytes.split_first().ok_or(CANNOT_READ)?;
    let (kind, short) = (first >> 5, first & 0x1f);
    let (number, rest) = match short {
        0..24 => (u64::from(short), rest),
        24 => rest.split_first_chunk::<1>().map(|(n, rest)| (u64::from(n[0]), rest)).ok_or(CANNOT_READ)?,
        25 => rest
            .split_first_chunk::<2>()
            .map(|(n, rest)| (u64::from(u16::from_be_bytes(*n)), rest))
            .ok_or(CANNOT_READ)?,
        26 => rest
            .split_first_chunk::<4>()
            .map(|(n, rest)| (u64::from(u32::from_be_bytes(*n)), rest))
            .ok_or(CANNOT_READ)?,
        _ => return Err(CANNOT_READ),
    };
    Ok((kind, number, rest))
}

/// A number or a byte string, and what follows.
fn value(bytes: &[u8]) -> Result<(Value<'_>, &[u8]), Refusal> {
    let (kind, number, rest) = head(bytes)?;
    let small = || i64::try_from(number).map_err(|_| CANNOT_READ);
    match kind {
        0 => Ok((Value::Number(small()?), rest)),
        1 => Ok((Value::Number(-1 - small()?), rest)),
        2 => {
            let length = usize::try_from(number).map_err(|_| CANNOT_READ)?;
            let (found, rest) = rest.split_at_checked(length).ok_or(CANNOT_READ)?;
            Ok((Value::Bytes(found), rest))
        }
        _ => Err(CANNOT_READ),
    }
}

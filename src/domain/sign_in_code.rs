//! One-time sign-in codes: a shop's own site hands a customer who is signed in there over to our pages.
//!
//! The site exchanges the customer's token for a code and links to the page with the code. A code in a link does less harm than
//! a token: it works once, for a minute, and only for a page that the site itself linked to.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};

use super::Millis;

/// The SHA-256 hash of a code. Only the hash is stored.
pub type SignInCodeHash = [u8; 32];

/// How long a code is valid. The browser uses it at once, when it follows the link.
pub const SIGN_IN_CODE_TTL_MS: Millis = 60_000;

/// The most codes of one user that are valid at a time. One customer opens one page, or a few.
pub const OPEN_SIGN_IN_CODES_MAX: i64 = 10;

/// Bytes of a code: too many to guess.
pub const SIGN_IN_CODE_BYTES: usize = 20;

/// A code that is not used yet, as it is stored.
#[derive(Clone, PartialEq, Debug)]
pub struct SignInCode {
    /// The site that asked for the code, like `https://shop.example`.
    pub origin: String,
    /// The token behind the code; see [`seal_token`].
    pub sealed_token: Vec<u8>,
    pub expires_at: Millis,
}

/// Why a code does not sign in. Clients get one answer for all of them, so that nobody can probe for codes; the log says which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignInCodeFault {
    /// There is no such code, or it was used.
    Unknown,
    Expired,
    /// The page was not linked by the site that asked for the code.
    OtherOrigin,
}

impl SignInCode {
    /// The token behind the code, for a page that `origin` linked to.
    pub fn redeem(self, code: &str, origin: Option<&str>, now: Millis) -> Result<String, SignInCodeFault> {
        if self.expires_at <= now {
            return Err(SignInCodeFault::Expired);
        }
        if origin != Some(self.origin.as_str()) {
            return Err(SignInCodeFault::OtherOrigin);
        }
        unseal_token(code, self.sealed_token).ok_or(SignInCodeFault::Unknown)
    }
}

pub fn hash_sign_in_code(code: &str) -> SignInCodeHash {
    Sha256::digest(code.as_bytes()).into()
}

/// Encrypts a token with a key that is made of the code. The store has only the code's hash, so nobody who reads it can use a
/// token that waits there.
///
/// `None` if the token cannot be encrypted, which does not happen with a token of normal length.
pub fn seal_token(code: &str, token: &str) -> Option<Vec<u8>> {
    let mut sealed = token.as_bytes().to_vec();
    key_of(code)?.seal_in_place_append_tag(nonce(), Aad::empty(), &mut sealed).ok()?;
    Some(sealed)
}

fn unseal_token(code: &str, mut sealed: Vec<u8>) -> Option<String> {
    let token = key_of(code)?.open_in_place(nonce(), Aad::empty(), &mut sealed).ok()?;
    String::from_utf8(token.to_vec()).ok()
}

fn key_of(code: &str) -> Option<LessSafeKey> {
    // Not the hash that is stored: a prefix makes it another one.
    let key: [u8; 32] = Sha256::new_with_prefix(b"livesouk sign-in token ").chain_update(code).finalize().into();
    Some(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).ok()?))
}

/// The same for every code, because the key of a code encrypts one token and nothing else.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "https://shop.example";

    fn made(code: &str) -> SignInCode {
        SignInCode { origin: SITE.into(), sealed_token: seal_token(code, "a.b.c").unwrap(), expires_at: 61_000 }
    }

    #[test]
    fn code_gives_its_token_for_a_minute_and_only_to_a_page_that_its_site_linked_to() {
        for (code, origin, now, expected) in [
            ("right", Some(SITE), 1_000, Ok("a.b.c".to_owned())),
            ("right", Some(SITE), 60_999, Ok("a.b.c".to_owned())),
            ("right", Some(SITE), 61_000, Err(SignInCodeFault::Expired)),
            ("right", Some("https://evil.example"), 1_000, Err(SignInCodeFault::OtherOrigin)),
            ("right", Some("https://shop.example.evil.example"), 1_000, Err(SignInCodeFault::OtherOrigin)),
            ("right", None, 1_000, Err(SignInCodeFault::OtherOrigin)),
            ("wrong", Some(SITE), 1_000, Err(SignInCodeFault::Unknown)),
        ] {
            assert_eq!(made("right").redeem(code, origin, now), expected, "{code} {origin:?} {now}");
        }
    }

    #[test]
    fn what_is_stored_contains_neither_the_code_nor_the_token_nor_the_key() {
        let sealed = made("right").sealed_token;
        assert!(!sealed.windows(5).any(|part| part == b"a.b.c"));
        let by_hash = UnboundKey::new(&CHACHA20_POLY1305, &hash_sign_in_code("right")).unwrap();
        assert!(LessSafeKey::new(by_hash).open_in_place(nonce(), Aad::empty(), &mut sealed.clone()).is_err());
        let mut altered = made("right");
        altered.sealed_token[0] ^= 1;
        assert_eq!(altered.redeem("right", Some(SITE), 0), Err(SignInCodeFault::Unknown));
    }
}

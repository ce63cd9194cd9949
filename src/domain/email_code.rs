//! One-time codes by e-mail: six digits that prove that one reads the mail of an address.

use sha2::{Digest, Sha256};

use super::sign_in_session::{SecretHash, SessionSecret};
use super::{EmailCodeId, Millis, Refusal};

/// How long a code is valid.
pub const EMAIL_CODE_TTL_MS: Millis = 600_000;
/// Wrong codes that one may type.
pub const EMAIL_CODE_TRIES_MAX: i64 = 5;
/// Codes that are sent to one mailbox in an hour.
pub const EMAIL_CODES_PER_HOUR: i64 = 3;
/// The time in which these are counted.
pub const EMAIL_CODE_WINDOW_MS: Millis = 3_600_000;

/// The number of different codes.
pub const EMAIL_CODES: u32 = 1_000_000;

/// The six digits of a random number below [`EMAIL_CODES`]. They are sent to the address and stored only as a hash.
pub fn email_code_of(number: u32) -> String {
    format!("{:06}", number % EMAIL_CODES)
}

/// The hash of a code. The secret of the browser that asked is a part of it and is stored nowhere, so nobody who reads the
/// database can try the million codes.
pub fn hash_email_code(id: EmailCodeId, code: &str, browser: &SessionSecret) -> SecretHash {
    let hash = Sha256::new_with_prefix(b"livesouk e-mail code ").chain_update(id.0.as_bytes());
    hash.chain_update(browser.as_str()).chain_update(code).finalize().into()
}

/// Reads a code as people type it: with spaces, and with the digits of Arabic.
pub fn parse_email_code(text: &str) -> Option<String> {
    let digit = |c: char| match c {
        '٠'..='٩' => Some(u32::from(c) - u32::from('٠')),
        '۰'..='۹' => Some(u32::from(c) - u32::from('۰')),
        c => c.to_digit(10),
    };
    let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let code: Option<String> = kept.map(|c| digit(c).and_then(|digit| char::from_digit(digit, 10))).collect();
    code.filter(|code| code.len() == 6)
}

/// A code that was asked for, as it is stored.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredEmailCode {
    pub code_hash: SecretHash,
    pub browser_hash: SecretHash,
    pub tries: i64,
    pub expires_at: Millis,
    pub is_used: bool,
}

impl StoredEmailCode {
    /// Whether this is the right code. A browser that did not ask for it learns nothing, and costs the other no try.
    pub fn check(&self, hash: &SecretHash, browser: &SessionSecret, now: Millis) -> Result<(), Refusal> {
        let is_open = !self.is_used && now < self.expires_at && self.tries < EMAIL_CODE_TRIES_MAX;
        if !is_open || browser.hash() != self.browser_hash {
            return Err(Refusal::EmailCodeInvalid);
        }
        if *hash == self.code_hash { Ok(()) } else { Err(Refusal::EmailCodeWrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_read_as_people_type_it() {
        for (text, expected) in [
            ("123456", Some("123456")),
            (" 123 456 ", Some("123456")),
            ("123-456", Some("123456")),
            ("١٢٣٤٥٦", Some("123456")),
            ("۱۲۳۴۵۶", Some("123456")),
            ("12345", None),
            ("1234567", None),
            ("12345a", None),
            ("", None),
        ] {
            assert_eq!(parse_email_code(text).as_deref(), expected, "{text}");
        }
        for (number, code) in [(0, "000000"), (42, "000042"), (999_999, "999999")] {
            assert_eq!((email_code_of(number), parse_email_code(code)), (code.to_owned(), Some(code.to_owned())));
        }
    }

    #[test]
    fn only_the_browser_that_asked_can_use_a_code_and_only_in_time() {
        let (id, browser, other) = (EmailCodeId::new(), SessionSecret::new([1; 32]), SessionSecret::new([2; 32]));
        let code_hash = hash_email_code(id, "123456", &browser);
        let stored =
            StoredEmailCode { code_hash, browser_hash: browser.hash(), tries: 0, expires_at: 1_000, is_used: false };
        let right = |browser: &SessionSecret| hash_email_code(id, "123456", browser);
        let wrong = hash_email_code(id, "123457", &browser);
        let (bad, invalid) = (Err(Refusal::EmailCodeWrong), Err(Refusal::EmailCodeInvalid));
        assert_eq!(stored.check(&right(&browser), &browser, 999), Ok(()));
        assert_eq!(stored.check(&wrong, &browser, 999), bad);
        assert_eq!(stored.check(&right(&other), &other, 999), invalid);
        assert_eq!(stored.check(&right(&browser), &browser, 1_000), invalid);
        let used = StoredEmailCode { is_used: true, ..stored.clone() };
        assert_eq!(used.check(&right(&browser), &browser, 999), invalid);
        let tried = |tries| StoredEmailCode { tries, ..stored.clone() };
        assert_eq!(tried(4).check(&right(&browser), &browser, 999), Ok(()));
        assert_eq!(tried(5).check(&right(&browser), &browser, 999), invalid);
        assert_ne!(hash_email_code(EmailCodeId::new(), "123456", &browser), code_hash);
    }
}

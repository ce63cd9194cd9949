//! Signed messages by the rules of Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`, which is
//! `v1,<base64>`, the HMAC-SHA256 of `<id>.<timestamp>.<body>`. Several signatures are separated by spaces, while a key is changed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;

use super::webhook_signature::{WebhookSecret, is_recent};
use crate::domain::{Millis, Refusal};

/// The headers of a signed message, in this order: its id, its time, and its signatures.
pub const MESSAGE_HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];
const PREFIX: &str = "whsec_";
/// A shorter key could be guessed.
const KEY_BYTES_MIN: usize = 24;
const ID_BYTES_MAX: usize = 255;

/// A key that two programs share to sign their messages: `whsec_` and the bytes in Base64.
#[derive(Clone, Debug)]
pub struct MessageKey(WebhookSecret);

impl MessageKey {
    /// The error says what is wrong with the text, and does not repeat it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let encoded = text.strip_prefix(PREFIX).ok_or("must begin with whsec_")?;
        let bytes = STANDARD.decode(encoded).map_err(|_| "must be whsec_ and Base64")?;
        if bytes.len() < KEY_BYTES_MIN {
            return Err("must have at least 24 bytes, in Base64");
        }
        Ok(Self(WebhookSecret::new(bytes)))
    }

    /// The signature of a message, as its header has it.
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mac = self.0.mac(&[id.as_bytes(), seconds.to_string().as_bytes(), body]);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    fn has_signed(&self, id: &str, seconds: &str, signatures: &str, body: &[u8]) -> bool {
        let decoded = signatures.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
        let mac = || self.0.mac(&[id.as_bytes(), seconds.as_bytes(), body]);
        decoded.into_iter().any(|signature| mac().verify_slice(&signature).is_ok())
    }
}

/// Gives the id of a message that one of the keys has signed, at about `now`. `headers`: the values of [`MESSAGE_HEADERS`].
pub fn verify_message<'h>(
    keys: &[MessageKey],
    headers: &[&'h str],
    body: &[u8],
    now: Millis,
) -> Result<&'h str, Refusal> {
    let &[id, timestamp, signatures] = headers else { return Err(Refusal::BadSignature) };
    let seconds: i64 = timestamp.parse().map_err(|_| Refusal::BadSignature)?;
    let is_plain = (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let is_signed = keys.iter().any(|key| key.has_signed(id, timestamp, signatures, body));
    if is_plain && is_recent(seconds, now) && is_signed { Ok(id) } else { Err(Refusal::BadSignature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification of Standard Webhooks.
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn signature_is_that_of_the_specification() {
        assert_eq!(MessageKey::parse(KEY).unwrap().sign(ID, AT, BODY), SIGNATURE);
    }

    #[test]
    fn only_a_recent_signature_of_id_time_and_body_is_accepted() {
        let keys = [KEY, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"].map(|key| MessageKey::parse(key).unwrap());
        let at = AT.to_string();
        let verify = |keys: &[MessageKey], id: &str, at: &str, signatures: &str, body: &[u8], now: i64| {
            verify_message(keys, &[id, at, signatures], body, now * 1_000).is_ok()
        };
        assert!(verify(&keys, ID, &at, SIGNATURE, BODY, AT));
        assert!(verify(&keys[..1], ID, &at, &format!("v1a,xx v1,AAAA {SIGNATURE}"), BODY, AT), "several signatures");
        assert!(!verify(&keys[1..], ID, &at, SIGNATURE, BODY, AT), "another key");
        assert!(!verify(&keys, "msg_2", &at, SIGNATURE, BODY, AT), "another id");
        assert!(!verify(&keys, ID, &(AT + 1).to_string(), SIGNATURE, BODY, AT), "another time");
        assert!(!verify(&keys, ID, &at, SIGNATURE, b"{}", AT), "another body");
        assert!(!verify(&keys, ID, &at, SIGNATURE.trim_start_matches("v1,"), BODY, AT), "no version");
        for (late, passes) in [(-300, true), (300, true), (-301, false), (301, false)] {
            assert_eq!(verify(&keys, ID, &at, SIGNATURE, BODY, AT + late), passes, "{late}");
        }
        assert!(verify_message(&keys, &[ID, &at], BODY, AT * 1_000).is_err(), "a header is missing");
    }

    #[test]
    fn key_that_can_be_guessed_is_refused() {
        for bad in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_MfKQ9r8GKYqrTwjU", "whsec_not base64"] {
            assert!(MessageKey::parse(bad).is_err(), "{bad}");
        }
    }
}

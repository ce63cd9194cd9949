//! Webhook signatures: `t=<unix seconds>,v1=<hex>`, where `v1` is the HMAC-SHA256 of `<t>.<body>`.
//!
//! The signature covers the raw bytes, because JSON that was parsed and serialised again is not what was signed.
//! Signatures are compared in constant time.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::{Millis, Refusal};

/// A signature that is older than this, or this far in the future, is refused, so that a recorded webhook cannot be
/// replayed.
const TOLERANCE_S: i64 = 300;

/// The secret that a payment provider and we share for signing webhooks.
#[derive(Clone)]
pub struct WebhookSecret(Arc<[u8]>);

impl WebhookSecret {
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(bytes.as_ref().into())
    }

    /// A random secret that no one else knows: sufficient when the only provider is the built-in one.
    pub fn random() -> Self {
        Self(rand::random::<[u8; 32]>()[..].into())
    }

    pub fn sign(&self, at: Millis, body: &[u8]) -> String {
        let seconds = at / 1_000;
        let mac = self.mac(&[seconds.to_string().as_bytes(), body]);
        format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
    }

    /// Refuses a body that was not signed with this secret, or was not signed within the tolerance of `now`.
    pub fn verify(&self, header: &str, body: &[u8], now: Millis) -> Result<(), Refusal> {
        let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
        let mut times = parts().filter(|(name, _)| *name == "t");
        let (Some((_, seconds)), None) = (times.next(), times.next()) else { return Err(Refusal::BadSignature) };
        let seconds: i64 = seconds.parse().map_err(|_| Refusal::BadSignature)?;
        if !is_recent(seconds, now) {
            return Err(Refusal::BadSignature);
        }
        // There are several signatures while a secret is being rotated.
        let signed = parts().filter(|(name, _)| *name == "v1").filter_map(|(_, value)| hex::decode(value).ok());
        for signature in signed {
            if self.mac(&[seconds.to_string().as_bytes(), body]).verify_slice(&signature).is_ok() {
                return Ok(());
            }
        }
        Err(Refusal::BadSignature)
    }

    /// The code of these parts, with a full stop between them.
    pub fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        // HMAC accepts a key of any length, but the type cannot express that.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| Hmac::new(&Default::default()));
        for (n, part) in parts.iter().enumerate() {
            mac.update(if n == 0 { b"" } else { b"." });
            mac.update(part);
        }
        mac
    }
}

/// Is a signature of this time, in seconds, neither too old nor too far in the future?
pub fn is_recent(seconds: i64, now: Millis) -> bool {
    (now / 1_000).abs_diff(seconds) <= TOLERANCE_S as u64
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_760_000_000_000;

    #[test]
    fn only_a_recent_signature_of_the_exact_bytes_is_accepted() {
        let secret = WebhookSecret::new("a secret that is long enough for it");
        let good = secret.sign(NOW, b"{\"id\":1}");
        let verify = |header: &str, body: &[u8], now| secret.verify(header, body, now).is_ok();
        assert!(verify(&good, b"{\"id\":1}", NOW));
        assert!(!verify(&good, b"{\"id\": 1}", NOW), "the same JSON in different bytes");
        for (late, passes) in [(-300_000, true), (300_000, true), (-301_000, false), (301_000, false)] {
            assert_eq!(verify(&good, b"{\"id\":1}", NOW + late), passes, "{late}");
        }
        let other = WebhookSecret::new("a secret that is long enough for it!").sign(NOW, b"{\"id\":1}");
        assert!(!verify(&other, b"{\"id\":1}", NOW));
        // While a secret is being rotated, the provider signs with both.
        let v1 = |header: &str| header.split_once(',').unwrap().1.to_owned();
        assert!(verify(&format!("{other},{}", v1(&good)), b"{\"id\":1}", NOW));
        let moved = format!("t={},{}", NOW / 1_000 + 1, v1(&good));
        for bad in
            ["", "t=1", "v1=00", "t=x,v1=00", &v1(&good), &format!("{good},t=1"), &moved, &good[..good.len() - 1]]
        {
            assert!(!verify(bad, b"{\"id\":1}", NOW), "{bad}");
        }
    }
}

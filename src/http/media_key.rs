//! What media servers are shown: the key with which an encoder publishes a show, and the token with which a page watches it. Both are signed
//! with the auth keys, which all nodes share, so neither is stored.
//!
//! A publish key also says in which generation of the keys of its show it was made: the shop revokes keys by raising the generation. The first
//! generation (0) is not written, so that keys from before there were generations remain valid.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::{Millis, StreamId};

/// No token or ticket that is signed with the same key begins like this.
const PURPOSE: &[u8] = b"livesouk media key v1\0";
/// Six bytes of time, and a MAC that is cut to half of its length: 128 bits cannot be guessed.
const TIME_BYTES: usize = 6;
const GENERATION_BYTES: usize = 4;
const MAC_BYTES: usize = 16;

/// What a key allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MediaAction {
    Publish,
    View,
}

impl MediaAction {
    fn prefix(self) -> &'static str {
        match self {
            MediaAction::Publish => "publish_",
            MediaAction::View => "view_",
        }
    }
}

/// The first key signs, all verify, so that keys can be rotated.
#[derive(Clone)]
pub struct MediaKeys(Vec<Hmac<Sha256>>);

impl MediaKeys {
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let keyed = |key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()));
            mac.update(PURPOSE);
            mac
        };
        Self(keys.into_iter().map(keyed).collect())
    }

    /// A token of a viewer. `None` if there is no key to sign with.
    pub fn sign_view(&self, stream: StreamId, expires_at: Millis) -> Option<String> {
        self.sign(MediaAction::View, stream, 0, expires_at)
    }

    /// A key of an encoder, of this generation. `None` if there is no key to sign with.
    pub fn sign_publish(&self, stream: StreamId, generation: i64, expires_at: Millis) -> Option<String> {
        self.sign(MediaAction::Publish, stream, u32::try_from(generation).ok()?, expires_at)
    }

    fn sign(&self, action: MediaAction, stream: StreamId, generation: u32, expires_at: Millis) -> Option<String> {
        let mut body = expires_at.max(0).to_be_bytes()[2..].to_vec();
        if generation != 0 {
            body.extend(generation.to_be_bytes());
        }
        let mac = with_body(self.0.first()?, action, stream, &body).finalize().into_bytes();
        Some(format!("{}{}{}", action.prefix(), hex::encode(body), hex::encode(&mac[..MAC_BYTES])))
    }

    /// Verifies a key: its generation, or `None` if it is not ours or expired.
    pub fn verify(&self, text: &str, action: MediaAction, stream: StreamId, now: Millis) -> Option<i64> {
        let mut bytes = [0; TIME_BYTES + GENERATION_BYTES + MAC_BYTES];
        let digits = text.strip_prefix(action.prefix())?;
        let bytes = bytes.get_mut(..digits.len() / 2)?;
        hex::decode_to_slice(digits, bytes).ok()?;
        let (body, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        let (time, generation) = body.split_at_checked(TIME_BYTES)?;
        if !matches!(generation.len(), 0 | GENERATION_BYTES) {
            return None;
        }
        let is_ours = |key| with_body(key, action, stream, body).verify_truncated_left(mac).is_ok();
        (now < number(time) && self.0.iter().any(is_ours)).then(|| number(generation))
    }
}

fn number(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte))
}

impl fmt::Debug for MediaKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

fn with_body(key: &Hmac<Sha256>, action: MediaAction, stream: StreamId, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(action.prefix().as_bytes());
    mac.update(stream.0.as_bytes());
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(all: &[&str]) -> MediaKeys {
        MediaKeys::new(all.iter().map(|key| key.as_bytes()))
    }

    #[test]
    fn key_is_good_for_its_show_and_action_until_it_expires_on_every_node() {
        let (here, rotated, elsewhere) = (keys(&["one"]), keys(&["two", "one"]), keys(&["two"]));
        let (show, other) = (StreamId::new(), StreamId::new());
        for generation in [0, 1, 70_000] {
            let key = here.sign_publish(show, generation, 5_000).unwrap();
            for (node, action, stream, now, expected) in [
                (&here, MediaAction::Publish, show, 4_999, Some(generation)),
                (&rotated, MediaAction::Publish, show, 0, Some(generation)),
                (&here, MediaAction::Publish, show, 5_000, None),
                (&here, MediaAction::View, show, 0, None),
                (&here, MediaAction::Publish, other, 0, None),
                (&elsewhere, MediaAction::Publish, show, 0, None),
            ] {
                assert_eq!(node.verify(&key, action, stream, now), expected, "{action:?} {now}");
            }
            let later = key.replacen("publish_0", "publish_f", 1);
            for forged in [later.as_str(), "", "publish_", &key[..key.len() - 2], "publish_üü", &format!("{key}00")] {
                assert_eq!(here.verify(forged, MediaAction::Publish, show, 0), None, "{forged}");
            }
            let as_view = key.replacen("publish_", "view_", 1);
            assert_eq!(here.verify(&as_view, MediaAction::View, show, 0), None, "a key of an encoder watches nothing");
        }
    }

    #[test]
    fn generation_of_a_key_cannot_be_changed() {
        let (here, show) = (keys(&["one"]), StreamId::new());
        let old = here.sign_publish(show, 1, 5_000).unwrap();
        let newer = old.replacen("00000001", "00000002", 1);
        assert_ne!(old, newer);
        assert_eq!(here.verify(&newer, MediaAction::Publish, show, 0), None);
        let without = format!("{}{}", &old[.."publish_".len() + 2 * TIME_BYTES], &old[old.len() - 2 * MAC_BYTES..]);
        assert_eq!(here.verify(&without, MediaAction::Publish, show, 0), None);
    }
}

//! What media servers are shown: the key with which an encoder publishes a show, and the token with which a page watches it. Both are signed
//! with the auth keys, which all nodes share, so nothing is stored.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::{Millis, StreamId};

/// No token or ticket that is signed with the same key begins like this.
const PURPOSE: &[u8] = b"livesouk media key v1\0";
/// Six bytes of time, and a MAC that is cut to half of its length: 128 bits cannot be guessed.
const TIME_BYTES: usize = 6;
const MAC_BYTES: usize = 16;

/// What a key is good for.
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

    /// `None` if there is no key.
    pub fn sign(&self, action: MediaAction, stream: StreamId, expires_at: Millis) -> Option<String> {
        let time = &expires_at.max(0).to_be_bytes()[2..];
        let mac = with_body(self.0.first()?, action, stream, time).finalize().into_bytes();
        Some(format!("{}{}{}", action.prefix(), hex::encode(time), hex::encode(&mac[..MAC_BYTES])))
    }

    /// Whether this shop gave this text for this show, and it has not expired.
    pub fn verify(&self, text: &str, action: MediaAction, stream: StreamId, now: Millis) -> bool {
        let mut bytes = [0; TIME_BYTES + MAC_BYTES];
        let Some(digits) = text.strip_prefix(action.prefix()) else { return false };
        if hex::decode_to_slice(digits, &mut bytes).is_err() {
            return false;
        }
        let (time, mac) = bytes.split_at(TIME_BYTES);
        let expires_at = time.iter().fold(0, |sum: Millis, byte| sum << 8 | Millis::from(*byte));
        let is_ours = |key| with_body(key, action, stream, time).verify_truncated_left(mac).is_ok();
        now < expires_at && self.0.iter().any(is_ours)
    }
}

impl fmt::Debug for MediaKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

fn with_body(key: &Hmac<Sha256>, action: MediaAction, stream: StreamId, time: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(action.prefix().as_bytes());
    mac.update(stream.0.as_bytes());
    mac.update(time);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_good_for_its_show_and_action_until_it_expires_on_every_node() {
        let keys = |all: &[&str]| MediaKeys::new(all.iter().map(|key| key.as_bytes()));
        let (here, rotated, elsewhere) = (keys(&["one"]), keys(&["two", "one"]), keys(&["two"]));
        let (show, other) = (StreamId::new(), StreamId::new());
        let key = here.sign(MediaAction::Publish, show, 5_000).unwrap();
        for (node, action, stream, now, expected) in [
            (&here, MediaAction::Publish, show, 4_999, true),
            (&rotated, MediaAction::Publish, show, 0, true),
            (&here, MediaAction::Publish, show, 5_000, false),
            (&here, MediaAction::View, show, 0, false),
            (&here, MediaAction::Publish, other, 0, false),
            (&elsewhere, MediaAction::Publish, show, 0, false),
        ] {
            assert_eq!(node.verify(&key, action, stream, now), expected, "{action:?} {now}");
        }
        let later = key.replacen("publish_0", "publish_f", 1);
        let as_view = key.replacen("publish_", "view_", 1);
        for forged in [later.as_str(), "", "publish_", &key[..key.len() - 2], "publish_üü"] {
            assert!(!here.verify(forged, MediaAction::Publish, show, 0), "{forged}");
        }
        assert!(!here.verify(&as_view, MediaAction::View, show, 0), "a key of an encoder watches nothing");
    }
}

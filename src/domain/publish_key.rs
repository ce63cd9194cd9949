//! The keys with which encoders publish the video of a show. A key is signed with the generation in which it was made; the shop revokes keys
//! by raising the generation.

use super::Millis;

/// A use of a key is shown to the minute, and recorded at most once in this time.
pub const KEY_USE_STEP_MS: Millis = 60_000;

/// What is known of the publish keys of a show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PublishKeys {
    /// Keys of earlier generations were revoked.
    pub generation: i64,
    /// `None`: no key was made since.
    pub made_at: Option<Millis>,
    /// When an encoder last came with a key of this generation, to the minute.
    pub used_at: Option<Millis>,
}

/// What happens to the keys of a show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublishKeyChange {
    /// One more key; the others remain valid.
    Add,
    /// A new key in place of all others.
    Replace,
    /// No key is valid any more.
    Revoke,
}

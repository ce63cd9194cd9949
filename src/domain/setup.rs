//! The first start of a shop: a one-time link by which its owner signs in.

use super::{EmailAddress, Language, Millis, Name};

/// A link ends after a day.
pub const SETUP_LINK_TTL_MS: Millis = 86_400_000;

/// Who will own the shop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOwner {
    pub name: Name,
    /// `None`: the shop sends no e-mail, and the owner signs in by `livesouk owner recover`.
    pub email: Option<EmailAddress>,
    pub language: Language,
}

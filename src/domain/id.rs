//! Ids: UUIDv7 for the objects that we create, text for users, whose ids mostly come from the operator's own site.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Millis, Refusal};

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id. An id that is created later sorts later.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The lower bound of the ids that are created at `at` or later.
            pub fn first_at(at: Millis) -> Self {
                Self(Uuid::from_u128((at.max(0) as u128) << 80))
            }

            /// The time of creation in epoch milliseconds, by the clock of the node that created the id.
            pub fn created_at(self) -> Millis {
                self.0.get_timestamp().map_or(0, |time| {
                    let (seconds, nanos) = time.to_unix();
                    (seconds * 1_000) as Millis + Millis::from(nanos / 1_000_000)
                })
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

id! {
    /// The id of a seller.
    ShopId
    /// The id of a show.
    StreamId
    /// The id of a product.
    ProductId
    /// The id of a variant of a product (SKU), which has a price and a stock.
    VariantId
    /// The id of an offer: a variant at a price in a quantity, sold in one stream.
    OfferId
    /// The id of an order, which exists from the hold on.
    OrderId
    /// The id of a coupon.
    CouponId
    /// The id of an invoice or a credit note.
    BillingDocumentId
    /// The id of a chat message.
    MessageId
    /// The id of an invite link to the team of a show.
    InviteId
    /// The id of an entry in the audit log.
    AuditEntryId
    /// The id of an API key.
    ApiKeyId
    /// The id of a passkey of an account.
    PasskeyId
    /// The id of a saved card.
    SavedCardId
    /// The id of an import of the catalogue.
    ImportId
    /// The id of an e-mail.
    MailId
    /// The id of a follow.
    FollowId
    /// The id of a revocation of tokens.
    TokenRevocationId
    /// The id of an account.
    AccountId
    /// The id of a sign-in session.
    SignInSessionId
    /// The id of a one-time code by e-mail.
    EmailCodeId
    /// The id of an invite to the staff.
    StaffInviteId
}

/// A user's id: 1–64 visible ASCII characters. It comes from the token's claim `sub`, or is ours: `acct:…` for an account, `guest:…`
/// for a guest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct UserId(Arc<str>);

impl UserId {
    pub const LENGTH_MAX: usize = 64;
    /// How the ids of a demo's simulated viewers begin. No token may name such a user.
    pub const SIMULATED: &str = "crowd:";

    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(Refusal::bad_field("user", "must have 1 to 64 visible ASCII characters."))
        }
    }

    /// An id that we made ourselves, so that it is known to be valid.
    pub(super) fn from_own(text: String) -> Self {
        debug_assert!(Self::parse(&text).is_ok());
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is this a simulated viewer of a demo? Such a viewer is in no report.
    pub fn is_simulated(&self) -> bool {
        self.0.starts_with(Self::SIMULATED)
    }
}

impl std::fmt::Display for UserId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_id_has_1_to_64_visible_ascii_characters() {
        for (text, good) in [
            ("ann", true),
            ("auth0|62f", true),
            ("", false),
            ("two words", false),
            ("سارة", false),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
        ] {
            assert_eq!(UserId::parse(text).is_ok(), good, "{text:?}");
        }
    }

    #[test]
    fn lower_bound_of_a_time_separates_ids_by_creation_time() {
        let id = MessageId::new();
        assert!(MessageId::first_at(id.created_at()) < id && id < MessageId::first_at(id.created_at() + 1));
    }

    #[test]
    fn id_created_later_sorts_later() {
        let ids: Vec<_> = (0..100).map(|_| OrderId::new()).collect();
        assert!(ids.is_sorted());
    }
}

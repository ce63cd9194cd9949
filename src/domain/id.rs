//! Names for things: UUIDv7 for what we create, text for people, whom the operator's own site names.

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
            /// A new id; ids made later sort later.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// Earlier than every id made at `at` or after it.
            pub fn first_at(at: Millis) -> Self {
                Self(Uuid::from_u128((at.max(0) as u128) << 80))
            }

            /// When it was made, in epoch milliseconds, by the clock of whoever made it.
            pub fn made_at(self) -> Millis {
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
    /// A seller.
    ShopId
    /// One show.
    StreamId
    /// What is sold.
    ProductId
    /// A variant of a product (SKU), with a price and a stock pool.
    VariantId
    /// A variant at a price in a quantity, sold in one stream.
    OfferId
    /// A purchase, from the hold on.
    OrderId
    /// One line of chat.
    MessageId
    /// A link into the team of a show.
    InviteId
    /// An entry in the log of what the team did.
    AuditEntryId
}

/// A person, as the operator's own site calls them: 1–64 visible ASCII characters, from the token's `sub`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct UserId(Arc<str>);

impl UserId {
    pub const LENGTH_MAX: usize = 64;

    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(Refusal::bad_request("a user id has 1 to 64 visible ASCII characters"))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
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
    fn user_id_is_short_visible_ascii() {
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
    fn ids_are_told_apart_by_when_they_were_made() {
        let id = MessageId::new();
        assert!(MessageId::first_at(id.made_at()) < id && id < MessageId::first_at(id.made_at() + 1));
    }

    #[test]
    fn later_ids_sort_later() {
        let ids: Vec<_> = (0..100).map(|_| OrderId::new()).collect();
        assert!(ids.is_sorted());
    }
}

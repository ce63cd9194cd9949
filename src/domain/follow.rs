//! Follows: who wants an e-mail when a show starts, or when a product is up in one. An address counts only after its owner has
//! confirmed it.

use uuid::Uuid;

use super::{EmailAddress, FollowId, Language, Millis, ProductId, StreamId, Titles, UserId};

/// How long the link of a confirmation works.
pub const CONFIRMATION_TTL_MS: Millis = 48 * 3_600_000;
/// Confirmations that are sent to one mailbox in an hour.
pub const CONFIRMATIONS_PER_HOUR: i64 = 3;
/// The time in which these are counted.
pub const CONFIRMATION_WINDOW_MS: Millis = 3_600_000;
/// Follows of one mailbox.
pub const FOLLOWS_OF_MAILBOX_MAX: i64 = 100;
/// How long after the event followers are still notified. Later, for example after an outage, they are not.
pub const NEWS_TTL_MS: Millis = 30 * 60_000;

/// What somebody follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FollowTarget {
    /// Every show of the shop.
    Shop,
    /// One product, in any show.
    Product(ProductId),
}

impl FollowTarget {
    pub fn of_product(product: Option<ProductId>) -> Self {
        product.map_or(FollowTarget::Shop, FollowTarget::Product)
    }

    pub fn product(self) -> Option<ProductId> {
        match self {
            FollowTarget::Shop => None,
            FollowTarget::Product(product) => Some(product),
        }
    }

    /// How it is stored: all zeros for the shop.
    pub fn id(self) -> Uuid {
        self.product().map_or(Uuid::nil(), |product| product.0)
    }

    pub fn of_id(id: Uuid) -> Self {
        if id.is_nil() { FollowTarget::Shop } else { FollowTarget::Product(ProductId(id)) }
    }
}

/// A follow that is asked for: by an address that must be confirmed, or by an account that has proven its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewFollow {
    pub target: FollowTarget,
    pub email: EmailAddress,
    pub language: Language,
    /// Who was signed in.
    pub user: Option<UserId>,
}

/// A follow that was confirmed, with what a list shows of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Follow {
    pub id: FollowId,
    pub email: String,
    pub product: Option<FollowedProduct>,
    pub created_at: Millis,
}

#[derive(Clone, PartialEq, Debug)]
pub struct FollowedProduct {
    pub id: ProductId,
    pub title: String,
    pub titles: Titles,
}

/// A notification of the followers of a show or a product, once for each show and target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announcement {
    pub stream: StreamId,
    pub target: FollowTarget,
    pub announced_at: Millis,
}

impl Announcement {
    /// Whether it is too late to notify followers.
    pub fn is_stale(&self, now: Millis) -> bool {
        self.announced_at + NEWS_TTL_MS <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_read_as_it_was_written() {
        for target in [FollowTarget::Shop, FollowTarget::Product(ProductId::new())] {
            assert_eq!(FollowTarget::of_id(target.id()), target);
            assert_eq!(FollowTarget::of_product(target.product()), target);
        }
    }

    #[test]
    fn news_is_stale_after_half_an_hour() {
        let news = Announcement { stream: StreamId::new(), target: FollowTarget::Shop, announced_at: 1_000 };
        assert!(!news.is_stale(1_000 + NEWS_TTL_MS - 1) && news.is_stale(1_000 + NEWS_TTL_MS));
    }
}

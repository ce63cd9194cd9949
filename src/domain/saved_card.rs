//! Saved cards: what the shop knows of a card with which a buyer paid and wants to pay again. Its number stays at the payment provider.

use super::{Millis, SavedCardId};

/// Cards that one buyer can have saved.
pub const SAVED_CARDS_MAX: i64 = 10;

/// What was deleted here is deleted at the provider too. How long that is tried; then only a person can do it.
pub const REMOVAL_END_MS: Millis = 30 * 86_400_000;
/// The pause after a try that failed: it doubles from the first to the last.
const REMOVAL_PAUSE_MS: Millis = 60_000;
const REMOVAL_PAUSE_MAX_MS: Millis = 3_600_000;

/// What the provider says of a card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CardFacts {
    /// Such as `visa`.
    pub brand: String,
    pub last4: String,
    pub exp_month: i64,
    pub exp_year: i64,
}

/// A card with which its buyer can pay again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SavedCard {
    pub id: SavedCardId,
    pub facts: CardFacts,
    pub created_at: Millis,
}

/// How the provider knows a saved card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CardReference {
    /// The payment method.
    pub method: String,
    pub customer: String,
}

/// What an attempt to pay has to do with saved cards.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CardUse {
    /// The card is to be saved when it has paid.
    pub saves: bool,
    /// The buyer as the provider knows them. `None`: it is not decided yet, or the provider learns nothing of the buyer.
    pub customer: Option<String>,
}

impl CardUse {
    /// Whether the buyer will be known at the provider must be decided before the first request to the provider.
    pub fn is_undecided(&self) -> bool {
        self.saves && self.customer.is_none()
    }
}

/// The payment method of an intent, as its provider names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsedMethod {
    pub reference: String,
    /// `None`: it is no card, or nothing was authorised with it.
    pub card: Option<CardFacts>,
}

/// What is to be deleted at the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RemovalKind {
    Card,
    /// A buyer with all saved cards.
    Customer,
}

impl RemovalKind {
    pub fn name(self) -> &'static str {
        match self {
            RemovalKind::Card => "card",
            RemovalKind::Customer => "customer",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [RemovalKind::Card, RemovalKind::Customer].into_iter().find(|kind| kind.name() == text)
    }
}

/// When to try again after the n-th try failed, counted from 1.
pub fn removal_pause_ms(tries: i64) -> Millis {
    (REMOVAL_PAUSE_MS << (tries - 1).clamp(0, 10)).min(REMOVAL_PAUSE_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_doubles_up_to_an_hour() {
        for (tries, minutes) in [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (i64::MAX, 60)] {
            assert_eq!(removal_pause_ms(tries), minutes * 60_000, "{tries}");
        }
    }

    #[test]
    fn only_a_card_that_is_to_be_saved_waits_for_its_customer() {
        let of = |saves, customer: Option<&str>| CardUse { saves, customer: customer.map(str::to_owned) };
        assert!(of(true, None).is_undecided());
        assert!(!of(true, Some("cus_1")).is_undecided() && !of(false, Some("cus_1")).is_undecided());
        assert!(!CardUse::default().is_undecided());
    }
}

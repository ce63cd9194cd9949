//! Withdrawal from a purchase: buyers in the European Union, Iceland, Liechtenstein and Norway have fourteen days, without a reason.
//!
//! The period begins on the day after delivery, so it ends with the fifteenth day. Until the parcel is marked as delivered it has not
//! begun, and the buyer may withdraw.

use super::{Millis, OrderStatus, Refusal};

const DAY_MS: Millis = 86_400_000;
/// Fourteen whole days after the day of the delivery, in every time zone.
pub const WITHDRAWAL_MS: Millis = 16 * DAY_MS;

/// Countries whose consumers have the right (ISO 3166-1).
const COUNTRIES: [&str; 30] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
    "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// The tag that a withdrawal puts on its order, so that the desk can list them.
pub const WITHDRAWAL_TAG: &str = "withdrawal";

/// What decides whether a buyer may withdraw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WithdrawalFacts<'a> {
    pub status: OrderStatus,
    /// Where the order goes; `None`: no address is stored.
    pub country: Option<&'a str>,
    /// Where the shop is.
    pub shop_country: Option<&'a str>,
    pub delivered_at: Option<Millis>,
}

impl WithdrawalFacts<'_> {
    /// Whether the law gives the right at all. Without an address, the country of the shop decides.
    pub fn has_right(&self) -> bool {
        self.country.or(self.shop_country).is_some_and(|country| COUNTRIES.contains(&country))
    }

    /// End of the withdrawal period; `None`: it has not begun.
    pub fn until(&self) -> Option<Millis> {
        self.delivered_at.map(|delivered_at| delivered_at + WITHDRAWAL_MS)
    }

    /// Refuses a withdrawal that the law does not give.
    pub fn check(&self, now: Millis) -> Result<(), Refusal> {
        match () {
            () if self.status != OrderStatus::Paid => Err(Refusal::NotPaid),
            () if !self.has_right() => Err(Refusal::WrongStatus("There is no right of withdrawal for this order.")),
            () if self.until().is_some_and(|until| until <= now) => {
                Err(Refusal::WrongStatus("The time for a withdrawal is over."))
            }
            () => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buyer_of_the_union_may_withdraw_until_the_time_is_over() {
        let facts = WithdrawalFacts {
            status: OrderStatus::Paid,
            country: Some("DE"),
            shop_country: Some("SA"),
            delivered_at: Some(1_000),
        };
        let over = 1_000 + WITHDRAWAL_MS;
        for (facts, now, expected) in [
            (facts, over - 1, None),
            (facts, over, Some("wrong_status")),
            (WithdrawalFacts { delivered_at: None, ..facts }, i64::MAX, None),
            (WithdrawalFacts { country: Some("SA"), shop_country: Some("DE"), ..facts }, 0, Some("wrong_status")),
            (WithdrawalFacts { country: None, ..facts }, 0, Some("wrong_status")),
            (WithdrawalFacts { country: None, shop_country: Some("NO"), ..facts }, 0, None),
            (WithdrawalFacts { status: OrderStatus::Held, ..facts }, 0, Some("not_paid")),
        ] {
            assert_eq!(facts.check(now).err().map(|why| why.code()), expected, "{facts:?} at {now}");
        }
    }
}

//! What is told of a show afterwards, and while it runs: minute by minute, card by card, offer by offer.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Millis, Minor, OfferId, OfferKind, Titles};

/// A minute in milliseconds; times of minutes are whole multiples of it.
pub const MINUTE_MS: Millis = 60_000;

pub fn minute_of(at: Millis) -> Millis {
    at - at.rem_euclid(MINUTE_MS)
}

/// One minute of a show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct ReportMinute {
    /// Epoch milliseconds of its beginning.
    pub at: Millis,
    /// The most who watched in it, on all nodes.
    pub viewers: i64,
    /// Orders that were placed in it, whatever became of them.
    pub orders: i64,
    pub messages: i64,
}

/// A time in which one offer was the card that everybody saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct PinSpan {
    pub offer: OfferId,
    pub at: Millis,
    /// Null: it is shown now.
    pub until: Option<Millis>,
}

/// What became of one offer of a show.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct OfferSales {
    pub offer: OfferId,
    pub title: String,
    pub titles: Titles,
    pub variant_name: String,
    pub variant_names: Titles,
    pub kind: OfferKind,
    /// Minor units, as all sums.
    pub price: Minor,
    pub opens_at: Option<Millis>,
    pub closes_at: Option<Millis>,
    /// Orders by what they are now; `held` are not paid for yet.
    pub paid: i64,
    pub held: i64,
    pub expired: i64,
    pub cancelled: i64,
    pub refunded: i64,
    /// Units and money of the paid orders.
    pub units: i64,
    pub amount: Minor,
}

/// The minutes of a show that have something to tell, in order, from what is known of each.
pub fn report_minutes(
    viewers: &[(Millis, i64)],
    orders: &[(Millis, i64)],
    messages: &[(Millis, i64)],
) -> Vec<ReportMinute> {
    let mut all = std::collections::BTreeMap::<Millis, ReportMinute>::new();
    let mut add_counts = |counts: &[(Millis, i64)], set: fn(&mut ReportMinute, i64)| {
        for (at, count) in counts {
            let at = minute_of(*at);
            set(all.entry(at).or_insert(ReportMinute { at, ..ReportMinute::default() }), *count);
        }
    };
    add_counts(viewers, |minute, count| minute.viewers = minute.viewers.max(count));
    add_counts(orders, |minute, count| minute.orders += count);
    add_counts(messages, |minute, count| minute.messages += count);
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_minute_comes_together() {
        let told = report_minutes(&[(60_000, 5), (60_001, 3)], &[(119_999, 2), (60_000, 1)], &[(120_000, 4)]);
        let first = ReportMinute { at: 60_000, viewers: 5, orders: 3, messages: 0 };
        assert_eq!(told, [first, ReportMinute { at: 120_000, messages: 4, ..ReportMinute::default() }]);
    }
}

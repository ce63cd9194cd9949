//! The report of a show: figures per minute, per pinned offer and per offer.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Millis, Minor, OfferId, OfferKind, Titles};

/// One minute in milliseconds. The time of a minute is a multiple of it.
pub const MINUTE_MS: Millis = 60_000;

/// The start of the minute that contains `at`.
pub fn minute_of(at: Millis) -> Millis {
    at - at.rem_euclid(MINUTE_MS)
}

/// The figures of one minute of a show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct ReportMinute {
    /// The start of the minute, in epoch milliseconds.
    pub at: Millis,
    /// The highest number of viewers in this minute, on all nodes.
    pub viewers: i64,
    /// Orders that were created in this minute, with any status now.
    pub orders: i64,
    pub messages: i64,
}

/// A period in which one offer was pinned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct PinSpan {
    pub offer: OfferId,
    pub at: Millis,
    /// `null`: the offer is pinned now.
    pub until: Option<Millis>,
}

/// The pins of a show, cut at its end.
pub fn until_end(mut pins: Vec<PinSpan>, ended_at: Option<Millis>) -> Vec<PinSpan> {
    if let Some(ended_at) = ended_at {
        pins.retain(|pin| pin.at < ended_at);
        pins.iter_mut().for_each(|pin| pin.until = Some(pin.until.unwrap_or(ended_at).min(ended_at)));
    }
    pins
}

/// The sales of one offer of a show.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct OfferSales {
    pub offer: OfferId,
    pub title: String,
    pub titles: Titles,
    pub variant_name: String,
    pub variant_names: Titles,
    pub kind: OfferKind,
    /// In minor units, like all amounts.
    pub price: Minor,
    pub opens_at: Option<Millis>,
    pub closes_at: Option<Millis>,
    /// Orders by their current status. `held` orders are not paid yet.
    pub paid: i64,
    pub held: i64,
    pub expired: i64,
    pub cancelled: i64,
    pub refunded: i64,
    /// Units and amount of the paid orders.
    pub units: i64,
    pub amount: Minor,
}

/// Merges the figures into one list of minutes, oldest first. Minutes without any figure are left out.
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
    fn pins_end_with_the_show() {
        let pin = |at, until| PinSpan { offer: OfferId(uuid::Uuid::nil()), at, until };
        let pins = vec![pin(1, Some(5)), pin(5, Some(30)), pin(8, None), pin(25, None)];
        let expected = [pin(1, Some(5)), pin(5, Some(20)), pin(8, Some(20))];
        assert_eq!(until_end(pins.clone(), Some(20)), expected);
        assert_eq!(until_end(pins.clone(), None), pins, "the show goes on");
    }

    #[test]
    fn figures_of_one_minute_are_merged() {
        let merged = report_minutes(&[(60_000, 5), (60_001, 3)], &[(119_999, 2), (60_000, 1)], &[(120_000, 4)]);
        let first = ReportMinute { at: 60_000, viewers: 5, orders: 3, messages: 0 };
        assert_eq!(merged, [first, ReportMinute { at: 120_000, messages: 4, ..ReportMinute::default() }]);
    }
}

//! Never oversold, no buyer above the limit, and no order outside the time window.

use std::collections::HashMap;

use super::timeline::StockTimeline;
use super::{Evidence, PromiseViolation, StoredOffer, StoredOrder};

const OVERSOLD: &str = "never oversold";
const LIMIT: &str = "limit per buyer";
const WINDOW: &str = "no order outside the window";

pub fn check(evidence: &Evidence) -> Vec<PromiseViolation> {
    let mut orders: HashMap<&str, Vec<&StoredOrder>> = HashMap::new();
    for row in &evidence.orders {
        orders.entry(&row.offer).or_default().push(row);
    }
    let mut found = Vec::new();
    for offer in &evidence.offers {
        let orders = orders.get(&*offer.id).map_or(&[][..], Vec::as_slice);
        found.extend(check_counter(offer, orders));
        found.extend(check_limit(evidence, offer, orders));
        found.extend(check_window(evidence, offer, orders));
    }
    found
}

fn check_counter(offer: &StoredOffer, orders: &[&StoredOrder]) -> Option<PromiseViolation> {
    let counted: i64 = orders.iter().filter(|row| row.is_counted()).map(|row| row.qty).sum();
    let sound = counted == offer.reserved && (0..=offer.quantity).contains(&offer.reserved);
    (!sound).then(|| PromiseViolation::new(OVERSOLD, format!("{counted} units are in orders of {offer:?}")))
}

/// Checks every moment, not only the snapshots.
fn check_limit(evidence: &Evidence, offer: &StoredOffer, orders: &[&StoredOrder]) -> Vec<PromiseViolation> {
    let mut buyers: HashMap<&str, Vec<&StoredOrder>> = HashMap::new();
    for row in orders {
        buyers.entry(&row.buyer).or_default().push(row);
    }
    let greedy = buyers.into_iter().filter_map(|(buyer, orders)| {
        let (most, at) = StockTimeline::from_orders(orders.iter().copied()).fullest()?;
        (most > offer.per_buyer).then(|| PromiseViolation {
            evidence: orders.iter().flat_map(|row| evidence.history_of(Some(&row.id), Some(&row.key))).collect(),
            ..PromiseViolation::new(
                LIMIT,
                format!("{buyer} had {most} units of offer {} at {at}, limit {}", offer.id, offer.per_buyer),
            )
        })
    });
    greedy.collect()
}

fn check_window(evidence: &Evidence, offer: &StoredOffer, orders: &[&StoredOrder]) -> Vec<PromiseViolation> {
    // When a close was acknowledged, nothing is sold after the reply.
    let closes = evidence.host_actions.iter().filter(|action| action.offer == offer.id && action.action == "close");
    let closed = closes.filter(|action| action.done == Some(true)).map(|action| action.answered_at).min();
    let outside = orders.iter().filter(|row| {
        offer.opens_at.is_none_or(|start| row.created_at < start)
            || offer.closes_at.is_some_and(|end| end <= row.created_at)
            || closed.is_some_and(|closed| closed < row.created_at)
    });
    let say = |row: &&StoredOrder| PromiseViolation {
        evidence: evidence.history_of(Some(&row.id), Some(&row.key)),
        ..PromiseViolation::new(
            WINDOW,
            format!("order {} of {} at {}, closed {closed:?}: {offer:?}", row.id, row.buyer, row.created_at),
        )
    };
    outside.map(say).collect()
}

//! Never oversold, no buyer above the limit, no order outside the window.

use std::collections::HashMap;

use super::time::Line;
use super::{Breach, Evidence, OfferRow, OrderRow};

const OVERSOLD: &str = "never oversold";
const LIMIT: &str = "limit per buyer";
const WINDOW: &str = "no order outside the window";

pub fn check(evidence: &Evidence) -> Vec<Breach> {
    let mut orders: HashMap<&str, Vec<&OrderRow>> = HashMap::new();
    for row in &evidence.orders {
        orders.entry(&row.offer).or_default().push(row);
    }
    let mut found = Vec::new();
    for offer in &evidence.offers {
        let orders = orders.get(&*offer.id).map_or(&[][..], Vec::as_slice);
        found.extend(counter(offer, orders));
        found.extend(limit(evidence, offer, orders));
        found.extend(window(evidence, offer, orders));
    }
    found
}

fn counter(offer: &OfferRow, orders: &[&OrderRow]) -> Option<Breach> {
    let counted: i64 = orders.iter().filter(|row| row.counts()).map(|row| row.qty).sum();
    let sound = counted == offer.reserved && (0..=offer.quantity).contains(&offer.reserved);
    (!sound).then(|| Breach::new(OVERSOLD, format!("{counted} units are in orders of {offer:?}")))
}

/// At every moment there was, not only at those somebody looked at.
fn limit(evidence: &Evidence, offer: &OfferRow, orders: &[&OrderRow]) -> Vec<Breach> {
    let mut buyers: HashMap<&str, Vec<&OrderRow>> = HashMap::new();
    for row in orders {
        buyers.entry(&row.buyer).or_default().push(row);
    }
    let greedy = buyers.into_iter().filter_map(|(buyer, orders)| {
        let (most, at) = Line::of(orders.iter().copied()).fullest()?;
        (most > offer.per_buyer).then(|| Breach {
            evidence: orders.iter().flat_map(|row| evidence.story(Some(&row.id), Some(&row.key))).collect(),
            ..Breach::new(
                LIMIT,
                format!("{buyer} had {most} units of offer {} at {at}, limit {}", offer.id, offer.per_buyer),
            )
        })
    });
    greedy.collect()
}

fn window(evidence: &Evidence, offer: &OfferRow, orders: &[&OrderRow]) -> Vec<Breach> {
    // A close that was answered is a close; nothing is sold after the answer.
    let closes = evidence.deeds.iter().filter(|deed| deed.offer == offer.id && deed.deed == "close");
    let closed = closes.filter(|deed| deed.done == Some(true)).map(|deed| deed.told).min();
    let outside = orders.iter().filter(|row| {
        offer.opens_at.is_none_or(|start| row.created_at < start)
            || offer.closes_at.is_some_and(|end| end <= row.created_at)
            || closed.is_some_and(|closed| closed < row.created_at)
    });
    let say = |row: &&OrderRow| Breach {
        evidence: evidence.story(Some(&row.id), Some(&row.key)),
        ..Breach::new(
            WINDOW,
            format!("order {} of {} at {}, closed {closed:?}: {offer:?}", row.id, row.buyer, row.created_at),
        )
    };
    outside.map(say).collect()
}

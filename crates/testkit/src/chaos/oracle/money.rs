//! No charge without an order: money is captured for paid orders and for no others, once, and with the agreed amount.

use std::collections::{HashMap, HashSet};

use super::super::journal::OrderVerb;
use super::{Evidence, PromiseViolation, StoredIntent, StoredOrder, StoredPayment};

const MONEY: &str = "no charge without an order";

/// Payment tokens that are never captured.
const NEVER_CAPTURED: [&str; 4] = ["declined", "capture_fails", "wrong_amount", "needs_action"];

pub fn check(evidence: &Evidence) -> Vec<PromiseViolation> {
    let mut tries: HashMap<&str, Vec<&StoredPayment>> = HashMap::new();
    for row in &evidence.payments {
        tries.entry(&row.order).or_default().push(row);
    }
    let mut found = Vec::new();
    let mut known = HashSet::new();
    for order in &evidence.orders {
        known.insert(&*order.id);
        if let Some(what) = wrong(evidence, order, tries.get(&*order.id).map_or(&[][..], Vec::as_slice)) {
            found.push(PromiseViolation {
                evidence: evidence.history_of(Some(&order.id), Some(&order.key)),
                ..PromiseViolation::new(MONEY, format!("{what}: {order:?}"))
            });
        }
    }
    found.extend(changed_without_request(evidence));
    found.extend(check_provider_intents(evidence));
    found.extend(
        evidence
            .payments
            .iter()
            .filter(|row| !known.contains(&*row.order))
            .map(|row| PromiseViolation::new(MONEY, format!("a payment for no order: {row:?}"))),
    );
    found
}

/// The records of the provider: money was captured only for paid orders, once and with the exact amount; it was
/// refunded for refunded orders; and nothing stays authorized for an order that will never capture it.
fn check_provider_intents(evidence: &Evidence) -> Vec<PromiseViolation> {
    let mut intents_by_order: HashMap<&str, Vec<&StoredIntent>> = HashMap::new();
    for row in &evidence.provider_intents {
        intents_by_order.entry(&row.order).or_default().push(row);
    }
    let orders = evidence.orders_by_id();
    let mut found = Vec::new();
    for (id, rows) in intents_by_order {
        let sum = |part: fn(&StoredIntent) -> i64| rows.iter().map(|row| part(row)).sum::<i64>();
        let (captured, refunded) = (sum(|row| row.captured), sum(|row| row.refunded));
        let what = match orders.get(id) {
            None => "money for an order that is not there".to_owned(),
            Some(order) => {
                let due = match order.status.as_str() {
                    "paid" => (order.amount, 0),
                    "refunded" => (order.amount, order.amount),
                    _ => (0, 0),
                };
                let odd = |row: &&&StoredIntent| {
                    let never = NEVER_CAPTURED.contains(&row.scenario.as_str());
                    row.captured != if never || row.captured == 0 { 0 } else { row.amount }
                };
                if let Some(row) = rows.iter().find(odd) {
                    found.push(PromiseViolation::new(MONEY, format!("the provider took what it must not: {row:?}")));
                }
                let aside = rows.iter().any(|row| matches!(row.status.as_str(), "authorized" | "needs_action"));
                match (captured, refunded) == due {
                    true if !aside => continue,
                    true => format!("money stays set aside for a `{}` order", order.status),
                    false => format!("{captured} taken and {refunded} given back, {due:?} would be right"),
                }
            }
        };
        found.push(PromiseViolation {
            evidence: evidence.history_of(Some(id), None),
            ..PromiseViolation::new(MONEY, format!("{what}: {rows:?}"))
        });
    }
    let booked: HashSet<&str> = evidence.provider_intents.iter().map(|row| &*row.order).collect();
    let unbooked = evidence.orders.iter().filter(|row| matches!(row.status.as_str(), "paid" | "refunded"));
    let unbooked = unbooked.filter(|row| !booked.contains(&*row.id));
    found.extend(
        unbooked
            .map(|row| PromiseViolation::new(MONEY, format!("paid, and the provider knows nothing of it: {row:?}"))),
    );
    found
}

/// An order is paid or cancelled only because its buyer requested it, and every such request was answered with success
/// or is unknown.
fn changed_without_request(evidence: &Evidence) -> Vec<PromiseViolation> {
    let requested_orders = |verb: OrderVerb| {
        let requests =
            evidence.requests.iter().filter(move |request| request.verb == verb && request.outcome.refused().is_none());
        requests.filter_map(|request| request.order.as_deref()).collect::<HashSet<_>>()
    };
    let (paid, cancelled) = (requested_orders(OrderVerb::Pay), requested_orders(OrderVerb::Cancel));
    let wrong = evidence.orders.iter().filter(|row| {
        (row.status == "paid" && !paid.contains(&*row.id))
            || (row.reason.as_deref() == Some("buyer_cancel") && !cancelled.contains(&*row.id))
    });
    let say = |row: &StoredOrder| PromiseViolation {
        evidence: evidence.history_of(Some(&row.id), Some(&row.key)),
        ..PromiseViolation::new(MONEY, format!("its buyer got the reply that this was not done: {row:?}"))
    };
    wrong.map(say).collect()
}

fn wrong(evidence: &Evidence, order: &StoredOrder, tries: &[&StoredPayment]) -> Option<String> {
    let price = evidence.offers.iter().find(|offer| offer.id == order.offer)?.price;
    if order.amount != price * order.qty {
        return Some(format!("the price is {price} each"));
    }
    let captured: Vec<_> = tries.iter().filter(|row| row.status == "captured").collect();
    let takes = usize::from(matches!(order.status.as_str(), "paid" | "refunded"));
    if captured.len() != takes {
        return Some(format!("captured {} times, {takes} would be right", captured.len()));
    }
    if order.status == "capturing" {
        return Some("its payment was never finished".to_owned());
    }
    let other = tries.iter().find(|row| (row.amount, &row.currency) != (order.amount, &order.currency));
    if let Some(row) = other {
        return Some(format!("another amount: {row:?}"));
    }
    let never = captured.iter().find(|row| NEVER_CAPTURED.contains(&row.token.as_str()));
    never.map(|row| format!("the provider refuses this card: {row:?}"))
}

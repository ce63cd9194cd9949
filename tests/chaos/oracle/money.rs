//! No charge without an order: money is captured for paid orders and for no others, once, and as much as was agreed.

use std::collections::{HashMap, HashSet};

use super::super::journal::Verb;
use super::{Breach, Evidence, IntentRow, OrderRow, PaymentRow};

const MONEY: &str = "no charge without an order";

/// Cards of which no money is ever taken.
const NEVER_TAKEN: [&str; 4] = ["declined", "capture_fails", "wrong_amount", "needs_action"];

pub fn check(evidence: &Evidence) -> Vec<Breach> {
    let mut tries: HashMap<&str, Vec<&PaymentRow>> = HashMap::new();
    for row in &evidence.payments {
        tries.entry(&row.order).or_default().push(row);
    }
    let mut found = Vec::new();
    let mut known = HashSet::new();
    for order in &evidence.orders {
        known.insert(&*order.id);
        if let Some(what) = wrong(evidence, order, tries.get(&*order.id).map_or(&[][..], Vec::as_slice)) {
            found.push(Breach {
                evidence: evidence.story(Some(&order.id), Some(&order.key)),
                ..Breach::new(MONEY, format!("{what}: {order:?}"))
            });
        }
    }
    found.extend(behind_their_backs(evidence));
    found.extend(book(evidence));
    found.extend(
        evidence
            .payments
            .iter()
            .filter(|row| !known.contains(&*row.order))
            .map(|row| Breach::new(MONEY, format!("a payment for no order: {row:?}"))),
    );
    found
}

/// What the provider says itself: money was taken for paid orders only, once and exactly, given back for refunded ones,
/// and nothing is set aside for an order that will never take it.
fn book(evidence: &Evidence) -> Vec<Breach> {
    let mut books: HashMap<&str, Vec<&IntentRow>> = HashMap::new();
    for row in &evidence.book {
        books.entry(&row.order).or_default().push(row);
    }
    let orders = evidence.orders_by_id();
    let mut found = Vec::new();
    for (id, rows) in books {
        let sum = |part: fn(&IntentRow) -> i64| rows.iter().map(|row| part(row)).sum::<i64>();
        let (captured, refunded) = (sum(|row| row.captured), sum(|row| row.refunded));
        let what = match orders.get(id) {
            None => "money for an order that is not there".to_owned(),
            Some(order) => {
                let due = match order.status.as_str() {
                    "paid" => (order.amount, 0),
                    "refunded" => (order.amount, order.amount),
                    _ => (0, 0),
                };
                let odd = |row: &&&IntentRow| {
                    let never = NEVER_TAKEN.contains(&row.script.as_str());
                    row.captured != if never || row.captured == 0 { 0 } else { row.amount }
                };
                if let Some(row) = rows.iter().find(odd) {
                    found.push(Breach::new(MONEY, format!("the provider took what it must not: {row:?}")));
                }
                let aside = rows.iter().any(|row| matches!(row.status.as_str(), "authorized" | "needs_action"));
                match (captured, refunded) == due {
                    true if !aside => continue,
                    true => format!("money stays set aside for a `{}` order", order.status),
                    false => format!("{captured} taken and {refunded} given back, {due:?} would be right"),
                }
            }
        };
        found.push(Breach {
            evidence: evidence.story(Some(id), None),
            ..Breach::new(MONEY, format!("{what}: {rows:?}"))
        });
    }
    let booked: HashSet<&str> = evidence.book.iter().map(|row| &*row.order).collect();
    let unbooked = evidence.orders.iter().filter(|row| matches!(row.status.as_str(), "paid" | "refunded"));
    let unbooked = unbooked.filter(|row| !booked.contains(&*row.id));
    found
        .extend(unbooked.map(|row| Breach::new(MONEY, format!("paid, and the provider knows nothing of it: {row:?}"))));
    found
}

/// An order is paid or cancelled because its buyer asked for that, and every such try was told yes or unknown.
fn behind_their_backs(evidence: &Evidence) -> Vec<Breach> {
    let asked = |verb: Verb| {
        let ops = evidence.ops.iter().filter(move |op| op.verb == verb && op.outcome.refused().is_none());
        ops.filter_map(|op| op.order.as_deref()).collect::<HashSet<_>>()
    };
    let (paid, cancelled) = (asked(Verb::Pay), asked(Verb::Cancel));
    let wrong = evidence.orders.iter().filter(|row| {
        (row.status == "paid" && !paid.contains(&*row.id))
            || (row.reason.as_deref() == Some("buyer_cancel") && !cancelled.contains(&*row.id))
    });
    let say = |row: &OrderRow| Breach {
        evidence: evidence.story(Some(&row.id), Some(&row.key)),
        ..Breach::new(MONEY, format!("its buyer was told that this was not done: {row:?}"))
    };
    wrong.map(say).collect()
}

fn wrong(evidence: &Evidence, order: &OrderRow, tries: &[&PaymentRow]) -> Option<String> {
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
        return Some("nobody brought its payment to an end".to_owned());
    }
    let other = tries.iter().find(|row| (row.amount, &row.currency) != (order.amount, &order.currency));
    if let Some(row) = other {
        return Some(format!("another amount: {row:?}"));
    }
    let never = captured.iter().find(|row| NEVER_TAKEN.contains(&row.token.as_str()));
    never.map(|row| format!("the provider refuses this card: {row:?}"))
}

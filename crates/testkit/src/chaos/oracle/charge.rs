//! The books of a payment provider compared with those of the shop: no charge without an order, no order paid twice, every cent that
//! was taken is a paid order or was given back, and everyone who pressed Pay in time has the unit.

use std::collections::HashMap;

use super::super::journal::Millis;
use super::PromiseViolation;

const MONEY: &str = "no charge without an order";
const KEPT: &str = "who pays in time keeps the unit";

/// A payment intent as the provider has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    pub intent: String,
    pub order: String,
    pub status: String,
    pub captured: i64,
    pub refunded: i64,
}

/// An order as the shop has it. `total`: what it costs.
#[derive(Debug, Clone, PartialEq)]
pub struct BookedOrder {
    pub id: String,
    pub status: String,
    pub total: i64,
}

/// A buyer who pressed Pay.
#[derive(Debug, Clone, PartialEq)]
pub struct PressedPay {
    pub buyer: String,
    pub order: String,
    pub pressed_at: Millis,
    /// The end of the hold that the buyer saw at that moment.
    pub hold_until: Millis,
    /// Neither the card nor the bank refuses.
    pub is_good: bool,
}

/// Compares what was charged with what was sold.
pub fn check_charges(charges: &[Charge], orders: &[BookedOrder]) -> Vec<PromiseViolation> {
    let booked: HashMap<&str, &BookedOrder> = orders.iter().map(|order| (order.id.as_str(), order)).collect();
    let mut by_order: HashMap<&str, Vec<&Charge>> = HashMap::new();
    for charge in charges {
        by_order.entry(&charge.order).or_default().push(charge);
    }
    let mut found = Vec::new();
    for (id, charges) in &by_order {
        let wrong = match booked.get(id) {
            Some(order) => wrong_charges(order, charges),
            None if charges.iter().any(|charge| charge.captured != charge.refunded) => {
                Some("money was taken for an order that the shop does not know".to_owned())
            }
            None => set_aside(charges),
        };
        found.extend(
            wrong.map(|what| PromiseViolation::new(MONEY, format!("{what}: {:?} {charges:?}", booked.get(id)))),
        );
    }
    let unpaid = orders.iter().filter(|order| order.status == "paid" && !by_order.contains_key(order.id.as_str()));
    found.extend(unpaid.map(|order| PromiseViolation::new(MONEY, format!("paid without a charge: {order:?}"))));
    found
}

fn wrong_charges(order: &BookedOrder, charges: &[&Charge]) -> Option<String> {
    let due = if order.status == "paid" { order.total } else { 0 };
    let taken: i64 = charges.iter().map(|charge| charge.captured - charge.refunded).sum();
    let paying = charges.iter().filter(|charge| charge.captured > charge.refunded).count();
    if taken != due {
        return Some(format!("{taken} is taken, and {due} would be right"));
    }
    if paying > 1 {
        return Some("the order is paid twice".to_owned());
    }
    set_aside(charges)
}

fn set_aside(charges: &[&Charge]) -> Option<String> {
    charges.iter().any(|charge| charge.status == "requires_capture").then(|| "money stays set aside".to_owned())
}

/// Checks that everybody who pressed Pay at least `margin` before the end of the hold, with a valid card, has a paid order.
pub fn check_units_kept(presses: &[PressedPay], orders: &[BookedOrder], margin: Millis) -> Vec<PromiseViolation> {
    let status: HashMap<&str, &str> = orders.iter().map(|order| (order.id.as_str(), order.status.as_str())).collect();
    let in_time = presses.iter().filter(|press| press.is_good && press.pressed_at + margin <= press.hold_until);
    let lost = in_time.filter(|press| status.get(press.order.as_str()) != Some(&"paid"));
    lost.map(|press| PromiseViolation::new(KEPT, format!("{:?}: {press:?}", status.get(press.order.as_str()))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(intent: &str, order: &str, status: &str, captured: i64, refunded: i64) -> Charge {
        let [intent, order, status] = [intent, order, status].map(str::to_owned);
        Charge { intent, order, status, captured, refunded }
    }

    fn order(id: &str, status: &str, total: i64) -> BookedOrder {
        BookedOrder { id: id.to_owned(), status: status.to_owned(), total }
    }

    fn pressed(order: &str, pressed_at: Millis, is_good: bool) -> PressedPay {
        PressedPay { buyer: "ann".to_owned(), order: order.to_owned(), pressed_at, hold_until: 60_000, is_good }
    }

    #[test]
    fn paid_orders_with_one_charge_and_others_without_are_right() {
        let charges = [
            charge("a", "1", "succeeded", 500, 0),
            charge("b", "2", "succeeded", 500, 500),
            charge("c", "2", "canceled", 0, 0),
            charge("d", "1", "requires_payment_method", 0, 0),
        ];
        assert_eq!(check_charges(&charges, &[order("1", "paid", 500), order("2", "cancelled", 500)]), []);
    }

    #[test]
    fn money_that_is_taken_or_set_aside_for_nothing_is_found() {
        let taken = charge("a", "1", "succeeded", 500, 0);
        for (charges, orders) in [
            (vec![taken.clone()], vec![order("1", "cancelled", 500)]),
            (vec![taken.clone()], vec![]),
            (vec![taken.clone()], vec![order("1", "paid", 400)]),
            (
                vec![charge("a", "1", "succeeded", 300, 0), charge("b", "1", "succeeded", 200, 0)],
                vec![order("1", "paid", 500)],
            ),
            (vec![taken.clone(), charge("b", "1", "requires_capture", 0, 0)], vec![order("1", "paid", 500)]),
            (vec![charge("a", "1", "requires_capture", 0, 0)], vec![order("1", "cancelled", 500)]),
            (vec![charge("a", "1", "requires_capture", 0, 0)], vec![]),
            (vec![charge("a", "1", "succeeded", 500, 200)], vec![order("1", "cancelled", 500)]),
            (vec![], vec![order("1", "paid", 500)]),
        ] {
            assert_eq!(check_charges(&charges, &orders).len(), 1, "{charges:?} {orders:?}");
        }
    }

    #[test]
    fn unit_that_was_lost_although_pay_was_pressed_in_time_is_found() {
        let orders = [order("1", "paid", 500), order("2", "cancelled", 500)];
        let presses = [pressed("1", 0, true), pressed("2", 50_000, true), pressed("2", 0, false)];
        assert_eq!(check_units_kept(&presses, &orders, 15_000), []);
        assert_eq!(check_units_kept(&[pressed("2", 45_000, true)], &orders, 15_000).len(), 1);
        assert_eq!(check_units_kept(&[pressed("3", 0, true)], &orders, 15_000).len(), 1);
    }
}

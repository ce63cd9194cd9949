//! What became of an order, from what is stored anyway: its row, its tries to pay, its refunds.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Millis, Order, OrderStatus, PaymentStatus, RefundStatus};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderHistoryKind {
    Held,
    /// A try to pay was refused; the order stayed held.
    Declined,
    Paid,
    Expired,
    /// By the buyer.
    Cancelled,
    CaptureFailed,
    RefundAsked,
    Refunded,
    RefundFailed,
}

/// One step, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct OrderHistoryEntry {
    pub at: Millis,
    pub step: OrderHistoryKind,
}

/// Times of the rows beside the order.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct OrderTimestamps {
    /// When the order's row last changed.
    pub changed_at: Millis,
    /// Each try to pay, and when it became what it is.
    pub payments: Vec<(PaymentStatus, Millis)>,
    /// Each refund: asked for, and when it became what it is.
    pub refunds: Vec<(RefundStatus, Millis, Millis)>,
}

/// Oldest first.
pub fn order_history(order: &Order, timestamps: &OrderTimestamps) -> Vec<OrderHistoryEntry> {
    let mut entries = vec![OrderHistoryEntry { at: order.created_at, step: OrderHistoryKind::Held }];
    let mut add = |step, at| entries.push(OrderHistoryEntry { at, step });
    for (_, at) in timestamps.payments.iter().filter(|(status, _)| *status == PaymentStatus::Declined) {
        add(OrderHistoryKind::Declined, *at);
    }
    if let Some(at) = order.paid_at {
        add(OrderHistoryKind::Paid, at);
    }
    match order.status {
        OrderStatus::Expired => add(OrderHistoryKind::Expired, timestamps.changed_at),
        OrderStatus::Cancelled if order.reason.as_deref() == Some("capture_failed") => {
            add(OrderHistoryKind::CaptureFailed, timestamps.changed_at);
        }
        OrderStatus::Cancelled => add(OrderHistoryKind::Cancelled, timestamps.changed_at),
        OrderStatus::Held | OrderStatus::Capturing | OrderStatus::Paid | OrderStatus::Refunded => {}
    }
    for (status, requested_at, changed_at) in &timestamps.refunds {
        add(OrderHistoryKind::RefundAsked, *requested_at);
        match status {
            RefundStatus::Pending => {}
            RefundStatus::Done => add(OrderHistoryKind::Refunded, *changed_at),
            RefundStatus::Failed => add(OrderHistoryKind::RefundFailed, *changed_at),
        }
    }
    entries.sort_by_key(|happened| happened.at);
    entries
}

#[cfg(test)]
mod tests {
    use super::super::{OfferId, OrderId, StreamId, UserId};
    use super::*;

    fn order(status: OrderStatus, paid_at: Option<Millis>, reason: Option<&str>) -> Order {
        Order {
            id: OrderId::new(),
            stream: StreamId::new(),
            offer: OfferId::new(),
            buyer: UserId::parse("ann").unwrap(),
            buyer_name: "Ann".into(),
            status,
            qty: 1,
            amount: 100,
            currency: "SAR".into(),
            place: 1,
            created_at: 10,
            hold_until: 100,
            paid_at,
            reason: reason.map(str::to_owned),
            version: 1,
        }
    }

    #[test]
    fn a_life_is_told_in_the_order_it_happened() {
        use OrderHistoryKind::*;
        let declined = vec![(PaymentStatus::Declined, 20), (PaymentStatus::Captured, 30)];
        let refunds = vec![(RefundStatus::Failed, 40, 41), (RefundStatus::Done, 50, 55)];
        let traces = |changed_at| OrderTimestamps { changed_at, payments: declined.clone(), refunds: refunds.clone() };
        let none = |changed_at| OrderTimestamps { changed_at, ..OrderTimestamps::default() };
        for (order, traces, expected) in [
            (order(OrderStatus::Held, None, None), none(10), vec![(10, Held)]),
            (order(OrderStatus::Expired, None, Some("hold_ended")), none(100), vec![(10, Held), (100, Expired)]),
            (order(OrderStatus::Cancelled, None, Some("buyer_cancel")), none(60), vec![(10, Held), (60, Cancelled)]),
            (
                order(OrderStatus::Cancelled, None, Some("capture_failed")),
                none(60),
                vec![(10, Held), (60, CaptureFailed)],
            ),
            (
                order(OrderStatus::Refunded, Some(30), Some("refunded")),
                traces(55),
                vec![
                    (10, Held),
                    (20, Declined),
                    (30, Paid),
                    (40, RefundAsked),
                    (41, RefundFailed),
                    (50, RefundAsked),
                    (55, Refunded),
                ],
            ),
        ] {
            let told: Vec<(Millis, OrderHistoryKind)> =
                order_history(&order, &traces).into_iter().map(|it| (it.at, it.step)).collect();
            assert_eq!(told, expected, "{:?}", order.status);
        }
    }
}

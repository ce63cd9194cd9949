//! The history of an order. It is derived from rows that are stored for other reasons: the order, its payment attempts and its
//! refunds.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Millis, Order, OrderStatus, PaymentStatus, RefundStatus};

/// What happened to the order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderHistoryKind {
    Held,
    /// A payment attempt was declined; the order stayed held.
    Declined,
    /// The shop receives the payment itself, later.
    Placed,
    Paid,
    Expired,
    /// The buyer cancelled the order.
    Cancelled,
    CancelledByShop,
    /// A placed order was not paid by the date, and was cancelled.
    NotPaidInTime,
    CaptureFailed,
    RefundAsked,
    Refunded,
    RefundFailed,
    /// The shop sent the order.
    Sent,
}

/// One entry of the history, with its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct OrderHistoryEntry {
    pub at: Millis,
    pub step: OrderHistoryKind,
}

/// The times of the rows that belong to the order.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct OrderTimestamps {
    /// The time of the last change of a line.
    pub changed_at: Millis,
    /// The status of each payment attempt, and the time at which it got this status.
    pub payments: Vec<(PaymentStatus, Millis)>,
    /// The status of each refund, the time of the request, and the time at which it got this status.
    pub refunds: Vec<(RefundStatus, Millis, Millis)>,
    pub sent_at: Option<Millis>,
}

/// The history of the order, oldest entry first.
pub fn order_history(order: &Order, timestamps: &OrderTimestamps) -> Vec<OrderHistoryEntry> {
    let mut entries = vec![OrderHistoryEntry { at: order.created_at, step: OrderHistoryKind::Held }];
    let mut add = |step, at| entries.push(OrderHistoryEntry { at, step });
    for (_, at) in timestamps.payments.iter().filter(|(status, _)| *status == PaymentStatus::Declined) {
        add(OrderHistoryKind::Declined, *at);
    }
    if let Some(placement) = order.placement {
        add(OrderHistoryKind::Placed, placement.placed_at);
    }
    if let Some(at) = order.paid_at {
        add(OrderHistoryKind::Paid, at);
    }
    if let Some(at) = timestamps.sent_at {
        add(OrderHistoryKind::Sent, at);
    }
    match order.status {
        OrderStatus::Expired => add(OrderHistoryKind::Expired, timestamps.changed_at),
        OrderStatus::Cancelled => add(
            match order.reason.as_deref() {
                Some("capture_failed") => OrderHistoryKind::CaptureFailed,
                Some("shop_cancel") => OrderHistoryKind::CancelledByShop,
                Some("not_paid_in_time") => OrderHistoryKind::NotPaidInTime,
                _ => OrderHistoryKind::Cancelled,
            },
            timestamps.changed_at,
        ),
        OrderStatus::Held
        | OrderStatus::Capturing
        | OrderStatus::Placed
        | OrderStatus::Paid
        | OrderStatus::Refunded => {}
    }
    for (status, requested_at, changed_at) in &timestamps.refunds {
        add(OrderHistoryKind::RefundAsked, *requested_at);
        match status {
            RefundStatus::Pending => {}
            RefundStatus::Done => add(OrderHistoryKind::Refunded, *changed_at),
            RefundStatus::Failed => add(OrderHistoryKind::RefundFailed, *changed_at),
        }
    }
    entries.sort_by_key(|entry| entry.at);
    entries
}

#[cfg(test)]
mod tests {
    use super::super::{ManualMethod, OrderId, Placement, StreamId, UserId};
    use super::*;

    fn order(status: OrderStatus, paid_at: Option<Millis>, reason: Option<&str>) -> Order {
        Order {
            id: OrderId::new(),
            number: None,
            stream: StreamId::new(),
            buyer: UserId::parse("ann").unwrap(),
            buyer_name: "Ann".into(),
            status,
            qty: 1,
            amount: 100,
            currency: "SAR".into(),
            created_at: 10,
            hold_until: 100,
            paid_at,
            reason: reason.map(str::to_owned),
            version: 1,
            quote: None,
            placement: None,
            lines: Vec::new(),
        }
    }

    fn placed(status: OrderStatus, reason: Option<&str>) -> Order {
        let placement = Placement { method: ManualMethod::BankTransfer, placed_at: 20, due_at: 50 };
        Order { placement: Some(placement), ..order(status, None, reason) }
    }

    #[test]
    fn history_is_sorted_by_time() {
        use OrderHistoryKind::*;
        let declined = vec![(PaymentStatus::Declined, 20), (PaymentStatus::Captured, 30)];
        let refunds = vec![(RefundStatus::Failed, 40, 41), (RefundStatus::Done, 50, 55)];
        let times = |changed_at| OrderTimestamps {
            changed_at,
            payments: declined.clone(),
            refunds: refunds.clone(),
            sent_at: None,
        };
        let none = |changed_at| OrderTimestamps { changed_at, ..OrderTimestamps::default() };
        for (order, timestamps, expected) in [
            (order(OrderStatus::Held, None, None), none(10), vec![(10, Held)]),
            (order(OrderStatus::Expired, None, Some("hold_ended")), none(100), vec![(10, Held), (100, Expired)]),
            (order(OrderStatus::Cancelled, None, Some("buyer_cancel")), none(60), vec![(10, Held), (60, Cancelled)]),
            (
                placed(OrderStatus::Cancelled, Some("not_paid_in_time")),
                none(60),
                vec![(10, Held), (20, Placed), (60, NotPaidInTime)],
            ),
            (
                placed(OrderStatus::Cancelled, Some("shop_cancel")),
                none(60),
                vec![(10, Held), (20, Placed), (60, CancelledByShop)],
            ),
            (placed(OrderStatus::Placed, None), none(20), vec![(10, Held), (20, Placed)]),
            (
                order(OrderStatus::Cancelled, None, Some("capture_failed")),
                none(60),
                vec![(10, Held), (60, CaptureFailed)],
            ),
            (
                order(OrderStatus::Refunded, Some(30), Some("refunded")),
                times(55),
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
            let history: Vec<(Millis, OrderHistoryKind)> =
                order_history(&order, &timestamps).into_iter().map(|entry| (entry.at, entry.step)).collect();
            assert_eq!(history, expected, "{:?}", order.status);
        }
    }
}

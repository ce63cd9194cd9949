//! Why an attempt to pay did not win its order. It is decided once, when the attempt is lost, and kept: whatever becomes of the order
//! later, the same key has the same answer.

use serde::{Deserialize, Serialize};

use super::{OfferId, Order, OrderStatus, Refusal, ReservationId};

/// The answer to the buyer about an attempt that did not win its order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum LostReason {
    /// It captured no money, and the order could be paid by another attempt.
    Declined,
    /// Its card had paid for as many units of these offers as one person may have.
    CardLimit {
        offers: Vec<OfferId>,
    },
    /// These lines had ended.
    LinesGone {
        lines: Vec<ReservationId>,
    },
    HoldExpired,
    OrderCancelled,
    AlreadyPaid,
    AlreadyPlaced,
}

impl LostReason {
    /// Why an attempt of this order is lost now. `has_lost_lines`: a line that it was to pay has ended. `None`: another attempt is being
    /// captured, and its end decides.
    pub fn of(order: &Order, has_lost_lines: bool) -> Option<Self> {
        Some(match order.status {
            OrderStatus::Held if has_lost_lines => {
                LostReason::LinesGone { lines: order.ended_lines().map(|line| line.id).collect() }
            }
            OrderStatus::Held => LostReason::Declined,
            OrderStatus::Capturing => return None,
            OrderStatus::Placed => LostReason::AlreadyPlaced,
            OrderStatus::Paid | OrderStatus::Refunded => LostReason::AlreadyPaid,
            OrderStatus::Expired => LostReason::HoldExpired,
            OrderStatus::Cancelled => LostReason::OrderCancelled,
        })
    }

    pub fn refusal(self) -> Refusal {
        let of_status = |status: OrderStatus| status.check_payable().err().unwrap_or(Refusal::Declined);
        match self {
            LostReason::Declined => Refusal::Declined,
            LostReason::CardLimit { offers } => Refusal::CardLimit { offers },
            LostReason::LinesGone { lines } => Refusal::LinesGone(lines),
            LostReason::HoldExpired => of_status(OrderStatus::Expired),
            LostReason::OrderCancelled => of_status(OrderStatus::Cancelled),
            LostReason::AlreadyPaid => of_status(OrderStatus::Paid),
            LostReason::AlreadyPlaced => of_status(OrderStatus::Placed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_reason_is_read_as_it_was_written_and_refuses_as_the_order_did() {
        let (line, offer) = (ReservationId::new(), OfferId::new());
        for (reason, refusal) in [
            (LostReason::Declined, Refusal::Declined),
            (LostReason::CardLimit { offers: vec![offer] }, Refusal::CardLimit { offers: vec![offer] }),
            (LostReason::LinesGone { lines: vec![line] }, Refusal::LinesGone(vec![line])),
            (LostReason::HoldExpired, Refusal::HoldExpired),
            (LostReason::OrderCancelled, OrderStatus::Cancelled.check_payable().unwrap_err()),
            (LostReason::AlreadyPaid, Refusal::AlreadyPaid),
            (LostReason::AlreadyPlaced, Refusal::AlreadyPlaced),
        ] {
            let text = serde_json::to_string(&reason).unwrap();
            assert_eq!(serde_json::from_str::<LostReason>(&text).unwrap(), reason, "{text}");
            assert_eq!(reason.refusal(), refusal);
        }
    }
}

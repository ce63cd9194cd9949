//! Reservations: units of one offer, set aside for one buyer until a given time. A hold is a reservation with the status `held`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Millis, Minor, OfferId, OrderId, StreamId, UserId};

/// The `reason` of a reservation that ended because its card has paid for as many units as one person may have.
pub const CARD_LIMIT: &str = "card_limit";

/// Would a card that has paid for `had` units pay for more than one person may have, with `wanted` more?
pub fn is_over_limit(per_buyer: i64, had: i64, wanted: i64) -> bool {
    per_buyer < had.saturating_add(wanted)
}

/// Orders and reservations share their ids: an order has the id of its first reservation, and wherever the id of an order is
/// expected, that of any of its reservations is accepted.
pub type ReservationId = OrderId;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReservationStatus {
    Held,
    /// The payment of its order is being captured: the units are certain.
    Capturing,
    /// Its order is placed: the units are certain, and the buyer pays later.
    Placed,
    Sold,
    Expired,
    Cancelled,
}

impl ReservationStatus {
    pub const ALL: [ReservationStatus; 6] = {
        use ReservationStatus::*;
        [Held, Capturing, Placed, Sold, Expired, Cancelled]
    };

    pub fn name(self) -> &'static str {
        match self {
            ReservationStatus::Held => "held",
            ReservationStatus::Capturing => "capturing",
            ReservationStatus::Placed => "placed",
            ReservationStatus::Sold => "sold",
            ReservationStatus::Expired => "expired",
            ReservationStatus::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Reservation {
    pub id: ReservationId,
    pub stream: StreamId,
    pub offer: OfferId,
    /// `None`: it is in no order yet.
    pub order: Option<OrderId>,
    pub buyer: UserId,
    pub buyer_name: String,
    pub status: ReservationStatus,
    pub qty: i64,
    /// Units of a sold reservation that were given back: 0 to `qty`.
    pub returned: i64,
    pub amount: Minor,
    pub currency: String,
    /// The buyer's number in the offer ("you are number 137"): counts from 1 without gaps.
    pub place: i64,
    pub created_at: Millis,
    pub hold_until: Millis,
    /// Why it ended, or what came of it: `hold_ended`, `buyer_cancel`, `shop_cancel`, `not_paid_in_time`,
    /// `capture_failed`, `card_limit`, `refunded`.
    pub reason: Option<String>,
    pub version: i64,
}

impl Reservation {
    /// The id of the order whose line it is. A reservation that is in no order yet is treated as an order of its own.
    pub fn order_id(&self) -> OrderId {
        self.order.unwrap_or(self.id)
    }

    /// Did it end together with its whole order, whose units were certain? Other lines end by themselves, before that.
    pub fn ended_with_its_order(&self) -> bool {
        let of_order = |reason: &str| matches!(reason, "shop_cancel" | "not_paid_in_time" | "capture_failed");
        self.status == ReservationStatus::Cancelled && self.reason.as_deref().is_some_and(of_order)
    }
}

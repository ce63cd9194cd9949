//! Which orders the seller asks for.

use super::{FulfilmentStatus, Millis, OrderStatus, StreamId, UserId};

/// Which orders of the shop are listed. Every field that is set must match.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct ShopOrderFilter {
    pub stream: Option<StreamId>,
    pub status: Option<OrderStatus>,
    /// Only orders that are paid, or paid at the door, have one.
    pub fulfilment: Option<FulfilmentStatus>,
    pub buyer: Option<UserId>,
    pub tag: Option<String>,
    /// A part of the buyer's name, in any case, or the whole id of the buyer or of the order.
    pub search: Option<String>,
    /// Orders that were created at this time or later.
    pub since: Option<Millis>,
    /// Orders that were created before this time.
    pub until: Option<Millis>,
}

//! Orders as the seller sees them.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{MailView, OrderView};
use crate::domain::order_history::OrderHistoryEntry;
use crate::domain::{Address, Fulfilment, FulfilmentStatus, Millis, UserId};

/// An order with its buyer, the steps of its fulfilment and its tags.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = ShopOrder)]
pub struct ShopOrderView {
    #[serde(flatten)]
    pub order: OrderView,
    pub buyer: UserId,
    /// Empty after the buyer's data was erased.
    pub buyer_name: String,
    /// The last step of `fulfilment` that was done.
    pub fulfilment_status: FulfilmentStatus,
    pub fulfilment: Fulfilment,
    /// In the order of the alphabet; at most 10.
    pub tags: Vec<String>,
}

/// One attempt to pay an order.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = PaymentAttempt)]
pub struct PaymentAttemptView {
    /// Counts from 1.
    pub attempt: i64,
    pub provider: String,
    /// The provider's own id of the payment; `null`: the provider has not answered yet.
    pub reference: Option<String>,
    #[schema(example = "captured")]
    pub status: &'static str,
    pub created_at: Millis,
    pub changed_at: Millis,
}

/// A note of the team on an order. The buyer never sees it.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = OrderNote)]
pub struct OrderNoteView {
    pub id: Uuid,
    pub at: Millis,
    pub by: String,
    pub by_name: String,
    /// 1 to 1,000 characters; may have line breaks.
    pub text: String,
}

/// An order with all that the seller needs to send it. Reading it is recorded in the audit log when it has an address.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct ShopOrderDetail {
    #[serde(flatten)]
    pub order: ShopOrderView,
    /// The oldest entry first.
    pub history: Vec<OrderHistoryEntry>,
    /// The delivery address; `null`: not given yet, or erased.
    pub address: Option<Address>,
    /// The oldest attempt first; at most 100.
    pub payments: Vec<PaymentAttemptView>,
    /// The oldest note first; at most 100.
    pub notes: Vec<OrderNoteView>,
    /// The e-mails about the order, the newest first; at most 100.
    pub mails: Vec<MailView>,
}

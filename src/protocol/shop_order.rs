//! Orders as the seller sees them.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{BillingDocumentView, MailView, OrderView};
use crate::domain::order_history::OrderHistoryEntry;
use crate::domain::{Address, Fulfilment, FulfilmentStatus, Millis, Minor, Refundable, ReservationId, UserId};

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

/// Units of a line that a refund gave back.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = RefundLine)]
pub struct RefundLineView {
    pub reservation: ReservationId,
    pub qty: i64,
    /// What the buyer paid for them.
    pub amount: Minor,
}

/// A refund of an order.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = OrderRefund)]
pub struct RefundView {
    /// Counts from 1.
    pub n: i64,
    /// `pending`: the provider or the bank has not finished it. `done`. `failed`: the buyer did not get the money, because the provider
    /// refused the refund or the bank sent the money back later; units that came back stay so.
    #[schema(example = "done")]
    pub status: &'static str,
    pub amount: Minor,
    /// The part of the amount that is for the delivery.
    pub delivery: Minor,
    pub restock: bool,
    /// Its units are back or on their way, so that no other refund can give them back: it is pending or done, or the bank sent the money
    /// back after it was done.
    pub has_units: bool,
    pub reason: Option<String>,
    pub created_at: Millis,
    /// Empty: it gave back no units; refunds of a whole order from before there were others have none either.
    pub lines: Vec<RefundLineView>,
}

/// What can still be given back of an order.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Refundable)]
pub struct RefundableView {
    /// In all, the delivery with it.
    pub amount: Minor,
    /// What was paid for the delivery.
    pub delivery: Minor,
    /// What the refund of the whole order gives back: without the delivery while other paid orders are in the same parcel.
    pub whole: Minor,
    /// Amounts must be a multiple of this number of minor units: 10 in currencies in which the last of three decimals must be 0.
    #[schema(example = 1)]
    pub step: Minor,
    /// What refunds so far kept because they were rounded down to the step. The next refund of a line or of the delivery adds it.
    #[schema(example = 0)]
    pub carried: Minor,
}

impl From<Refundable> for RefundableView {
    fn from(Refundable { amount, delivery, whole, step, carried }: Refundable) -> Self {
        Self { amount, delivery, whole, step, carried }
    }
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
    /// The position in the recording of the show, in milliseconds, at which the order was made; `null`: the show has no recording, or the
    /// order was made outside of it.
    pub replay_ms: Option<Millis>,
    /// The oldest entry first.
    pub history: Vec<OrderHistoryEntry>,
    /// The delivery address; `null`: not given yet, or erased.
    pub address: Option<Address>,
    /// The oldest attempt first; at most 100.
    pub payments: Vec<PaymentAttemptView>,
    /// The oldest refund first; at most 100.
    pub refunds: Vec<RefundView>,
    pub refundable: RefundableView,
    /// The invoice and the credit notes, in the order in which they were made.
    pub documents: Vec<BillingDocumentView>,
    /// The oldest note first; at most 100.
    pub notes: Vec<OrderNoteView>,
    /// The e-mails about the order, the newest first; at most 100.
    pub mails: Vec<MailView>,
}

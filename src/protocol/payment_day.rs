//! Payments by day as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{DisputeResult, Millis, Minor, OrderId, PaymentDay, PaymentSums};

/// What came in and went out by day, and what waits for somebody.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct PaymentDays {
    /// The time zone of the shop, in which the days begin and end.
    #[schema(example = "Asia/Riyadh")]
    pub time_zone: String,
    /// The time of the server.
    pub now: Millis,
    /// The day that it is in the time zone of the shop.
    #[schema(example = "2026-11-30")]
    pub today: String,
    #[schema(example = "2026-11-01")]
    pub first_day: String,
    #[schema(example = "2026-11-30")]
    pub last_day: String,
    /// The currency of the shop.
    pub currency: String,
    /// The sums over all days, for each currency in alphabetical order.
    pub totals: Vec<PaymentSums>,
    /// Every day, the newest first.
    pub days: Vec<PaymentDay>,
    /// Disputes that have not ended, of any day: those that wait for the shop first, by their deadline. At most 100. Those that were given
    /// up stand here until somebody closes them, and for seven days more.
    pub disputes: Vec<DisputeView>,
    /// Money that is still to be given back, of any day: what is owed longest first. At most 100.
    pub owed_refunds: Vec<OwedRefundView>,
}

/// A payment that its buyer disputes at the bank.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Dispute)]
pub struct DisputeView {
    pub order: OrderId,
    /// The number that people say; null: the order has none.
    pub order_number: Option<i64>,
    pub provider: String,
    /// The provider's id of the dispute; null: the provider gave no details, and the amount is that of the payment.
    pub reference: Option<String>,
    /// The shop has not sent its evidence.
    pub needs_answer: bool,
    pub amount: Minor,
    pub currency: String,
    /// As the provider calls it, such as `fraudulent` or `product_not_received`.
    pub reason: Option<String>,
    /// Until when the shop can answer at the provider; null: not known.
    pub due_at: Option<Millis>,
    pub opened_at: Millis,
    /// Since when the server could not read it at the provider, so that the rest may be old; null: the last request could read it.
    pub unread_since: Option<Millis>,
    /// The server does not ask for it any more: only the provider knows its status, or how it ended.
    pub given_up: bool,
    /// How it ended, as the team said; null: nobody has closed it.
    pub result: Option<DisputeResult>,
    /// When the team closed it first.
    pub closed_at: Option<Millis>,
}

/// Money that was taken and is for no order.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = OwedRefund)]
pub struct OwedRefundView {
    pub order: OrderId,
    /// The number that people say; null: the order has none.
    pub order_number: Option<i64>,
    pub provider: String,
    /// The provider's id of the payment.
    pub reference: Option<String>,
    pub amount: Minor,
    pub currency: String,
    pub owed_at: Millis,
    /// The number of the present try to give it back, from 1.
    pub tries: i64,
    /// This is the last try: if it fails, only a person can give the money back, at the provider.
    pub needs_person: bool,
}

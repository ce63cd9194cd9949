//! Verbs of buying. All of them need an idempotency key: a retry with the same key gives the same result.

use serde::Deserialize;
use utoipa::ToSchema;

use super::reply::{ChangedOrder, NewOrder};
use super::{InputSource, Method, RestRoute, Verb, VerbContext};
use crate::app::{PaymentSource, Result};
use crate::domain::{
    self, IdempotencyKey, Minor, OfferId, OrderId, PaymentMethod, RefundScope, Refusal, ReservationId, Role,
    SavedCardId,
};

/// A missing key is refused with `key_missing`, an invalid one with `key_invalid`.
pub(super) fn idempotency_key(key: Option<&str>) -> std::result::Result<IdempotencyKey, Refusal> {
    IdempotencyKey::parse(key.unwrap_or(""))
}

/// Buys: holds `qty` units for the buyer until `hold_until`. The same key always gives the same order.
#[derive(Deserialize, ToSchema)]
pub struct Buy {
    offer: OfferId,
    qty: i64,
    /// The idempotency key: 8 to 255 visible ASCII characters. Over REST it is the header `Idempotency-Key`.
    key: Option<String>,
}

impl Verb for Buy {
    const NAME: &'static str = "buy";
    const LEAST_ROLE: Role = Role::Viewer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/offers/{offer}/orders", "orders", InputSource::Body).with_key());
    type Reply = NewOrder;

    async fn run(self, context: &VerbContext<'_>) -> Result<NewOrder> {
        let key = idempotency_key(self.key.as_deref())?;
        context.app.checkout.buy(context.actor, self.offer, self.qty, key).await.map(NewOrder)
    }
}

/// Pays a held order. If the payment is declined (402), the order is still held, and the buyer can try another card. By cash on delivery
/// or bank transfer the order is placed: its units are certain, and the payment is due by a date.
#[derive(Deserialize, ToSchema)]
pub struct Pay {
    order: OrderId,
    /// The token of the payment provider. The test provider takes the name of a scenario: `ok`, `declined`, `needs_action`
    /// (402, then POST to its `action_url`), `slow`, `timeout_after_charge` and `500_after_charge` (the charge succeeds,
    /// and the answer is lost), `webhook_twice`, `webhook_before_reply`, `webhook_never`, `webhook_reordered`,
    /// `cancel_too_late`, `capture_fails`, `wrong_amount`, `bad_signature`, `refund_fails`.
    #[serde(default)]
    token: String,
    /// Instead of a token: one of my saved cards (`GET /v1/me/payment-methods`).
    payment_method: Option<SavedCardId>,
    /// True: the card of the token is saved when it has paid, for a buyer who `can_save` one. For others nothing is saved, and the payment is
    /// the same.
    #[serde(default)]
    save_card: bool,
    /// The way to pay; left out: `card`, with a `token`. The `manual_methods` of the order have the others.
    #[serde(default)]
    method: PaymentMethod,
    /// The `version` of the quote that the buyer saw. If the order costs something else now, nothing is charged, and the answer is 409
    /// `quote_changed` with the new quote. Without it an order is paid only if what it costs is the sum of its lines, and none of
    /// them has expired.
    quote_version: Option<String>,
    /// The idempotency key: 8 to 255 visible ASCII characters. Over REST it is the header `Idempotency-Key`.
    key: Option<String>,
}

impl Verb for Pay {
    const NAME: &'static str = "pay";
    const LEAST_ROLE: Role = Role::Viewer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/orders/{order}/pay", "orders", InputSource::Body).with_key());
    type Reply = ChangedOrder;

    async fn run(self, context: &VerbContext<'_>) -> Result<ChangedOrder> {
        let key = idempotency_key(self.key.as_deref())?;
        let checkout = &context.app.checkout;
        let paid = match (self.method.manual(), self.payment_method) {
            (None, None) if self.token.is_empty() => Err(Refusal::bad_field("token", "is missing.").into()),
            (_, Some(_)) if !self.token.is_empty() || self.save_card => {
                Err(Refusal::bad_field("payment_method", "goes with neither `token` nor `save_card`.").into())
            }
            (None, None) => {
                let source = PaymentSource::Token { token: self.token, saves_card: self.save_card };
                checkout.pay_with(context.actor, self.order, &source, self.quote_version, key).await
            }
            (None, Some(card)) => {
                let source = PaymentSource::SavedCard(card);
                checkout.pay_with(context.actor, self.order, &source, self.quote_version, key).await
            }
            (Some(_), Some(_)) => Err(Refusal::bad_field("payment_method", "is for cards only.").into()),
            (Some(method), None) => checkout.place(context.actor, self.order, method, self.quote_version, key).await,
        };
        paid.map(ChangedOrder)
    }
}

/// Cancels a held order and releases its units; with `reservation`, only this line of it.
#[derive(Deserialize, ToSchema)]
pub struct Cancel {
    /// The order, or one of its reservations. On the socket it may be left out beside `reservation`.
    #[schema(value_type = OrderId, required = false)]
    order: Option<OrderId>,
    /// One held reservation: its order keeps the other lines. To cancel it again changes nothing, with any key.
    reservation: Option<ReservationId>,
    /// The idempotency key: 8 to 255 visible ASCII characters. Over REST it is the header `Idempotency-Key`.
    key: Option<String>,
}

impl Verb for Cancel {
    const NAME: &'static str = "cancel";
    const LEAST_ROLE: Role = Role::Viewer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/orders/{order}/cancel", "orders", InputSource::Query).with_key());
    type Reply = ChangedOrder;

    async fn run(self, context: &VerbContext<'_>) -> Result<ChangedOrder> {
        let key = idempotency_key(self.key.as_deref())?;
        let checkout = &context.app.checkout;
        let cancelled = match (self.order, self.reservation) {
            (order, Some(line)) => checkout.cancel_line(context.actor, order, line).await,
            (Some(order), None) => checkout.cancel(context.actor, order, key).await,
            (None, None) => Err(Refusal::bad_field("order", "is missing.").into()),
        };
        cancelled.map(ChangedOrder)
    }
}

/// Refunds a paid order: all that was not refunded yet, except the delivery fee while other paid orders are in the same parcel. The
/// order stays `paid` until the provider has refunded it.
#[derive(Deserialize, ToSchema)]
pub struct Refund {
    order: OrderId,
    /// True: the units go back on sale, or to the stock of the variant if the offer is closed. False: they are gone.
    restock: bool,
    /// For the shop's own records: at most 500 bytes.
    reason: Option<String>,
    /// The idempotency key: 8 to 255 visible ASCII characters. Over REST it is the header `Idempotency-Key`.
    key: Option<String>,
}

impl Verb for Refund {
    const NAME: &'static str = "refund";
    const LEAST_ROLE: Role = Role::Host;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/orders/{order}/refund", "orders", InputSource::Body).with_key());
    type Reply = ChangedOrder;

    async fn run(self, context: &VerbContext<'_>) -> Result<ChangedOrder> {
        let key = idempotency_key(self.key.as_deref())?;
        context
            .app
            .checkout
            .refund(context.actor, self.order, RefundScope::Whole, self.restock, self.reason, key)
            .await
            .map(ChangedOrder)
    }
}

/// Units of one line that come back.
#[derive(Deserialize, ToSchema)]
pub struct RefundLineRequest {
    reservation: ReservationId,
    /// How many of the units that were not returned yet.
    quantity: i64,
}

/// Refunds a part of a paid order: some lines or units, the delivery, or an amount. All refunds of an order together are never more than
/// what was paid. The order stays `paid` until all its units are back.
#[derive(Deserialize, ToSchema)]
pub struct RefundPart {
    order: OrderId,
    #[serde(default)]
    lines: Vec<RefundLineRequest>,
    /// Gives the delivery fee back.
    #[serde(default)]
    delivery: bool,
    /// In minor units. Left out: what the buyer paid for these units and the delivery, with their share of discount and tax, rounded
    /// half up so that all units together are what was paid.
    amount: Option<Minor>,
    /// True: the units go back on sale, or to the stock of the variant if the offer is closed. False: they are gone.
    restock: bool,
    /// For the shop's own records: at most 500 bytes.
    reason: Option<String>,
    /// The idempotency key: 8 to 255 visible ASCII characters. Over REST it is the header `Idempotency-Key`.
    key: Option<String>,
}

impl Verb for RefundPart {
    const NAME: &'static str = "refund_part";
    const LEAST_ROLE: Role = Role::Host;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/orders/{order}/refunds", "orders", InputSource::Body).with_key());
    type Reply = ChangedOrder;

    async fn run(self, context: &VerbContext<'_>) -> Result<ChangedOrder> {
        let key = idempotency_key(self.key.as_deref())?;
        let lines = self.lines.into_iter().map(|line| (line.reservation, line.quantity)).collect();
        let part = domain::RefundPart { lines, delivery: self.delivery, amount: self.amount };
        let scope = RefundScope::Part(part);
        context
            .app
            .checkout
            .refund(context.actor, self.order, scope, self.restock, self.reason, key)
            .await
            .map(ChangedOrder)
    }
}

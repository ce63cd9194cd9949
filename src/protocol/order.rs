//! Orders and reservations as JSON, as their buyer sees them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    Address, ManualMethod, Millis, Minor, Offer, OfferId, Order, OrderHistoryEntry, OrderId, OrderQuote, OrderStatus,
    Placement, Reservation, ReservationId, ReservationStatus, StreamId, Titles,
};

/// A reservation as its buyer sees it: units of one offer, and a line of an order.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Reservation)]
pub struct ReservationView {
    pub id: ReservationId,
    pub stream: StreamId,
    pub offer: OfferId,
    /// The order whose line it is. A purchase that nobody has put together with others is an order of its own, with the same id.
    pub order: OrderId,
    pub title: String,
    pub titles: Titles,
    pub variant_name: String,
    pub variant_names: Titles,
    pub image: Option<String>,
    pub status: ReservationStatus,
    pub qty: i64,
    /// Units that were given back after they were sold.
    pub returned: i64,
    pub amount: Minor,
    pub currency: String,
    /// The buyer's number in the offer ("you are number 137"): counts from 1 without gaps.
    pub place: i64,
    /// The hold is never released before this time, and at most 5 s after it. A payment that is under way moves it forward, never back.
    pub hold_until: Millis,
    pub created_at: Millis,
    /// Why it ended, or what came of it: `hold_ended`, `buyer_cancel`, `shop_cancel`, `not_paid_in_time`, `capture_failed`, `card_limit`, `refunded`.
    pub reason: Option<String>,
    pub version: i64,
    /// The server's time at which this view was made.
    pub now: Millis,
}

impl ReservationView {
    pub fn of(reservation: &Reservation, offer: Option<&Offer>, now: Millis) -> Self {
        Self {
            id: reservation.id,
            stream: reservation.stream,
            offer: reservation.offer,
            order: reservation.order_id(),
            title: offer.map(|offer| offer.title.clone()).unwrap_or_default(),
            titles: offer.map(|offer| offer.titles.clone()).unwrap_or_default(),
            variant_name: offer.map(|offer| offer.variant_name.clone()).unwrap_or_default(),
            variant_names: offer.map(|offer| offer.variant_names.clone()).unwrap_or_default(),
            image: offer.and_then(|offer| offer.image.clone()),
            status: reservation.status,
            qty: reservation.qty,
            returned: reservation.returned,
            amount: reservation.amount,
            currency: reservation.currency.clone(),
            place: reservation.place,
            hold_until: reservation.hold_until,
            created_at: reservation.created_at,
            reason: reservation.reason.clone(),
            version: reservation.version,
            now,
        }
    }
}

/// A way to pay an order later.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = ManualMethodChoice)]
pub struct ManualMethodView {
    pub method: ManualMethod,
    /// Days until the payment is due.
    pub days: i64,
}

/// An order as its buyer sees it. What it says of an offer (`offer`, `title`, `image`, `place`) is that of its first line.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderView {
    pub id: OrderId,
    /// The number that people say ("#1042"); `null`: nobody has paid the purchase or put it together with others yet.
    pub number: Option<i64>,
    pub stream: StreamId,
    pub offer: OfferId,
    pub title: String,
    pub titles: Titles,
    pub variant_name: String,
    pub variant_names: Titles,
    pub image: Option<String>,
    /// Follows from the lines: `held` while one of them can be paid.
    pub status: OrderStatus,
    /// The units of all lines that count: lines that ended do not, unless all of them ended.
    pub qty: i64,
    /// The sum of all lines that count. What the buyer pays is the `total` of the quote, where the shop charges delivery or adds a tax.
    pub amount: Minor,
    pub currency: String,
    /// The buyer's number in the offer ("you are number 137"): counts from 1 without gaps.
    pub place: i64,
    /// When the first hold of the order ends. A hold is never released before its time, and at most 5 s after it.
    /// A payment that is under way moves it forward, never back.
    pub hold_until: Millis,
    pub created_at: Millis,
    pub paid_at: Option<Millis>,
    /// Why the order ended: `hold_ended`, `buyer_cancel`, `shop_cancel`, `not_paid_in_time`, `capture_failed`, `card_limit`, `refunded`.
    pub reason: Option<String>,
    /// Grows with every change of a line.
    pub version: i64,
    /// The server's time at which this view was made.
    pub now: Millis,
    /// What the buyer pays or paid, with delivery and tax. Of a held order it is in the answer to `GET /v1/orders/{order}` and to
    /// `POST /v1/orders`, as of now; everywhere else it is there from the moment when a payment has won the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<Box<OrderQuote>>,
    /// The place of its payment in the queue of the payment provider: 1 is the next. Left out when none waits, and in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_place: Option<i64>,
    /// The ways in which a held order can be paid later, in the answers to `GET /v1/orders/{order}` and `POST /v1/orders`; left out: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub manual_methods: Vec<ManualMethodView>,
    /// The offers of a held order that must be paid at once, where the shop takes later payments otherwise: because of them the order has no
    /// `manual_methods`. In the same answers; left out: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paid_at_once: Vec<OfferId>,
    /// Why a held order cannot be paid with the address that it has: `country_not_served`, the code of the refusal. It is in the answers
    /// to `GET /v1/orders/{order}` and `POST /v1/orders`; left out: nothing is wrong. A payment that is under way goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub delivery_problem: Option<&'static str>,
    /// How the order was placed; left out: it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Where a placed order is paid by transfer: the text of the shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_details: Option<String>,
    /// What the order consists of, the oldest line first. Lines whose hold ended stay, with the reason. Left out in the reply to
    /// `buy` on the socket if its reservation is the only line.
    pub lines: Vec<ReservationView>,
}

impl OrderView {
    /// `lines`: the views of the order's lines, in their order.
    pub fn of(order: &Order, lines: Vec<ReservationView>, now: Millis) -> Self {
        let first = lines.first();
        Self {
            id: order.id,
            number: order.number,
            stream: order.stream,
            offer: order.first_line().offer,
            title: first.map(|line| line.title.clone()).unwrap_or_default(),
            titles: first.map(|line| line.titles.clone()).unwrap_or_default(),
            variant_name: first.map(|line| line.variant_name.clone()).unwrap_or_default(),
            variant_names: first.map(|line| line.variant_names.clone()).unwrap_or_default(),
            image: first.and_then(|line| line.image.clone()),
            status: order.status,
            qty: order.qty,
            amount: order.amount,
            currency: order.currency.clone(),
            place: order.first_line().place,
            hold_until: order.hold_until,
            created_at: order.created_at,
            paid_at: order.paid_at,
            reason: order.reason.clone(),
            version: order.version,
            now,
            quote: order.quote.clone(),
            payment_place: None,
            manual_methods: Vec::new(),
            paid_at_once: Vec::new(),
            delivery_problem: None,
            placement: order.placement,
            bank_details: None,
            lines,
        }
    }

    /// The order of a purchase that is in no order yet.
    pub fn of_purchase(reservation: &Reservation, offer: Option<&Offer>, now: Millis) -> Self {
        let line = ReservationView::of(reservation, offer, now);
        Self::of(&Order::from(reservation.clone()), vec![line], now)
    }
}

/// An order of the user with its history and delivery address.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct OrderDetail {
    #[serde(flatten)]
    pub order: OrderView,
    /// The oldest entry first.
    pub history: Vec<OrderHistoryEntry>,
    /// The delivery address; `null`: not given yet, or erased.
    pub address: Option<Address>,
}

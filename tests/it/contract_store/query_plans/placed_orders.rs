//! The queries about orders that are paid later.

use livesouk::domain::{AuditAction, ManualMethod, ManualPayments, Market, QuoteRules};
use livesouk::store::{NewPlacement, OrderEnd, ReceivedPayment};

use super::every_query::{Calls, call};
use crate::contract_store::builders::{audit_entry, key, person, user};

pub(super) async fn all(c: &Calls) {
    let offer = c.shop.offer(5, 5).await;
    let (paid, cancelled) = (c.shop.hold_one(offer, "cash-1").await.id, c.shop.hold_one(offer, "cash-2").await.id);
    call!(c, pay_later_of_offers(paid));
    let entry = audit_entry(c.shop.stream, AuditAction::SetPayLater);
    call!(c, set_pay_later(offer, Some(true), &entry)).unwrap();
    for (order, buyer) in [(paid, "cash-1"), (cancelled, "cash-2")] {
        let new = NewPlacement {
            order,
            buyer: user(buyer),
            person: person(buyer),
            key: key("place-0001"),
            hash: [2; 32],
            method: ManualMethod::CashOnDelivery,
            quote_version: None,
            rules: QuoteRules::default(),
            market: Market::default(),
            settings: ManualPayments { cash_on_delivery: true, ..ManualPayments::default() },
        };
        call!(c, place_order(&new)).unwrap();
    }
    call!(c, placed_orders_due(i64::MAX, 200));
    call!(c, count_placed_orders_due(i64::MAX, 10_000));
    call!(c, receive_payment(&ReceivedPayment { order: paid, amount: 4_900, paid_at: None })).unwrap();
    call!(c, end_order(cancelled, OrderEnd::NotPaidInTime));
    call!(c, end_order(cancelled, OrderEnd::ShopCancel { restock: false }));
}

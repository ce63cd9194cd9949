//! Refunds and webhook events: one refund per order, units in the right place, events stored once.

use livesouk::domain::order::request_hash;
use livesouk::domain::{OfferId, Order, OrderStatus, Refund, RefundScope, RefundStatus, Refusal};
use livesouk::store::{NewRefund, PaymentEvent};

use super::builders::{key, refusal, user};
use super::fixture::{Fixture, STOCK, facts};

facts! {
    refunded_units_go_where_the_host_chose
    concurrent_refunds_refund_an_order_once
    refund_has_its_own_row_and_key
    only_a_paid_order_can_be_refunded
    failed_refund_leaves_the_order_paid
    refund_that_the_bank_sent_back_keeps_its_units
    sales_totals_count_refunds
    payment_event_is_stored_once_and_pruned
}

fn new_refund(order: &Order, with: &str, restock: bool) -> NewRefund {
    NewRefund {
        order: order.id,
        by: user("noura"),
        key: key(with),
        hash: request_hash(&["refund", &order.id.to_string(), &restock.to_string()]),
        scope: RefundScope::Whole,
        restock,
        reason: Some("broken".into()),
    }
}

async fn paid(shop: &Fixture, offer: OfferId, buyer: &str) -> Order {
    let order = shop.hold_one(offer, buyer).await.id;
    shop.begin_capture(order).await.unwrap().unwrap();
    shop.store.finish_capture(order).await.unwrap().unwrap()
}

async fn begin(shop: &Fixture, order: &Order, restock: bool) -> Refund {
    shop.store.begin_refund(&new_refund(order, &format!("key-{}", order.id.0.simple()), restock)).await.unwrap()
}

async fn refunded_units_go_where_the_host_chose(shop: Fixture) {
    for (closed, restock, quantity, back) in
        [(false, true, 5, 0), (false, false, 4, 0), (true, true, 0, 1), (true, false, 0, 0)]
    {
        let pool = shop.stock().await;
        let offer = shop.offer(5, 1).await;
        let order = paid(&shop, offer, &format!("ann-{closed}-{restock}")).await;
        if closed {
            shop.store.close_offer(offer).await.unwrap();
        }
        let refund = begin(&shop, &order, restock).await;
        let before = shop.load_offer(offer).await.terms;
        assert_eq!((shop.order(order.id).await.status, before.reserved), (OrderStatus::Paid, 1), "not refunded yet");
        let done = shop.store.finish_refund(&refund).await.unwrap().unwrap();
        assert_eq!((done.status, done.reason.as_deref()), (OrderStatus::Refunded, Some("refunded")));
        assert_eq!(done.version, order.version + 1);
        let terms = shop.load_offer(offer).await.terms;
        assert_eq!((terms.quantity, terms.reserved, terms.version), (quantity, 0, before.version + 1));
        let left_in_pool = if closed { pool - 1 } else { pool - 5 };
        assert_eq!(shop.stock().await, left_in_pool + back, "closed {closed}, restock {restock}");
        assert_eq!(shop.store.finish_refund(&refund).await.unwrap(), None, "once");
        assert_eq!(shop.load_offer(offer).await.terms.version, terms.version);
        shop.assert_consistent().await;
        assert_eq!(shop.number("select count(*) from payment_mismatches").await, 0);
    }
    assert!(shop.stock().await < STOCK);
}

async fn refund_that_the_bank_sent_back_keeps_its_units(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let refused = paid(&shop, offer, "ann").await;
    let refund = begin(&shop, &refused, true).await;
    assert!(shop.store.fail_refund(&refund).await.unwrap());
    let reversed = paid(&shop, offer, "ben").await;
    let refund = begin(&shop, &reversed, true).await;
    assert!(shop.store.refunds_of_order(reversed.id).await.unwrap()[0].has_units, "it is on its way");
    shop.store.finish_refund(&refund).await.unwrap().unwrap();
    assert!(shop.store.reverse_refund(&refund).await.unwrap());
    for (order, has_units) in [(refused.id, false), (reversed.id, true)] {
        let record = shop.store.refunds_of_order(order).await.unwrap().remove(0);
        assert_eq!((record.refund.status, record.has_units), (RefundStatus::Failed, has_units));
    }
}

async fn concurrent_refunds_refund_an_order_once(shop: Fixture) {
    let offer = shop.offer(50, 1).await;
    for round in 0..15 {
        let order = paid(&shop, offer, &format!("ann-{round}")).await;
        let requests = ["key-one", "key-two"].map(|with| new_refund(&order, &format!("{with}-{round}"), true));
        let (one, two) = tokio::join!(shop.store.begin_refund(&requests[0]), shop.store.begin_refund(&requests[1]));
        let (refund, busy) = if one.is_ok() { (one, two) } else { (two, one) };
        assert_eq!(refusal(busy).code(), "busy", "round {round}");
        let refund = refund.unwrap();
        let (one, two) = tokio::join!(shop.store.finish_refund(&refund), shop.store.finish_refund(&refund));
        assert_eq!([one, two].iter().filter(|done| done.as_ref().unwrap().is_some()).count(), 1);
        assert_eq!(shop.load_offer(offer).await.terms.reserved, 0);
    }
    shop.assert_consistent().await;
}

async fn refund_has_its_own_row_and_key(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let (order, other) = (paid(&shop, offer, "ann").await, paid(&shop, offer, "bob").await);
    let first = shop.store.begin_refund(&new_refund(&order, "key-00001", true)).await.unwrap();
    assert_eq!((first.status, first.amount, first.n), (RefundStatus::Pending, order.amount, 1));
    assert_eq!(shop.store.begin_refund(&new_refund(&order, "key-00001", true)).await.unwrap(), first);
    assert_eq!(refusal(shop.store.begin_refund(&new_refund(&order, "key-00001", false)).await), Refusal::KeyReused);
    assert_eq!(refusal(shop.store.begin_refund(&new_refund(&other, "key-00001", true)).await), Refusal::KeyReused);
    assert_eq!(shop.store.live_refunds(order.id).await.unwrap(), std::slice::from_ref(&first));
    let now = shop.store.now().await.unwrap();
    assert_eq!(shop.store.refunds_to_reconcile(now - 60_000, now, 9).await.unwrap(), []);
    assert_eq!(shop.store.refunds_to_reconcile(now + 1, now, 9).await.unwrap(), std::slice::from_ref(&first));
    shop.store.finish_refund(&first).await.unwrap().unwrap();
    let again = shop.store.begin_refund(&new_refund(&order, "key-00001", true)).await.unwrap();
    assert_eq!(again.status, RefundStatus::Done);
    assert_eq!(
        refusal(shop.store.begin_refund(&new_refund(&order, "key-00002", true)).await),
        Refusal::AlreadyRefunded
    );
    assert_eq!(shop.store.refunds_to_reconcile(now + 60_000, now, 9).await.unwrap(), []);
}

async fn only_a_paid_order_can_be_refunded(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let order = shop.hold_one(offer, "ann").await;
    assert_eq!(refusal(shop.store.begin_refund(&new_refund(&order, "key-00001", true)).await), Refusal::NotPaid);
    shop.begin_capture(order.id).await.unwrap().unwrap();
    assert_eq!(refusal(shop.store.begin_refund(&new_refund(&order, "key-00001", true)).await), Refusal::NotPaid);
    assert_eq!(shop.number("select count(*) from refunds").await, 0);
}

async fn failed_refund_leaves_the_order_paid(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let order = paid(&shop, offer, "ann").await;
    let refund = begin(&shop, &order, true).await;
    shop.store.fail_refund(&refund).await.unwrap();
    assert_eq!(shop.store.finish_refund(&refund).await.unwrap(), None);
    assert_eq!(shop.order(order.id).await.status, OrderStatus::Paid);
    let second = shop.store.begin_refund(&new_refund(&order, "key-00002", false)).await.unwrap();
    assert_eq!((second.n, second.restock), (2, false));
    assert_ne!(second.idempotency_key(), refund.idempotency_key());
    shop.store.finish_refund(&second).await.unwrap().unwrap();
    shop.store.fail_refund(&second).await.unwrap();
    assert_eq!(shop.store.refund(order.id, 2).await.unwrap().unwrap().status, RefundStatus::Done);
    shop.assert_consistent().await;
}

async fn sales_totals_count_refunds(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let order = paid(&shop, offer, "ann").await;
    paid(&shop, offer, "bob").await;
    let refund = begin(&shop, &order, true).await;
    let sums = async || {
        let sums = shop.store.sales_totals(shop.stream).await.unwrap();
        (sums.orders_paid, sums.units_paid, sums.amount_paid, sums.orders_refunded, sums.amount_refunded)
    };
    assert_eq!(sums().await, (2, 2, 9_800, 0, 0));
    shop.store.finish_refund(&refund).await.unwrap().unwrap();
    assert_eq!(sums().await, (1, 1, 4_900, 1, 4_900));
}

async fn payment_event_is_stored_once_and_pruned(shop: Fixture) {
    let event = |id: &str| PaymentEvent {
        provider: "test".into(),
        event_id: id.into(),
        kind: "intent.captured".into(),
        reference: Some("r".into()),
    };
    let (event_one, event_two) = (event("evt_1"), event("evt_2"));
    let once = std::slice::from_ref(&event_one);
    let (one, two) = tokio::join!(shop.store.insert_payment_events(once), shop.store.insert_payment_events(once));
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    let both = [event_one.clone(), event_two.clone(), event_two.clone()];
    assert_eq!(shop.store.insert_payment_events(&both).await.unwrap(), 1);
    let now = shop.store.now().await.unwrap();
    let pending = async |since| shop.store.pending_payment_events(since, now + 1, 9).await.unwrap();
    assert_eq!(pending(now - 15_000).await.len(), 2);
    assert!(shop.store.claim_payment_event(&event_one, now - 15_000).await.unwrap());
    assert!(!shop.store.claim_payment_event(&event_one, now - 15_000).await.unwrap(), "another node has it");
    assert_eq!(pending(now - 15_000).await, std::slice::from_ref(&event_two), "tried just now");
    assert_eq!(pending(now + 15_000).await, [event_two.clone(), event_one.clone()], "it waits behind the others");
    shop.store.finish_payment_events("other", &["evt_1", "evt_2"]).await.unwrap();
    shop.store.finish_payment_events("test", &["evt_2"]).await.unwrap();
    assert_eq!(pending(now + 15_000).await, std::slice::from_ref(&event_one));
    assert_eq!(shop.store.prune_payment_events(now - 60_000).await.unwrap(), 0);
    assert_eq!(shop.store.prune_payment_events(now + 60_000).await.unwrap(), 2);
}

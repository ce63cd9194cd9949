//! Refunds through the verb of `app`: requested twice, lost in the network, refused, reconciled.

use livesouk::app::{App, Error};
use livesouk::domain::order::request_hash;
use livesouk::domain::{Actor, OrderId, OrderStatus, RefundScope, Refusal, Role};
use livesouk::store::NewRefund;

use super::builders::{actor, key, user};
use super::fixture::{Fixture, facts};

facts! {
    concurrent_refund_requests_refund_once
    refund_with_lost_reply_is_recovered_with_the_same_key
    refund_refused_by_the_provider_leaves_the_order_paid
    refund_is_reconciled_after_its_node_died
    refund_known_to_the_provider_is_not_requested_again
    only_hosts_may_refund
}

fn host() -> Actor {
    Actor { role: Role::Host, ..actor("noura") }
}

async fn paid(app: &App, shop: &Fixture, token: &str) -> OrderId {
    let offer = shop.offer(2, 2).await;
    let ann = actor("ann");
    let order = app.checkout.buy(&ann, offer, 1, key(&format!("key-{}", offer.0.simple()))).await.unwrap().order.id;
    for _ in 0..20 {
        match app.checkout.pay(&ann, order, token, None, key(&format!("pay-{}", order.0.simple()))).await {
            Ok(paid) => {
                assert_eq!(paid.order.status, OrderStatus::Paid);
                return order;
            }
            Err(Error::OutcomeUnknown) => {}
            Err(other) => panic!("{other}"),
        }
    }
    panic!("{token} was never paid");
}

async fn refund(app: &App, order: OrderId, with: &str) -> Result<(OrderStatus, bool), Error> {
    let result = app.checkout.refund(&host(), order, RefundScope::Whole, true, None, key(with)).await;
    result.map(|bought| (bought.order.status, bought.is_replay))
}

async fn end(app: App) {
    app.stopping().cancel();
    app.finish().await;
}

async fn concurrent_refund_requests_refund_once(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    for round in 0..8 {
        let order = paid(&app, &shop, "ok").await;
        let (one, two) = (format!("one-{round:05}"), format!("two-{round:05}"));
        let (first, same, other) =
            tokio::join!(refund(&app, order, &one), refund(&app, order, &one), refund(&app, order, &two));
        let result = [first, same, other];
        assert!(result.iter().any(Result::is_ok), "{result:?}");
        for answer in result {
            match answer {
                Ok((status, _)) => assert_eq!(status, OrderStatus::Refunded),
                Err(Error::Refused(refusal)) => assert!(["busy", "already_refunded"].contains(&refusal.code())),
                Err(fault) => panic!("{fault}"),
            }
        }
        shop.assert_settled().await;
    }
    let order = paid(&app, &shop, "ok").await;
    assert_eq!(refund(&app, order, "key-00001").await, Ok((OrderStatus::Refunded, false)));
    assert_eq!(refund(&app, order, "key-00001").await, Ok((OrderStatus::Refunded, true)));
    assert_eq!(refund(&app, order, "key-00002").await, Err(Error::Refused(Refusal::AlreadyRefunded)));
    end(app).await;
    shop.assert_settled().await;
}

async fn refund_with_lost_reply_is_recovered_with_the_same_key(shop: Fixture) {
    let app = shop.app_with_provider(250).await;
    for token in ["timeout_after_charge", "500_after_charge"] {
        let order = paid(&app, &shop, token).await;
        let with = format!("refund-{token}");
        let mut result = refund(&app, order, &with).await;
        // Unknown, unless the reconciler ran between the request and the reply, which a slow machine allows.
        assert!(matches!(result, Err(Error::OutcomeUnknown) | Ok((OrderStatus::Refunded, _))), "{token}: {result:?}");
        for _ in 0..20 {
            result = refund(&app, order, &with).await;
            if result.is_ok() {
                break;
            }
        }
        assert_eq!(result.map(|result| result.0), Ok(OrderStatus::Refunded), "{token}");
        shop.assert_settled().await;
    }
    end(app).await;
}

async fn refund_refused_by_the_provider_leaves_the_order_paid(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let order = paid(&app, &shop, "refund_fails").await;
    for _ in 0..2 {
        assert_eq!(refund(&app, order, "key-00001").await, Err(Error::Refused(Refusal::RefundFailed)));
    }
    assert_eq!(refund(&app, order, "key-00002").await, Err(Error::Refused(Refusal::RefundFailed)));
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    assert_eq!(shop.number("select count(*) from refunds where status = 'failed'").await, 2);
    end(app).await;
    shop.assert_settled().await;
}

fn new_refund(order: OrderId) -> NewRefund {
    NewRefund {
        order,
        by: user("noura"),
        key: key("key-00001"),
        hash: request_hash(&["refund"]),
        scope: RefundScope::Whole,
        restock: false,
        reason: None,
    }
}

async fn refund_is_reconciled_after_its_node_died(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let order = paid(&app, &shop, "webhook_never").await;
    shop.store.begin_refund(&new_refund(order)).await.unwrap();
    assert_eq!(app.checkout.reconcile(60_000).await.unwrap(), 0, "a request may still be in flight");
    assert_eq!(app.checkout.reconcile(0).await.unwrap(), 1);
    assert_eq!(shop.order(order).await.status, OrderStatus::Refunded);
    let terms = shop.load_offer(shop.order(order).await.first_line().offer).await.terms;
    assert_eq!((terms.quantity, terms.reserved), (1, 0), "the unit left with the goods");
    end(app).await;
    shop.assert_settled().await;
}

/// The provider has refunded and forgotten the key; our node died before it got the reply.
async fn refund_known_to_the_provider_is_not_requested_again(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let order = paid(&app, &shop, "webhook_never").await;
    let begun = shop.store.begin_refund(&new_refund(order)).await.unwrap();
    let payment = shop.store.winning_payment(order).await.unwrap().unwrap();
    let change = livesouk::domain::test_provider::IntentChange::Refund(payment.amount);
    shop.store
        .change_test_intent(&begun.idempotency_key(), payment.reference.as_deref().unwrap(), change, 1_000)
        .await
        .unwrap();
    shop.run("delete from test_calls").await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(shop.order(order).await.status, OrderStatus::Refunded);
    end(app).await;
    shop.assert_settled().await;
}

async fn only_hosts_may_refund(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let order = paid(&app, &shop, "ok").await;
    for role in [Role::Anonymous, Role::Viewer, Role::Moderator, Role::Analyst, Role::Producer] {
        let result = app
            .checkout
            .refund(&Actor { role, ..actor("ann") }, order, RefundScope::Whole, true, None, key("key-00001"))
            .await;
        let no = if role == Role::Anonymous { Refusal::SignIn } else { Refusal::Forbidden };
        assert_eq!(result.map(|_| ()), Err(Error::Refused(no)), "{role:?}");
    }
    let elsewhere = Actor { stream: Some(Default::default()), ..host() };
    let result = app.checkout.refund(&elsewhere, order, RefundScope::Whole, true, None, key("key-00001")).await;
    assert_eq!(result.map(|_| ()), Err(Error::Refused(Refusal::Forbidden)));
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    assert_eq!(refund(&app, order, "key-00002").await, Ok((OrderStatus::Refunded, false)));
    end(app).await;
}

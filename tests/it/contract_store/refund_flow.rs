//! Refunds through the verb: asked twice, lost on the way, refused, brought home.

use livesouk::app::{App, Error};
use livesouk::domain::order::request_hash;
use livesouk::domain::{Actor, OrderId, OrderStatus, Refusal, Role};
use livesouk::store::NewRefund;

use super::builders::{actor, key, user};
use super::fixture::{Fixture, facts};

facts! {
    a_refund_gives_the_money_back_once_also_at_once
    a_refund_whose_answer_was_lost_is_found_by_the_same_key
    a_refund_that_is_refused_leaves_the_order_paid
    a_refund_whose_node_died_is_brought_home
    a_refund_that_only_we_forgot_is_not_asked_for_again
    refunds_are_for_those_who_run_the_show
}

fn host() -> Actor {
    Actor { role: Role::Host, ..actor("noura") }
}

async fn paid(app: &App, shop: &Fixture, token: &str) -> OrderId {
    let offer = shop.offer(2, 2).await;
    let ann = actor("ann");
    let order = app.buy(&ann, offer, 1, key(&format!("key-{}", offer.0.simple()))).await.unwrap().order.id;
    for _ in 0..20 {
        match app.pay(&ann, order, token, key(&format!("pay-{}", order.0.simple()))).await {
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
    let told = app.refund(&host(), order, true, None, key(with)).await;
    told.map(|bought| (bought.order.status, bought.is_replay))
}

async fn end(app: App) {
    app.stopping().cancel();
    app.finish().await;
}

async fn a_refund_gives_the_money_back_once_also_at_once(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    for round in 0..8 {
        let order = paid(&app, &shop, "ok").await;
        let (one, two) = (format!("one-{round:05}"), format!("two-{round:05}"));
        let (first, same, other) =
            tokio::join!(refund(&app, order, &one), refund(&app, order, &one), refund(&app, order, &two));
        let told = [first, same, other];
        assert!(told.iter().any(Result::is_ok), "{told:?}");
        for answer in told {
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

async fn a_refund_whose_answer_was_lost_is_found_by_the_same_key(shop: Fixture) {
    let app = shop.app_with_provider(250).await;
    for token in ["timeout_after_charge", "500_after_charge"] {
        let order = paid(&app, &shop, token).await;
        let with = format!("refund-{token}");
        let mut told = refund(&app, order, &with).await;
        // Unknown, unless the reconciler looked between the question and the answer: a slow machine gives it the time.
        assert!(matches!(told, Err(Error::OutcomeUnknown) | Ok((OrderStatus::Refunded, _))), "{token}: {told:?}");
        for _ in 0..20 {
            told = refund(&app, order, &with).await;
            if told.is_ok() {
                break;
            }
        }
        assert_eq!(told.map(|told| told.0), Ok(OrderStatus::Refunded), "{token}");
        shop.assert_settled().await;
    }
    end(app).await;
}

async fn a_refund_that_is_refused_leaves_the_order_paid(shop: Fixture) {
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

fn wish(order: OrderId) -> NewRefund {
    NewRefund {
        order,
        by: user("noura"),
        key: key("key-00001"),
        hash: request_hash(&["refund"]),
        restock: false,
        reason: None,
    }
}

async fn a_refund_whose_node_died_is_brought_home(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let order = paid(&app, &shop, "webhook_never").await;
    shop.store.begin_refund(&wish(order)).await.unwrap();
    assert_eq!(app.reconcile(60_000).await.unwrap(), 0, "somebody is still at it");
    assert_eq!(app.reconcile(0).await.unwrap(), 1);
    assert_eq!(shop.order(order).await.status, OrderStatus::Refunded);
    let terms = shop.load_offer(shop.order(order).await.offer).await.terms;
    assert_eq!((terms.quantity, terms.reserved), (1, 0), "the unit is gone with the goods");
    end(app).await;
    shop.assert_settled().await;
}

/// The provider has given it back and forgotten the key; our node died before it heard.
async fn a_refund_that_only_we_forgot_is_not_asked_for_again(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let order = paid(&app, &shop, "webhook_never").await;
    let begun = shop.store.begin_refund(&wish(order)).await.unwrap();
    let payment = shop.store.winning_payment(order).await.unwrap().unwrap();
    let change = livesouk::domain::test_provider::IntentChange::Refund(payment.amount);
    shop.store
        .change_test_intent(&begun.idempotency_key(), payment.reference.as_deref().unwrap(), change)
        .await
        .unwrap();
    shop.run("delete from test_calls").await;
    app.reconcile(0).await.unwrap();
    assert_eq!(shop.order(order).await.status, OrderStatus::Refunded);
    end(app).await;
    shop.assert_settled().await;
}

async fn refunds_are_for_those_who_run_the_show(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let order = paid(&app, &shop, "ok").await;
    for role in [Role::Guest, Role::Viewer, Role::Moderator, Role::Analyst, Role::Producer] {
        let told = app.refund(&Actor { role, ..actor("ann") }, order, true, None, key("key-00001")).await;
        let no = if role == Role::Guest { Refusal::SignIn } else { Refusal::Forbidden };
        assert_eq!(told.map(|_| ()), Err(Error::Refused(no)), "{role:?}");
    }
    let elsewhere = Actor { stream: Some(Default::default()), ..host() };
    let told = app.refund(&elsewhere, order, true, None, key("key-00001")).await;
    assert_eq!(told.map(|_| ()), Err(Error::Refused(Refusal::Forbidden)));
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    assert_eq!(refund(&app, order, "key-00002").await, Ok((OrderStatus::Refunded, false)));
    end(app).await;
}

//! Payments that go wrong at the provider or on the way: nothing is taken without an order, and nothing is stuck.

use std::sync::atomic::Ordering;

use livesouk::app::{App, Error, ReconcileSettings, Settings, WebhookSecret};
use livesouk::clock::Clock;
use livesouk::domain::test_provider::IntentChange;
use livesouk::domain::{OrderStatus, Payment, PaymentIntentStatus, PaymentStatus, Refusal, TestScenario};
use livesouk::store::{ReleaseReason, TestProviderReply};

use super::builders::{actor, key};
use super::fixture::{Fixture, WEBHOOK_SECRET, facts, payment_settings};
use crate::support::{SOON, until_some};

facts! {
    money_taken_for_an_ended_order_is_given_back
    money_taken_for_an_attempt_that_did_not_win_is_given_back
    refund_that_the_provider_refuses_stays_owed_until_it_was_done_by_hand
    capture_that_is_declined_after_its_order_ended_is_not_stuck
    card_that_is_authorised_after_it_was_declined_is_voided
    payment_that_the_provider_forgot_is_not_cancelled
    request_that_may_still_arrive_is_waited_for
    intent_is_not_created_again_after_twelve_hours
    unreadable_outbox_event_does_not_stop_the_others
    several_events_of_a_payment_ask_the_provider_once
}

const TIMEOUT_MS: u64 = 10_000;
const DAY_MS: i64 = 24 * 3_600_000;

async fn end(app: App) {
    app.stopping().cancel();
    app.finish().await;
}

/// A held order with an attempt that the provider knows and that our side abandoned.
async fn abandoned(shop: &Fixture, buyer: &str, token: &str) -> (Payment, String) {
    let order = shop.hold_one(shop.offer(1, 1).await, buyer).await.id;
    let payment = shop.begin_payment(order, token).await.unwrap();
    (payment.clone(), authorise(shop, &payment, token).await)
}

async fn authorise(shop: &Fixture, payment: &Payment, token: &str) -> String {
    let reply = shop.store.create_test_intent(payment, TestScenario::parse(token).unwrap(), 1_000).await.unwrap();
    let TestProviderReply::Done { test_intent, .. } = reply else { panic!("{reply:?}") };
    test_intent.intent.reference
}

async fn capture_by_hand(shop: &Fixture, intent: &str) {
    let reply =
        shop.store.change_test_intent(&format!("hand:{intent}"), intent, IntentChange::Capture, 1_000).await.unwrap();
    assert!(matches!(reply, TestProviderReply::Done { .. }), "{reply:?}");
}

async fn end_order(shop: &Fixture, payment: &Payment) {
    let order = shop.order(payment.order).await;
    let offer = order.first_line().offer;
    shop.store.release_reservations(offer, &[order.id], ReleaseReason::BuyerCancel, None).await.unwrap();
}

async fn now(shop: &Fixture, payment: &Payment) -> (PaymentStatus, OrderStatus) {
    let now = shop.store.payment(payment.order, payment.attempt).await.unwrap().unwrap();
    (now.status, now.order_status)
}

/// What is owed, and what was captured and not given back.
async fn owed_and_kept(shop: &Fixture) -> (i64, i64) {
    let owed = shop.number("select count(*) from owed_refunds where status = 'owed'").await;
    (owed, shop.number("select count(*) from test_intents where captured > refunded").await)
}

async fn money_taken_for_an_ended_order_is_given_back(shop: Fixture) {
    let (payment, intent) = abandoned(&shop, "ann", "webhook_never").await;
    end_order(&shop, &payment).await;
    capture_by_hand(&shop, &intent).await;
    let app = shop.app_with_provider(TIMEOUT_MS).await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(owed_and_kept(&shop).await, (0, 0));
    assert_eq!(shop.number("select count(*) from owed_refunds where status = 'returned' and amount > 0").await, 1);
    assert_eq!(now(&shop, &payment).await, (PaymentStatus::Captured, OrderStatus::Cancelled));
    // Its buyer hears that the order is not paid.
    let ann = actor("ann");
    let again = app.checkout.pay(&ann, payment.order, "ok", None, key("another-key")).await;
    assert_eq!(
        again.map(|paid| paid.order.status),
        Err(Error::Refused(Refusal::WrongStatus("The order was cancelled.")))
    );
    end(app).await;
    shop.assert_settled().await;
}

async fn money_taken_for_an_attempt_that_did_not_win_is_given_back(shop: Fixture) {
    let app = shop.app_with_provider(TIMEOUT_MS).await;
    let ann = actor("ann");
    let order = app.checkout.buy(&ann, shop.offer(1, 1).await, 1, key("buy-00001")).await.unwrap().order.id;
    // The buyer's first attempt waits for 3-D Secure, and the second one pays.
    let asked = app.checkout.pay(&ann, order, "needs_action", None, key("pay-00001")).await;
    assert!(matches!(asked, Err(Error::Refused(Refusal::NeedsAction { .. }))), "{asked:?}");
    assert_eq!(
        app.checkout.pay(&ann, order, "webhook_never", None, key("pay-00002")).await.unwrap().order.status,
        OrderStatus::Paid
    );
    let first = shop.store.payment(order, 1).await.unwrap().unwrap();
    let intent = first.reference.clone().unwrap();
    shop.run(&format!("update test_intents set status = 'captured', captured = amount where id = '{intent}'")).await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(owed_and_kept(&shop).await, (0, 1), "one charge for the one order");
    let again = app.checkout.pay(&ann, order, "needs_action", None, key("pay-00001")).await;
    assert_eq!(again.map(|paid| paid.order.status), Err(Error::Refused(Refusal::AlreadyPaid)), "no answer 200 for it");
    end(app).await;
    shop.assert_settled().await;
}

async fn refund_that_the_provider_refuses_stays_owed_until_it_was_done_by_hand(shop: Fixture) {
    let (payment, intent) = abandoned(&shop, "ann", "refund_fails").await;
    end_order(&shop, &payment).await;
    capture_by_hand(&shop, &intent).await;
    let app = shop.app_with_provider(TIMEOUT_MS).await;
    for _ in 0..2 {
        app.checkout.reconcile(0).await.unwrap();
        assert_eq!(owed_and_kept(&shop).await, (1, 1));
        assert_eq!(app.counters().owed_refunds.load(Ordering::Relaxed), 1, "what the alert sees");
        shop.run("update owed_refunds set tried_at = 0").await;
    }
    let claims = (0..4).map(|_| shop.store.claim_owed_refund(&payment, 0));
    let claims = futures_util::future::join_all(claims).await;
    assert_eq!(
        claims.into_iter().filter(|claimed| *claimed.as_ref().unwrap()).count(),
        1,
        "one node asks the provider"
    );
    shop.run("update owed_refunds set tried_at = 0").await;
    shop.run(&format!("update test_intents set refunded = captured where id = '{intent}'")).await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(owed_and_kept(&shop).await, (0, 0));
    assert_eq!(app.counters().owed_refunds.load(Ordering::Relaxed), 0);
    end(app).await;
}

async fn capture_that_is_declined_after_its_order_ended_is_not_stuck(shop: Fixture) {
    let (payment, intent) = abandoned(&shop, "ann", "webhook_never").await;
    shop.store.begin_capture(&payment, Some(intent.as_str())).await.unwrap().unwrap();
    shop.run(&format!("update test_intents set status = 'declined' where id = '{intent}'")).await;
    let app = shop.app_with_provider(TIMEOUT_MS).await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await, (PaymentStatus::Failed, OrderStatus::Cancelled));
    end(app).await;
    shop.assert_settled().await;
}

async fn card_that_is_authorised_after_it_was_declined_is_voided(shop: Fixture) {
    let (payment, intent) = abandoned(&shop, "ann", "declined").await;
    let app = shop.app_with_provider(TIMEOUT_MS).await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await.0, PaymentStatus::Declined);
    // The buyer's other tab tries the same intent with another card.
    shop.run(&format!("update test_intents set status = 'authorized' where id = '{intent}'")).await;
    send_event(&app, &intent, "evt_1").await;
    until_some("void", SOON, async || {
        let intent = shop.store.test_intent(&intent).await.unwrap().unwrap().intent;
        (intent.status == PaymentIntentStatus::Cancelled).then_some(())
    })
    .await;
    until_some("end", SOON, async || (now(&shop, &payment).await.0 == PaymentStatus::Cancelled).then_some(())).await;
    assert_eq!(shop.order(payment.order).await.status, OrderStatus::Held, "it can be paid");
    end(app).await;
    shop.assert_settled().await;
}

async fn send_event(app: &App, reference: &str, id: &str) {
    let body = format!(r#"{{"id":"{id}","type":"intent.changed","data":{{"object":{{"id":"{reference}"}}}}}}"#);
    let signature = WebhookSecret::new(WEBHOOK_SECRET).sign(Clock::system().now(), body.as_bytes());
    app.checkout.receive_webhook(&[&signature], body.as_bytes()).await.unwrap();
}

async fn payment_that_the_provider_forgot_is_not_cancelled(shop: Fixture) {
    let (payment, intent) = abandoned(&shop, "ann", "webhook_never").await;
    shop.store.begin_capture(&payment, Some(intent.as_str())).await.unwrap().unwrap();
    // The keys of another account, or a provider that was restored.
    shop.run("delete from test_intents").await;
    let app = shop.app_with_provider(TIMEOUT_MS).await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await, (PaymentStatus::Authorized, OrderStatus::Capturing), "it may be paid");
    assert_eq!(app.counters().unmatched_payments.load(Ordering::Relaxed), 1, "what the alert sees");
    // No authorisation of this age can be captured any more.
    shop.run(&format!("update payments set tried_at = 0, created_at = created_at - {}", 9 * DAY_MS)).await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await, (PaymentStatus::Failed, OrderStatus::Cancelled));
    end(app).await;
    shop.assert_settled().await;
}

async fn request_that_may_still_arrive_is_waited_for(shop: Fixture) {
    let order = shop.hold_one(shop.offer(1, 1).await, "ann").await.id;
    let payment = shop.begin_payment(order, "webhook_never").await.unwrap();
    let settings = payment_settings(TIMEOUT_MS);
    let reconcile = ReconcileSettings { late_request_ms: 120_000, ..settings.reconcile };
    let app = shop.app_with(shop.store.clone(), Settings { reconcile, ..settings }).await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await.0, PaymentStatus::Creating, "its request may be on its way");
    shop.run("update payments set tried_at = 0, created_at = created_at - 100000").await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await.0, PaymentStatus::Creating, "the deadline and two minutes are not over");
    shop.run("update payments set tried_at = 0, created_at = created_at - 40000").await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await, (PaymentStatus::Cancelled, OrderStatus::Held));
    end(app).await;
    shop.assert_settled().await;
}

async fn intent_is_not_created_again_after_twelve_hours(shop: Fixture) {
    let app = shop.app_with_provider(TIMEOUT_MS).await;
    let ann = actor("ann");
    for (n, hours, intents) in [(1, 11, 1), (2, 13, 1)] {
        let offer = shop.offer(1, 1).await;
        let order = app.checkout.buy(&ann, offer, 1, key(&format!("buy-0000{n}"))).await.unwrap().order.id;
        let first = app.checkout.pay(&ann, order, "declined", None, key(&format!("pay-0000{n}"))).await;
        assert!(matches!(first, Err(Error::Refused(Refusal::Declined))), "{first:?}");
        let id = shop.id(order.0);
        let handled_events = format!(
            "select count(*) from payment_events e join test_intents i on i.id = e.reference
                where i.order_id = {id} and e.done_at is not null"
        );
        until_some("event", SOON, async || (shop.number(&handled_events).await == 1).then_some(())).await;
        // As if the node had died before the request was sent.
        shop.run(&format!("delete from test_intents where order_id = {id}")).await;
        shop.run("delete from test_calls").await;
        let age = hours * 3_600_000;
        shop.run(&format!(
            "update payments set status = 'creating', reference = null, created_at = created_at - {age} where order_id = {id}"
        ))
        .await;
        // The buyer's retry gets its one result either way.
        let again = app.checkout.pay(&ann, order, "declined", None, key(&format!("pay-0000{n}"))).await;
        assert!(matches!(again, Err(Error::Refused(Refusal::Declined))), "{again:?}");
        assert_eq!(shop.number("select count(*) from test_intents").await, intents, "after {hours} h");
    }
    end(app).await;
}

async fn unreadable_outbox_event_does_not_stop_the_others(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let mut orders = Vec::new();
    for buyer in ["ann", "bob"] {
        let order = shop.hold_one(offer, buyer).await.id;
        shop.begin_capture(order).await.unwrap().unwrap();
        shop.store.finish_capture(order).await.unwrap().unwrap();
        orders.push(order);
    }
    let broken = shop.id(orders[0].0);
    shop.run(&format!("update reservations set buyer = '' where order_id = {broken}")).await;
    assert!(shop.store.order(orders[0]).await.is_err(), "the row cannot be read");
    let app = shop.app_with_provider(TIMEOUT_MS).await;
    let empty = async || (shop.number("select count(*) from outbox").await == 0).then_some(());
    until_some("empty outbox", SOON, empty).await;
    assert_eq!(app.counters().outbox_unreadable.load(Ordering::Relaxed), 1, "what the alert sees");
    end(app).await;
}

async fn several_events_of_a_payment_ask_the_provider_once(shop: Fixture) {
    let (payment, intent) = abandoned(&shop, "ann", "declined").await;
    shop.store.update_payment_status(&payment, PaymentStatus::Declined, Some(intent.as_str())).await.unwrap();
    for n in 0..4 {
        let insert = format!(
            "insert into payment_events (provider, event_id, kind, reference, received_at) values ('test', 'evt_{n}', 'x', '{intent}', 9999999999999)"
        );
        shop.run(&insert).await;
    }
    let app = shop.app_with_provider(TIMEOUT_MS).await;
    let open = "select count(*) from payment_events where done_at is null";
    until_some("empty inbox", SOON, async || (shop.number(open).await == 0).then_some(())).await;
    let asked: u64 = app.checkout.provider_calls().unwrap().outcomes.values().map(|(_, count)| count).sum();
    assert_eq!(asked, 1);
    end(app).await;
}

//! Paying through the verbs of `app`, with a provider in each of its test scenarios.

use livesouk::app::{App, Error, WebhookSecret};
use livesouk::clock::Clock;
use livesouk::domain::{OrderStatus, Payment, PaymentIntentStatus, PaymentStatus, Refusal, TestScenario};
use livesouk::store::{ReleaseReason, TestProviderReply};

use super::builders::{actor, key};
use super::fixture::{Fixture, WEBHOOK_SECRET, facts};
use crate::support::{SOON, until_some};

facts! {
    each_test_scenario_has_its_outcome
    lost_reply_is_recovered_with_the_same_key
    abandoned_payment_is_finished_by_webhook_or_reconciler
    only_the_winning_attempt_is_captured_after_a_crash
    authorization_of_an_ended_order_is_voided
    late_void_is_retried
    attempt_unknown_to_the_provider_is_closed
    intent_with_wrong_details_is_never_captured
    approval_completes_the_order
    approval_after_the_hold_expired_captures_nothing
    webhook_content_is_not_trusted
    free_order_is_paid_without_a_provider
}

const LONG_TIMEOUT_MS: u64 = 10_000;
const SHORT_TIMEOUT_MS: u64 = 250;
/// No request of the attempts can arrive any more.
const LONG_AGO: &str = "update payments set created_at = created_at - 60000";

async fn pay(app: &App, shop: &Fixture, buyer: &str, token: &str) -> (Payment, Result<OrderStatus, Error>) {
    let offer = shop.offer(1, 1).await;
    let ann = actor(buyer);
    let order = app.checkout.buy(&ann, offer, 1, key(&format!("key-{}", offer.0.simple()))).await.unwrap().order.id;
    let reply = app.checkout.pay(&ann, order, token, None, key(&format!("pay-{}", order.0.simple()))).await;
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
    (payment, reply.map(|bought| bought.order.status))
}

async fn end(app: App) {
    app.stopping().cancel();
    app.finish().await;
}

/// Creates a held order with an attempt that the provider knows and that our side abandoned.
async fn abandoned_payment(shop: &Fixture, buyer: &str, token: &str) -> (Payment, String) {
    let offer = shop.offer(1, 1).await;
    let order = shop.hold_one(offer, buyer).await.id;
    abandoned_payment_for(shop, order, token).await
}

async fn abandoned_payment_for(shop: &Fixture, order: livesouk::domain::OrderId, token: &str) -> (Payment, String) {
    let payment = shop.begin_payment(order, token).await.unwrap();
    let reply = shop.store.create_test_intent(&payment, TestScenario::parse(token).unwrap(), 1_000).await.unwrap();
    let TestProviderReply::Done { test_intent: booked, .. } = reply else { panic!("{reply:?}") };
    (payment, booked.intent.reference)
}

async fn now(shop: &Fixture, payment: &Payment) -> (PaymentStatus, OrderStatus) {
    let now = shop.store.payment(payment.order, payment.attempt).await.unwrap().unwrap();
    (now.status, now.order_status)
}

async fn intent_status(shop: &Fixture, reference: &str) -> PaymentIntentStatus {
    shop.store.test_intent(reference).await.unwrap().unwrap().intent.status
}

async fn send_webhook(app: &App, reference: &str, id: &str) -> Result<(), Error> {
    let body =
        format!(r#"{{"id":"{id}","type":"intent.captured","data":{{"object":{{"id":"{reference}","amount":1}}}}}}"#);
    let signature = WebhookSecret::new(WEBHOOK_SECRET).sign(Clock::system().now(), body.as_bytes());
    app.checkout.receive_webhook(&[&signature], body.as_bytes()).await
}

async fn each_test_scenario_has_its_outcome(shop: Fixture) {
    use PaymentStatus as P;
    let app = shop.app_with_provider(LONG_TIMEOUT_MS).await;
    for (token, expected, order, payment) in [
        ("ok", "paid", OrderStatus::Paid, P::Captured),
        ("declined", "declined", OrderStatus::Held, P::Declined),
        ("needs_action", "needs_action", OrderStatus::Held, P::NeedsAction),
        ("slow", "paid", OrderStatus::Paid, P::Captured),
        ("webhook_twice", "paid", OrderStatus::Paid, P::Captured),
        ("webhook_before_reply", "paid", OrderStatus::Paid, P::Captured),
        ("webhook_never", "paid", OrderStatus::Paid, P::Captured),
        ("webhook_reordered", "paid", OrderStatus::Paid, P::Captured),
        ("cancel_too_late", "paid", OrderStatus::Paid, P::Captured),
        ("capture_fails", "capture_failed", OrderStatus::Cancelled, P::Failed),
        ("wrong_amount", "declined", OrderStatus::Held, P::Cancelled),
        ("bad_signature", "paid", OrderStatus::Paid, P::Captured),
        ("refund_fails", "paid", OrderStatus::Paid, P::Captured),
    ] {
        let (attempt, answer) = pay(&app, &shop, token, token).await;
        let answer = match answer {
            Ok(status) => status.name(),
            Err(Error::Refused(refusal)) => refusal.code(),
            Err(fault) => panic!("{token}: {fault}"),
        };
        assert_eq!(answer, expected, "{token}");
        // The answer does not wait until a second look, which a webhook has started, has voided the attempt.
        until_some(token, SOON, async || (now(&shop, &attempt).await == (payment, order)).then_some(())).await;
        shop.assert_money().await;
    }
    assert_eq!(shop.number("select count(*) from test_intents where status = 'authorized'").await, 0);
    let events =
        "select count(*) from payment_events where reference in (select id from test_intents where scenario = ";
    for (token, kept) in [("webhook_twice", 2), ("webhook_never", 0), ("bad_signature", 0), ("webhook_reordered", 2)] {
        let sql = format!("{events}'{token}')");
        until_some(token, SOON, async || (shop.number(&sql).await == kept).then_some(())).await;
    }
    end(app).await;
}

async fn lost_reply_is_recovered_with_the_same_key(shop: Fixture) {
    let app = shop.app_with_provider(SHORT_TIMEOUT_MS).await;
    let offer = shop.offer(9, 9).await;
    let ann = actor("ann");
    for token in ["timeout_after_charge", "500_after_charge"] {
        let order = app.checkout.buy(&ann, offer, 1, key(&format!("buy-{token}"))).await.unwrap().order.id;
        let mut unknown = 0;
        let paid = loop {
            match app.checkout.pay(&ann, order, token, None, key(&format!("pay-{token}"))).await {
                Ok(paid) => break paid,
                Err(Error::OutcomeUnknown) => unknown += 1,
                Err(other) => panic!("{token}: {other}"),
            }
            assert!(unknown < 20, "{token}: never found");
        };
        assert!(unknown > 0, "{token}: nothing was lost");
        assert_eq!((paid.order.status, paid.is_replay), (OrderStatus::Paid, true));
        shop.assert_settled().await;
    }
    assert_eq!(shop.number("select count(*) from payments").await, 2, "one attempt each");
    end(app).await;
}

async fn abandoned_payment_is_finished_by_webhook_or_reconciler(shop: Fixture) {
    let app = shop.app_with_provider(SHORT_TIMEOUT_MS).await;
    for token in ["timeout_after_charge", "500_after_charge", "slow"] {
        let (payment, reply) = pay(&app, &shop, token, token).await;
        assert_eq!(reply, Err(Error::OutcomeUnknown), "{token}");
        until_some("paid order", SOON, async || {
            if token != "slow" {
                app.checkout.reconcile(0).await.unwrap();
            }
            (now(&shop, &payment).await.1 == OrderStatus::Paid).then_some(())
        })
        .await;
    }
    end(app).await;
    shop.assert_settled().await;
}

async fn only_the_winning_attempt_is_captured_after_a_crash(shop: Fixture) {
    let offer = shop.offer(1, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    let (first, first_intent) = abandoned_payment_for(&shop, order, "webhook_never").await;
    let (second, second_intent) = abandoned_payment_for(&shop, order, "webhook_never").await;
    let (third, third_intent) = abandoned_payment_for(&shop, order, "webhook_never").await;
    shop.store.begin_capture(&second, Some(second_intent.as_str())).await.unwrap().unwrap();
    // No node saw which attempt wins, and the losing attempt is checked first.
    let app = shop.app_with_provider(LONG_TIMEOUT_MS).await;
    assert_eq!(app.checkout.reconcile(0).await.unwrap(), 3);
    assert_eq!(now(&shop, &second).await, (PaymentStatus::Captured, OrderStatus::Paid));
    assert_eq!(now(&shop, &first).await.0, PaymentStatus::Cancelled);
    assert_eq!(now(&shop, &third).await.0, PaymentStatus::Cancelled);
    for (intent, status) in [
        (&first_intent, PaymentIntentStatus::Cancelled),
        (&second_intent, PaymentIntentStatus::Captured),
        (&third_intent, PaymentIntentStatus::Cancelled),
    ] {
        assert_eq!(intent_status(&shop, intent).await, status);
    }
    assert_eq!(app.checkout.reconcile(0).await.unwrap(), 0, "no work is left");
    end(app).await;
    shop.assert_settled().await;
}

async fn authorization_of_an_ended_order_is_voided(shop: Fixture) {
    let mut tries = Vec::new();
    for (buyer, why) in [("ann", ReleaseReason::HoldEnded), ("bob", ReleaseReason::BuyerCancel)] {
        let (payment, intent) = abandoned_payment(&shop, buyer, "webhook_never").await;
        let order = shop.order(payment.order).await;
        shop.expire_holds(order.first_line().offer).await;
        shop.store.release_reservations(order.first_line().offer, &[order.id], why, None).await.unwrap();
        tries.push((payment, intent));
    }
    let app = shop.app_with_provider(LONG_TIMEOUT_MS).await;
    app.checkout.reconcile(0).await.unwrap();
    for (payment, intent) in &tries {
        assert_eq!(now(&shop, payment).await.0, PaymentStatus::Cancelled);
        assert_eq!(intent_status(&shop, intent).await, PaymentIntentStatus::Cancelled);
    }
    end(app).await;
    shop.assert_settled().await;
}

async fn late_void_is_retried(shop: Fixture) {
    let (payment, intent) = abandoned_payment(&shop, "ann", "cancel_too_late").await;
    let order = shop.order(payment.order).await;
    shop.store
        .release_reservations(order.first_line().offer, &[order.id], ReleaseReason::BuyerCancel, None)
        .await
        .unwrap();
    let app = shop.app_with_provider(LONG_TIMEOUT_MS).await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await.0, PaymentStatus::Voiding);
    assert_eq!(intent_status(&shop, &intent).await, PaymentIntentStatus::Authorized);
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await.0, PaymentStatus::Cancelled);
    end(app).await;
    shop.assert_settled().await;
}

async fn attempt_unknown_to_the_provider_is_closed(shop: Fixture) {
    let offer = shop.offer(1, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    let payment = shop.begin_payment(order, "ok").await.unwrap();
    let app = shop.app_with_provider(LONG_TIMEOUT_MS).await;
    app.checkout.reconcile(60_000).await.unwrap();
    assert_eq!(now(&shop, &payment).await.0, PaymentStatus::Creating, "its request may still be in flight");
    shop.run(LONG_AGO).await;
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await, (PaymentStatus::Cancelled, OrderStatus::Held));
    // The request arrives late: nothing is captured for it.
    let reply = shop.store.create_test_intent(&payment, TestScenario::Ok, 1_000).await.unwrap();
    let TestProviderReply::Done { test_intent: late, .. } = reply else { panic!("{reply:?}") };
    send_webhook(&app, &late.intent.reference, "evt_late").await.unwrap();
    let gone =
        async || (intent_status(&shop, &late.intent.reference).await == PaymentIntentStatus::Cancelled).then_some(());
    until_some("void", SOON, gone).await;
    until_some("end", SOON, async || {
        (now(&shop, &payment).await == (PaymentStatus::Cancelled, OrderStatus::Held)).then_some(())
    })
    .await;
    end(app).await;
    shop.assert_settled().await;
}

async fn intent_with_wrong_details_is_never_captured(shop: Fixture) {
    let app = shop.app_with_provider(LONG_TIMEOUT_MS).await;
    let other = shop.hold_one(shop.offer(1, 1).await, "other").await.id;
    for (n, wrong) in [
        "amount = amount + 1".to_owned(),
        "amount = 1".to_owned(),
        "currency = 'USD'".to_owned(),
        "livemode = 1".to_owned(),
        "attempt = 7".to_owned(),
        format!("order_id = {}", shop.id(other.0)),
    ]
    .into_iter()
    .enumerate()
    {
        let (payment, intent) = abandoned_payment(&shop, &format!("ann-{n}"), "webhook_never").await;
        shop.run(&format!("update test_intents set {wrong} where id = '{intent}'")).await;
        send_webhook(&app, &intent, &format!("evt_{n}")).await.unwrap();
        let worked = "select count(*) from payment_events where done_at is null";
        until_some("empty inbox", SOON, async || (shop.number(worked).await == 0).then_some(())).await;
        shop.run(LONG_AGO).await;
        app.checkout.reconcile(0).await.unwrap();
        let (status, order) = now(&shop, &payment).await;
        assert_eq!((status, order), (PaymentStatus::Cancelled, OrderStatus::Held), "{wrong}");
    }
    assert_eq!(shop.number("select count(*) from test_intents where captured > 0").await, 0);
    assert_eq!(shop.order(other).await.status, OrderStatus::Held);
    end(app).await;
}

async fn approval_completes_the_order(shop: Fixture) {
    let app = shop.app_with_provider(LONG_TIMEOUT_MS).await;
    let (approved, result) = pay(&app, &shop, "ann", "needs_action").await;
    let Err(Error::Refused(Refusal::NeedsAction { action_url })) = result else { panic!("{result:?}") };
    let reference = approved.reference.clone().unwrap();
    assert!(action_url.contains(&reference), "{action_url}");
    app.checkout.approve_test_payment(&reference, true).await.unwrap();
    let paid = async || (now(&shop, &approved).await.1 == OrderStatus::Paid).then_some(());
    until_some("paid order", SOON, paid).await;
    let again = app
        .checkout
        .pay(&actor("ann"), approved.order, "needs_action", None, key(&format!("pay-{}", approved.order.0.simple())))
        .await;
    assert_eq!(again.map(|paid| (paid.order.status, paid.is_replay)), Ok((OrderStatus::Paid, true)));
    let (no, _) = pay(&app, &shop, "bob", "needs_action").await;
    app.checkout.approve_test_payment(no.reference.as_deref().unwrap(), false).await.unwrap();
    let refused = async || (now(&shop, &no).await.0 == PaymentStatus::Declined).then_some(());
    until_some("declined card", SOON, refused).await;
    assert_eq!(shop.order(no.order).await.status, OrderStatus::Held);
    end(app).await;
    shop.assert_settled().await;
}

async fn approval_after_the_hold_expired_captures_nothing(shop: Fixture) {
    let app = shop.app_with_provider(LONG_TIMEOUT_MS).await;
    let (payment, _) = pay(&app, &shop, "ann", "needs_action").await;
    shop.expire_holds(shop.order(payment.order).await.first_line().offer).await;
    let expired = async || (now(&shop, &payment).await.1 == OrderStatus::Expired).then_some(());
    until_some("end of the hold", SOON, expired).await;
    let reference = payment.reference.clone().unwrap();
    app.checkout.approve_test_payment(&reference, true).await.unwrap();
    let gone = async || (now(&shop, &payment).await.0 == PaymentStatus::Cancelled).then_some(());
    until_some("void", SOON, gone).await;
    let again = app
        .checkout
        .pay(&actor("ann"), payment.order, "needs_action", None, key(&format!("pay-{}", payment.order.0.simple())))
        .await;
    assert_eq!(again.map(|_| ()), Err(Error::Refused(Refusal::HoldExpired)));
    end(app).await;
    shop.assert_settled().await;
}

async fn webhook_content_is_not_trusted(shop: Fixture) {
    let app = shop.app_with_provider(LONG_TIMEOUT_MS).await;
    let (payment, _) = pay(&app, &shop, "ann", "needs_action").await;
    let reference = payment.reference.clone().unwrap();
    // The webhook claims that the money was captured. It was not.
    for _ in 0..2 {
        send_webhook(&app, &reference, "evt_liar").await.unwrap();
    }
    send_webhook(&app, "test_nothing", "evt_nothing").await.unwrap();
    let worked = "select count(*) from payment_events where done_at is null";
    until_some("empty inbox", SOON, async || (shop.number(worked).await == 0).then_some(())).await;
    assert_eq!(now(&shop, &payment).await, (PaymentStatus::NeedsAction, OrderStatus::Held));
    assert_eq!(shop.number("select count(*) from payment_events where event_id = 'evt_liar'").await, 1);
    let forged = WebhookSecret::new("another-secret-of-thirty-two-bytes").sign(Clock::system().now(), b"{}");
    assert_eq!(app.checkout.receive_webhook(&[&forged], b"{}").await, Err(Error::Refused(Refusal::BadSignature)));
    end(app).await;
    shop.assert_money().await;
}

async fn free_order_is_paid_without_a_provider(shop: Fixture) {
    let app = shop.app_with_provider(LONG_TIMEOUT_MS).await;
    let form = livesouk::domain::offer::NewOffer { price: 0, ..shop.new_offer(3, 3) };
    shop.store.create_offer(&form, None).await.unwrap();
    shop.store.open_offer(form.id).await.unwrap();
    let ann = actor("ann");
    let order = app.checkout.buy(&ann, form.id, 2, key("buy-00001")).await.unwrap().order.id;
    let pay = || app.checkout.pay(&ann, order, "ok", None, key("pay-00001"));
    let (one, two) = tokio::join!(pay(), pay());
    assert_eq!((one.unwrap().order.status, two.unwrap().order.status), (OrderStatus::Paid, OrderStatus::Paid));
    assert_eq!(shop.number("select count(*) from test_intents").await, 0);
    // An order whose node died in between.
    let left = app.checkout.buy(&ann, form.id, 1, key("buy-00002")).await.unwrap().order.id;
    let payment = shop.begin_payment(left, "ok").await.unwrap();
    shop.store.begin_capture(&payment, Some(payment.create_key().as_str())).await.unwrap().unwrap();
    app.checkout.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await, (PaymentStatus::Captured, OrderStatus::Paid));
    end(app).await;
    shop.assert_settled().await;
}

//! The ledger of the test provider: its intents, keys and refusals.

use livesouk::domain::test_provider::{IntentChange, IntentChangeError, TestScenario};
use livesouk::domain::{Payment, PaymentIntentStatus};
use livesouk::store::{TestIntent, TestProviderReply};

use super::fixture::{Fixture, facts};

facts! {
    key_creates_one_intent
    key_used_for_another_request_is_an_error
    earlier_reply_is_replayed_exactly
    no_key_captures_a_cancelled_intent
    concurrent_refunds_never_exceed_the_capture
    ledger_survives_a_restart
    old_calls_are_pruned_and_their_effects_stay
}

/// The time of the provider's clock.
const NOW: i64 = 1_000;

async fn payment(shop: &Fixture, token: &str) -> Payment {
    let offer = shop.offer(1, 1).await;
    let order = shop.hold_one(offer, &format!("b-{}", offer.0.simple())).await.id;
    shop.begin_payment(order, token).await.unwrap()
}

async fn book(shop: &Fixture, payment: &Payment) -> TestIntent {
    match shop.store.create_test_intent(payment, TestScenario::parse(&payment.token).unwrap(), NOW).await.unwrap() {
        TestProviderReply::Done { test_intent: booked, .. } => *booked,
        other => panic!("{other:?}"),
    }
}

async fn change(
    shop: &Fixture,
    key: &str,
    reference: &str,
    change: IntentChange,
) -> Result<TestIntent, TestProviderReply> {
    match shop.store.change_test_intent(key, reference, change, NOW).await.unwrap() {
        TestProviderReply::Done { test_intent: booked, .. } => Ok(*booked),
        other => Err(other),
    }
}

async fn key_creates_one_intent(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let script = TestScenario::Ok;
    let (one, two) = tokio::join!(
        shop.store.create_test_intent(&payment, script, NOW),
        shop.store.create_test_intent(&payment, script, NOW)
    );
    let reply = [one.unwrap(), two.unwrap()].map(|reply| match reply {
        TestProviderReply::Done { test_intent: booked, replayed: again } => (booked.intent, again),
        other => panic!("{other:?}"),
    });
    assert_eq!(reply[0].0, reply[1].0);
    assert_ne!(reply[0].1, reply[1].1, "one call created it, the other got the same reply");
    assert_eq!(shop.number("select count(*) from test_intents").await, 1);
    assert_eq!(book(&shop, &payment).await.intent, reply[0].0);
    assert_eq!(shop.store.test_intent_of(payment.order, 1).await.unwrap().unwrap().intent, reply[0].0);
    assert_eq!(shop.store.test_intent_of(payment.order, 2).await.unwrap(), None);
}

async fn key_used_for_another_request_is_an_error(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let intent = book(&shop, &payment).await.intent;
    let other = Payment { amount: payment.amount + 1, ..payment.clone() };
    assert_eq!(
        shop.store.create_test_intent(&other, TestScenario::Ok, NOW).await.unwrap(),
        TestProviderReply::KeyReused
    );
    change(&shop, "key", &intent.reference, IntentChange::Capture).await.unwrap();
    assert_eq!(change(&shop, "key", &intent.reference, IntentChange::Cancel).await, Err(TestProviderReply::KeyReused));
    assert_eq!(change(&shop, "key", "another", IntentChange::Capture).await, Err(TestProviderReply::KeyReused));
    assert_eq!(change(&shop, "key-2", "another", IntentChange::Capture).await, Err(TestProviderReply::NoSuchIntent));
}

async fn earlier_reply_is_replayed_exactly(shop: Fixture) {
    let (payment, failing) = (payment(&shop, "ok").await, payment(&shop, "capture_fails").await);
    let intent = book(&shop, &payment).await.intent;
    change(&shop, "capture", &intent.reference, IntentChange::Capture).await.unwrap();
    assert_eq!(
        book(&shop, &payment).await.intent.status,
        PaymentIntentStatus::Authorized,
        "the status of the earlier reply"
    );
    let again = change(&shop, "capture", &intent.reference, IntentChange::Capture).await.unwrap().intent;
    assert_eq!((again.status, again.captured), (PaymentIntentStatus::Captured, payment.amount));
    let failed = book(&shop, &failing).await.intent.reference;
    for _ in 0..2 {
        let reply = change(&shop, "fails", &failed, IntentChange::Capture).await;
        assert!(matches!(reply, Err(TestProviderReply::Denied(IntentChangeError::Permanent(_)))), "{reply:?}");
    }
}

async fn no_key_captures_a_cancelled_intent(shop: Fixture) {
    for round in 0..20 {
        let intent = book(&shop, &payment(&shop, "ok").await).await.intent.reference;
        let (cancel, capture) = (format!("can-{round}"), format!("cap-{round}"));
        let (cancelled, captured) = tokio::join!(
            change(&shop, &cancel, &intent, IntentChange::Cancel),
            change(&shop, &capture, &intent, IntentChange::Capture)
        );
        assert_ne!(cancelled.is_ok(), captured.is_ok(), "round {round}");
        let seen = shop.store.test_intent(&intent).await.unwrap().unwrap().intent;
        assert_eq!(seen.captured > 0, captured.is_ok());
    }
}

async fn concurrent_refunds_never_exceed_the_capture(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let intent = book(&shop, &payment).await.intent.reference;
    let whole = IntentChange::Refund(payment.amount);
    assert!(change(&shop, "rf:0", &intent, whole).await.is_err(), "nothing was captured");
    change(&shop, "cap", &intent, IntentChange::Capture).await.unwrap();
    let (one, two) = tokio::join!(change(&shop, "rf:1", &intent, whole), change(&shop, "rf:2", &intent, whole));
    assert_ne!(one.is_ok(), two.is_ok());
    let seen = shop.store.test_intent(&intent).await.unwrap().unwrap().intent;
    assert_eq!((seen.captured, seen.refunded), (payment.amount, payment.amount));
}

async fn ledger_survives_a_restart(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let intent = book(&shop, &payment).await.intent;
    let shop = if shop.is_postgres() { shop } else { shop.reopened().await };
    assert_eq!(book(&shop, &payment).await.intent, intent);
}

async fn old_calls_are_pruned_and_their_effects_stay(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let booked = book(&shop, &payment).await;
    assert_eq!(shop.store.prune_test_calls(NOW).await.unwrap(), 0);
    assert_eq!(shop.store.prune_test_calls(NOW + 1).await.unwrap(), 1);
    assert_eq!(shop.store.test_intent(&booked.intent.reference).await.unwrap().unwrap().intent, booked.intent);
}

//! The book of the test provider: a provider's own records, with its keys and its refusals.

use livesouk::domain::test_provider::{IntentChange, IntentChangeError, TestScenario};
use livesouk::domain::{Payment, PaymentIntentStatus};
use livesouk::store::{TestIntent, TestProviderReply};

use super::fixture::{Fixture, facts};

facts! {
    a_key_makes_one_intent_and_remembers_it
    a_key_used_for_something_else_is_an_error
    an_answer_of_before_is_told_word_for_word
    nothing_is_captured_after_a_cancel_under_whatever_key
    no_more_is_refunded_than_was_captured_also_at_once
    the_book_outlives_a_restart
    calls_that_are_old_enough_are_forgotten_and_what_they_did_is_not
}

async fn payment(shop: &Fixture, token: &str) -> Payment {
    let offer = shop.offer(1, 1).await;
    let order = shop.hold_one(offer, &format!("b-{}", offer.0.simple())).await.id;
    shop.begin_payment(order, token).await.unwrap()
}

async fn book(shop: &Fixture, payment: &Payment) -> TestIntent {
    match shop.store.create_test_intent(payment, TestScenario::parse(&payment.token).unwrap()).await.unwrap() {
        TestProviderReply::Done { test_intent: booked, .. } => booked,
        other => panic!("{other:?}"),
    }
}

async fn change(
    shop: &Fixture,
    key: &str,
    reference: &str,
    change: IntentChange,
) -> Result<TestIntent, TestProviderReply> {
    match shop.store.change_test_intent(key, reference, change).await.unwrap() {
        TestProviderReply::Done { test_intent: booked, .. } => Ok(booked),
        other => Err(other),
    }
}

async fn a_key_makes_one_intent_and_remembers_it(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let script = TestScenario::Ok;
    let (one, two) =
        tokio::join!(shop.store.create_test_intent(&payment, script), shop.store.create_test_intent(&payment, script));
    let told = [one.unwrap(), two.unwrap()].map(|told| match told {
        TestProviderReply::Done { test_intent: booked, replayed: again } => (booked.intent, again),
        other => panic!("{other:?}"),
    });
    assert_eq!(told[0].0, told[1].0);
    assert_ne!(told[0].1, told[1].1, "one made it, the other was told again");
    assert_eq!(shop.number("select count(*) from test_intents").await, 1);
    assert_eq!(book(&shop, &payment).await.intent, told[0].0);
    assert_eq!(shop.store.test_intent_of(payment.order, 1).await.unwrap().unwrap().intent, told[0].0);
    assert_eq!(shop.store.test_intent_of(payment.order, 2).await.unwrap(), None);
}

async fn a_key_used_for_something_else_is_an_error(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let intent = book(&shop, &payment).await.intent;
    let other = Payment { amount: payment.amount + 1, ..payment.clone() };
    assert_eq!(shop.store.create_test_intent(&other, TestScenario::Ok).await.unwrap(), TestProviderReply::KeyReused);
    change(&shop, "key", &intent.reference, IntentChange::Capture).await.unwrap();
    assert_eq!(change(&shop, "key", &intent.reference, IntentChange::Cancel).await, Err(TestProviderReply::KeyReused));
    assert_eq!(change(&shop, "key", "another", IntentChange::Capture).await, Err(TestProviderReply::KeyReused));
    assert_eq!(change(&shop, "key-2", "another", IntentChange::Capture).await, Err(TestProviderReply::NoSuchIntent));
}

async fn an_answer_of_before_is_told_word_for_word(shop: Fixture) {
    let (payment, failing) = (payment(&shop, "ok").await, payment(&shop, "capture_fails").await);
    let intent = book(&shop, &payment).await.intent;
    change(&shop, "capture", &intent.reference, IntentChange::Capture).await.unwrap();
    assert_eq!(book(&shop, &payment).await.intent.status, PaymentIntentStatus::Authorized, "as it was told then");
    let again = change(&shop, "capture", &intent.reference, IntentChange::Capture).await.unwrap().intent;
    assert_eq!((again.status, again.captured), (PaymentIntentStatus::Captured, payment.amount));
    let failed = book(&shop, &failing).await.intent.reference;
    for _ in 0..2 {
        let told = change(&shop, "fails", &failed, IntentChange::Capture).await;
        assert!(matches!(told, Err(TestProviderReply::Denied(IntentChangeError::Permanent(_)))), "{told:?}");
    }
}

async fn nothing_is_captured_after_a_cancel_under_whatever_key(shop: Fixture) {
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

async fn no_more_is_refunded_than_was_captured_also_at_once(shop: Fixture) {
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

async fn the_book_outlives_a_restart(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let intent = book(&shop, &payment).await.intent;
    let shop = if shop.is_postgres() { shop } else { shop.reopened().await };
    assert_eq!(book(&shop, &payment).await.intent, intent);
}

async fn calls_that_are_old_enough_are_forgotten_and_what_they_did_is_not(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let booked = book(&shop, &payment).await;
    let now = shop.store.now().await.unwrap();
    assert_eq!(shop.store.prune_test_calls(now - 60_000).await.unwrap(), 0);
    assert_eq!(shop.store.prune_test_calls(now + 60_000).await.unwrap(), 1);
    assert_eq!(shop.store.test_intent(&booked.intent.reference).await.unwrap().unwrap().intent, booked.intent);
}

//! The book of the test provider: a provider's own records, with its keys and its refusals.

use livesouk::domain::script::{Change, Denied, Script};
use livesouk::domain::{IntentStatus, Payment};
use livesouk::store::{Booked, Told};

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
    let order = shop.held(offer, &format!("b-{}", offer.0.simple())).await.id;
    shop.begin_payment(order, token).await.unwrap()
}

async fn book(shop: &Fixture, payment: &Payment) -> Booked {
    match shop.store.book_intent(payment, Script::parse(&payment.token).unwrap()).await.unwrap() {
        Told::Done { booked, .. } => booked,
        other => panic!("{other:?}"),
    }
}

async fn change(shop: &Fixture, key: &str, reference: &str, change: Change) -> Result<Booked, Told> {
    match shop.store.book_change(key, reference, change).await.unwrap() {
        Told::Done { booked, .. } => Ok(booked),
        other => Err(other),
    }
}

async fn a_key_makes_one_intent_and_remembers_it(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let script = Script::Ok;
    let (one, two) = tokio::join!(shop.store.book_intent(&payment, script), shop.store.book_intent(&payment, script));
    let told = [one.unwrap(), two.unwrap()].map(|told| match told {
        Told::Done { booked, again } => (booked.intent, again),
        other => panic!("{other:?}"),
    });
    assert_eq!(told[0].0, told[1].0);
    assert_ne!(told[0].1, told[1].1, "one made it, the other was told again");
    assert_eq!(shop.number("select count(*) from test_intents").await, 1);
    assert_eq!(book(&shop, &payment).await.intent, told[0].0);
    assert_eq!(shop.store.booked_for(payment.order, 1).await.unwrap().unwrap().intent, told[0].0);
    assert_eq!(shop.store.booked_for(payment.order, 2).await.unwrap(), None);
}

async fn a_key_used_for_something_else_is_an_error(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let intent = book(&shop, &payment).await.intent;
    let other = Payment { amount: payment.amount + 1, ..payment.clone() };
    assert_eq!(shop.store.book_intent(&other, Script::Ok).await.unwrap(), Told::KeyReused);
    change(&shop, "key", &intent.reference, Change::Capture).await.unwrap();
    assert_eq!(change(&shop, "key", &intent.reference, Change::Cancel).await, Err(Told::KeyReused));
    assert_eq!(change(&shop, "key", "another", Change::Capture).await, Err(Told::KeyReused));
    assert_eq!(change(&shop, "key-2", "another", Change::Capture).await, Err(Told::NoSuchIntent));
}

async fn an_answer_of_before_is_told_word_for_word(shop: Fixture) {
    let (payment, failing) = (payment(&shop, "ok").await, payment(&shop, "capture_fails").await);
    let intent = book(&shop, &payment).await.intent;
    change(&shop, "capture", &intent.reference, Change::Capture).await.unwrap();
    assert_eq!(book(&shop, &payment).await.intent.status, IntentStatus::Authorized, "as it was told then");
    let again = change(&shop, "capture", &intent.reference, Change::Capture).await.unwrap().intent;
    assert_eq!((again.status, again.captured), (IntentStatus::Captured, payment.amount));
    let failed = book(&shop, &failing).await.intent.reference;
    for _ in 0..2 {
        let told = change(&shop, "fails", &failed, Change::Capture).await;
        assert!(matches!(told, Err(Told::Denied(Denied::Final(_)))), "{told:?}");
    }
}

async fn nothing_is_captured_after_a_cancel_under_whatever_key(shop: Fixture) {
    for round in 0..20 {
        let intent = book(&shop, &payment(&shop, "ok").await).await.intent.reference;
        let (cancel, capture) = (format!("can-{round}"), format!("cap-{round}"));
        let (cancelled, captured) = tokio::join!(
            change(&shop, &cancel, &intent, Change::Cancel),
            change(&shop, &capture, &intent, Change::Capture)
        );
        assert_ne!(cancelled.is_ok(), captured.is_ok(), "round {round}");
        let seen = shop.store.booked(&intent).await.unwrap().unwrap().intent;
        assert_eq!(seen.captured > 0, captured.is_ok());
    }
}

async fn no_more_is_refunded_than_was_captured_also_at_once(shop: Fixture) {
    let payment = payment(&shop, "ok").await;
    let intent = book(&shop, &payment).await.intent.reference;
    let whole = Change::Refund(payment.amount);
    assert!(change(&shop, "rf:0", &intent, whole).await.is_err(), "nothing was captured");
    change(&shop, "cap", &intent, Change::Capture).await.unwrap();
    let (one, two) = tokio::join!(change(&shop, "rf:1", &intent, whole), change(&shop, "rf:2", &intent, whole));
    assert_ne!(one.is_ok(), two.is_ok());
    let seen = shop.store.booked(&intent).await.unwrap().unwrap().intent;
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
    assert_eq!(shop.store.prune_calls(now - 60_000).await.unwrap(), 0);
    assert_eq!(shop.store.prune_calls(now + 60_000).await.unwrap(), 1);
    assert_eq!(shop.store.booked(&booked.intent.reference).await.unwrap().unwrap().intent, booked.intent);
}

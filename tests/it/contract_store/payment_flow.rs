//! Paying through the verbs, with a provider that behaves in every way a provider can.

use livesouk::app::{App, Error, WebhookSecret};
use livesouk::clock::Clock;
use livesouk::domain::{OrderStatus, Payment, PaymentIntentStatus, PaymentStatus, Refusal, TestScenario};
use livesouk::store::{ReleaseReason, TestProviderReply};

use super::builders::{actor, key};
use super::fixture::{Fixture, WEBHOOK_SECRET, facts};
use crate::support::{SOON, until_some};

facts! {
    each_script_ends_as_it_says
    answers_that_were_lost_are_found_by_the_same_key
    what_the_buyer_left_is_finished_by_webhook_or_reconciler
    only_the_try_that_won_is_taken_after_a_crash
    an_authorization_for_an_order_that_is_over_is_let_go
    a_void_that_came_too_late_is_asked_for_again
    a_try_the_provider_never_heard_of_is_closed
    money_that_is_not_as_asked_is_never_taken
    an_approval_moves_the_order_on
    an_approval_after_the_hold_ended_takes_nothing
    a_webhook_is_a_knock_and_not_a_message
    what_costs_nothing_is_paid_without_a_provider
}

const PATIENT: u64 = 10_000;
const HASTY: u64 = 250;

async fn pay(app: &App, shop: &Fixture, buyer: &str, token: &str) -> (Payment, Result<OrderStatus, Error>) {
    let offer = shop.offer(1, 1).await;
    let ann = actor(buyer);
    let order = app.buy(&ann, offer, 1, key(&format!("key-{}", offer.0.simple()))).await.unwrap().order.id;
    let told = app.pay(&ann, order, token, key(&format!("pay-{}", order.0.simple()))).await;
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
    (payment, told.map(|bought| bought.order.status))
}

async fn end(app: App) {
    app.stopping().cancel();
    app.finish().await;
}

/// A held order with a try that the provider knows and we stopped following.
async fn left_alone(shop: &Fixture, buyer: &str, token: &str) -> (Payment, String) {
    let offer = shop.offer(1, 1).await;
    let order = shop.hold_one(offer, buyer).await.id;
    left_for(shop, order, token).await
}

async fn left_for(shop: &Fixture, order: livesouk::domain::OrderId, token: &str) -> (Payment, String) {
    let payment = shop.begin_payment(order, token).await.unwrap();
    let told = shop.store.create_test_intent(&payment, TestScenario::parse(token).unwrap()).await.unwrap();
    let TestProviderReply::Done { test_intent: booked, .. } = told else { panic!("{told:?}") };
    (payment, booked.intent.reference)
}

async fn now(shop: &Fixture, payment: &Payment) -> (PaymentStatus, OrderStatus) {
    let now = shop.store.payment(payment.order, payment.attempt).await.unwrap().unwrap();
    (now.status, now.order_status)
}

async fn booked(shop: &Fixture, reference: &str) -> PaymentIntentStatus {
    shop.store.test_intent(reference).await.unwrap().unwrap().intent.status
}

async fn knock(app: &App, reference: &str, id: &str) -> Result<(), Error> {
    let body =
        format!(r#"{{"id":"{id}","type":"intent.captured","data":{{"object":{{"id":"{reference}","amount":1}}}}}}"#);
    let signature = WebhookSecret::new(WEBHOOK_SECRET).sign(Clock::system().now(), body.as_bytes());
    app.receive_webhook(&signature, body.as_bytes()).await
}

async fn each_script_ends_as_it_says(shop: Fixture) {
    use PaymentStatus as P;
    let app = shop.app_with_provider(PATIENT).await;
    for (token, told, order, payment) in [
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
        let (tried, answer) = pay(&app, &shop, token, token).await;
        let answer = match answer {
            Ok(status) => status.name(),
            Err(Error::Refused(refusal)) => refusal.code(),
            Err(fault) => panic!("{token}: {fault}"),
        };
        assert_eq!(answer, told, "{token}");
        assert_eq!(now(&shop, &tried).await, (payment, order), "{token}");
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

async fn answers_that_were_lost_are_found_by_the_same_key(shop: Fixture) {
    let app = shop.app_with_provider(HASTY).await;
    let offer = shop.offer(9, 9).await;
    let ann = actor("ann");
    for token in ["timeout_after_charge", "500_after_charge"] {
        let order = app.buy(&ann, offer, 1, key(&format!("buy-{token}"))).await.unwrap().order.id;
        let mut unknown = 0;
        let paid = loop {
            match app.pay(&ann, order, token, key(&format!("pay-{token}"))).await {
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
    assert_eq!(shop.number("select count(*) from payments").await, 2, "one try each");
    end(app).await;
}

async fn what_the_buyer_left_is_finished_by_webhook_or_reconciler(shop: Fixture) {
    let app = shop.app_with_provider(HASTY).await;
    for token in ["timeout_after_charge", "500_after_charge", "slow"] {
        let (tried, told) = pay(&app, &shop, token, token).await;
        assert_eq!(told, Err(Error::OutcomeUnknown), "{token}");
        until_some("paid order", SOON, async || {
            if token != "slow" {
                app.reconcile(0).await.unwrap();
            }
            (now(&shop, &tried).await.1 == OrderStatus::Paid).then_some(())
        })
        .await;
    }
    end(app).await;
    shop.assert_settled().await;
}

async fn only_the_try_that_won_is_taken_after_a_crash(shop: Fixture) {
    let offer = shop.offer(1, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    let (first, first_intent) = left_for(&shop, order, "webhook_never").await;
    let (second, second_intent) = left_for(&shop, order, "webhook_never").await;
    let (third, third_intent) = left_for(&shop, order, "webhook_never").await;
    shop.store.begin_capture(&second, Some(&second_intent)).await.unwrap().unwrap();
    // Nobody was there to see who wins; the loser looks first.
    let app = shop.app_with_provider(PATIENT).await;
    assert_eq!(app.reconcile(0).await.unwrap(), 3);
    assert_eq!(now(&shop, &second).await, (PaymentStatus::Captured, OrderStatus::Paid));
    assert_eq!(now(&shop, &first).await.0, PaymentStatus::Cancelled);
    assert_eq!(now(&shop, &third).await.0, PaymentStatus::Cancelled);
    for (intent, status) in [
        (&first_intent, PaymentIntentStatus::Cancelled),
        (&second_intent, PaymentIntentStatus::Captured),
        (&third_intent, PaymentIntentStatus::Cancelled),
    ] {
        assert_eq!(booked(&shop, intent).await, status);
    }
    assert_eq!(app.reconcile(0).await.unwrap(), 0, "nothing is left to do");
    end(app).await;
    shop.assert_settled().await;
}

async fn an_authorization_for_an_order_that_is_over_is_let_go(shop: Fixture) {
    let mut tries = Vec::new();
    for (buyer, why) in [("ann", ReleaseReason::HoldEnded), ("bob", ReleaseReason::BuyerCancel)] {
        let (payment, intent) = left_alone(&shop, buyer, "webhook_never").await;
        let order = shop.order(payment.order).await;
        shop.expire_holds(order.offer).await;
        shop.store.release_orders(order.offer, &[order.id], why, None).await.unwrap();
        tries.push((payment, intent));
    }
    let app = shop.app_with_provider(PATIENT).await;
    app.reconcile(0).await.unwrap();
    for (payment, intent) in &tries {
        assert_eq!(now(&shop, payment).await.0, PaymentStatus::Cancelled);
        assert_eq!(booked(&shop, intent).await, PaymentIntentStatus::Cancelled);
    }
    end(app).await;
    shop.assert_settled().await;
}

async fn a_void_that_came_too_late_is_asked_for_again(shop: Fixture) {
    let (payment, intent) = left_alone(&shop, "ann", "cancel_too_late").await;
    let order = shop.order(payment.order).await;
    shop.store.release_orders(order.offer, &[order.id], ReleaseReason::BuyerCancel, None).await.unwrap();
    let app = shop.app_with_provider(PATIENT).await;
    app.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await.0, PaymentStatus::Voiding);
    assert_eq!(booked(&shop, &intent).await, PaymentIntentStatus::Authorized);
    app.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await.0, PaymentStatus::Cancelled);
    end(app).await;
    shop.assert_settled().await;
}

async fn a_try_the_provider_never_heard_of_is_closed(shop: Fixture) {
    let offer = shop.offer(1, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    let payment = shop.begin_payment(order, "ok").await.unwrap();
    let app = shop.app_with_provider(PATIENT).await;
    app.reconcile(60_000).await.unwrap();
    assert_eq!(now(&shop, &payment).await.0, PaymentStatus::Creating, "its request may still be on its way");
    app.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await, (PaymentStatus::Cancelled, OrderStatus::Held));
    // The request arrives after all: nothing is taken for it.
    let told = shop.store.create_test_intent(&payment, TestScenario::Ok).await.unwrap();
    let TestProviderReply::Done { test_intent: late, .. } = told else { panic!("{told:?}") };
    knock(&app, &late.intent.reference, "evt_late").await.unwrap();
    let gone = async || (booked(&shop, &late.intent.reference).await == PaymentIntentStatus::Cancelled).then_some(());
    until_some("void", SOON, gone).await;
    until_some("end", SOON, async || {
        (now(&shop, &payment).await == (PaymentStatus::Cancelled, OrderStatus::Held)).then_some(())
    })
    .await;
    end(app).await;
    shop.assert_settled().await;
}

async fn money_that_is_not_as_asked_is_never_taken(shop: Fixture) {
    let app = shop.app_with_provider(PATIENT).await;
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
        let (payment, intent) = left_alone(&shop, &format!("ann-{n}"), "webhook_never").await;
        shop.run(&format!("update test_intents set {wrong} where id = '{intent}'")).await;
        knock(&app, &intent, &format!("evt_{n}")).await.unwrap();
        let worked = "select count(*) from payment_events where done_at is null";
        until_some("empty inbox", SOON, async || (shop.number(worked).await == 0).then_some(())).await;
        app.reconcile(0).await.unwrap();
        let (status, order) = now(&shop, &payment).await;
        assert_eq!((status, order), (PaymentStatus::Cancelled, OrderStatus::Held), "{wrong}");
    }
    assert_eq!(shop.number("select count(*) from test_intents where captured > 0").await, 0);
    assert_eq!(shop.order(other).await.status, OrderStatus::Held);
    end(app).await;
}

async fn an_approval_moves_the_order_on(shop: Fixture) {
    let app = shop.app_with_provider(PATIENT).await;
    let (yes, told) = pay(&app, &shop, "ann", "needs_action").await;
    let Err(Error::Refused(Refusal::NeedsAction { action_url })) = told else { panic!("{told:?}") };
    let reference = yes.reference.clone().unwrap();
    assert!(action_url.contains(&reference), "{action_url}");
    app.approve_test_payment(&reference, true).await.unwrap();
    let paid = async || (now(&shop, &yes).await.1 == OrderStatus::Paid).then_some(());
    until_some("paid order", SOON, paid).await;
    let again = app.pay(&actor("ann"), yes.order, "needs_action", key(&format!("pay-{}", yes.order.0.simple()))).await;
    assert_eq!(again.map(|paid| (paid.order.status, paid.is_replay)), Ok((OrderStatus::Paid, true)));
    let (no, _) = pay(&app, &shop, "bob", "needs_action").await;
    app.approve_test_payment(no.reference.as_deref().unwrap(), false).await.unwrap();
    let refused = async || (now(&shop, &no).await.0 == PaymentStatus::Declined).then_some(());
    until_some("declined card", SOON, refused).await;
    assert_eq!(shop.order(no.order).await.status, OrderStatus::Held);
    end(app).await;
    shop.assert_settled().await;
}

async fn an_approval_after_the_hold_ended_takes_nothing(shop: Fixture) {
    let app = shop.app_with_provider(PATIENT).await;
    let (tried, _) = pay(&app, &shop, "ann", "needs_action").await;
    shop.expire_holds(shop.order(tried.order).await.offer).await;
    let expired = async || (now(&shop, &tried).await.1 == OrderStatus::Expired).then_some(());
    until_some("end of the hold", SOON, expired).await;
    let reference = tried.reference.clone().unwrap();
    app.approve_test_payment(&reference, true).await.unwrap();
    let gone = async || (now(&shop, &tried).await.0 == PaymentStatus::Cancelled).then_some(());
    until_some("void", SOON, gone).await;
    let again =
        app.pay(&actor("ann"), tried.order, "needs_action", key(&format!("pay-{}", tried.order.0.simple()))).await;
    assert_eq!(again.map(|_| ()), Err(Error::Refused(Refusal::HoldExpired)));
    end(app).await;
    shop.assert_settled().await;
}

async fn a_webhook_is_a_knock_and_not_a_message(shop: Fixture) {
    let app = shop.app_with_provider(PATIENT).await;
    let (tried, _) = pay(&app, &shop, "ann", "needs_action").await;
    let reference = tried.reference.clone().unwrap();
    // It says that the money was taken. It was not.
    for _ in 0..2 {
        knock(&app, &reference, "evt_liar").await.unwrap();
    }
    knock(&app, "test_nothing", "evt_nothing").await.unwrap();
    let worked = "select count(*) from payment_events where done_at is null";
    until_some("empty inbox", SOON, async || (shop.number(worked).await == 0).then_some(())).await;
    assert_eq!(now(&shop, &tried).await, (PaymentStatus::NeedsAction, OrderStatus::Held));
    assert_eq!(shop.number("select count(*) from payment_events where event_id = 'evt_liar'").await, 1);
    let forged = WebhookSecret::new("another-secret-of-thirty-two-bytes").sign(Clock::system().now(), b"{}");
    assert_eq!(app.receive_webhook(&forged, b"{}").await, Err(Error::Refused(Refusal::BadSignature)));
    end(app).await;
    shop.assert_money().await;
}

async fn what_costs_nothing_is_paid_without_a_provider(shop: Fixture) {
    let app = shop.app_with_provider(PATIENT).await;
    let form = livesouk::domain::offer::NewOffer { price: 0, ..shop.new_offer(3, 3) };
    shop.store.create_offer(&form).await.unwrap();
    shop.store.open_offer(form.id).await.unwrap();
    let ann = actor("ann");
    let order = app.buy(&ann, form.id, 2, key("buy-00001")).await.unwrap().order.id;
    let pay = || app.pay(&ann, order, "ok", key("pay-00001"));
    let (one, two) = tokio::join!(pay(), pay());
    assert_eq!((one.unwrap().order.status, two.unwrap().order.status), (OrderStatus::Paid, OrderStatus::Paid));
    assert_eq!(shop.number("select count(*) from test_intents").await, 0);
    // One whose node died between.
    let left = app.buy(&ann, form.id, 1, key("buy-00002")).await.unwrap().order.id;
    let payment = shop.begin_payment(left, "ok").await.unwrap();
    shop.store.begin_capture(&payment, Some(&payment.create_key())).await.unwrap().unwrap();
    app.reconcile(0).await.unwrap();
    assert_eq!(now(&shop, &payment).await, (PaymentStatus::Captured, OrderStatus::Paid));
    end(app).await;
    shop.assert_settled().await;
}

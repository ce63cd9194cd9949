//! Refunds with Stripe: each has a state of its own there, whatever the sum over the payment is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fake_stripe::{API_VERSION, Call, Fault};
use livesouk::app::Error;
use livesouk::domain::{Actor, OrderId, OrderStatus, RefundPart, RefundScope, RefundStatus, Refusal, Role};

use super::builders::{actor, key};
use super::fixture::{Fixture, facts};
use super::stripe::Stripe;
use crate::support::{SOON, until_some};

facts! {
    second_refund_is_asked_for_although_the_sum_is_large_enough
    refund_made_by_hand_is_taken_for_ours_only_where_ours_is_refused
    refunds_that_wait_for_the_bank_keep_no_other_waiting
    refund_that_the_bank_refuses_can_be_done_again
    refund_that_fails_after_it_was_done_reopens_with_an_alarm
    reversed_refund_is_found_without_an_event
    refund_is_done_once_after_the_key_is_forgotten
    concurrent_refunds_never_exceed_the_payment
    money_that_is_owed_is_given_back_in_another_try
}

const DAY: Duration = Duration::from_secs(86_400);
const HOST: Role = Role::Host;

fn host() -> Actor {
    Actor { role: HOST, ..actor("noura") }
}

/// An order of Ann with three units at 49.00, paid with this card.
async fn paid(stripe: &Stripe, shop: &Fixture, card: &str) -> OrderId {
    let order = stripe.hold_units(shop, "ann", 3).await;
    assert_eq!(stripe.pay("ann", order, &stripe.token(card), "pay-00001").await, Ok(OrderStatus::Paid));
    order
}

fn units(order: OrderId, qty: i64) -> RefundScope {
    RefundScope::Part(RefundPart { lines: vec![(order, qty)], delivery: false, amount: None })
}

async fn refund(stripe: &Stripe, order: OrderId, scope: RefundScope, with: &str) -> Result<OrderStatus, Error> {
    stripe.app.checkout.refund(&host(), order, scope, true, None, key(with)).await.map(|done| done.order.status)
}

async fn statuses(shop: &Fixture, order: OrderId) -> Vec<RefundStatus> {
    shop.store.refunds_of_order(order).await.unwrap().into_iter().map(|record| record.refund.status).collect()
}

/// Lets the reconciler look at everything again.
async fn reconcile(stripe: &Stripe, shop: &Fixture) {
    for set in
        ["update refunds set tried_at = 0", "update owed_refunds set tried_at = 0", "update payments set tried_at = 0"]
    {
        shop.run(set).await;
    }
    stripe.app.checkout.reconcile(0).await.unwrap();
}

/// Somebody works in the dashboard of the provider.
async fn by_hand(stripe: &Stripe, path: &str, form: &[(&str, &str)]) {
    // Nothing in these forms needs to be escaped.
    let body = form.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let request = reqwest::Client::new().post(format!("{}{path}", stripe.fake.base())).body(body);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.bearer_auth("rk_test_shop").header("stripe-version", API_VERSION).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

fn intent(stripe: &Stripe) -> String {
    stripe.fake.intents()[0]["id"].as_str().unwrap().to_owned()
}

async fn second_refund_is_asked_for_although_the_sum_is_large_enough(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = paid(&stripe, &shop, "4242424242424242").await;
    assert_eq!(refund(&stripe, order, units(order, 1), "refund-00001").await, Ok(OrderStatus::Paid));
    // A gesture at the provider, of which the shop knows nothing: the sum over the payment is what both refunds would be.
    by_hand(&stripe, "/v1/refunds", &[("payment_intent", &intent(&stripe)), ("amount", "4900")]).await;
    stripe.fake.plan_fault(Call::Refund, Fault::CutBefore, 1);
    assert_eq!(refund(&stripe, order, units(order, 1), "refund-00002").await, Err(Error::OutcomeUnknown));
    assert_eq!(stripe.fake.refunds().len(), 2, "nothing was done");
    assert_eq!(statuses(&shop, order).await, [RefundStatus::Done, RefundStatus::Pending]);
    reconcile(&stripe, &shop).await;
    assert_eq!(stripe.fake.refunds().len(), 3, "it was asked for");
    assert_eq!(statuses(&shop, order).await, [RefundStatus::Done; 2]);
    assert_eq!(shop.order(order).await.first_line().returned, 2);
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn refund_made_by_hand_is_taken_for_ours_only_where_ours_is_refused(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = paid(&stripe, &shop, "4242424242424242").await;
    by_hand(&stripe, "/v1/refunds", &[("payment_intent", &intent(&stripe))]).await;
    let part = refund(&stripe, order, units(order, 1), "refund-00001").await;
    assert_eq!(part, Err(Error::Refused(Refusal::RefundFailed)), "it has another amount");
    assert_eq!(refund(&stripe, order, RefundScope::Whole, "refund-00002").await, Ok(OrderStatus::Refunded));
    assert_eq!(stripe.fake.refunds().len(), 1);
    assert_eq!(statuses(&shop, order).await, [RefundStatus::Failed, RefundStatus::Done]);
    stripe.end().await;
}

async fn refunds_that_wait_for_the_bank_keep_no_other_waiting(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = paid(&stripe, &shop, "pm_card_pendingRefund").await;
    assert_eq!(refund(&stripe, order, units(order, 1), "refund-00001").await, Ok(OrderStatus::Paid));
    assert_eq!(
        refund(&stripe, order, units(order, 1), "refund-00001").await,
        Ok(OrderStatus::Paid),
        "the same request"
    );
    let offer = shop.order(order).await.first_line().offer;
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 3, "the units wait for the money");
    assert_eq!(refund(&stripe, order, units(order, 2), "refund-00002").await, Ok(OrderStatus::Paid));
    let more = refund(&stripe, order, units(order, 1), "refund-00003").await;
    assert!(matches!(&more, Err(Error::Refused(Refusal::AlreadyRefunded | Refusal::BadField { .. }))), "{more:?}");
    assert_eq!(statuses(&shop, order).await, [RefundStatus::Pending; 2]);
    reconcile(&stripe, &shop).await;
    assert_eq!(
        statuses(&shop, order).await,
        [RefundStatus::Pending; 2],
        "the sum at the provider is the whole already"
    );
    stripe.fake.advance(DAY);
    reconcile(&stripe, &shop).await;
    assert_eq!(statuses(&shop, order).await, [RefundStatus::Done; 2]);
    assert_eq!(shop.order(order).await.status, OrderStatus::Refunded);
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 0, "exactly these units are on sale again");
    assert_eq!(stripe.fake.refunds().len(), 2);
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn refund_that_the_bank_refuses_can_be_done_again(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = paid(&stripe, &shop, "pm_fake_pendingRefundFails").await;
    assert_eq!(refund(&stripe, order, units(order, 2), "refund-00001").await, Ok(OrderStatus::Paid));
    stripe.fake.advance(2 * DAY + Duration::from_secs(1));
    reconcile(&stripe, &shop).await;
    assert_eq!(statuses(&shop, order).await, [RefundStatus::Failed]);
    assert_eq!(shop.order(order).await.first_line().returned, 0, "no unit came back");
    assert_eq!(refund(&stripe, order, RefundScope::Whole, "refund-00002").await, Ok(OrderStatus::Paid));
    let keys: Vec<_> = stripe.fake.refunds().iter().map(|refund| refund["metadata"]["refund"].clone()).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1], "a failed refund is not asked for under its key again");
    assert_eq!(stripe.app.counters().refunds_failed_later.load(Ordering::Relaxed), 0, "it was never done");
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn refund_that_fails_after_it_was_done_reopens_with_an_alarm(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    stripe.receive_events().await;
    let order = paid(&stripe, &shop, "pm_card_refundFail").await;
    assert_eq!(refund(&stripe, order, RefundScope::Whole, "refund-00001").await, Ok(OrderStatus::Refunded));
    let again = refund(&stripe, order, RefundScope::Whole, "refund-00002").await;
    assert_eq!(again, Err(Error::Refused(Refusal::AlreadyRefunded)));
    stripe.fake.advance(2 * DAY + Duration::from_secs(1));
    let called = async || (stripe.app.counters().refunds_failed_later.load(Ordering::Relaxed) == 1).then_some(());
    until_some("alarm", SOON, called).await;
    assert_eq!(statuses(&shop, order).await, [RefundStatus::Failed]);
    let reopened = shop.order(order).await;
    assert_eq!((reopened.status, reopened.first_line().returned), (OrderStatus::Refunded, 3), "the units are back");
    assert_eq!(shop.store.refundable(&reopened).await.unwrap().whole, reopened.amount);
    // The same request has its result, and the money can be given back by another one.
    assert_eq!(
        refund(&stripe, order, RefundScope::Whole, "refund-00001").await,
        Err(Error::Refused(Refusal::RefundFailed))
    );
    assert_eq!(refund(&stripe, order, RefundScope::Whole, "refund-00003").await, Ok(OrderStatus::Refunded));
    assert_eq!(statuses(&shop, order).await, [RefundStatus::Failed, RefundStatus::Done]);
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn reversed_refund_is_found_without_an_event(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = paid(&stripe, &shop, "pm_card_refundFail").await;
    assert_eq!(refund(&stripe, order, units(order, 1), "refund-00001").await, Ok(OrderStatus::Paid));
    stripe.fake.advance(2 * DAY + Duration::from_secs(1));
    // Every done refund is looked at once a day, for a month.
    for (age, found) in
        [(Duration::ZERO, RefundStatus::Done), (31 * DAY, RefundStatus::Done), (2 * DAY, RefundStatus::Failed)]
    {
        let changed_at = shop.store.now().await.unwrap() - i64::try_from(age.as_millis()).unwrap();
        shop.run(&format!("update refunds set changed_at = {changed_at}")).await;
        reconcile(&stripe, &shop).await;
        assert_eq!(statuses(&shop, order).await, [found], "{age:?}");
    }
    assert_eq!(shop.order(order).await.first_line().returned, 1);
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn refund_is_done_once_after_the_key_is_forgotten(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = paid(&stripe, &shop, "4242424242424242").await;
    // It was done, and nobody heard of it until the provider had forgotten the key.
    stripe.fake.plan_fault(Call::Refund, Fault::CutAfter, 1);
    assert_eq!(refund(&stripe, order, units(order, 1), "refund-00001").await, Err(Error::OutcomeUnknown));
    let other = refund(&stripe, order, units(order, 1), "refund-00002").await;
    assert!(matches!(other, Err(Error::Refused(Refusal::Busy { .. }))), "one question at a time: {other:?}");
    stripe.fake.advance(DAY + Duration::from_secs(3_600));
    reconcile(&stripe, &shop).await;
    assert_eq!(statuses(&shop, order).await, [RefundStatus::Done]);
    assert_eq!(stripe.fake.refunds().len(), 1);
    stripe.end().await;
}

async fn concurrent_refunds_never_exceed_the_payment(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = paid(&stripe, &shop, "pm_card_pendingRefund").await;
    let paid = shop.order(order).await.amount;
    // Each wants two fifths of the payment; two of them are all that fits.
    let part = |n: usize| {
        let scope = RefundScope::Part(RefundPart { amount: Some(paid * 2 / 5), ..RefundPart::default() });
        let stripe = &stripe;
        async move {
            let with = format!("refund-{n:05}");
            for _ in 0..200 {
                match refund(stripe, order, scope.clone(), &with).await {
                    Err(Error::Refused(Refusal::Busy { .. })) => tokio::time::sleep(Duration::from_millis(10)).await,
                    answer => return answer.is_ok(),
                }
            }
            panic!("busy forever");
        }
    };
    let answers = futures_util::future::join_all((0..6).map(part)).await;
    assert_eq!(answers.iter().filter(|done| **done).count(), 2, "{answers:?}");
    let given: i64 = stripe.fake.refunds().iter().map(|refund| refund["amount"].as_i64().unwrap()).sum();
    assert_eq!(given, 2 * (paid * 2 / 5));
    assert!(refund(&stripe, order, RefundScope::Whole, "refund-rest").await.is_ok());
    let given: i64 = stripe.fake.refunds().iter().map(|refund| refund["amount"].as_i64().unwrap()).sum();
    assert_eq!(given, paid);
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn money_that_is_owed_is_given_back_in_another_try(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = stripe.hold(&shop, "ann").await;
    stripe.fake.plan_fault(Call::Create, Fault::CutAfter, 1);
    let lost = stripe.pay("ann", order, &stripe.token("pm_fake_pendingRefundFails"), "pay-00001").await;
    assert_eq!(lost, Err(Error::OutcomeUnknown));
    stripe.app.checkout.cancel(&actor("ann"), order, key("cancel-00001")).await.unwrap();
    by_hand(&stripe, &format!("/v1/payment_intents/{}/capture", intent(&stripe)), &[]).await;
    let owed = "select count(*) from owed_refunds where status = 'owed' and tries = ";
    reconcile(&stripe, &shop).await;
    reconcile(&stripe, &shop).await;
    assert_eq!(
        (stripe.fake.refunds().len(), shop.number(&format!("{owed}1")).await),
        (1, 1),
        "the bank has not answered"
    );
    stripe.fake.advance(2 * DAY + Duration::from_secs(1));
    reconcile(&stripe, &shop).await;
    assert_eq!(shop.number(&format!("{owed}2")).await, 1, "it failed: another try, under another key");
    reconcile(&stripe, &shop).await;
    assert_eq!(stripe.fake.refunds().len(), 2);
    // A bank that never pays is asked five times; then a person has to find another way, and the money stays owed.
    for _ in 0..8 {
        stripe.fake.advance(2 * DAY + Duration::from_secs(1));
        reconcile(&stripe, &shop).await;
        reconcile(&stripe, &shop).await;
    }
    assert_eq!((stripe.fake.refunds().len(), shop.number(&format!("{owed}5")).await), (5, 1));
    stripe.end().await;
}

//! What Stripe is asked for in the background: what it keeps of payments, and what buyers dispute.

use std::sync::atomic::Ordering;

use livesouk::domain::{DisputeStatus, OrderId, OrderStatus, ProviderDispute};

use super::fixture::{Fixture, facts};
use super::stripe::Stripe;
use crate::support::{SOON, until_some};

facts! {
    fee_is_read_once_after_the_payment
    key_without_the_rights_takes_payments_and_shows_disputes_without_details
    dispute_is_noted_with_its_deadline_and_its_end
    end_of_a_dispute_is_found_without_an_event
    dispute_that_nobody_can_read_is_given_up_after_two_weeks
    dispute_whose_end_its_provider_never_tells_is_given_up
    dispute_that_is_read_again_is_not_given_up
    fee_of_another_provider_is_not_asked_for
}

const VISA: &str = "4242424242424242";
const DISPUTED: &str = "pm_card_createDispute";

async fn paid(stripe: &Stripe, shop: &Fixture, buyer: &str, card: &str) -> OrderId {
    let order = stripe.hold(shop, buyer).await;
    assert_eq!(stripe.pay(buyer, order, &stripe.token(card), "pay-00001").await, Ok(OrderStatus::Paid));
    order
}

/// How often Stripe was asked for a payment.
fn looks(stripe: &Stripe) -> usize {
    stripe.fake.received().iter().filter(|call| call.method == "GET").count()
}

async fn ask(stripe: &Stripe, shop: &Fixture) {
    shop.run("update payments set fee_due_at = 1 where fee_due_at is not null").await;
    shop.run("update disputes set look_at = 1 where look_at is not null").await;
    assert!(!stripe.app.checkout.ask_for_details().await.unwrap());
}

/// The job of the node may have claimed the request a moment before.
async fn until_count(shop: &Fixture, sql: &str) {
    until_some(sql, SOON, async || (shop.number(sql).await == 1).then_some(())).await;
}

async fn fee_is_read_once_after_the_payment(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    paid(&stripe, &shop, "ann", VISA).await;
    until_count(&shop, "select count(*) from payments where fee is null and fee_due_at > captured_at").await;
    ask(&stripe, &shop).await;
    // 2.9 % and 30 of SAR 49.00.
    until_count(&shop, "select count(*) from payments where fee = 172 and fee_currency = 'SAR' and fee_due_at is null")
        .await;
    let before = looks(&stripe);
    ask(&stripe, &shop).await;
    assert_eq!(looks(&stripe), before);
    stripe.end().await;
}

async fn key_without_the_rights_takes_payments_and_shows_disputes_without_details(shop: Fixture) {
    let stripe = Stripe::start_with_key(&shop, "rk_test_payments_only").await;
    stripe.receive_events().await;
    paid(&stripe, &shop, "ann", DISPUTED).await;
    let open = until_some("the dispute", SOON, async || shop.store.open_disputes(0, 10).await.unwrap().pop()).await;
    assert_eq!((open.has_details, open.dispute.amount, open.dispute.due_at), (false, 4_900, None));
    ask(&stripe, &shop).await;
    until_count(&shop, "select count(*) from payments where fee is null and fee_looks = 1 and fee_due_at > 1").await;
    assert_eq!(shop.store.open_disputes(0, 10).await.unwrap().len(), 1, "it is not forgotten");
    stripe.end().await;
}

async fn dispute_is_noted_with_its_deadline_and_its_end(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    stripe.receive_events().await;
    let order = paid(&stripe, &shop, "ann", DISPUTED).await;
    let open = until_some("the dispute", SOON, async || shop.store.open_disputes(0, 10).await.unwrap().pop()).await;
    let known = &open.dispute;
    assert_eq!((open.order, open.has_details, known.needs_answer, known.amount), (order, true, true, 4_900));
    assert_eq!(known.due_at, Some(known.opened_at + 7 * 86_400_000));
    assert_eq!(stripe.fake.disputes(), std::slice::from_ref(&known.reference));
    assert!(stripe.fake.close_dispute(&known.reference, true));
    let won = async || (shop.number("select count(*) from disputes where status = 'won'").await == 1).then_some(());
    until_some("its end", SOON, won).await;
    assert_eq!(shop.store.open_disputes(0, 10).await.unwrap(), []);
    stripe.end().await;
}

async fn end_of_a_dispute_is_found_without_an_event(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    stripe.receive_events().await;
    paid(&stripe, &shop, "ann", DISPUTED).await;
    let open = until_some("the dispute", SOON, async || shop.store.open_disputes(0, 10).await.unwrap().pop()).await;
    stripe.fake.remove_endpoints();
    assert!(stripe.fake.close_dispute(&open.dispute.reference, false));
    ask(&stripe, &shop).await;
    until_count(&shop, "select count(*) from disputes where status = 'lost' and closed_at is not null").await;
    stripe.end().await;
}

/// Two weeks pass.
async fn let_two_weeks_pass(shop: &Fixture) {
    shop.run("update disputes set unread_since = unread_since - 1209600000").await;
}

fn looks_at_disputes(stripe: &Stripe) -> usize {
    stripe.fake.received().iter().filter(|call| call.path.starts_with("/v1/disputes")).count()
}

fn given_up(stripe: &Stripe) -> u64 {
    stripe.app.counters().disputes_given_up.load(Ordering::Relaxed)
}

async fn dispute_that_nobody_can_read_is_given_up_after_two_weeks(shop: Fixture) {
    let stripe = Stripe::start_with_key(&shop, "rk_test_payments_only").await;
    stripe.receive_events().await;
    paid(&stripe, &shop, "ann", DISPUTED).await;
    let open = async || shop.store.open_disputes(0, 10).await.unwrap().pop();
    until_some("the dispute", SOON, open).await;
    ask(&stripe, &shop).await;
    until_count(&shop, "select count(*) from disputes where unread_since is not null and look_at > 1").await;
    let unread = open().await.unwrap();
    assert_eq!((unread.unread_since.is_some(), unread.is_given_up, given_up(&stripe)), (true, false, 0));
    let_two_weeks_pass(&shop).await;
    ask(&stripe, &shop).await;
    until_count(&shop, "select count(*) from disputes where given_up_at is not null and look_at is null").await;
    until_some("what the alert sees", SOON, async || (given_up(&stripe) == 1).then_some(())).await;
    let asked = looks_at_disputes(&stripe);
    ask(&stripe, &shop).await;
    assert_eq!((looks_at_disputes(&stripe), given_up(&stripe)), (asked, 1), "it is not asked for any more");
    let later = shop.store.open_disputes(i64::MAX, 10).await.unwrap();
    assert!(later[0].is_given_up, "the team sees it until somebody closes it");
    stripe.end().await;
}

async fn dispute_whose_end_its_provider_never_tells_is_given_up(shop: Fixture) {
    let order = shop.paid_one(shop.offer(1, 1).await, "ann").await;
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
    let dispute = ProviderDispute {
        reference: payment.reference.clone().unwrap_or_default(),
        status: DisputeStatus::Open,
        needs_answer: true,
        amount: 4_900,
        currency: "SAR".into(),
        reason: None,
        due_at: None,
        opened_at: 1,
    };
    let app = shop.app_with_provider(10_000).await;
    shop.store.note_disputes(&payment, &[dispute], Some(i64::MAX)).await.unwrap();
    app.checkout.ask_for_details().await.unwrap();
    assert!(!shop.store.open_disputes(0, 10).await.unwrap()[0].is_given_up, "its time has not come");
    shop.run("update disputes set look_at = 1").await;
    app.checkout.ask_for_details().await.unwrap();
    until_count(&shop, "select count(*) from disputes where given_up_at is not null and look_at is null").await;
    app.stopping().cancel();
    app.finish().await;
}

async fn dispute_that_is_read_again_is_not_given_up(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    stripe.receive_events().await;
    paid(&stripe, &shop, "ann", DISPUTED).await;
    let open = async || shop.store.open_disputes(0, 10).await.unwrap().pop();
    let known = until_some("the dispute", SOON, open).await;
    stripe.fake.set_down(true);
    ask(&stripe, &shop).await;
    until_count(&shop, "select count(*) from disputes where unread_since is not null and look_at > 1").await;
    stripe.fake.set_down(false);
    ask(&stripe, &shop).await;
    until_count(&shop, "select count(*) from disputes where unread_since is null").await;
    // The provider answers, and the dispute is not in its answer.
    shop.run("update disputes set reference = 'du_elsewhere'").await;
    ask(&stripe, &shop).await;
    until_count(&shop, "select count(*) from disputes where reference = 'du_elsewhere' and unread_since is not null")
        .await;
    let_two_weeks_pass(&shop).await;
    ask(&stripe, &shop).await;
    until_count(&shop, "select count(*) from disputes where reference = 'du_elsewhere' and given_up_at is not null")
        .await;
    let read = format!(
        "select count(*) from disputes where reference = '{}' and given_up_at is null",
        known.dispute.reference
    );
    until_count(&shop, &read).await;
    stripe.end().await;
}

async fn fee_of_another_provider_is_not_asked_for(shop: Fixture) {
    shop.paid_one(shop.offer(1, 1).await, "ann").await;
    let stripe = Stripe::start(&shop).await;
    ask(&stripe, &shop).await;
    until_count(&shop, "select count(*) from payments where fee is null and fee_due_at is null").await;
    assert_eq!(looks(&stripe), 0);
    stripe.end().await;
}

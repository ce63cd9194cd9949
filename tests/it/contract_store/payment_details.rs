//! What Stripe is asked for in the background: what it keeps of payments, and what buyers dispute.

use livesouk::domain::{OrderId, OrderStatus};

use super::fixture::{Fixture, facts};
use super::stripe::Stripe;
use crate::support::{SOON, until_some};

facts! {
    fee_is_read_once_after_the_payment
    key_without_the_rights_takes_payments_and_shows_disputes_without_details
    dispute_is_noted_with_its_deadline_and_its_end
    end_of_a_dispute_is_found_without_an_event
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

/// The job of the node may have claimed the look a moment before.
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
    let open = until_some("the dispute", SOON, async || shop.store.open_disputes(10).await.unwrap().pop()).await;
    assert_eq!((open.has_details, open.dispute.amount, open.dispute.due_at), (false, 4_900, None));
    ask(&stripe, &shop).await;
    until_count(&shop, "select count(*) from payments where fee is null and fee_looks = 1 and fee_due_at > 1").await;
    assert_eq!(shop.store.open_disputes(10).await.unwrap().len(), 1, "it is not forgotten");
    stripe.end().await;
}

async fn dispute_is_noted_with_its_deadline_and_its_end(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    stripe.receive_events().await;
    let order = paid(&stripe, &shop, "ann", DISPUTED).await;
    let open = until_some("the dispute", SOON, async || shop.store.open_disputes(10).await.unwrap().pop()).await;
    let known = &open.dispute;
    assert_eq!((open.order, open.has_details, known.needs_answer, known.amount), (order, true, true, 4_900));
    assert_eq!(known.due_at, Some(known.opened_at + 7 * 86_400_000));
    assert_eq!(stripe.fake.disputes(), std::slice::from_ref(&known.reference));
    assert!(stripe.fake.close_dispute(&known.reference, true));
    let won = async || (shop.number("select count(*) from disputes where status = 'won'").await == 1).then_some(());
    until_some("its end", SOON, won).await;
    assert_eq!(shop.store.open_disputes(10).await.unwrap(), []);
    stripe.end().await;
}

async fn end_of_a_dispute_is_found_without_an_event(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    stripe.receive_events().await;
    paid(&stripe, &shop, "ann", DISPUTED).await;
    let open = until_some("the dispute", SOON, async || shop.store.open_disputes(10).await.unwrap().pop()).await;
    stripe.fake.remove_endpoints();
    assert!(stripe.fake.close_dispute(&open.dispute.reference, false));
    ask(&stripe, &shop).await;
    until_count(&shop, "select count(*) from disputes where status = 'lost' and closed_at is not null").await;
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

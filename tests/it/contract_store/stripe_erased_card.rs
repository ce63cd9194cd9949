//! Who has their data erased has no saved card afterwards, here or at the payment provider, also when a payment is under way.

use livesouk::app::{Error, PaymentSource};
use livesouk::domain::order::request_hash;
use livesouk::domain::{Actor, CardUse, Market, OrderId, OrderStatus, PaymentStatus, QuoteRules, Refusal};
use livesouk::store::NewPayment;

use super::builders::key;
use super::fixture::{Fixture, facts};
use super::stripe::Stripe;
use super::stripe_saved_card::account;
use crate::support::{SOON, until_some};

facts! {
    payment_that_waits_in_the_queue_saves_no_card_of_an_erased_buyer
    session_that_outlives_its_account_saves_no_card
    attempt_that_is_erased_while_it_is_decided_saves_no_card
    payment_under_way_leaves_no_card_of_an_erased_buyer
    erasure_waits_for_a_card_that_is_saved_at_the_same_moment
}

const VISA: &str = "4242424242424242";

/// Nothing is kept of the buyer, and once the removals are done the provider has neither the buyer nor a card.
async fn assert_forgotten(stripe: &Stripe, shop: &Fixture) {
    for table in ["saved_cards", "payment_customers"] {
        assert_eq!(shop.number(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    stripe.remove_all(shop).await;
    assert_eq!(stripe.fake.saved_methods(), Vec::<serde_json::Value>::new());
    assert_eq!(stripe.fake.customers(), Vec::<serde_json::Value>::new());
}

/// An attempt that is written down and not sent.
async fn begun(stripe: &Stripe, shop: &Fixture, buyer: &Actor, order: OrderId) -> livesouk::domain::Payment {
    let new = NewPayment {
        order,
        buyer: buyer.user.clone(),
        key: key("pay-00001"),
        hash: request_hash(&["pay"]),
        provider: "stripe",
        token: stripe.token(VISA),
        card: CardUse { saves: true, customer: None },
        quote_version: None,
        rules: QuoteRules::default(),
        market: Market::default(),
        is_queued: false,
        request_ms: 0,
    };
    shop.store.begin_payment(&new).await.unwrap().payment
}

async fn payment_that_waits_in_the_queue_saves_no_card_of_an_erased_buyer(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    let order = stripe.hold_for(&shop, &ann).await;
    let payment = begun(&stripe, &shop, &ann, order).await;
    shop.store.erase_user_data(&ann.user).await.unwrap();
    let sent = stripe.app.checkout.create_payment(payment, true).await.unwrap();
    assert_eq!(sent.status, PaymentStatus::Captured, "what was bought is paid all the same");
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    assert_eq!(stripe.fake.intents()[0]["customer"], serde_json::Value::Null);
    assert_forgotten(&stripe, &shop).await;
    stripe.end().await;
}

async fn session_that_outlives_its_account_saves_no_card(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    shop.store.erase_user_data(&ann.user).await.unwrap();
    let order = stripe.hold_for(&shop, &ann).await;
    let source = PaymentSource::Token { token: stripe.token(VISA), saves_card: true };
    assert_eq!(stripe.pay_by(&ann, order, &source, "pay-00001").await, Ok(OrderStatus::Paid));
    assert_forgotten(&stripe, &shop).await;
    stripe.end().await;
}

/// The node had read the customer, and had not written down that the card is saved.
async fn attempt_that_is_erased_while_it_is_decided_saves_no_card(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    stripe.save(&shop, &ann, VISA).await;
    let order = stripe.hold_for(&shop, &ann).await;
    let payment = begun(&stripe, &shop, &ann, order).await;
    let (_, customer) = shop.store.payment_customer(&payment, false).await.unwrap().expect("a customer");
    assert!(customer.is_some(), "of the card that is saved");
    shop.store.erase_user_data(&ann.user).await.unwrap();
    shop.store.decide_card(&payment, customer.as_deref()).await.unwrap();
    let payment = shop.store.payment(order, payment.attempt).await.unwrap().unwrap();
    assert_eq!(payment.card, CardUse::default());
    let sent = stripe.app.checkout.create_payment(payment, true).await.unwrap();
    assert_eq!(sent.status, PaymentStatus::Captured, "a customer that is gone declines no payment");
    assert_forgotten(&stripe, &shop).await;
    stripe.end().await;
}

async fn payment_under_way_leaves_no_card_of_an_erased_buyer(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    let order = stripe.hold_for(&shop, &ann).await;
    let source = PaymentSource::Token { token: stripe.token("4000000000003220"), saves_card: true };
    let asked = stripe.pay_by(&ann, order, &source, "pay-00001").await;
    assert!(matches!(asked, Err(Error::Refused(Refusal::NeedsAction { .. }))), "{asked:?}");
    shop.store.erase_user_data(&ann.user).await.unwrap();
    let intent = stripe.fake.intents()[0]["id"].as_str().unwrap().to_owned();
    assert!(stripe.fake.authenticate(&intent, true), "the bank of the buyer agrees");
    shop.run("update payments set tried_at = 0").await;
    stripe.app.checkout.reconcile(0).await.unwrap();
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    assert_forgotten(&stripe, &shop).await;
    stripe.end().await;
}

async fn erasure_waits_for_a_card_that_is_saved_at_the_same_moment(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    stripe.save(&shop, &ann, VISA).await;
    // What `keep_card` does, and its transaction is not over.
    shop.run(if shop.is_postgres() { "begin" } else { "begin immediate" }).await;
    shop.run(&format!(
        "insert into saved_cards (id, customer, reference, brand, last4, exp_month, exp_year, created_at)
            select {}, id, 'pm_saved_now', 'visa', '4242', 12, 2034, 1 from payment_customers",
        shop.id(livesouk::domain::SavedCardId::new().0)
    ))
    .await;
    let (store, user) = (shop.store.clone(), ann.user.clone());
    let erasure = tokio::spawn(async move { store.erase_user_data(&user).await });
    if shop.is_postgres() {
        until_some("the erasure to wait", SOON, async || {
            let waiting =
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            (shop.number(waiting).await > 0).then_some(())
        })
        .await;
    }
    shop.run("commit").await;
    erasure.await.unwrap().expect("the erasure goes on when the card is saved");
    assert_forgotten(&stripe, &shop).await;
    stripe.end().await;
}

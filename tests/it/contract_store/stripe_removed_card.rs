//! A saved card that its owner has removed is not listed again by a late answer of the payment that saved it.

use livesouk::app::Error;
use livesouk::clock::Clock;
use livesouk::domain::{Actor, OrderId, OrderStatus, Refusal};

use super::fixture::{Fixture, facts};
use super::stripe::{SECRET, Stripe};
use super::stripe_saved_card::account;
use crate::support::{SOON, until_some};

facts! {
    card_that_is_being_deleted_is_not_listed_again_by_the_reconciler
    card_that_the_provider_has_deleted_is_not_listed_again_by_a_replayed_event
    card_that_an_older_node_removed_is_not_listed_again
    card_of_a_failed_payment_is_not_listed_after_its_removal
}

const VISA: &str = "4242424242424242";

/// Pays, and the node that saves the card cannot write down any more that the order is paid. The card is listed.
async fn saved_and_not_noted(stripe: &Stripe, shop: &Fixture, buyer: &Actor) -> OrderId {
    let order = stripe.hold_for(shop, buyer).await;
    shop.run("alter table outbox rename column body to content").await;
    stripe.pay_by(buyer, order, &stripe.saving(VISA), "pay-00001").await.unwrap_err();
    shop.run("alter table outbox rename column content to body").await;
    assert_eq!(shop.order(order).await.status, OrderStatus::Capturing);
    assert_eq!(stripe.cards(buyer).await.len(), 1);
    order
}

async fn remove(stripe: &Stripe, buyer: &Actor) {
    let card = stripe.cards(buyer).await[0];
    stripe.app.checkout.remove_saved_card(buyer, card).await.unwrap();
    assert_eq!(stripe.cards(buyer).await, []);
}

/// The same while the provider is away, so that it has yet to delete the card. A request that is under way has put the next one off by two
/// minutes; when it has failed, it is one minute.
async fn remove_while_away(stripe: &Stripe, shop: &Fixture, buyer: &Actor) {
    stripe.fake.set_down(true);
    remove(stripe, buyer).await;
    until_some("the next try to be put off", SOON, async || {
        let pause = shop.number("select min(due_at) - min(created_at) from provider_removals").await;
        (60_000..110_000).contains(&pause).then_some(())
    })
    .await;
    stripe.fake.set_down(false);
}

async fn reconcile(stripe: &Stripe, shop: &Fixture, order: OrderId) {
    shop.run("update payments set tried_at = 0").await;
    stripe.app.checkout.reconcile(0).await.unwrap();
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
}

async fn assert_gone(stripe: &Stripe, shop: &Fixture, buyer: &Actor) {
    assert_eq!(stripe.cards(buyer).await, [], "its owner has removed it");
    stripe.remove_all(shop).await;
    assert_eq!(stripe.fake.saved_methods(), Vec::<serde_json::Value>::new());
    // The next payment can save it again.
    stripe.save(shop, buyer, VISA).await;
    assert_eq!(stripe.cards(buyer).await.len(), 1);
    shop.assert_consistent().await;
}

async fn card_that_is_being_deleted_is_not_listed_again_by_the_reconciler(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    let order = saved_and_not_noted(&stripe, &shop, &ann).await;
    remove_while_away(&stripe, &shop, &ann).await;
    reconcile(&stripe, &shop, order).await;
    assert_gone(&stripe, &shop, &ann).await;
    stripe.end().await;
}

async fn card_that_the_provider_has_deleted_is_not_listed_again_by_a_replayed_event(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    let order = saved_and_not_noted(&stripe, &shop, &ann).await;
    remove(&stripe, &ann).await;
    stripe.remove_all(&shop).await;
    assert_eq!(stripe.fake.saved_methods(), Vec::<serde_json::Value>::new());
    let intent = stripe.fake.intents()[0]["id"].as_str().unwrap().to_owned();
    for event in ["evt_late", "evt_later"] {
        let body = format!(
            r#"{{"id":"{event}","type":"payment_intent.succeeded","data":{{"object":{{"object":"payment_intent","id":"{intent}"}}}}}}"#
        );
        let signature = livesouk::app::WebhookSecret::new(SECRET).sign(Clock::system().now(), body.as_bytes());
        stripe.app.checkout.receive_webhook(&[&signature], body.as_bytes()).await.unwrap();
        until_some("the order to be paid", SOON, async || {
            (shop.order(order).await.status == OrderStatus::Paid).then_some(())
        })
        .await;
    }
    assert_gone(&stripe, &shop, &ann).await;
    stripe.end().await;
}

/// It does not know that the card of a payment is settled once.
async fn card_that_an_older_node_removed_is_not_listed_again(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    let order = saved_and_not_noted(&stripe, &shop, &ann).await;
    remove_while_away(&stripe, &shop, &ann).await;
    shop.run("update payments set card_settled_at = null").await;
    reconcile(&stripe, &shop, order).await;
    assert_gone(&stripe, &shop, &ann).await;
    stripe.end().await;
}

/// It could not be saved at first, so the provider was told to delete it, and has done so.
async fn card_of_a_failed_payment_is_not_listed_after_its_removal(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    let order = stripe.hold_for(&shop, &ann).await;
    let asked = stripe.pay_by(&ann, order, &stripe.saving("4000000000003220"), "pay-00001").await;
    assert!(matches!(asked, Err(Error::Refused(Refusal::NeedsAction { .. }))), "{asked:?}");
    shop.run("alter table saved_cards rename column brand to make").await;
    shop.run("alter table outbox rename column body to content").await;
    let intent = stripe.fake.intents()[0]["id"].as_str().unwrap().to_owned();
    assert!(stripe.fake.authenticate(&intent, true), "the bank of the buyer agrees");
    shop.run("update payments set tried_at = 0").await;
    stripe.app.checkout.reconcile(0).await.unwrap();
    assert_eq!(shop.order(order).await.status, OrderStatus::Capturing);
    shop.run("alter table outbox rename column content to body").await;
    shop.run("alter table saved_cards rename column make to brand").await;
    assert_eq!(stripe.cards(&ann).await, []);
    stripe.remove_all(&shop).await;
    reconcile(&stripe, &shop, order).await;
    assert_gone(&stripe, &shop, &ann).await;
    stripe.end().await;
}

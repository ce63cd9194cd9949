//! The limit per person holds for a card too: two accounts that pay with the same card are one person.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use livesouk::app::Error;
use livesouk::domain::{OfferId, OrderId, OrderStatus, PaymentStatus, RefundScope, Refusal, ReservationStatus, Role};
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use super::builders::{actor, key};
use super::fixture::{Fixture, facts};
use super::stripe::Stripe;

facts! {
    second_account_with_the_card_is_refused_and_its_unit_is_on_sale_again
    returned_units_of_a_card_can_be_bought_again
    other_lines_of_the_order_can_be_paid_with_another_card
    accounts_with_one_card_cannot_exceed_the_limit_together
}

const VISA: &str = "4242424242424242";

impl Stripe {
    async fn buy(&self, buyer: &str, offer: OfferId, qty: i64) -> OrderId {
        self.app.checkout.buy(&actor(buyer), offer, qty, key(&format!("buy-of-{buyer}"))).await.unwrap().order.id
    }

    fn card_of(&self, owner: u32) -> String {
        self.fake.confirmation_token_of(VISA, owner).unwrap()
    }
}

fn is_card_limit(answer: &Result<OrderStatus, Error>) -> bool {
    matches!(answer, Err(Error::Refused(Refusal::CardLimit { .. })))
}

async fn second_account_with_the_card_is_refused_and_its_unit_is_on_sale_again(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let offer = shop.offer(5, 1).await;
    let (first, second) = (stripe.buy("ann", offer, 1).await, stripe.buy("ann-again", offer, 1).await);
    assert_eq!(stripe.pay("ann", first, &stripe.card_of(1), "pay-00001").await, Ok(OrderStatus::Paid));
    let token = stripe.card_of(1);
    for _ in 0..2 {
        let answer = stripe.pay("ann-again", second, &token, "pay-00001").await;
        assert!(is_card_limit(&answer), "the same key has one result: {answer:?}");
    }
    let order = shop.order(second).await;
    assert_eq!((order.status, order.reason.as_deref()), (OrderStatus::Cancelled, Some("card_limit")));
    assert_eq!(shop.store.payment(second, 1).await.unwrap().unwrap().status, PaymentStatus::Cancelled);
    let statuses: Vec<_> = stripe.fake.intents().iter().map(|intent| intent["status"].clone()).collect();
    assert_eq!(statuses, ["succeeded", "canceled"], "nothing is captured, and the authorisation is gone");
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 1);
    // The card of another person.
    let third = stripe.buy("ben", offer, 1).await;
    assert_eq!(stripe.pay("ben", third, &stripe.card_of(2), "pay-00001").await, Ok(OrderStatus::Paid));
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn returned_units_of_a_card_can_be_bought_again(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let offer = shop.offer(5, 1).await;
    let first = stripe.buy("ann", offer, 1).await;
    stripe.pay("ann", first, &stripe.card_of(1), "pay-00001").await.unwrap();
    let host = livesouk::domain::Actor { role: Role::Host, ..actor("noura") };
    let refunded = stripe.app.checkout.refund(&host, first, RefundScope::Whole, true, None, key("refund-0001")).await;
    assert_eq!(refunded.unwrap().order.status, OrderStatus::Refunded);
    let second = stripe.buy("ann-again", offer, 1).await;
    assert_eq!(stripe.pay("ann-again", second, &stripe.card_of(1), "pay-00001").await, Ok(OrderStatus::Paid));
    stripe.end().await;
}

async fn other_lines_of_the_order_can_be_paid_with_another_card(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let (scarce, plain) = (shop.offer(5, 1).await, shop.offer(5, 5).await);
    let first = stripe.buy("ann", scarce, 1).await;
    stripe.pay("ann", first, &stripe.card_of(1), "pay-00001").await.unwrap();
    let again = actor("ann-again");
    let one = stripe.buy("ann-again", scarce, 1).await;
    let other = stripe.app.checkout.buy(&again, plain, 1, key("buy-other")).await.unwrap().order.id;
    let order = stripe.app.checkout.open_order(&again, &[one, other]).await.unwrap().id;
    let answer = stripe.pay("ann-again", order, &stripe.card_of(1), "pay-00001").await;
    assert!(is_card_limit(&answer), "{answer:?}");
    let left = shop.order(order).await;
    let held: Vec<_> = left.held_lines().map(|line| line.offer).collect();
    assert_eq!((left.status, held), (OrderStatus::Held, vec![plain]));
    assert_eq!(stripe.pay("ann-again", order, &stripe.card_of(1), "pay-00002").await, Ok(OrderStatus::Paid));
    stripe.end().await;
}

/// Many buyers pay at once with two cards: no card pays for more than one person may have, and every unit is sold or on sale.
async fn accounts_with_one_card_cannot_exceed_the_limit_together(shop: Fixture) {
    const PER_BUYER: i64 = 3;
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let stripe = Stripe::start(&shop).await;
    for round in 0..3 {
        let offer = shop.offer(60, PER_BUYER).await;
        let mut paying = JoinSet::new();
        let mut cards = HashMap::new();
        for n in 0..10 {
            let buyer = format!("buyer-{round}-{n}");
            let order = stripe.buy(&buyer, offer, random.random_range(1..=2)).await;
            let card = round * 10 + random.random_range(0..2);
            cards.insert(order, card);
            let (app, token) = (stripe.app.clone(), stripe.card_of(card));
            paying.spawn(async move {
                // As a page does: the same request again while it waits in the queue or its outcome is not known.
                let give_up = Instant::now() + Duration::from_secs(60);
                loop {
                    let paid = app.checkout.pay(&actor(&buyer), order, &token, None, key("pay-00001")).await;
                    let is_open =
                        matches!(paid, Err(Error::OutcomeUnknown | Error::Refused(Refusal::PaymentQueued { .. })));
                    if !is_open || Instant::now() > give_up {
                        break (order, paid.map(|paid| paid.order.status));
                    }
                }
            });
        }
        let mut units: HashMap<u32, i64> = HashMap::new();
        let mut sold = 0;
        while let Some(ended) = paying.join_next().await {
            let (id, answer) = ended.unwrap();
            let order = shop.order(id).await;
            if answer == Ok(OrderStatus::Paid) {
                assert_eq!(order.lines[0].status, ReservationStatus::Sold);
                *units.entry(cards[&id]).or_default() += order.qty;
                sold += order.qty;
            } else {
                assert!(is_card_limit(&answer), "{answer:?}");
                assert_eq!(order.status, OrderStatus::Cancelled);
            }
        }
        assert!(units.values().all(|units| *units <= PER_BUYER), "{units:?}");
        assert!(units.values().any(|units| *units > 1), "somebody buys: {units:?}");
        assert_eq!(shop.load_offer(offer).await.terms.reserved, sold);
    }
    shop.assert_consistent().await;
    stripe.end().await;
}

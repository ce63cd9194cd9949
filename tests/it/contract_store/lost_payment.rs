//! The same key of `pay` has the same answer, whatever becomes of the order after its attempt was lost.

use livesouk::app::Error;
use livesouk::domain::{LostReason, OrderId, OrderStatus, Payment, PaymentStatus, Refusal};
use livesouk::store::{LockWait, Reported};

use super::builders::{actor, key};
use super::fixture::{Fixture, facts};
use super::stripe::Stripe;

facts! {
    lost_attempt_stays_declined_when_another_one_pays
    lines_that_were_gone_stay_the_answer_when_the_others_are_paid
    hold_that_had_ended_is_the_answer
    declined_attempt_stays_declined_when_its_card_is_authorised_too_late
    card_limit_is_the_answer_before_its_lines_are_released
    attempt_that_an_older_node_decided_is_answered_from_its_order
}

const VISA: &str = "4242424242424242";
/// The bank asks its owner.
const ASKED: &str = "4000000000003220";

async fn attempt(shop: &Fixture, order: OrderId, n: i64) -> Payment {
    shop.store.payment(order, n).await.unwrap().expect("the attempt")
}

/// Begins an attempt that waits for its buyer, and gives its token.
async fn begin(stripe: &Stripe, buyer: &str, order: OrderId) -> String {
    let token = stripe.token(ASKED);
    let asked = stripe.pay(buyer, order, &token, "pay-00001").await;
    assert!(matches!(asked, Err(Error::Refused(Refusal::NeedsAction { .. }))), "{asked:?}");
    token
}

/// An attempt of a held order that the provider does not know any more, and another one that has paid. Gives the order and the token.
async fn declined_and_paid(stripe: &Stripe, shop: &Fixture) -> (OrderId, String) {
    let order = stripe.hold(shop, "ann").await;
    let token = begin(stripe, "ann", order).await;
    let lost = attempt(shop, order, 1).await;
    // As the reconciler does it.
    assert!(shop.store.update_payment_status(&lost, PaymentStatus::Cancelled, None).await.unwrap());
    let first = stripe.pay("ann", order, &token, "pay-00001").await;
    assert_eq!(first, Err(Error::Refused(Refusal::Declined)), "the order can be paid");
    assert_eq!(stripe.pay("ann", order, &stripe.token(VISA), "pay-00002").await, Ok(OrderStatus::Paid));
    (order, token)
}

async fn lost_attempt_stays_declined_when_another_one_pays(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let (order, token) = declined_and_paid(&stripe, &shop).await;
    for _ in 0..2 {
        let again = stripe.pay("ann", order, &token, "pay-00001").await;
        assert_eq!(again, Err(Error::Refused(Refusal::Declined)), "one key, one answer");
    }
    assert_eq!(stripe.pay("ann", order, &stripe.token(VISA), "pay-00003").await, Err(Refusal::AlreadyPaid.into()));
    stripe.end().await;
}

async fn lines_that_were_gone_stay_the_answer_when_the_others_are_paid(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let (ann, kept, ends) = (actor("ann"), shop.offer(5, 5).await, shop.offer(5, 5).await);
    let buy = async |offer, with: &str| stripe.app.checkout.buy(&ann, offer, 1, key(with)).await.unwrap().order.id;
    let (one, other) = (buy(kept, "buy-00001").await, buy(ends, "buy-00002").await);
    let order = stripe.app.checkout.open_order(&ann, &[one, other]).await.unwrap().id;
    let token = begin(&stripe, "ann", order).await;
    shop.expire_holds(ends).await;
    shop.store.release_expired_holds(ends, LockWait::Second).await.unwrap();
    let first = stripe.pay("ann", order, &token, "pay-00001").await;
    assert_eq!(first, Err(Error::Refused(Refusal::LinesGone(vec![other]))));
    // The buyer agrees to the rest.
    let version = shop.quote_of(order).await.version;
    let paid = stripe.app.checkout.pay(&ann, order, &stripe.token(VISA), Some(version), key("pay-00002")).await;
    assert_eq!(paid.unwrap().order.status, OrderStatus::Paid);
    assert_eq!(stripe.pay("ann", order, &token, "pay-00001").await, first, "one key, one answer");
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn hold_that_had_ended_is_the_answer(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = stripe.hold(&shop, "ann").await;
    let token = begin(&stripe, "ann", order).await;
    let offer = shop.order(order).await.first_line().offer;
    shop.expire_holds(offer).await;
    shop.store.release_expired_holds(offer, LockWait::Second).await.unwrap();
    for _ in 0..2 {
        let answer = stripe.pay("ann", order, &token, "pay-00001").await;
        assert_eq!(answer, Err(Error::Refused(Refusal::HoldExpired)));
    }
    assert_eq!(attempt(&shop, order, 1).await.status, PaymentStatus::Cancelled);
    stripe.end().await;
}

/// The order is paid by then, so the authorisation is cancelled.
async fn declined_attempt_stays_declined_when_its_card_is_authorised_too_late(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = stripe.hold(&shop, "ann").await;
    let token = stripe.token("4000000000000002");
    let first = stripe.pay("ann", order, &token, "pay-00001").await;
    assert_eq!(first, Err(Error::Refused(Refusal::Declined)));
    assert_eq!(stripe.pay("ann", order, &stripe.token(VISA), "pay-00002").await, Ok(OrderStatus::Paid));
    for status in [PaymentStatus::Voiding, PaymentStatus::Cancelled] {
        let payment = attempt(&shop, order, 1).await;
        assert!(shop.store.update_payment_status(&payment, status, None).await.unwrap());
    }
    assert_eq!(stripe.pay("ann", order, &token, "pay-00001").await, first);
    stripe.end().await;
}

/// The node that refuses the card writes that down first. Then it dies, and the lines of the order are held until their time.
async fn card_limit_is_the_answer_before_its_lines_are_released(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = stripe.hold(&shop, "ann").await;
    let token = begin(&stripe, "ann", order).await;
    let offers = vec![shop.order(order).await.first_line().offer];
    let lost = LostReason::CardLimit { offers: offers.clone() };
    let refused = Reported { lost: Some(&lost), ..Reported::default() };
    let payment = attempt(&shop, order, 1).await;
    assert!(shop.store.update_payment_status(&payment, PaymentStatus::Voiding, refused).await.unwrap());
    assert_eq!(shop.order(order).await.status, OrderStatus::Held);
    for _ in 0..2 {
        let answer = stripe.pay("ann", order, &token, "pay-00001").await;
        assert_eq!(answer, Err(Error::Refused(Refusal::CardLimit { offers: offers.clone() })));
    }
    assert_eq!(attempt(&shop, order, 1).await.status, PaymentStatus::Cancelled, "nothing is captured");
    stripe.end().await;
}

async fn attempt_that_an_older_node_decided_is_answered_from_its_order(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let (order, token) = declined_and_paid(&stripe, &shop).await;
    shop.run("update payments set lost_reason = null").await;
    assert_eq!(stripe.pay("ann", order, &token, "pay-00001").await, Err(Refusal::AlreadyPaid.into()));
    // One that only a newer node can read.
    shop.run(r#"update payments set lost_reason = '{"code":"something_new"}' where attempt = 1"#).await;
    assert_eq!(stripe.pay("ann", order, &token, "pay-00001").await, Err(Refusal::AlreadyPaid.into()));
    stripe.end().await;
}

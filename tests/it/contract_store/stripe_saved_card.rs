//! Saved cards: a buyer with an account pays again with one tap, and the payment provider forgets what is removed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fake_stripe::{Call, Fault};
use livesouk::app::{Error, PaymentSource};
use livesouk::domain::{Actor, Language, Name, OrderId, OrderStatus, PaymentStatus, Refusal, SavedCardId};

use super::builders::{actor, key};
use super::fixture::{Fixture, facts};
use super::stripe::Stripe;
use crate::support::{SOON, until_some};

facts! {
    card_that_paid_is_saved_and_pays_again
    nothing_is_saved_without_the_wish_or_without_an_account
    payment_that_fails_saves_nothing
    saved_card_of_somebody_else_is_refused_like_one_that_does_not_exist
    bank_asks_about_a_saved_card_too
    same_card_is_saved_once_and_ten_cards_at_most
    payment_goes_on_where_no_customer_can_be_made
    lost_answer_is_repeated_with_the_same_bytes
    removed_card_is_deleted_at_the_provider_also_after_it_was_away
    erasure_deletes_the_customer_at_the_provider
    card_that_is_gone_at_the_provider_is_not_offered_again
    payment_is_paid_although_its_card_cannot_be_saved
    removal_that_this_shop_cannot_carry_out_ends_after_thirty_days
}

const VISA: &str = "4242424242424242";
const MASTERCARD: &str = "5555555555554444";

pub async fn account(shop: &Fixture) -> Actor {
    let account = shop.store.create_account_without_email(&Name::parse("Ann").unwrap(), Language::English).await;
    Actor { user: account.unwrap().id.user(), ..actor("Ann") }
}

impl Stripe {
    pub async fn hold_for(&self, shop: &Fixture, buyer: &Actor) -> OrderId {
        let offer = shop.offer(1, 1).await;
        let bought = self.app.checkout.buy(buyer, offer, 1, key(&format!("buy-{}", offer.0.simple()))).await;
        bought.unwrap().order.id
    }

    pub async fn pay_by(
        &self,
        buyer: &Actor,
        order: OrderId,
        source: &PaymentSource,
        with: &str,
    ) -> Result<OrderStatus, Error> {
        let key = key(&format!("{with}-of-{order}"));
        self.app.checkout.pay_with(buyer, order, source, None, key).await.map(|paid| paid.order.status)
    }

    pub fn saving(&self, card: &str) -> PaymentSource {
        PaymentSource::Token { token: self.token(card), saves_card: true }
    }

    /// Buys and pays, and saves the card.
    pub async fn save(&self, shop: &Fixture, buyer: &Actor, card: &str) -> SavedCardId {
        let order = self.hold_for(shop, buyer).await;
        assert_eq!(self.pay_by(buyer, order, &self.saving(card), "pay-00001").await, Ok(OrderStatus::Paid));
        self.cards(buyer).await[0]
    }

    pub async fn cards(&self, buyer: &Actor) -> Vec<SavedCardId> {
        let saved = self.app.checkout.saved_cards(buyer).await.unwrap();
        saved.cards.into_iter().map(|card| card.id).collect()
    }

    /// Until nothing is left to be deleted at the provider.
    pub async fn remove_all(&self, shop: &Fixture) {
        until_some("the provider to delete everything", SOON, async || {
            shop.run("update provider_removals set due_at = 0").await;
            self.app.checkout.remove_due_at_provider().await.unwrap();
            // What the alert sees, too.
            let oldest_at = self.app.counters().oldest_removal_at.load(Ordering::Relaxed);
            (oldest_at == 0 && shop.store.oldest_removal().await.unwrap().is_none()).then_some(())
        })
        .await;
    }

    fn creates(&self) -> Vec<String> {
        let calls = self.fake.received().into_iter();
        calls.filter(|call| call.path == "/v1/payment_intents" && call.method == "POST").map(|call| call.body).collect()
    }
}

async fn card_that_paid_is_saved_and_pays_again(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    assert!(stripe.app.checkout.saved_cards(&ann).await.unwrap().can_save);
    let card = stripe.save(&shop, &ann, VISA).await;
    let saved = stripe.app.checkout.saved_cards(&ann).await.unwrap().cards.remove(0);
    let facts = (saved.facts.brand.as_str(), saved.facts.last4.as_str(), saved.facts.exp_month, saved.facts.exp_year);
    assert_eq!(facts, ("visa", "4242", 12, 2034));
    let customers = stripe.fake.customers();
    assert_eq!((customers.len(), &customers[0]["email"], &customers[0]["name"]), (1, &().into(), &().into()));
    let order = stripe.hold_for(&shop, &ann).await;
    let source = PaymentSource::SavedCard(card);
    assert_eq!(stripe.pay_by(&ann, order, &source, "pay-00001").await, Ok(OrderStatus::Paid));
    assert_eq!(stripe.pay_by(&ann, order, &source, "pay-00001").await, Ok(OrderStatus::Paid), "one result");
    let intents = stripe.fake.intents();
    assert_eq!((&intents[0]["customer"], &intents[1]["customer"]), (&customers[0]["id"], &customers[0]["id"]));
    assert_eq!((&intents[1]["payment_method"], intents.len()), (&intents[0]["payment_method"], 2));
    assert_eq!(stripe.cards(&ann).await, [card], "it is not saved again");
    // The second one of a customer asks for no other.
    stripe.save(&shop, &ann, MASTERCARD).await;
    assert_eq!((stripe.fake.customers().len(), stripe.cards(&ann).await.len()), (1, 2));
    let file = shop.store.own_data(&ann.user).await.unwrap();
    let named: Vec<_> = file.iter().filter(|datum| datum.kind == "saved_card").map(|datum| &datum.data).collect();
    assert_eq!((named.len(), &named[0]["last4"], &named[1]["brand"]), (2, &"4242".into(), &"mastercard".into()));
    assert!(!format!("{file:?}").contains("pm_"), "the id at the provider is nobody's business");
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn nothing_is_saved_without_the_wish_or_without_an_account(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    let order = stripe.hold_for(&shop, &ann).await;
    let plain = PaymentSource::token(&stripe.token(VISA));
    assert_eq!(stripe.pay_by(&ann, order, &plain, "pay-00001").await, Ok(OrderStatus::Paid));
    for nobody in [actor("guest:1"), actor("of-a-token")] {
        assert!(!stripe.app.checkout.saved_cards(&nobody).await.unwrap().can_save);
        let order = stripe.hold_for(&shop, &nobody).await;
        let paid = stripe.pay_by(&nobody, order, &stripe.saving(VISA), "pay-00001").await;
        assert_eq!(paid, Ok(OrderStatus::Paid), "{}", nobody.user);
        assert_eq!(stripe.cards(&nobody).await, []);
    }
    assert!(stripe.fake.customers().is_empty() && stripe.fake.saved_methods().is_empty());
    assert!(stripe.creates().iter().all(|body| !body.contains("customer") && !body.contains("setup_future_usage")));
    stripe.end().await;
}

async fn payment_that_fails_saves_nothing(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    // Declined; the capture refused; authorised when the hold was over.
    let order = stripe.hold_for(&shop, &ann).await;
    let declined = stripe.pay_by(&ann, order, &stripe.saving("4000000000000002"), "pay-00001").await;
    assert_eq!(declined, Err(Error::Refused(Refusal::Declined)));
    let uncaptured = stripe.hold_for(&shop, &ann).await;
    let failed = stripe.pay_by(&ann, uncaptured, &stripe.saving("pm_fake_captureFails"), "pay-00001").await;
    assert_eq!(failed, Err(Error::Refused(Refusal::CaptureFailed)));
    let late = stripe.hold_for(&shop, &ann).await;
    let asked = stripe.pay_by(&ann, late, &stripe.saving("4000000000003220"), "pay-00001").await;
    assert!(matches!(asked, Err(Error::Refused(Refusal::NeedsAction { .. }))), "{asked:?}");
    stripe.app.checkout.cancel(&ann, late, key("cancel-0001")).await.unwrap();
    let intent = stripe.fake.intents().last().unwrap()["id"].as_str().unwrap().to_owned();
    stripe.fake.authenticate(&intent, true);
    shop.run("update payments set tried_at = 0").await;
    stripe.app.checkout.reconcile(0).await.unwrap();
    assert_eq!(shop.store.payment(late, 1).await.unwrap().unwrap().status, PaymentStatus::Cancelled);
    assert_eq!(stripe.cards(&ann).await, []);
    stripe.remove_all(&shop).await;
    assert_eq!(stripe.fake.saved_methods(), Vec::<serde_json::Value>::new(), "the provider has forgotten them too");
    stripe.end().await;
}

async fn saved_card_of_somebody_else_is_refused_like_one_that_does_not_exist(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let (ann, ben) = (account(&shop).await, account(&shop).await);
    let card = stripe.save(&shop, &ann, VISA).await;
    let order = stripe.hold_for(&shop, &ben).await;
    let refused = |answer: Result<OrderStatus, Error>| assert_eq!(answer, Err(Error::Refused(Refusal::NoSuchCard)));
    refused(stripe.pay_by(&ben, order, &PaymentSource::SavedCard(card), "pay-00001").await);
    refused(stripe.pay_by(&ben, order, &PaymentSource::SavedCard(SavedCardId::new()), "pay-00002").await);
    for (buyer, card) in [(&ben, card), (&ann, SavedCardId::new())] {
        let removed = stripe.app.checkout.remove_saved_card(buyer, card).await;
        assert_eq!(removed, Err(Error::Refused(Refusal::NoSuchCard)));
    }
    assert_eq!((stripe.cards(&ann).await, stripe.cards(&ben).await), (vec![card], vec![]));
    assert_eq!(stripe.fake.intents().len(), 1, "the provider was not asked");
    stripe.end().await;
}

async fn bank_asks_about_a_saved_card_too(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    stripe.receive_events().await;
    let ann = account(&shop).await;
    let agree = async |order: OrderId, asked: Result<OrderStatus, Error>| {
        assert!(matches!(asked, Err(Error::Refused(Refusal::NeedsAction { .. }))), "{asked:?}");
        let intent = stripe.fake.intents().last().unwrap()["id"].as_str().unwrap().to_owned();
        assert!(stripe.fake.authenticate(&intent, true));
        until_some("the order to be paid", SOON, async || {
            (shop.order(order).await.status == OrderStatus::Paid).then_some(())
        })
        .await;
    };
    let first = stripe.hold_for(&shop, &ann).await;
    let asked = stripe.pay_by(&ann, first, &stripe.saving("4000000000003220"), "pay-00001").await;
    assert_eq!(stripe.cards(&ann).await, [], "not before it has paid");
    agree(first, asked).await;
    let card = stripe.cards(&ann).await[0];
    let second = stripe.hold_for(&shop, &ann).await;
    agree(second, stripe.pay_by(&ann, second, &PaymentSource::SavedCard(card), "pay-00001").await).await;
    assert_eq!(stripe.cards(&ann).await, [card]);
    stripe.end().await;
}

async fn same_card_is_saved_once_and_ten_cards_at_most(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    let first = stripe.save(&shop, &ann, VISA).await;
    let again = stripe.save(&shop, &ann, VISA).await;
    assert_ne!(first, again);
    assert_eq!(stripe.cards(&ann).await, [again]);
    stripe.remove_all(&shop).await;
    assert_eq!(stripe.fake.saved_methods().len(), 1, "the provider has it once too");
    for owner in 1..=10 {
        let can_save = stripe.app.checkout.saved_cards(&ann).await.unwrap().can_save;
        assert_eq!(can_save, owner < 10, "{owner}");
        let order = stripe.hold_for(&shop, &ann).await;
        let token = stripe.fake.confirmation_token_of(MASTERCARD, owner).unwrap();
        let source = PaymentSource::Token { token, saves_card: true };
        assert_eq!(stripe.pay_by(&ann, order, &source, "pay-00001").await, Ok(OrderStatus::Paid));
    }
    stripe.remove_all(&shop).await;
    assert_eq!((stripe.cards(&ann).await.len(), stripe.fake.saved_methods().len()), (10, 10));
    stripe.end().await;
}

async fn payment_goes_on_where_no_customer_can_be_made(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    for fault in [Fault::CutBefore, Fault::CutAfter, Fault::Slow(Duration::from_secs(6))] {
        let ann = account(&shop).await;
        let order = stripe.hold_for(&shop, &ann).await;
        stripe.fake.plan_fault(Call::CreateCustomer, fault, 1);
        let paid = stripe.pay_by(&ann, order, &stripe.saving(VISA), "pay-00001").await;
        assert_eq!(paid, Ok(OrderStatus::Paid), "{fault:?}");
        assert_eq!(stripe.cards(&ann).await, [], "{fault:?}");
        if !matches!(fault, Fault::Slow(_)) {
            // The next time it works.
            stripe.save(&shop, &ann, VISA).await;
        }
    }
    assert!(!stripe.creates()[0].contains("setup_future_usage"));
    stripe.end().await;
}

async fn lost_answer_is_repeated_with_the_same_bytes(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    for (n, fault) in [Fault::CutBefore, Fault::CutAfter, Fault::HalfAnswer].into_iter().enumerate() {
        let order = stripe.hold_for(&shop, &ann).await;
        let source = stripe.saving(if n == 0 { VISA } else { MASTERCARD });
        stripe.fake.plan_fault(Call::Create, fault, 1);
        let before = stripe.creates().len();
        assert_eq!(stripe.pay_by(&ann, order, &source, "pay-00001").await, Err(Error::OutcomeUnknown), "{fault:?}");
        assert_eq!(stripe.pay_by(&ann, order, &source, "pay-00001").await, Ok(OrderStatus::Paid), "{fault:?}");
        let bodies = stripe.creates().split_off(before);
        assert_eq!((bodies.len(), &bodies[0]), (2, &bodies[1]), "{fault:?}");
        assert!(bodies[0].contains("setup_future_usage=on_session"), "{}", bodies[0]);
    }
    // The card is removed while its payment is in doubt: the same key has its one result.
    let card = stripe.cards(&ann).await[0];
    let order = stripe.hold_for(&shop, &ann).await;
    stripe.fake.plan_fault(Call::Create, Fault::CutAfter, 1);
    let source = PaymentSource::SavedCard(card);
    assert_eq!(stripe.pay_by(&ann, order, &source, "pay-00001").await, Err(Error::OutcomeUnknown));
    stripe.app.checkout.remove_saved_card(&ann, card).await.unwrap();
    assert_eq!(stripe.pay_by(&ann, order, &source, "pay-00001").await, Ok(OrderStatus::Paid));
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn removed_card_is_deleted_at_the_provider_also_after_it_was_away(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    let card = stripe.save(&shop, &ann, VISA).await;
    stripe.fake.set_down(true);
    stripe.app.checkout.remove_saved_card(&ann, card).await.unwrap();
    assert_eq!(stripe.cards(&ann).await, [], "at once, for the buyer");
    shop.run("update provider_removals set due_at = 0").await;
    stripe.app.checkout.remove_due_at_provider().await.unwrap();
    assert_eq!(stripe.fake.saved_methods().len(), 1);
    // The job of the node tries as well.
    until_some("the next try to be put off", SOON, async || {
        let pause = shop.number("select min(due_at) - min(created_at) from provider_removals").await;
        (pause >= 60_000).then_some(())
    })
    .await;
    assert!(stripe.app.counters().oldest_removal_at.load(Ordering::Relaxed) > 0, "what the alert sees");
    stripe.fake.set_down(false);
    stripe.remove_all(&shop).await;
    assert!(stripe.fake.saved_methods().is_empty());
    stripe.end().await;
}

async fn erasure_deletes_the_customer_at_the_provider(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let (ann, ben) = (account(&shop).await, account(&shop).await);
    stripe.save(&shop, &ann, VISA).await;
    let bens = stripe.save(&shop, &ben, VISA).await;
    shop.store.erase_user_data(&ann.user).await.unwrap();
    assert_eq!(stripe.cards(&ann).await, []);
    for fault in [Fault::ErrorBefore, Fault::CutAfter] {
        stripe.fake.plan_fault(Call::DeleteCustomer, fault, 1);
    }
    stripe.remove_all(&shop).await;
    assert_eq!((stripe.fake.customers().len(), stripe.fake.saved_methods().len()), (1, 1));
    assert_eq!(stripe.cards(&ben).await, [bens], "others keep theirs");
    stripe.end().await;
}

async fn card_that_is_gone_at_the_provider_is_not_offered_again(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    let (visa, mastercard) = (stripe.save(&shop, &ann, VISA).await, stripe.save(&shop, &ann, MASTERCARD).await);
    let method = stripe.fake.saved_methods()[0]["id"].as_str().unwrap().to_owned();
    assert!(stripe.fake.detach(&method), "somebody does that in the dashboard");
    let order = stripe.hold_for(&shop, &ann).await;
    let gone = stripe.pay_by(&ann, order, &PaymentSource::SavedCard(visa), "pay-00001").await;
    assert_eq!(gone, Err(Error::Refused(Refusal::Declined)));
    assert_eq!(stripe.cards(&ann).await, [mastercard]);
    // The whole customer, and the buyer can save a card again.
    stripe.fake.delete_all_customers();
    let gone = stripe.pay_by(&ann, order, &PaymentSource::SavedCard(mastercard), "pay-00002").await;
    assert_eq!(gone, Err(Error::Refused(Refusal::Declined)));
    assert_eq!(stripe.cards(&ann).await, []);
    stripe.save(&shop, &ann, VISA).await;
    stripe.end().await;
}

async fn payment_is_paid_although_its_card_cannot_be_saved(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let ann = account(&shop).await;
    let order = stripe.hold_for(&shop, &ann).await;
    let asked = stripe.pay_by(&ann, order, &stripe.saving("4000000000003220"), "pay-00001").await;
    assert!(matches!(asked, Err(Error::Refused(Refusal::NeedsAction { .. }))), "{asked:?}");
    let intent = stripe.fake.intents()[0]["id"].as_str().unwrap().to_owned();
    shop.run("alter table saved_cards rename column brand to make").await;
    assert!(stripe.fake.authenticate(&intent, true));
    shop.run("update payments set tried_at = 0").await;
    stripe.app.checkout.reconcile(0).await.unwrap();
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    shop.run("alter table saved_cards rename column make to brand").await;
    assert_eq!(stripe.cards(&ann).await, []);
    stripe.remove_all(&shop).await;
    assert_eq!(stripe.fake.saved_methods().len(), 0, "nobody could see it or remove it there");
    stripe.end().await;
}

/// Of the other mode, which has keys of its own.
async fn removal_that_this_shop_cannot_carry_out_ends_after_thirty_days(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let (now, day) = (shop.store.now().await.unwrap(), 86_400_000);
    for (reference, live, age) in [("pm_lapsed", 1, 31), ("pm_young", 1, 29), ("pm_own", 0, 31)] {
        shop.run(&format!(
            "insert into provider_removals (id, kind, reference, live, due_at, created_at)
                values ({}, 'card', '{reference}', {live}, {now}, {})",
            shop.id(SavedCardId::new().0),
            now - age * day
        ))
        .await;
    }
    stripe.app.checkout.remove_due_at_provider().await.unwrap();
    let left = "select count(*) from provider_removals where reference = 'pm_young'";
    until_some("the end of the others", SOON, async || {
        let all = shop.number("select count(*) from provider_removals").await;
        (all == 1 && shop.number(left).await == 1).then_some(())
    })
    .await;
    let asked: Vec<_> = stripe.fake.received().into_iter().filter(|call| call.path.contains("pm_")).collect();
    assert!(asked.iter().all(|call| call.path.contains("pm_own")), "{asked:?}");
    stripe.end().await;
}

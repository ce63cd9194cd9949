//! The market of the shop: no payment begins for an order to a country to which it does not deliver.

use livesouk::domain::order::request_hash;
use livesouk::domain::{
    Address, ManualMethod, ManualPayments, Market, OrderId, OrderStatus, PaymentStatus, QuoteRules, Refusal,
};
use livesouk::store::{NewPayment, NewPlacement};

use super::address::address;
use super::builders::{key, person, refusal, user};
use super::fixture::{Fixture, facts};

facts! {
    no_payment_begins_for_an_order_outside_the_market
    no_order_is_placed_outside_the_market
    attempt_that_began_before_the_market_changed_goes_on
}

fn market(countries: &[&str]) -> Market {
    Market { countries: countries.iter().map(|code| (*code).to_owned()).collect() }
}

fn payment(order: OrderId, with: &str, market: &Market) -> NewPayment {
    NewPayment {
        order,
        buyer: user("ann"),
        key: key(with),
        hash: request_hash(&["pay", with]),
        provider: "test",
        token: "ok".into(),
        card: Default::default(),
        quote_version: None,
        rules: QuoteRules::default(),
        market: market.clone(),
        is_queued: false,
        request_ms: 0,
    }
}

fn not_served(countries: &[&str]) -> Refusal {
    Refusal::CountryNotServed { countries: market(countries).countries }
}

/// A held order to Saudi Arabia.
async fn held_for_saudi_arabia(shop: &Fixture, buyer: &str) -> OrderId {
    let offer = shop.offer(5, 5).await;
    let order = shop.hold_one(offer, buyer).await.id;
    assert!(shop.store.set_address(order, &address("Ann")).await.unwrap());
    order
}

async fn no_payment_begins_for_an_order_outside_the_market(shop: Fixture) {
    let order = held_for_saudi_arabia(&shop, "ann").await;
    let gulf = market(&["AE", "KW"]);
    assert_eq!(refusal(shop.store.begin_payment(&payment(order, "key-00001", &gulf)).await), not_served(&["AE", "KW"]));
    assert_eq!(shop.number("select count(*) from payments").await, 0);
    assert_eq!(shop.order(order).await.status, OrderStatus::Held, "it can still be paid");

    // The address is what counts when the payment begins.
    assert!(shop.store.set_address(order, &Address { country: "KW".into(), ..address("Ann") }).await.unwrap());
    assert!(shop.store.begin_payment(&payment(order, "key-00001", &gulf)).await.unwrap().is_new);
    let everywhere = held_for_saudi_arabia(&shop, "bob").await;
    assert!(shop.store.begin_payment(&payment(everywhere, "key-00002", &Market::default())).await.unwrap().is_new);
    // An order may have no address yet.
    let offer = shop.offer(1, 1).await;
    let without = shop.hold_one(offer, "cem").await.id;
    assert!(shop.store.begin_payment(&payment(without, "key-00003", &gulf)).await.unwrap().is_new);
}

async fn no_order_is_placed_outside_the_market(shop: Fixture) {
    let order = held_for_saudi_arabia(&shop, "ann").await;
    let method = ManualMethod::CashOnDelivery;
    let new = NewPlacement {
        order,
        buyer: user("ann"),
        person: person("ann"),
        key: key("place-00001"),
        hash: request_hash(&["place", method.name()]),
        method,
        quote_version: None,
        rules: QuoteRules::default(),
        market: market(&["KW"]),
        settings: ManualPayments { cash_on_delivery: true, ..ManualPayments::default() },
    };
    assert_eq!(refusal(shop.store.place_order(&new).await), not_served(&["KW"]));
    assert_eq!(shop.order(order).await.status, OrderStatus::Held);
    let served = NewPlacement { market: market(&["SA"]), ..new.clone() };
    assert_eq!(shop.store.place_order(&served).await.unwrap().0.status, OrderStatus::Placed);
    // What was placed stays, and its key still finds it.
    let (known, is_new) = shop.store.place_order(&new).await.unwrap();
    assert_eq!((known.status, is_new), (OrderStatus::Placed, false));
}

async fn attempt_that_began_before_the_market_changed_goes_on(shop: Fixture) {
    let order = held_for_saudi_arabia(&shop, "ann").await;
    let begun = shop.store.begin_payment(&payment(order, "key-00001", &market(&["SA"]))).await.unwrap();
    let narrow = market(&["KW"]);
    let again = shop.store.begin_payment(&payment(order, "key-00001", &narrow)).await.unwrap();
    assert_eq!((again.is_new, again.payment.attempt), (false, begun.payment.attempt));
    assert_eq!(refusal(shop.store.begin_payment(&payment(order, "key-00002", &narrow)).await), not_served(&["KW"]));
    let won = shop.store.begin_capture(&begun.payment, Some(begun.payment.create_key().as_str())).await.unwrap();
    assert!(won.is_some(), "the first attempt wins the order");
    assert_eq!(shop.store.finish_capture(order).await.unwrap().unwrap().status, OrderStatus::Paid);
    let known = shop.store.begin_payment(&payment(order, "key-00001", &narrow)).await.unwrap().payment;
    assert_eq!((known.status, known.order_status), (PaymentStatus::Captured, OrderStatus::Paid));
}

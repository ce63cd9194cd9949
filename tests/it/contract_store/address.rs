//! Addresses: stored apart from the order, replaced as a whole, erased completely. And the timestamps of an order.

use livesouk::domain::{Address, OrderId};
use livesouk::store::ReleaseReason;

use super::builders::actor;
use super::fixture::{Fixture, facts};

facts! {
    address_is_stored_replaced_and_erased_apart_from_its_order
    saved_address_is_replaced_and_deleted_when_it_is_old
    ended_order_accepts_no_address
    order_timestamps_are_read_from_its_payments_and_refunds
}

pub fn address(name: &str) -> Address {
    Address {
        email: Some("ann@example.com".into()),
        language: Some(livesouk::domain::Language::Indonesian),
        name: name.into(),
        lines: vec!["شارع الملك فهد".into(), "Flat \"3\"".into()],
        city: "Riyadh".into(),
        region: None,
        postcode: Some("12271".into()),
        country: "SA".into(),
        phone: None,
    }
}

async fn address_is_stored_replaced_and_erased_apart_from_its_order(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let (ann, ben) = (shop.hold_one(offer, "ann").await.id, shop.hold_one(offer, "ben").await.id);
    assert_eq!(shop.store.address(ann).await.unwrap(), None);
    for name in ["Ann", "Ann Two"] {
        assert!(shop.store.set_address(ann, &address(name)).await.unwrap());
        assert_eq!(shop.store.address(ann).await.unwrap(), Some(address(name)));
    }
    assert_eq!(shop.store.address(ben).await.unwrap(), None, "only one order has it");
    assert!(shop.store.set_address(ben, &address("Ben")).await.unwrap());
    let before = (shop.order(ann).await, shop.load_offer(offer).await.terms);
    for _ in 0..2 {
        shop.store.erase_address(ann).await.unwrap();
        assert_eq!(shop.store.address(ann).await.unwrap(), None);
    }
    assert_eq!(shop.number("select count(*) from addresses").await, 1);
    assert_eq!((shop.order(ann).await, shop.load_offer(offer).await.terms), before, "the order does not change");
}

async fn saved_address_is_replaced_and_deleted_when_it_is_old(shop: Fixture) {
    let (ann, bob) = (actor("ann").user, actor("bob").user);
    let store = &shop.store;
    assert_eq!(store.saved_address(&ann).await.unwrap(), None);
    store.save_address(&ann, &address("Ann")).await.unwrap();
    store.save_address(&ann, &address("Ann Example")).await.unwrap();
    assert_eq!(store.saved_address(&ann).await.unwrap(), Some(address("Ann Example")));
    assert_eq!(store.saved_address(&bob).await.unwrap(), None);
    shop.run("update saved_addresses set changed_at = 1000 where user_id = 'ann'").await;
    store.save_address(&bob, &address("Bob")).await.unwrap();
    assert_eq!(store.delete_saved_addresses_before(1_001).await.unwrap(), 1);
    assert_eq!(store.delete_saved_addresses_before(1_001).await.unwrap(), 0);
    assert_eq!(store.saved_address(&ann).await.unwrap(), None);
    store.delete_saved_address(&bob).await.unwrap();
    assert_eq!(store.saved_address(&bob).await.unwrap(), None);
}

async fn ended_order_accepts_no_address(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let ann = shop.hold_one(offer, "ann").await.id;
    shop.store.release_reservations(offer, &[ann], ReleaseReason::BuyerCancel, None).await.unwrap();
    assert!(!shop.store.set_address(ann, &address("Ann")).await.unwrap());
    assert_eq!(shop.store.address(ann).await.unwrap(), None);
    let never = OrderId::new();
    assert!(!shop.store.set_address(never, &address("Nobody")).await.unwrap());
}

async fn order_timestamps_are_read_from_its_payments_and_refunds(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let order = shop.hold_one(offer, "ann").await;
    let held = shop.store.order_timestamps(order.id).await.unwrap();
    assert_eq!((held.changed_at, held.payments, held.refunds), (order.created_at, vec![], vec![]));
    let ben = shop.hold_one(offer, "ben").await.id;
    shop.begin_capture(ben).await.unwrap().unwrap();
    let paid = shop.store.finish_capture(ben).await.unwrap().unwrap();
    let traces = shop.store.order_timestamps(paid.id).await.unwrap();
    assert_eq!(paid.paid_at, Some(traces.changed_at));
    assert_eq!(traces.payments.len(), 1, "one attempt");
    assert!(traces.refunds.is_empty());
}

//! Orders after the hold: paid once, published once, found by their buyer. And idempotency records.

use livesouk::domain::order::request_hash;
use livesouk::domain::{Order, OrderStatus, StreamId};
use livesouk::store::{IdempotencyRecord, ReleaseReason};

use super::builders::{key, person, purchase_request, user};
use super::fixture::{Fixture, facts};

facts! {
    paid_order_writes_one_outbox_event
    order_is_paid_once
    first_idempotency_record_is_kept
    release_stores_its_idempotency_record
    late_release_stores_no_idempotency_record
    orders_are_found_by_key_and_paged_by_buyer
    recent_orders_are_undecided_or_changed_lately
    sales_totals_count_sold_units
}

fn record(order: livesouk::domain::OrderId, with: &str, code: Option<&'static str>) -> IdempotencyRecord {
    IdempotencyRecord { verb: "pay", key: key(with), hash: request_hash(&["pay", with]), order, code }
}

async fn paid_order_writes_one_outbox_event(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    let events = async || shop.store.outbox_events(10).await.unwrap();
    shop.begin_capture(order).await.unwrap();
    assert!(events().await.is_empty());
    shop.store.finish_capture(order).await.unwrap().unwrap();
    assert_eq!(shop.store.finish_capture(order).await.unwrap(), None);
    let written = events().await;
    assert_eq!(
        written.iter().map(|event| (&*event.topic, &*event.body)).collect::<Vec<_>>(),
        [("order.paid", &*order.to_string())]
    );
    let delete = async || shop.store.delete_outbox_events(&[written[0].id]).await.unwrap();
    assert_eq!(delete().await, [written[0].id]);
    assert!(delete().await.is_empty(), "another node was first");
    assert!(events().await.is_empty());
}

async fn order_is_paid_once(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let order = shop.hold_one(offer, "ann").await;
    assert_eq!(shop.store.finish_capture(order.id).await.unwrap(), None, "it is not in capture");
    let (one, two) = tokio::join!(shop.begin_capture(order.id), shop.begin_capture(order.id));
    assert_eq!([one, two].into_iter().filter(|won| won.as_ref().unwrap().is_some()).count(), 1);
    let paid = shop.store.finish_capture(order.id).await.unwrap().unwrap();
    assert_eq!((paid.status, paid.version), (OrderStatus::Paid, 3));
    assert!(paid.paid_at.unwrap() >= order.created_at);
    assert_eq!(shop.order(order.id).await, paid);
    assert_eq!(shop.begin_capture(order.id).await.unwrap(), None);
    shop.assert_consistent().await;
}

async fn recent_orders_are_undecided_or_changed_lately(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let held = shop.hold_one(offer, "ann").await.id;
    let paid = shop.hold_one(offer, "bob").await.id;
    shop.hold_one(offer, "cem").await;
    shop.begin_capture(paid).await.unwrap();
    let changed = shop.store.finish_capture(paid).await.unwrap().unwrap().paid_at.unwrap();
    let found = async |since| {
        let orders = shop.store.recent_orders_of(&[user("ann"), user("bob"), user("nobody")], since).await.unwrap();
        orders.into_iter().map(|order| order.id).collect::<Vec<_>>()
    };
    assert_eq!(found(changed - 1).await, [paid, held], "newest first, without the order of cem");
    assert_eq!(found(changed + 1_000).await, [held]);
    assert!(shop.store.recent_orders_of(&[], 0).await.unwrap().is_empty());
}

async fn first_idempotency_record_is_kept(shop: Fixture) {
    let (ann, order) = (user("ann"), Default::default());
    let first = record(order, "key-00001", Some("declined"));
    shop.store.insert_idempotency_record(&ann, &first).await.unwrap();
    shop.store.insert_idempotency_record(&ann, &IdempotencyRecord { code: None, ..first.clone() }).await.unwrap();
    let found =
        async |buyer, verb, with| shop.store.find_idempotency_record(&user(buyer), verb, &key(with)).await.unwrap();
    assert_eq!(found("ann", "pay", "key-00001").await, Some((first.hash, order, Some("declined".to_owned()))));
    for (buyer, verb, with) in
        [("bob", "pay", "key-00001"), ("ann", "cancel", "key-00001"), ("ann", "pay", "key-00002")]
    {
        assert_eq!(found(buyer, verb, with).await, None);
    }
}

async fn release_stores_its_idempotency_record(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let (order, ann) = (shop.hold_one(offer, "ann").await.id, user("ann"));
    let kept = IdempotencyRecord { verb: "cancel", ..record(order, "key-00001", None) };
    shop.store.release_reservations(offer, &[order], ReleaseReason::BuyerCancel, Some((&ann, &kept))).await.unwrap();
    assert_eq!(
        shop.store.find_idempotency_record(&ann, "cancel", &kept.key).await.unwrap(),
        Some((kept.hash, order, None))
    );
}

async fn late_release_stores_no_idempotency_record(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let (order, ann) = (shop.hold_one(offer, "ann").await.id, user("ann"));
    shop.begin_capture(order).await.unwrap();
    let late = IdempotencyRecord { verb: "cancel", ..record(order, "key-00001", None) };
    shop.store.release_reservations(offer, &[order], ReleaseReason::BuyerCancel, Some((&ann, &late))).await.unwrap();
    assert_eq!(shop.store.find_idempotency_record(&ann, "cancel", &late.key).await.unwrap(), None);
}

async fn orders_are_found_by_key_and_paged_by_buyer(shop: Fixture) {
    let offer = shop.offer(50, 50).await;
    let mut newest_first = Vec::new();
    for n in 0..5 {
        let with = format!("key-{n:05}");
        let order = shop.buy(offer, &purchase_request("ann", &with, 1)).await.unwrap().reservation;
        assert_eq!(shop.store.reservation_by_key(&user("ann"), &key(&with)).await.unwrap().as_ref(), Some(&order));
        newest_first.insert(0, Order::from(order));
    }
    shop.hold_one(offer, "bob").await;
    assert_eq!(shop.store.reservation_by_key(&user("bob"), &key("key-00001")).await.unwrap(), None);
    let page =
        async |stream, after, limit| shop.store.orders_of_buyer(&user("ann"), stream, after, limit).await.unwrap();
    assert_eq!(page(None, None, 2).await, newest_first[..2]);
    assert_eq!(page(Some(shop.stream), Some(newest_first[1].id), 9).await, newest_first[2..]);
    assert_eq!(page(Some(StreamId::new()), None, 9).await, []);
    let counting: Vec<_> = newest_first.iter().rev().map(|order| order.id).collect();
    assert_eq!(shop.store.counted_reservations(&person("ann"), offer).await.unwrap(), counting);
}

async fn sales_totals_count_sold_units(shop: Fixture) {
    let offer = shop.offer(50, 50).await;
    let paid = shop.buy(offer, &purchase_request("ann", "key-00001", 3)).await.unwrap().reservation;
    shop.begin_capture(paid.id).await.unwrap();
    shop.store.finish_capture(paid.id).await.unwrap();
    let gone = shop.hold_one(offer, "bob").await;
    shop.store.release_reservations(offer, &[gone.id], ReleaseReason::BuyerCancel, None).await.unwrap();
    shop.hold_one(offer, "cem").await;
    let sums = shop.store.sales_totals(shop.stream).await.unwrap();
    assert_eq!((sums.orders_held, sums.orders_paid, sums.units_paid, sums.amount_paid), (1, 1, 3, 3 * 4_900));
    assert!(!shop.load_offer(offer).await.has_unpaid, "unpaid orders are looked for only when no unit is left");
}

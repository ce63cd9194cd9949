//! The seller's desk: the list of orders, the steps of fulfilment, notes and tags.

use livesouk::domain::{
    Consignment, FulfilmentStatus, FulfilmentStep, OrderId, OrderStatus, Refusal, ShopOrderFilter, StreamId,
};
use livesouk::store::{OrderNote, ShopOrderPage};
use uuid::Uuid;

use super::address::address;
use super::builders::{refusal, user};
use super::fixture::{Fixture, facts};

facts! {
    orders_of_the_shop_are_listed_newest_first_in_pages
    every_filter_of_the_list_counts
    search_takes_wildcards_as_letters
    fulfilment_keeps_the_first_time_of_each_step
    step_that_is_recorded_late_is_new
    unpaid_order_is_not_fulfilled
    step_is_undone_before_the_next_one_only
    sent_order_loses_the_address_whose_erasure_waited
    note_with_a_known_id_is_added_once
    order_has_at_most_ten_tags
    erasure_of_the_buyer_erases_the_notes_on_their_orders
}

fn ids(page: &ShopOrderPage) -> Vec<OrderId> {
    page.orders.iter().map(|listed| listed.order.id).collect()
}

async fn orders_of_the_shop_are_listed_newest_first_in_pages(shop: Fixture) {
    let offer = shop.offer(10, 10).await;
    let mut all = Vec::new();
    for buyer in ["ann", "ben", "cem", "dan", "eva"] {
        all.push(shop.hold_one(offer, buyer).await.id);
    }
    all.sort_unstable_by(|a, b| b.cmp(a));
    let everything = ShopOrderFilter::default();
    let first = shop.store.shop_orders(&everything, None, 2).await.unwrap();
    assert_eq!((ids(&first), first.next), (all[..2].to_vec(), Some(all[1])));
    let second = shop.store.shop_orders(&everything, first.next, 2).await.unwrap();
    assert_eq!((ids(&second), second.next), (all[2..4].to_vec(), Some(all[3])));
    let last = shop.store.shop_orders(&everything, second.next, 2).await.unwrap();
    assert_eq!((ids(&last), last.next), (all[4..].to_vec(), None));
}

async fn every_filter_of_the_list_counts(shop: Fixture) {
    let offer = shop.offer(10, 10).await;
    let (held, paid) = (shop.hold_one(offer, "ann").await, shop.paid_one(offer, "ben").await);
    let sent = shop.paid_one(offer, "cem").await;
    shop.store.set_fulfilment(sent, FulfilmentStep::Sent, None, &user("host")).await.unwrap();
    shop.store.add_order_tag(paid, "gift").await.unwrap();
    let none = ShopOrderFilter::default;
    for (filter, expected) in [
        (ShopOrderFilter { status: Some(OrderStatus::Held), ..none() }, vec![held.id]),
        (ShopOrderFilter { fulfilment: Some(FulfilmentStatus::Unfulfilled), ..none() }, vec![paid]),
        (ShopOrderFilter { fulfilment: Some(FulfilmentStatus::Sent), ..none() }, vec![sent]),
        (ShopOrderFilter { fulfilment: Some(FulfilmentStatus::Delivered), ..none() }, vec![]),
        (ShopOrderFilter { buyer: Some(user("ben")), ..none() }, vec![paid]),
        (ShopOrderFilter { buyer: Some(user("ben")), status: Some(OrderStatus::Held), ..none() }, vec![]),
        (ShopOrderFilter { buyer: Some(user("nobody")), ..none() }, vec![]),
        (ShopOrderFilter { tag: Some("gift".into()), ..none() }, vec![paid]),
        (ShopOrderFilter { search: Some("BE".into()), ..none() }, vec![paid]),
        (ShopOrderFilter { search: Some(sent.to_string()), ..none() }, vec![sent]),
        (ShopOrderFilter { stream: Some(held.stream), status: Some(OrderStatus::Held), ..none() }, vec![held.id]),
        (ShopOrderFilter { stream: Some(StreamId::new()), ..none() }, vec![]),
        (ShopOrderFilter { since: Some(held.created_at + 3_600_000), ..none() }, vec![]),
        (ShopOrderFilter { until: Some(held.created_at - 3_600_000), ..none() }, vec![]),
    ] {
        let page = shop.store.shop_orders(&filter, None, 10).await.unwrap();
        assert_eq!((ids(&page), page.next), (expected, None), "{filter:?}");
    }
    let tagged =
        shop.store.shop_orders(&ShopOrderFilter { tag: Some("gift".into()), ..none() }, None, 10).await.unwrap();
    assert_eq!(tagged.orders[0].tags, ["gift"]);
    let recent =
        ShopOrderFilter { since: Some(held.created_at - 60_000), until: Some(held.created_at + 60_000), ..none() };
    assert_eq!(shop.store.shop_orders(&recent, None, 10).await.unwrap().orders.len(), 3);
    assert_eq!(shop.store.tags_in_use().await.unwrap(), ["gift"]);
}

async fn search_takes_wildcards_as_letters(shop: Fixture) {
    let offer = shop.offer(10, 10).await;
    let order = shop.hold_one(offer, "a_n%!").await.id;
    shop.hold_one(offer, "ann").await;
    for (search, found) in
        [("_", vec![order]), ("%", vec![order]), ("n%!", vec![order]), ("a_", vec![order]), ("%%", vec![])]
    {
        let filter = ShopOrderFilter { search: Some(search.into()), ..ShopOrderFilter::default() };
        assert_eq!(ids(&shop.store.shop_orders(&filter, None, 10).await.unwrap()), found, "{search}");
    }
}

async fn fulfilment_keeps_the_first_time_of_each_step(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let (order, host) = (shop.paid_one(offer, "ann").await, user("host"));
    let set = async |step, consignment: Option<Consignment>| {
        shop.store.set_fulfilment(order, step, consignment.as_ref(), &host).await.unwrap()
    };
    let (packed, is_new) = set(FulfilmentStep::Packed, None).await;
    assert!(is_new && packed.packed_at.is_some());
    let by = |carrier: &str, tracking: Option<&str>| Consignment {
        carrier: Some(carrier.into()),
        tracking: tracking.map(str::to_owned),
    };
    let (sent, is_new) = set(FulfilmentStep::Sent, Some(by("Aramex", Some("A-1")))).await;
    assert!(is_new && sent.packed_at == packed.packed_at);
    assert_eq!((sent.carrier.as_deref(), sent.tracking.as_deref()), (Some("Aramex"), Some("A-1")));
    let (again, is_new) = set(FulfilmentStep::Sent, Some(by("SMSA", None))).await;
    assert_eq!((again.sent_at, is_new), (sent.sent_at, false), "the first time stays");
    assert_eq!((again.carrier.as_deref(), again.tracking.as_deref()), (Some("SMSA"), Some("A-1")), "it was not given");
    let (removed, _) = set(FulfilmentStep::Sent, Some(by("SMSA", Some("")))).await;
    assert_eq!((removed.carrier.as_deref(), removed.tracking), (Some("SMSA"), None));
    let (delivered, is_new) = set(FulfilmentStep::Delivered, None).await;
    assert!(is_new && delivered.delivered_at.is_some() && delivered.carrier.as_deref() == Some("SMSA"));
    assert_eq!(shop.store.fulfilment(order).await.unwrap(), delivered);
    assert_eq!(set(FulfilmentStep::Delivered, None).await, (delivered, false));
}

async fn step_that_is_recorded_late_is_new(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let order = shop.paid_one(offer, "ann").await;
    shop.mark_sent(order).await.unwrap();
    let (done, is_new) = shop.store.set_fulfilment(order, FulfilmentStep::Packed, None, &user("host")).await.unwrap();
    assert!(done.packed_at.is_some() && is_new, "the audit log records it, although the order stays sent");
}

async fn unpaid_order_is_not_fulfilled(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let (held, host) = (shop.hold_one(offer, "ann").await.id, user("host"));
    for step in [FulfilmentStep::Packed, FulfilmentStep::Sent, FulfilmentStep::Delivered] {
        assert_eq!(refusal(shop.store.set_fulfilment(held, step, None, &host).await), Refusal::NotPaid);
        let unknown = shop.store.set_fulfilment(OrderId::new(), step, None, &host).await;
        assert_eq!(refusal(unknown), Refusal::NoSuchOrder);
    }
    assert_eq!(shop.store.fulfilment(held).await.unwrap(), Default::default());
    assert_eq!(shop.number("select count(*) from shipments").await, 0);
}

async fn step_is_undone_before_the_next_one_only(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let (order, host) = (shop.paid_one(offer, "ann").await, user("host"));
    for step in [FulfilmentStep::Packed, FulfilmentStep::Sent, FulfilmentStep::Delivered] {
        shop.store.set_fulfilment(order, step, None, &host).await.unwrap();
    }
    for early in [FulfilmentStep::Packed, FulfilmentStep::Sent] {
        assert_eq!(refusal(shop.store.undo_fulfilment(order, early).await).code(), "wrong_status", "{early:?}");
    }
    for (step, left) in [
        (FulfilmentStep::Delivered, FulfilmentStatus::Sent),
        (FulfilmentStep::Sent, FulfilmentStatus::Packed),
        (FulfilmentStep::Packed, FulfilmentStatus::Unfulfilled),
    ] {
        let (undone, is_changed) = shop.store.undo_fulfilment(order, step).await.unwrap();
        assert_eq!((undone.status(), is_changed), (left, true));
        assert!(!shop.store.undo_fulfilment(order, step).await.unwrap().1, "a second time is no error");
    }
}

async fn sent_order_loses_the_address_whose_erasure_waited(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let (order, other) = (shop.paid_one(offer, "ann").await, shop.paid_one(offer, "ben").await);
    for id in [order, other] {
        assert!(shop.store.set_address(id, &address("Ann")).await.unwrap());
    }
    shop.store.erase_user_data(&user("ann")).await.unwrap();
    assert!(shop.store.address(order).await.unwrap().is_some(), "a paid order needs its address");
    // Their invoices are made: these need the address, too.
    shop.run("update orders set documented = 1").await;
    for id in [order, other] {
        shop.store.set_fulfilment(id, FulfilmentStep::Sent, None, &user("host")).await.unwrap();
    }
    assert_eq!(shop.store.address(order).await.unwrap(), None);
    assert!(shop.store.address(other).await.unwrap().is_some(), "nobody asked to erase this one");
}

fn note(id: Uuid, text: &str) -> OrderNote {
    OrderNote { id, at: 7, by: "host".into(), by_name: "Noura".into(), text: text.into() }
}

async fn note_with_a_known_id_is_added_once(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let order = shop.hold_one(offer, "ann").await.id;
    let (first, second) = (note(Uuid::now_v7(), "call first"), note(Uuid::now_v7(), "called"));
    for added in [&first, &first, &second] {
        shop.store.add_order_note(order, added).await.unwrap();
    }
    assert_eq!(shop.store.order_notes(order).await.unwrap(), [first, second]);
    let unknown = shop.store.add_order_note(OrderId::new(), &note(Uuid::now_v7(), "x")).await;
    assert_eq!(refusal(unknown), Refusal::NoSuchOrder);
}

async fn order_has_at_most_ten_tags(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let order = shop.hold_one(offer, "ann").await.id;
    for n in 0..10 {
        shop.store.add_order_tag(order, &format!("tag {n}")).await.unwrap();
    }
    shop.store.add_order_tag(order, "tag 3").await.unwrap();
    assert_eq!(refusal(shop.store.add_order_tag(order, "tag 10").await).code(), "bad_request");
    shop.store.remove_order_tag(order, "tag 3").await.unwrap();
    shop.store.remove_order_tag(order, "tag 3").await.unwrap();
    shop.store.add_order_tag(order, "tag 10").await.unwrap();
    let tags = shop.store.order_tags(order).await.unwrap();
    assert_eq!((tags.len(), tags.contains(&"tag 3".to_owned())), (10, false));
    assert_eq!(shop.store.tags_in_use().await.unwrap(), tags);
}

async fn erasure_of_the_buyer_erases_the_notes_on_their_orders(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let (ann, ben) = (shop.hold_one(offer, "ann").await.id, shop.hold_one(offer, "ben").await.id);
    for id in [ann, ben] {
        shop.store.add_order_note(id, &note(Uuid::now_v7(), "lives next door")).await.unwrap();
    }
    shop.store.erase_user_data(&user("ann")).await.unwrap();
    assert_eq!(shop.store.order_notes(ann).await.unwrap(), []);
    assert_eq!(shop.store.order_notes(ben).await.unwrap().len(), 1);
    shop.store.erase_user_data(&user("host")).await.unwrap();
    assert_eq!(shop.store.order_notes(ben).await.unwrap()[0].by_name, "", "the author's name goes too");
}

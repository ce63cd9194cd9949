//! Erasure of personal data on request, and of old messages.

use livesouk::domain::order::request_hash;
use livesouk::domain::{AuditAction, AuditEntry, ChatMessage, MessageId, RefundScope, Sanction, SanctionKind};
use livesouk::store::{NewRefund, ReleaseReason};

use super::address::address;
use super::builders::{audit_entry, key, purchase_request, purchase_requests, user};
use super::chat::message;
use super::coupon_builders::percent;
use super::fixture::{Fixture, facts};
use super::sanction::sanction;

facts! {
    erasure_removes_personal_data_and_keeps_orders
    address_of_a_paid_order_stays_until_it_was_sent
    addresses_are_erased_when_their_time_is_over
    free_texts_that_name_the_user_are_erased
    old_messages_are_deleted_in_batches_and_new_ones_stay
}

async fn erasure_removes_personal_data_and_keeps_orders(shop: Fixture) {
    let ann = message(shop.stream, "buyer-1", "I live in Main Street");
    let bob = ChatMessage { reply: Some(ann.quote()), ..message(shop.stream, "bob", "where?") };
    shop.store.insert_messages(&[ann.clone(), bob.clone()]).await.unwrap();
    shop.store.pin_message(&ann, &audit_entry(shop.stream, AuditAction::PinMessage)).await.unwrap();
    let offer = shop.offer(5, 1).await;
    shop.sell(offer, &purchase_requests(1..3)).await;
    let coupon = shop.coupon(percent("TEN", 1_000)).await;
    for buyer in ["buyer-1", "buyer-2"] {
        let order = shop.store.orders_of_buyer(&user(buyer), None, None, 1).await.unwrap()[0].id;
        assert!(shop.store.set_address(order, &address(buyer)).await.unwrap());
        assert!(shop.store.add_stock_alert(offer, &user(buyer)).await.unwrap());
        shop.claim(&coupon, buyer).await;
    }
    let over = sanction("buyer-1", SanctionKind::Mute, Some(1));
    let ban = sanction("buyer-1", SanctionKind::Ban, None);
    for sanction in [&over, &ban] {
        shop.store.add_sanction(shop.stream, sanction, &audit_entry(shop.stream, AuditAction::Ban)).await.unwrap();
    }
    let erased = shop.store.erase_user_data(&user("buyer-1")).await.unwrap();
    assert_eq!((erased.messages, erased.orders, erased.sanctions, erased.streams), (1, 1, 1, vec![shop.stream]));
    let left = shop.store.messages_after(shop.stream, None, 9).await.unwrap();
    assert_eq!((left.len(), &*left[0].0.text, left[0].0.reply.as_ref()), (1, "where?", None));
    // A reply that another node writes only now.
    let late = ChatMessage { reply: Some(ann.quote()), ..message(shop.stream, "bob", "which one?") };
    shop.store.insert_messages(&[late]).await.unwrap();
    shop.store.erase_orphaned_quotes(shop.stream).await.unwrap();
    assert_eq!(shop.number("select count(*) from messages where reply_body <> '' or reply_name <> ''").await, 0);
    assert_eq!(shop.store.stream(shop.stream).await.unwrap().unwrap().chat.pinned, None);
    let claims = |user: &str| format!("select count(*) from coupon_claims where user_id = '{user}'");
    let claims = [shop.number(&claims("buyer-1")).await, shop.number(&claims("buyer-2")).await];
    assert_eq!(claims, [0, 1], "what a user has claimed is erased");
    let sanctions = shop.store.sanctions(shop.stream, 0).await.unwrap();
    assert_eq!((sanctions.len(), &*sanctions[0].name, sanctions[0].kind), (1, "", SanctionKind::Ban));
    let named = shop.number("select count(*) from reservations where buyer_name = 'buyer-1'").await;
    let kept = shop.number("select count(*) from reservations where buyer = 'buyer-1' and amount > 0").await;
    let others = shop.number("select count(*) from reservations where buyer_name = 'buyer-2'").await;
    assert_eq!((named, kept, others), (0, 1, 1));
    assert_eq!(erased.addresses_kept, 1, "the hold may still be paid");
    assert_eq!(shop.number("select count(*) from addresses").await, 2);
    let order = shop.store.orders_of_buyer(&user("buyer-1"), None, None, 1).await.unwrap()[0].id;
    shop.store.release_reservations(offer, &[order], ReleaseReason::BuyerCancel, None).await.unwrap();
    assert_eq!(shop.store.erase_addresses_before(0).await.unwrap(), 1, "the hold has ended, nobody needs it now");
    let addresses = shop.number("select count(*) from addresses where name = 'buyer-2'").await;
    let stock_alerts = shop.number("select count(*) from stock_alerts where user_id = 'buyer-2'").await;
    assert_eq!((addresses, stock_alerts), (1, 1), "other users keep theirs");
    assert_eq!(
        shop.number("select count(*) from addresses").await + shop.number("select count(*) from stock_alerts").await,
        2
    );
    let again = shop.store.erase_user_data(&user("buyer-1")).await.unwrap();
    assert_eq!((again.messages, again.orders), (0, 1), "a second erasure finds only the order");
}

async fn address_of_a_paid_order_stays_until_it_was_sent(shop: Fixture) {
    let offer = shop.offer(9, 3).await;
    let paid = async |buyer: &str, key: &str| {
        let order = shop.buy(offer, &purchase_request(buyer, key, 1)).await.unwrap().reservation.id;
        assert!(shop.store.set_address(order, &address(buyer)).await.unwrap());
        shop.begin_capture(order).await.unwrap().unwrap();
        let id = shop.store.finish_capture(order).await.unwrap().unwrap().id;
        shop.run("update orders set documented = 1").await;
        id
    };
    let (sent, waiting, other) =
        (paid("ann", "ann-key-1").await, paid("ann", "ann-key-2").await, paid("bob", "bob-key-1").await);
    let first = shop.mark_sent(sent).await;
    assert!(first.is_some());
    assert_eq!(shop.mark_sent(sent).await, first, "the first time counts");
    assert!(!shop.store.erase_address(waiting).await.unwrap(), "its buyer cannot erase it either");
    let erased = shop.store.erase_user_data(&user("ann")).await.unwrap();
    assert_eq!((erased.orders, erased.addresses_kept), (2, 1));
    assert_eq!(shop.store.address(sent).await.unwrap(), None);
    assert_eq!(shop.store.address(waiting).await.unwrap(), Some(address("ann")));
    assert_eq!(shop.store.erase_addresses_before(0).await.unwrap(), 0, "it is needed");
    shop.mark_sent(waiting).await;
    assert_eq!(shop.store.address(waiting).await.unwrap(), None, "sending it ends the need");
    shop.mark_sent(other).await;
    assert_eq!(shop.store.address(other).await.unwrap(), Some(address("bob")), "he did not ask for erasure");
    assert!(shop.store.erase_address(other).await.unwrap());
    let held = shop.hold_one(offer, "cem").await.id;
    assert_eq!(shop.mark_sent(held).await, None, "it is not paid");
}

async fn addresses_are_erased_when_their_time_is_over(shop: Fixture) {
    let offer = shop.offer(9, 3).await;
    let mut orders = Vec::new();
    for buyer in ["held", "expired", "paid", "sent"] {
        let order = shop.hold_one(offer, buyer).await.id;
        assert!(shop.store.set_address(order, &address(buyer)).await.unwrap());
        orders.push(order);
    }
    let [held, expired, paid, sent] = orders[..] else { unreachable!() };
    for order in [paid, sent] {
        shop.begin_capture(order).await.unwrap().unwrap();
        shop.store.finish_capture(order).await.unwrap().unwrap();
    }
    shop.run("update orders set documented = 1").await;
    shop.store.release_reservations(offer, &[expired], ReleaseReason::BuyerCancel, None).await.unwrap();
    let sent_at = shop.mark_sent(sent).await.unwrap();
    let ended_at = shop.store.order_timestamps(expired).await.unwrap().changed_at;
    assert!(ended_at <= sent_at);
    assert_eq!(shop.store.erase_addresses_before(ended_at).await.unwrap(), 0, "the time is not over");
    assert_eq!(shop.store.erase_addresses_before(sent_at + 1).await.unwrap(), 2);
    assert_eq!(shop.store.erase_addresses_before(i64::MAX).await.unwrap(), 0);
    for (order, is_kept) in [(held, true), (expired, false), (paid, true), (sent, false)] {
        assert_eq!(shop.store.address(order).await.unwrap().is_some(), is_kept);
    }
}

async fn free_texts_that_name_the_user_are_erased(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let bought = shop.hold_one(offer, "noura-7").await.id;
    shop.begin_capture(bought).await.unwrap().unwrap();
    shop.store.finish_capture(bought).await.unwrap().unwrap();
    let refund = NewRefund {
        order: bought,
        by: user("host"),
        key: key("refund-of-noura"),
        hash: request_hash(&["refund"]),
        scope: RefundScope::Whole,
        restock: true,
        reason: Some("She asked by phone".into()),
    };
    shop.store.begin_refund(&refund).await.unwrap();
    shop.store.insert_messages(&[message(shop.stream, "noura-7", "hi")]).await.unwrap();
    let about = |of: &str, reason: &str| AuditEntry {
        user: Some(user(of)),
        name: Some(of.to_owned()),
        reason: Some(reason.to_owned()),
        ..audit_entry(shop.stream, AuditAction::Mute)
    };
    for (of, reason) in [
        ("noura-7", "shouted at us"),
        ("bob", "insulted NOURA-7 twice"),
        ("bob", "sells fakes"),
        ("bob", "noura-77 is someone else"),
    ] {
        shop.store.insert_audit_entry(&about(of, reason)).await.unwrap();
    }
    let notice = AuditEntry {
        detail: Some("Congratulations, Noura-7!".into()),
        ..audit_entry(shop.stream, AuditAction::Announce)
    };
    shop.store.insert_audit_entry(&notice).await.unwrap();
    for (of, reason) in [("noura-7", "shouted"), ("bob", "because of noura-7")] {
        let ban = Sanction { reason: Some(reason.into()), ..sanction(of, SanctionKind::Ban, None) };
        shop.store.add_sanction(shop.stream, &ban, &audit_entry(shop.stream, AuditAction::Ban)).await.unwrap();
    }
    let erased = shop.store.erase_user_data(&user("noura-7")).await.unwrap();
    assert_eq!(erased.texts, 6, "three of the log, two of sanctions, one of a refund");
    let kept = shop.store.audit_entries_after(shop.stream, None, 99).await.unwrap();
    let mut kept: Vec<String> = kept.into_iter().flat_map(|entry| [entry.reason, entry.detail]).flatten().collect();
    kept.sort();
    assert_eq!(kept, ["noura-77 is someone else", "sells fakes"]);
    assert_eq!(shop.number("select count(*) from sanctions where reason is not null").await, 0);
    assert_eq!(shop.number("select count(*) from refunds where reason is not null").await, 0);
}

async fn old_messages_are_deleted_in_batches_and_new_ones_stay(shop: Fixture) {
    let new: Vec<_> = (0..3).map(|n| message(shop.stream, "ann", &n.to_string())).collect();
    let made = new[0].id.created_at();
    // Ninety-one days ago.
    let old: Vec<_> = (0..1_100_u128)
        .map(|n| {
            let id = MessageId(uuid::Uuid::from_u128(MessageId::first_at(made - 91 * 86_400_000).0.as_u128() + n));
            ChatMessage { id, ..message(shop.stream, "bob", "old") }
        })
        .collect();
    shop.store.insert_messages(&old).await.unwrap();
    shop.store.insert_messages(&new).await.unwrap();
    let forget = async |days: i64, now: i64| shop.store.delete_messages_before(now - days * 86_400_000).await.unwrap();
    assert_eq!(forget(92, made).await, 0);
    assert_eq!(
        [forget(90, made).await, forget(90, made).await, forget(90, made).await, forget(90, made).await],
        [500, 500, 100, 0]
    );
    assert_eq!(shop.store.count_messages(shop.stream).await.unwrap(), 3);
    // The same ninety-one days later.
    assert_eq!(forget(90, made + 91 * 86_400_000).await, 3);
}

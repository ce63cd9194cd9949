//! Erasure of personal data on request, and of old messages.

use livesouk::domain::{AuditAction, ChatMessage, MessageId, SanctionKind};

use super::address::address;
use super::builders::{audit_entry, purchase_requests, user};
use super::chat::message;
use super::fixture::{Fixture, facts};
use super::sanction::sanction;

facts! {
    erasure_removes_personal_data_and_keeps_orders
    old_messages_are_deleted_in_batches_and_new_ones_stay
}

async fn erasure_removes_personal_data_and_keeps_orders(shop: Fixture) {
    let ann = message(shop.stream, "buyer-1", "I live in Main Street");
    let bob = ChatMessage { reply: Some(ann.quote()), ..message(shop.stream, "bob", "where?") };
    shop.store.insert_messages(&[ann.clone(), bob.clone()]).await.unwrap();
    shop.store.pin_message(&ann, &audit_entry(shop.stream, AuditAction::PinMessage)).await.unwrap();
    let offer = shop.offer(5, 1).await;
    shop.sell(offer, &purchase_requests(1..3)).await;
    for buyer in ["buyer-1", "buyer-2"] {
        let order = shop.store.orders_of_buyer(&user(buyer), None, None, 1).await.unwrap()[0].id;
        assert!(shop.store.set_address(order, &address(buyer)).await.unwrap());
        assert!(shop.store.add_stock_alert(offer, &user(buyer)).await.unwrap());
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
    let sanctions = shop.store.sanctions(shop.stream, 0).await.unwrap();
    assert_eq!((sanctions.len(), &*sanctions[0].name, sanctions[0].kind), (1, "", SanctionKind::Ban));
    let named = shop.number("select count(*) from orders where buyer_name = 'buyer-1'").await;
    let kept = shop.number("select count(*) from orders where buyer = 'buyer-1' and amount > 0").await;
    let others = shop.number("select count(*) from orders where buyer_name = 'buyer-2'").await;
    assert_eq!((named, kept, others), (0, 1, 1));
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

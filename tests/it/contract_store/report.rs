//! The data of a show's report.

use livesouk::domain::report::PinSpan;
use livesouk::domain::{AuditAction, ChatMessage, Millis, StreamId};

use super::builders::audit_entry;
use super::chat::message;
use super::fixture::{Fixture, facts};

facts! {
    largest_viewer_count_of_a_minute_is_kept
    pin_span_ends_with_the_next_pin_or_unpin
    orders_and_messages_are_counted_by_minute
    sales_are_summed_by_offer_and_status
}

async fn largest_viewer_count_of_a_minute_is_kept(shop: Fixture) {
    let other = StreamId::new();
    for seen in [vec![(shop.stream, 60_000, 5), (other, 60_000, 9)], vec![(shop.stream, 60_000, 3)]] {
        shop.store.record_viewers(&seen).await.unwrap();
    }
    assert_eq!(
        shop.store.viewers_by_minute(shop.stream).await.unwrap(),
        [(60_000, 5)],
        "the largest number, not the last and not a sum"
    );
    shop.store.record_viewers(&[(shop.stream, 120_000, 1), (shop.stream, 60_000, 7)]).await.unwrap();
    assert_eq!(shop.store.viewers_by_minute(shop.stream).await.unwrap(), [(60_000, 7), (120_000, 1)]);
}

async fn pin_span_ends_with_the_next_pin_or_unpin(shop: Fixture) {
    let (one, two) = (shop.offer(5, 1).await, shop.offer(5, 1).await);
    let now = async || shop.store.now().await.unwrap();
    let began = now().await;
    shop.store.pin(shop.stream, one).await.unwrap();
    let later = async |than: Millis| {
        while now().await <= than {
            tokio::task::yield_now().await;
        }
    };
    later(now().await).await;
    shop.store.pin(shop.stream, two).await.unwrap();
    let draft = shop.draft(5, 1).await;
    assert!(shop.store.pin(shop.stream, draft).await.is_err(), "a draft is not pinned");
    let spans = shop.store.pin_spans(shop.stream).await.unwrap();
    let [first, second] = spans.as_slice() else { panic!("{spans:?}") };
    assert!(began <= first.at && first.at < second.at, "{spans:?}");
    assert_eq!((first.offer, first.until), (one, Some(second.at)), "a refused pin does not end the current one");
    assert_eq!(*second, PinSpan { offer: two, at: second.at, until: None });
    later(now().await).await;
    shop.store.unpin(shop.stream).await.unwrap();
    let spans = shop.store.pin_spans(shop.stream).await.unwrap();
    assert!(spans[1].until.is_some_and(|until| spans[1].at < until), "{spans:?}");
    assert_eq!(shop.store.pin_spans(StreamId::new()).await.unwrap(), []);
}

async fn orders_and_messages_are_counted_by_minute(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    for buyer in ["ann", "bob", "cem"] {
        shop.hold_one(offer, buyer).await;
    }
    shop.run("update reservations set created_at = 119999 where buyer = 'ann'").await;
    shop.run("update reservations set created_at = 120000 where buyer <> 'ann'").await;
    assert_eq!(shop.store.orders_by_minute(shop.stream).await.unwrap(), [(60_000, 1), (120_000, 2)]);
    let said = |at| ChatMessage { at, ..message(shop.stream, "ann", "hi") };
    let messages = [said(60_000), said(119_999), said(120_000)];
    shop.store.insert_messages(&messages).await.unwrap();
    shop.store
        .delete_message(shop.stream, messages[2].id, &audit_entry(shop.stream, AuditAction::Delete))
        .await
        .unwrap();
    shop.store.queue_for_review(&said(60_001)).await.unwrap();
    assert_eq!(shop.store.messages_by_minute(shop.stream).await.unwrap(), [(60_000, 2)]);
}

async fn sales_are_summed_by_offer_and_status(shop: Fixture) {
    let (offer, quiet) = (shop.offer(9, 9).await, shop.offer(5, 1).await);
    for buyer in ["ann", "bob", "cem", "dan", "eve", "fay"] {
        shop.hold_one(offer, buyer).await;
    }
    for (buyer, status) in
        [("bob", "sold"), ("cem", "expired"), ("dan", "cancelled"), ("eve", "sold"), ("fay", "capturing")]
    {
        shop.run(&format!("update reservations set status = '{status}' where buyer = '{buyer}'")).await;
    }
    shop.run("update reservations set returned = qty where buyer = 'eve'").await;
    let sales = shop.store.sales_by_offer(shop.stream).await.unwrap();
    assert_eq!(sales.iter().map(|sales| sales.offer).collect::<Vec<_>>(), [offer, quiet]);
    let of = &sales[0];
    assert_eq!((of.held, of.paid, of.expired, of.cancelled, of.refunded), (2, 1, 1, 1, 1));
    assert_eq!((of.units, of.amount), (1, 4_900));
    assert_eq!((sales[1].held, sales[1].paid, sales[1].amount), (0, 0, 0));
    let sums = shop.store.sales_totals(shop.stream).await.unwrap();
    assert_eq!((sums.orders_expired, sums.orders_cancelled), (1, 1));
    assert_eq!(shop.store.count_failed_payments(shop.stream).await.unwrap(), 0);
}

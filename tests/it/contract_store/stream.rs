//! Shows: their status, their pin, their chat rules.

use livesouk::domain::offer::NewOffer;
use livesouk::domain::publish_key::{PublishKeyChange, PublishKeys};
use livesouk::domain::stream_change::StreamForm;
use livesouk::domain::{
    AuditAction, ChatRulesForm, LiveStream, OfferId, Pin, ProductId, Refusal, StreamId, StreamStatus,
};

use super::builders::{audit_entry, purchase_request, refusal, stream};
use super::fixture::{Fixture, facts};

facts! {
    show_starts_once_and_ends_once
    only_an_offer_on_sale_in_this_show_is_pinned
    every_show_change_raises_its_version
    shows_are_paged_newest_first
    ended_show_gets_no_new_offer
    ended_show_sells_nothing
    recorded_show_goes_on_selling_until_its_recording_is_taken_away
    show_texts_are_what_a_search_compares
    recordings_are_listed_and_found_by_a_product_that_was_on_sale
    generation_of_publish_keys_rises_when_they_are_replaced_or_revoked
}

async fn show_starts_once_and_ends_once(shop: Fixture) {
    let show = shop.stream;
    let started = shop.store.start_stream(show, 5).await.unwrap();
    assert_eq!((started.status, started.started_at), (StreamStatus::Live, Some(5)));
    assert!(matches!(refusal(shop.store.start_stream(show, 6).await), Refusal::WrongStatus(_)));
    let ended = shop.store.end_stream(show, 7).await.unwrap();
    assert_eq!((ended.status, ended.started_at, ended.ended_at), (StreamStatus::Ended, Some(5), Some(7)));
    assert_eq!(refusal(shop.store.end_stream(show, 8).await), Refusal::StreamEnded);
    assert_eq!(refusal(shop.store.start_stream(show, 8).await), Refusal::StreamEnded);
    assert_eq!(refusal(shop.store.start_stream(StreamId::new(), 8).await), Refusal::NoSuchStream);
    assert_eq!(shop.store.stream(show).await.unwrap(), Some(ended));
    let never_live = StreamId::new();
    shop.store.create_stream(shop.shop.id, &stream(never_live)).await.unwrap();
    assert_eq!(shop.store.end_stream(never_live, 9).await.unwrap().status, StreamStatus::Ended);
}

/// The end of a show and the closing of its offers are not one transaction. A request in between, or a node that dies
/// there, leaves nothing on sale.
async fn ended_show_sells_nothing(shop: Fixture) {
    let (open, draft) = (shop.offer(1, 1).await, shop.draft(1, 1).await);
    assert_eq!(shop.store.offers_to_close(0).await.unwrap(), []);
    shop.store.end_stream(shop.stream, 7).await.unwrap();
    assert_eq!(refusal(shop.store.open_offer(draft).await), Refusal::StreamEnded);
    assert_eq!(refusal(shop.store.pin(shop.stream, open).await), Refusal::NoSuchOffer);
    assert_eq!(shop.store.offers_to_close(0).await.unwrap(), [open, draft]);
    for offer in [open, draft] {
        shop.store.close_offer(offer).await.unwrap();
    }
    assert_eq!(shop.store.offers_to_close(0).await.unwrap(), []);
    shop.assert_consistent().await;
}

async fn recorded_show_goes_on_selling_until_its_recording_is_taken_away(shop: Fixture) {
    let show = shop.stream;
    shop.store.start_stream(show, 1_000).await.unwrap();
    shop.store.end_stream(show, 90_000).await.unwrap();
    let set = async |edition, replay: Option<&str>| {
        let entry = audit_entry(show, AuditAction::ChangeShow);
        let form = StreamForm { edition, replay: Some(replay.map(str::to_owned)), ..StreamForm::default() };
        shop.store.change_stream(show, &form, &entry).await.unwrap()
    };
    let recorded = set(1, Some("https://cdn.example/show.mp4")).await;
    assert_eq!((recorded.edition, recorded.recorded_from()), (2, Some(1_000)));
    let draft = shop.draft(2, 1).await;
    shop.store.open_offer(draft).await.unwrap();
    assert_eq!(shop.store.offers_to_close(0).await.unwrap(), []);
    assert!(shop.buy(draft, &purchase_request("ann", "key-0001", 1)).await.is_ok());
    assert_eq!(refusal(shop.store.pin(show, draft).await), Refusal::NoSuchOffer, "the pins are those of the show");
    assert_eq!(set(2, None).await.recorded_from(), None);
    assert_eq!(shop.store.offers_to_close(0).await.unwrap(), [draft]);
    assert_eq!(refusal(shop.store.create_offer(&shop.new_offer(1, 1), None).await), Refusal::StreamEnded);
    shop.assert_consistent().await;
}

async fn only_an_offer_on_sale_in_this_show_is_pinned(shop: Fixture) {
    let other_show = StreamId::new();
    shop.store.create_stream(shop.shop.id, &stream(other_show)).await.unwrap();
    let (open, paused, draft, closed) =
        (shop.offer(1, 1).await, shop.offer(1, 1).await, shop.draft(1, 1).await, shop.offer(1, 1).await);
    shop.store.pause_offer(paused).await.unwrap();
    shop.store.close_offer(closed).await.unwrap();
    for offer in [open, paused] {
        assert_eq!(shop.store.pin(shop.stream, offer).await.unwrap().pin, Some(Pin { offer }));
    }
    for (show, offer) in [
        (shop.stream, draft),
        (shop.stream, closed),
        (shop.stream, OfferId::new()),
        (other_show, open),
        (StreamId::new(), open),
    ] {
        assert_eq!(refusal(shop.store.pin(show, offer).await), Refusal::NoSuchOffer);
    }
    let pin = shop.store.stream(shop.stream).await.unwrap().unwrap().pin;
    assert_eq!(pin, Some(Pin { offer: paused }), "a refused pin keeps the old one");
    assert_eq!(shop.store.unpin(shop.stream).await.unwrap().pin, None);
    assert_eq!(refusal(shop.store.unpin(StreamId::new()).await), Refusal::NoSuchStream);
}

async fn every_show_change_raises_its_version(shop: Fixture) {
    let (show, offer) = (shop.stream, shop.offer(1, 1).await);
    let slow = ChatRulesForm { slow_s: Some(30), ..ChatRulesForm::default() };
    let versions = [
        shop.store.start_stream(show, 5).await.unwrap().version,
        shop.store.pin(show, offer).await.unwrap().version,
        shop.store.unpin(show).await.unwrap().version,
        shop.store.set_rules(show, &slow, &audit_entry(show, AuditAction::Rules)).await.unwrap().version,
        shop.store
            .set_notice(show, Some("مرحبا 🎉 'hello'"), &audit_entry(show, AuditAction::Announce))
            .await
            .unwrap()
            .version,
        shop.store.end_stream(show, 6).await.unwrap().version,
    ];
    assert_eq!(versions, [2, 3, 4, 5, 6, 7]);
    shop.store.add_likes(show, 40).await.unwrap();
    shop.store.add_likes(show, 2).await.unwrap();
    let now = shop.store.stream(show).await.unwrap().unwrap();
    assert_eq!(
        (now.version, now.likes, now.chat.slow_ms, &*now.chat.notice.unwrap()),
        (7, 42, 30_000, "مرحبا 🎉 'hello'")
    );
}

async fn shows_are_paged_newest_first(shop: Fixture) {
    let mut ids = vec![shop.stream];
    for _ in 0..4 {
        ids.insert(0, StreamId::new());
        shop.store.create_stream(shop.shop.id, &stream(ids[0])).await.unwrap();
    }
    shop.store.start_stream(ids[3], 5).await.unwrap();
    let page = async |status, after, limit| {
        let shows = shop.store.streams(status, after, limit).await.unwrap();
        shows.into_iter().map(|show| show.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, None, 2).await, ids[..2]);
    assert_eq!(page(None, Some(ids[1]), 9).await, ids[2..]);
    assert_eq!(page(Some(StreamStatus::Live), None, 9).await, ids[3..4]);
    assert_eq!(page(Some(StreamStatus::Ended), None, 9).await, []);
}

async fn ended_show_gets_no_new_offer(shop: Fixture) {
    let pool = shop.stock().await;
    shop.store.end_stream(shop.stream, 5).await.unwrap();
    assert_eq!(refusal(shop.store.create_offer(&shop.new_offer(5, 1), None).await), Refusal::StreamEnded);
    assert_eq!(shop.stock().await, pool, "the units stay in the stock");
}

async fn show_texts_are_what_a_search_compares(shop: Fixture) {
    let (first, second) = (StreamId::new(), StreamId::new());
    let titles = [("ar".to_owned(), "مساء المصابيح".to_owned())].into();
    let lamps = LiveStream { titles, tags: vec!["home".into()], ..stream(first) };
    shop.store.create_stream(shop.shop.id, &lamps).await.unwrap();
    shop.store.create_stream(shop.shop.id, &stream(second)).await.unwrap();
    shop.store.start_stream(first, 5).await.unwrap();
    let texts = shop.store.show_texts(2).await.unwrap();
    assert_eq!(texts.iter().map(|show| show.id).collect::<Vec<_>>(), [second, first], "the newest first");
    assert_eq!((texts[1].status, texts[1].is_recorded), (StreamStatus::Live, false));
    assert_eq!(texts[1].text, "Show\nNoura\nمساء المصابيح\nhome");
    let read = async |status| {
        let found = shop.store.streams_by_id(&[first, second, StreamId::new()], status).await.unwrap();
        found.into_iter().map(|show| show.id).collect::<Vec<_>>()
    };
    assert_eq!(read(None).await, [second, first]);
    assert_eq!(read(Some(StreamStatus::Live)).await, [first]);
}

async fn recordings_are_listed_and_found_by_a_product_that_was_on_sale(shop: Fixture) {
    let recorded = async |edition: i64| {
        let (id, entry) = (StreamId::new(), audit_entry(shop.stream, AuditAction::ChangeShow));
        shop.store.create_stream(shop.shop.id, &stream(id)).await.unwrap();
        shop.store.start_stream(id, 1_000).await.unwrap();
        shop.store.end_stream(id, 2_000).await.unwrap();
        let form =
            StreamForm { edition, replay: Some(Some("https://cdn.example/a.mp4".into())), ..StreamForm::default() };
        shop.store.change_stream(id, &form, &entry).await.unwrap();
        id
    };
    let (first, second, drafted) = (recorded(1).await, recorded(1).await, recorded(1).await);
    let on = async |show: StreamId, is_open: bool| {
        let offer = OfferId::new();
        shop.store.create_offer(&NewOffer { id: offer, stream: show, ..shop.new_offer(1, 1) }, None).await.unwrap();
        if is_open {
            shop.store.open_offer(offer).await.unwrap();
        }
    };
    on(first, true).await;
    // A draft is not public: nobody may find out by it what will be sold.
    on(drafted, false).await;
    shop.offer(1, 1).await; // In a show that has no recording.
    let found = async |product, after, limit| {
        let shows = shop.store.recordings(product, None, after, limit).await.unwrap();
        shows.into_iter().map(|show| show.id).collect::<Vec<_>>()
    };
    for (status, count) in [(StreamStatus::Ended, [3, 1]), (StreamStatus::Live, [0, 0])] {
        for (product, count) in [None, Some(shop.product)].into_iter().zip(count) {
            let shows = shop.store.recordings(product, Some(status), None, 9).await.unwrap();
            assert_eq!(shows.len(), count, "{status:?} {product:?}");
        }
    }
    assert_eq!(shop.store.show_texts(9).await.unwrap().iter().filter(|show| show.is_recorded).count(), 3);
    assert_eq!(found(None, None, 9).await, [drafted, second, first]);
    assert_eq!(found(None, Some(drafted), 1).await, [second]);
    assert_eq!(found(Some(shop.product), None, 9).await, [first]);
    assert_eq!(found(Some(shop.product), Some(first), 9).await, []);
    assert_eq!(found(Some(ProductId::new()), None, 9).await, []);
}

async fn generation_of_publish_keys_rises_when_they_are_replaced_or_revoked(shop: Fixture) {
    let (show, store) = (shop.stream, &shop.store);
    let entry = |kind| audit_entry(show, kind);
    assert_eq!(store.publish_keys(show).await.unwrap(), PublishKeys::default());
    let change = async |change, kind| store.change_publish_keys(show, change, &entry(kind)).await.unwrap();
    assert_eq!(change(PublishKeyChange::Add, AuditAction::CreatePublishKey).await, 0);
    assert_eq!(change(PublishKeyChange::Add, AuditAction::CreatePublishKey).await, 0);
    store.touch_publish_keys(show, 0).await.unwrap();
    let known = store.publish_keys(show).await.unwrap();
    assert!(known.made_at.is_some() && known.used_at.is_some_and(|at| at % 60_000 == 0), "{known:?}");

    assert_eq!(change(PublishKeyChange::Replace, AuditAction::RotatePublishKey).await, 1);
    store.touch_publish_keys(show, 0).await.unwrap();
    let known = store.publish_keys(show).await.unwrap();
    assert!(known.made_at.is_some() && known.used_at.is_none(), "the use of a key of before: {known:?}");

    assert_eq!(change(PublishKeyChange::Revoke, AuditAction::EndPublishKeys).await, 2);
    let none = PublishKeys { generation: 2, made_at: None, used_at: None };
    assert_eq!(store.publish_keys(show).await.unwrap(), none);
    let entries = store.audit_entries(show, None, None, 9).await.unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.name()).collect();
    assert_eq!(kinds, ["end_publish_keys", "rotate_publish_key", "create_publish_key", "create_publish_key"]);
    // Keys from before there was this table have generation 0: to revoke them increases it too.
    let other = StreamId::new();
    store.create_stream(shop.shop.id, &stream(other)).await.unwrap();
    let entry = audit_entry(other, AuditAction::EndPublishKeys);
    assert_eq!(store.change_publish_keys(other, PublishKeyChange::Revoke, &entry).await.unwrap(), 1);
}

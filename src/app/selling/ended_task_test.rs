//! What is kept for an offer that is sold goes when its selling task ends.

use std::time::Duration;

use crate::app::testing;
use crate::domain::offer::NewOffer;
use crate::domain::{
    ChatRules, IdempotencyKey, LiveStream, OfferId, OfferKind, PersonKey, Product, PurchaseRequest, ReservationId,
    StreamId, StreamStatus, UserId, Variant,
};

fn stream() -> LiveStream {
    LiveStream {
        id: StreamId::new(),
        title: "Show".into(),
        titles: Default::default(),
        host: "Noura".into(),
        status: StreamStatus::Scheduled,
        video: None,
        poster: None,
        scheduled_at: None,
        started_at: None,
        ended_at: None,
        pin: None,
        chat: ChatRules::default(),
        blocklist_version: 0,
        likes: 0,
        version: 1,
        edition: 1,
        ..LiveStream::default()
    }
}

fn product() -> Product {
    let (name, names) = ("One".into(), Default::default());
    let variant = Variant { name, names, price: 5, stock: 100, ..Variant::default() };
    let (title, titles) = ("Lamp".into(), Default::default());
    Product { title, titles, variants: vec![variant], ..Product::default() }
}

/// A request with a key of its own: the same key would get the order of an earlier offer.
fn request(buyer: &str, number: usize) -> PurchaseRequest {
    PurchaseRequest {
        reservation: ReservationId::new(),
        buyer: UserId::parse(buyer).unwrap(),
        person: PersonKey::of_user(&UserId::parse(buyer).unwrap()),
        buyer_name: buyer.into(),
        key: IdempotencyKey::parse(&format!("key-{number:05}")).unwrap(),
        hash: [0; 32],
        qty: 1,
    }
}

#[tokio::test]
async fn ended_selling_task_leaves_nothing_behind() {
    let (app, _folder) = testing::app().await;
    let (store, stream, product) = (&app.context.store, stream(), product());
    store.create_stream(app.context.shop().id, &stream).await.unwrap();
    store.create_product(app.context.shop().id, &product, None).await.unwrap();
    for number in 0..20 {
        let new = NewOffer {
            id: OfferId::new(),
            stream: stream.id,
            variant: product.variants[0].id,
            kind: OfferKind::Regular,
            price: 5,
            old_price: None,
            quantity: 1,
            per_buyer: 1,
            countdown_ms: 0,
            duration_ms: None,
            hold_ms: 300_000,
            starts_at: None,
            buyers: Default::default(),
            pay_later: None,
        };
        store.create_offer(&new, None).await.unwrap();
        store.open_offer(new.id).await.unwrap();
        app.selling.purchase(new.id, request("ann", number)).await.unwrap();
        assert!(app.selling.purchase(new.id, request("bob", number)).await.is_err(), "sold out");
    }
    let kept = || (app.selling.task_count(), app.catalogue.sold_out_caches.len());
    assert_eq!(kept(), (20, 20));
    // A task ends after a minute without requests, and when the server stops.
    app.stopping().cancel();
    let ended = async {
        while kept() != (0, 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap_or_else(|_| panic!("{:?} are left", kept()));
    app.finish().await;
}

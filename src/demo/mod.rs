//! The demo shop: created at the first start, reused at the next.

mod crowd;
mod crowd_plan;

use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use crate::clock::Clock;
use crate::domain::offer::NewOffer;
use crate::domain::{
    ChatRules, LiveStream, Offer, OfferId, OfferKind, Product, ProductId, Shop, ShopId, StreamId, StreamStatus, Titles,
    Variant, VariantId,
};
use crate::store::{Result, Store};

pub use crowd::Crowd;

const SEED_JSON: &str = include_str!("../../web-demo/demo/shop.json");

#[derive(Deserialize)]
struct DemoSeed {
    shop: SeedShop,
    products: Vec<SeedProduct>,
    streams: Vec<SeedStream>,
    offers: Vec<SeedOffer>,
}

#[derive(Clone, Deserialize)]
struct SeedShop {
    title: String,
    #[serde(default)]
    titles: Titles,
    currency: String,
}

#[derive(Deserialize)]
struct SeedProduct {
    title: String,
    #[serde(default)]
    titles: Titles,
    image: String,
    category: String,
    variants: Vec<SeedVariant>,
}

#[derive(Deserialize)]
struct SeedVariant {
    name: String,
    #[serde(default)]
    names: Titles,
    sku: String,
    price: i64,
    stock: i64,
}

#[derive(Deserialize)]
struct SeedStream {
    title: String,
    #[serde(default)]
    titles: Titles,
    host: String,
    live: bool,
    starts_in_s: Option<i64>,
    video: Option<String>,
}

#[derive(Deserialize)]
struct SeedOffer {
    sku: String,
    kind: OfferKind,
    price: i64,
    old_price: Option<i64>,
    quantity: i64,
    per_buyer: i64,
    hold_s: i64,
}

/// The demo shop after its start: the live show and its offers.
pub struct DemoShop {
    pub shop: Shop,
    pub stream: StreamId,
    pub offers: Vec<Offer>,
}

/// Creates what is missing, and ensures that one show is live. A new show has the video of the demo only if `has_video`.
pub async fn prepare(store: &Store, clock: &Clock, has_video: bool) -> Result<DemoShop> {
    let mut seed: DemoSeed =
        serde_json::from_str(SEED_JSON).map_err(|error| crate::store::Error::Setup(error.to_string()))?;
    if !has_video {
        seed.streams.iter_mut().for_each(|stream| stream.video = None);
    }
    let shop = match store.shop().await? {
        Some(shop) => shop,
        None => {
            let SeedShop { title, titles, currency } = seed.shop.clone();
            let shop = Shop { id: ShopId::new(), title, titles, currency };
            store.create_shop(shop).await?
        }
    };
    if store.products(&Default::default(), None, 1).await?.products.is_empty() {
        for product in &seed.products {
            store.create_product(shop.id, &product.to_product(), None).await?;
        }
    }
    if store.streams(Some(StreamStatus::Scheduled), None, 1).await?.is_empty() {
        for coming in seed.streams.iter().filter(|stream| !stream.live) {
            store.create_stream(shop.id, &coming.to_stream(clock.now())).await?;
        }
    }
    let live = match store.streams(Some(StreamStatus::Live), None, 1).await?.pop() {
        Some(live) => live.id,
        None => create_live_stream(store, clock, &shop, &seed).await?,
    };
    let offers = store.offers_of_stream(live).await?;
    Ok(DemoShop { shop, stream: live, offers })
}

/// Creates a live show with its offers on sale and the first offer pinned.
async fn create_live_stream(store: &Store, clock: &Clock, shop: &Shop, seed: &DemoSeed) -> Result<StreamId> {
    let Some(show) = seed.streams.iter().find(|stream| stream.live) else {
        return Err(crate::store::Error::Setup("the demo data has no live show".to_owned()));
    };
    let show = show.to_stream(clock.now());
    store.create_stream(shop.id, &show).await?;
    let catalogue = store.products(&Default::default(), None, 100).await?.products;
    let variants = || catalogue.iter().flat_map(|product| &product.variants);
    let mut first = None;
    for offer in &seed.offers {
        let Some(variant) = variants().find(|variant| variant.sku.as_deref() == Some(&offer.sku)) else { continue };
        // A demo that has run for weeks: sell what is left in stock, and skip products that are sold out.
        let quantity = offer.quantity.min(variant.stock);
        if quantity == 0 {
            continue;
        }
        let new = offer.to_offer(show.id, variant.id, quantity);
        store.create_offer(&new, None).await?;
        store.open_offer(new.id).await?;
        first.get_or_insert(new.id);
    }
    store.start_stream(show.id, clock.now()).await?;
    if let Some(offer) = first {
        store.pin(show.id, offer).await?;
    }
    Ok(show.id)
}

impl SeedProduct {
    fn to_product(&self) -> Product {
        let variants = self.variants.iter().map(|variant| Variant {
            id: VariantId::new(),
            name: variant.name.clone(),
            names: variant.names.clone(),
            sku: Some(variant.sku.clone()),
            price: variant.price,
            stock: variant.stock,
            ..Variant::default()
        });
        Product {
            id: ProductId::new(),
            title: self.title.clone(),
            titles: self.titles.clone(),
            image: Some(self.image.clone()),
            category: Some(self.category.clone()),
            variants: variants.collect(),
            ..Product::default()
        }
    }
}

impl SeedStream {
    fn to_stream(&self, now: i64) -> LiveStream {
        LiveStream {
            id: StreamId::new(),
            title: self.title.clone(),
            titles: self.titles.clone(),
            host: self.host.clone(),
            status: StreamStatus::Scheduled,
            video: self.video.clone(),
            poster: None,
            scheduled_at: self.starts_in_s.map(|seconds| now + seconds * 1_000),
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
}

impl SeedOffer {
    fn to_offer(&self, stream: StreamId, variant: VariantId, quantity: i64) -> NewOffer {
        NewOffer {
            id: OfferId::new(),
            stream,
            variant,
            kind: self.kind,
            price: self.price,
            old_price: self.old_price,
            quantity,
            per_buyer: self.per_buyer,
            countdown_ms: 0,
            duration_ms: None,
            hold_ms: self.hold_s * 1_000,
            starts_at: None,
            buyers: Default::default(),
            pay_later: None,
        }
    }
}

/// The signing key of the demo. It is created at the first start and kept, so that tokens survive a restart.
pub fn auth_key(data: &Path) -> std::io::Result<String> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = data.join("auth-key");
    match std::fs::read_to_string(&path) {
        Ok(key) if key.len() >= crate::http::auth::KEY_BYTES_MIN => return Ok(key),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let key = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    file.write_all(key.as_bytes())?;
    Ok(key)
}

/// The JSON that `--json` prints.
pub fn startup_json(demo: &DemoShop, base: &str, listen: &str, host_token: &str) -> serde_json::Value {
    let offers = demo.offers.iter().map(|offer| {
        json!({
            "id": offer.id, "title": offer.title, "price": offer.terms.price, "currency": offer.currency,
            "left": offer.terms.left(),
        })
    });
    json!({
        "listen": listen,
        "viewer_url": viewer_url(base, demo.stream),
        "host_url": host_url(base, demo.stream, host_token),
        "docs_url": format!("{base}/docs"),
        "stream": demo.stream,
        "offers": offers.collect::<Vec<_>>(),
        "host_token": host_token,
    })
}

pub fn viewer_url(base: &str, stream: StreamId) -> String {
    format!("{base}/watch?stream={stream}")
}

/// The token is in the fragment (after `#`): browsers do not send that part to servers.
pub fn host_url(base: &str, stream: StreamId, token: &str) -> String {
    format!("{base}/host?stream={stream}#token={token}")
}

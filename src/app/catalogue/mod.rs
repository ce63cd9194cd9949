//! The catalogue: products, the offers of a stream, its line-up, and stock alerts.

mod buyer_set;
mod gallery;
mod lapse_tracker;
mod lineup;
mod offer;
mod offer_watcher;
mod product;
mod product_change;
mod product_names;
mod public_search;
mod quick_item;
mod search_index;
mod sold_out_cache;
mod stock_alert;

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Notify;

use super::audit::AuditLog;
use super::cache::{Cache, CacheValue};
use super::context::Context;
use super::publisher::Publisher;
use super::stream_cache::StreamCache;
use crate::domain::order::request_hash;
use crate::domain::{Actor, IdempotencyKey, Offer, OfferId};
use crate::store::KeyedRequest;

pub use gallery::Gallery;
pub use lapse_tracker::{EndedHold, LapseTracker, ended_hold};
pub use offer_watcher::OfferWatcher;
pub use product::{NewProduct, NewVariant};
use product_names::ProductNames;
use public_search::PublicSearches;
pub use quick_item::NewQuickItem;
pub use search_index::{SearchCleanupJob, SearchIndexJob};
pub use sold_out_cache::{BUYERS_READ_TOGETHER_MAX, SoldOutCache, SoldOutCaches, sold_out_reason};
pub use stock_alert::StockAlertJob;

/// Capacity of the cache of offers: more than one node sells in a day.
const OFFER_CACHE_MAX: usize = 20_000;

/// An offer is changed in the store only.
impl CacheValue for Offer {}

pub struct Catalogue {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    stream_cache: Arc<StreamCache>,
    audit: Arc<AuditLog>,
    /// Titles and images of offers, as far as no product changed since.
    offer_cache: Cache<OfferId, Offer>,
    /// What products were called when something was sold.
    product_names: ProductNames,
    /// Searches of people who are not of the team, also in the shows.
    pub public_searches: PublicSearches,
    pub sold_out_caches: SoldOutCaches,
    /// Buyers whose holds lapsed again and again.
    pub lapses: LapseTracker,
    /// Notified when an offer was opened, closed or changed, so the offer job runs again.
    offers_changed: Arc<Notify>,
}

impl Catalogue {
    pub fn new(
        context: &Arc<Context>,
        publisher: &Arc<Publisher>,
        stream_cache: &Arc<StreamCache>,
        audit: &Arc<AuditLog>,
    ) -> Arc<Self> {
        let (context, publisher, stream_cache, audit) =
            (context.clone(), publisher.clone(), stream_cache.clone(), audit.clone());
        let offer_cache = Cache::with_capacity(OFFER_CACHE_MAX);
        let (sold_out_caches, offers_changed, product_names, public_searches) = Default::default();
        let lapses = LapseTracker::new(context.settings.are_requests_limited, context.now());
        Arc::new(Self {
            context,
            publisher,
            stream_cache,
            audit,
            offer_cache,
            product_names,
            public_searches,
            sold_out_caches,
            lapses,
            offers_changed,
        })
    }
}

/// A request with its idempotency key. The same key with other input is refused.
fn keyed_request(actor: &Actor, verb: &'static str, key: IdempotencyKey, input: &impl Serialize) -> KeyedRequest {
    let input = serde_json::to_string(input).unwrap_or_default();
    let (user, name) = (actor.user.clone(), actor.name.as_str().to_owned());
    KeyedRequest { user, name, verb, key, hash: request_hash(&[verb, &input]), entry: None }
}

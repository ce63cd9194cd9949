//! What products are called, and what they were called when something was sold: kept in memory, because every order shows it.
//!
//! A product may change on any node. Each node asks once a second which products changed, and forgets what it kept of them; the node
//! that made the change forgets at once. Selling itself never asks.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::Catalogue;
use crate::app::cache::{Cache, CacheValue};
use crate::app::error::Result;
use crate::domain::product_change::named_as_at;
use crate::domain::{Millis, Offer, OfferId, ProductId, ProductRevision};

/// Products whose revisions are kept: as many as there are cached offers.
const PRODUCTS_MAX: usize = 20_000;
/// No change was seen yet.
const NONE_SEEN: i64 = -1;

/// The revisions of one product.
impl CacheValue for Vec<ProductRevision> {}

pub struct ProductNames {
    revisions: Cache<ProductId, Vec<ProductRevision>>,
    /// The number of the last change that this node has seen.
    seen: AtomicI64,
}

impl Default for ProductNames {
    fn default() -> Self {
        Self { revisions: Cache::with_capacity(PRODUCTS_MAX), seen: AtomicI64::new(NONE_SEEN) }
    }
}

impl Catalogue {
    /// A cached offer under the names that it had at `at`. Like [`Catalogue::offer_details`], for its title and image only.
    pub async fn offer_named_as_at(&self, id: OfferId, at: Millis) -> Result<Arc<Offer>> {
        let offer = self.offer_details(id).await?;
        let load = async { Ok(self.context.store.product_revisions(offer.product).await?) };
        let revisions = self.product_names.revisions.get_or_load(offer.product, load).await?;
        Ok(named_as_at(&offer, &revisions, at).map_or(offer, Arc::new))
    }

    /// Forgets the titles of the products that changed since the last call.
    pub async fn forget_changed_products(&self) -> Result<()> {
        let store = &self.context.store;
        loop {
            let seen = self.product_names.seen.load(Ordering::Relaxed);
            if seen == NONE_SEEN {
                // What was cached before the first call may be older than the last change.
                let last = store.last_product_change().await?;
                self.forget_products(|_| true);
                self.product_names.seen.store(last, Ordering::Relaxed);
                return Ok(());
            }
            let changed = store.products_changed_after(seen).await?;
            let Some((_, last)) = changed.last() else { return Ok(()) };
            let changed_ids: HashSet<ProductId> = changed.iter().map(|(id, _)| *id).collect();
            self.forget_products(|id| changed_ids.contains(&id));
            self.product_names.seen.store(*last, Ordering::Relaxed);
        }
    }

    /// Nobody uses the cached names and pictures of these products any more.
    pub fn forget_products(&self, matches: impl Fn(ProductId) -> bool) {
        self.offer_cache.forget(|_, offer| matches(offer.product));
        self.product_names.revisions.forget(|id, _| matches(*id));
    }
}

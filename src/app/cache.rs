//! A cache of what this node has read from the store. If several requests ask for a key at once, one reads and the others
//! wait for its result: a rush begins with everybody asking for the same offer.
//!
//! `quick_cache` evicts; its own `get_or_insert_async` is not used, because after a failed load every waiting request would
//! load again, one after the other, while the database is down. `moka` shares a failure, but its asynchronous cache has no
//! synchronous `get`.

use std::hash::Hash;
use std::sync::Arc;

use quick_cache::sync::Cache as BoundedMap;
use tokio::sync::OnceCell;

use super::error::Result;

type CacheEntry<V> = Arc<OnceCell<Result<Arc<V>>>>;

#[derive(Debug)]
pub struct Cache<K: Eq + Hash, V> {
    entries: BoundedMap<K, CacheEntry<V>>,
}

impl<K: Eq + Hash + Copy, V> Cache<K, V> {
    /// Above `capacity` entries, those that were not used lately are evicted.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { entries: BoundedMap::new(capacity) }
    }

    pub fn get(&self, key: K) -> Option<Arc<V>> {
        self.entries.get(&key)?.get()?.clone().ok()
    }

    /// The cached value, or what `load` returns. A failure is returned to everyone who waited and is not cached.
    pub async fn get_or_load(&self, key: K, load: impl Future<Output = Result<V>>) -> Result<Arc<V>> {
        if let Some(cached) = self.get(key) {
            return Ok(cached);
        }
        let new_entry = || Ok::<_, std::convert::Infallible>(CacheEntry::default());
        let Ok(entry) = self.entries.get_or_insert_with(&key, new_entry);
        let loaded = entry.get_or_init(|| async { load.await.map(Arc::new) }).await.clone();
        if loaded.is_err() {
            self.entries.remove_if(&key, |cached| Arc::ptr_eq(cached, &entry));
        }
        loaded
    }

    /// All cached values, as they are now.
    pub fn snapshot(&self) -> Vec<(K, Arc<V>)> {
        self.entries.iter().filter_map(|(key, entry)| Some((key, entry.get()?.clone().ok()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::app::Error;

    #[tokio::test]
    async fn concurrent_requests_share_one_load() {
        let (cache, loads) = (Cache::with_capacity(10), AtomicUsize::new(0));
        let load = async || {
            loads.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok("lamp")
        };
        let (one, two, three) =
            tokio::join!(cache.get_or_load(1, load()), cache.get_or_load(1, load()), cache.get_or_load(1, load()));
        assert_eq!([one, two, three].map(|loaded| *loaded.unwrap()), ["lamp"; 3]);
        assert_eq!((loads.load(Ordering::Relaxed), cache.get(1).as_deref()), (1, Some(&"lamp")));
    }

    #[tokio::test]
    async fn load_error_is_returned_to_all_and_not_cached() {
        let cache = Cache::with_capacity(10);
        let failing = async || {
            tokio::task::yield_now().await;
            Err(Error::Unavailable)
        };
        let results = tokio::join!(cache.get_or_load(1, failing()), cache.get_or_load(1, async { Ok("never read") }));
        assert_eq!(results, (Err(Error::Unavailable), Err(Error::Unavailable)));
        assert_eq!(cache.get_or_load(1, async { Ok("lamp") }).await.as_deref(), Ok(&"lamp"));
    }

    #[tokio::test]
    async fn cache_stays_within_its_capacity() {
        let cache = Cache::with_capacity(10);
        for n in 0..100 {
            cache.get_or_load(n, async { Ok(n) }).await.unwrap();
            assert!(cache.snapshot().len() <= 10);
            assert_eq!(cache.get(n).as_deref(), Some(&n), "the newest entry is kept");
        }
    }
}

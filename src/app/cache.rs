//! A cache of what this node has read from the store. If several requests ask for a key at once, one reads and the others
//! wait for its result: a rush begins with everybody asking for the same offer.
//!
//! A value that somebody uses, or that holds something which is not in the store yet, is not evicted: otherwise a second copy of
//! it would be loaded, and what is done to the first would be lost.
//!
//! `quick_cache` evicts; its own `get_or_insert_async` is not used, because after a failed load every waiting request would
//! load again, one after the other, while the database is down. `moka` shares a failure, but its asynchronous cache has no
//! synchronous `get`.

use std::hash::Hash;
use std::sync::Arc;

use quick_cache::sync::{Cache as BoundedMap, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter};
use tokio::sync::OnceCell;

use super::error::Result;

type CacheEntry<V> = Arc<OnceCell<Result<Arc<V>>>>;

/// A value that a [`Cache`] can hold.
pub trait CacheValue {
    /// Whether the value holds something that the store does not have yet. Such a value is not evicted.
    fn has_unsaved(&self) -> bool {
        false
    }
}

/// What was loaded is only that it succeeded.
impl CacheValue for () {}

pub struct Cache<K: Eq + Hash + Copy, V: CacheValue> {
    entries: BoundedMap<K, CacheEntry<V>, UnitWeighter, DefaultHashBuilder, KeepUsedValues<K, V>>,
}

/// Keeps the entries that are being loaded, are used, or have something unsaved.
struct KeepUsedValues<K, V>(DefaultLifecycle<K, CacheEntry<V>>);

impl<K, V> Clone for KeepUsedValues<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V: CacheValue> Lifecycle<K, CacheEntry<V>> for KeepUsedValues<K, V> {
    type RequestState = <DefaultLifecycle<K, CacheEntry<V>> as Lifecycle<K, CacheEntry<V>>>::RequestState;

    fn is_pinned(&self, _key: &K, entry: &CacheEntry<V>) -> bool {
        match entry.get() {
            Some(Ok(value)) => Arc::strong_count(value) > 1 || value.has_unsaved(),
            Some(Err(_)) => false,
            // Nobody waits for a load that was abandoned.
            None => Arc::strong_count(entry) > 1,
        }
    }

    fn begin_request(&self) -> Self::RequestState {
        self.0.begin_request()
    }

    fn on_evict(&self, state: &mut Self::RequestState, key: K, entry: CacheEntry<V>) {
        self.0.on_evict(state, key, entry);
    }
}

impl<K: Eq + Hash + Copy, V: CacheValue> Cache<K, V> {
    /// Above `capacity` entries, those that were not used lately are evicted. The cache is larger only while more values
    /// than that are in use or unsaved.
    pub fn with_capacity(capacity: usize) -> Self {
        let lifecycle = KeepUsedValues(DefaultLifecycle::default());
        let entries =
            BoundedMap::with(capacity, capacity as u64, UnitWeighter, DefaultHashBuilder::default(), lifecycle);
        Self { entries }
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

    /// Forgets the values that match. One that is being loaded is forgotten too, because what is read may be older than what the caller
    /// knows: a caller that waits for it still gets it. Only for values that hold nothing unsaved.
    pub fn forget(&self, matches: impl Fn(&K, &V) -> bool) {
        self.entries.retain(|key, entry| match entry.get() {
            Some(Ok(value)) => !matches(key, value),
            Some(Err(_)) | None => false,
        });
    }

    /// Whether the value of `key` is being loaded. What is loaded may be older than what was committed meanwhile.
    pub fn is_loading(&self, key: K) -> bool {
        self.entries.get(&key).is_some_and(|entry| entry.get().is_none())
    }

    /// The cached value; waits for a load that is under way, but does not start one.
    pub async fn get_after_load(&self, key: K) -> Option<Arc<V>> {
        let entry = self.entries.get(&key)?;
        entry.get_or_try_init(|| async { Err(()) }).await.ok()?.clone().ok()
    }

    /// Whether the value of `key` is used somewhere or unsaved, so that it is not evicted now.
    #[cfg(test)]
    pub fn is_kept(&self, key: K) -> bool {
        self.entries.peek(&key).is_some_and(|entry| KeepUsedValues(DefaultLifecycle::default()).is_pinned(&key, &entry))
    }

    /// The cached values that hold something which is not in the store yet.
    pub fn unsaved(&self) -> Vec<(K, Arc<V>)> {
        let unsaved = |(key, entry): (K, CacheEntry<V>)| {
            let value = entry.get()?.as_ref().ok()?;
            value.has_unsaved().then(|| (key, value.clone()))
        };
        self.entries.iter().filter_map(unsaved).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::app::Error;

    impl CacheValue for i32 {}
    impl CacheValue for &str {}

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
            assert!(cache.entries.len() <= 10);
            assert_eq!(cache.get(n).as_deref(), Some(&n), "the newest entry is kept");
        }
    }

    #[tokio::test]
    async fn value_in_use_is_not_evicted() {
        let cache = Cache::with_capacity(10);
        let fill = async || {
            for n in 1..100 {
                cache.get_or_load(n, async { Ok(n) }).await.unwrap();
            }
        };
        let used = cache.get_or_load(0, async { Ok(0) }).await.unwrap();
        fill().await;
        assert!(cache.get(0).is_some_and(|cached| Arc::ptr_eq(&cached, &used)), "a second copy would be loaded");
        assert_eq!((cache.is_kept(0), cache.entries.len() <= 10), (true, true));
        drop(used);
        assert!(!cache.is_kept(0), "it can be evicted when it is not used anymore");
    }

    #[tokio::test]
    async fn load_in_progress_is_not_evicted_and_can_be_waited_for() {
        let cache = Cache::with_capacity(10);
        let (finish, finished) = tokio::sync::oneshot::channel();
        let fill_and_finish = async {
            assert!(cache.is_loading(0));
            for n in 1..100 {
                cache.get_or_load(n, async { Ok(n) }).await.unwrap();
            }
            let waiting = cache.get_after_load(0);
            finish.send(()).unwrap();
            waiting.await
        };
        let slow_load = cache.get_or_load(0, async { finished.await.map(|()| 0).map_err(|_| Error::Unavailable) });
        let (loaded, waited_for) = tokio::join!(slow_load, fill_and_finish);
        assert!(Arc::ptr_eq(&loaded.unwrap(), &waited_for.unwrap()));
        assert_eq!((cache.is_loading(0), cache.get_after_load(1_000).await), (false, None));
        // A request that gives up while it loads leaves nothing that stays forever.
        tokio::select! {
            biased;
            _ = cache.get_or_load(500, std::future::pending()) => {}
            () = async {} => {}
        }
        assert!(cache.is_loading(500) && cache.get_after_load(500).await.is_none());
        assert_eq!(cache.get_or_load(500, async { Ok(500) }).await.as_deref(), Ok(&500));
    }
}

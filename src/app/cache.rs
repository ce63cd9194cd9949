//! What this node has read once and keeps. However many ask at once, one reads and the others wait for it: a rush begins
//! with everybody asking for the same thing.

use std::hash::Hash;
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::OnceCell;

use super::Result;

type CacheEntry<V> = Arc<OnceCell<Result<Arc<V>>>>;

#[derive(Debug)]
pub struct Cache<K: Eq + Hash, V> {
    entries: DashMap<K, CacheEntry<V>>,
    capacity: usize,
}

impl<K: Eq + Hash + Copy, V> Cache<K, V> {
    /// Past `most` it forgets everything and starts anew.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { entries: DashMap::new(), capacity }
    }

    pub fn get(&self, key: K) -> Option<Arc<V>> {
        self.entries.get(&key)?.get()?.clone().ok()
    }

    /// What is known, or else what `read` finds. A failure goes to everybody who waited and is not remembered.
    pub async fn find(&self, key: K, load: impl Future<Output = Result<V>>) -> Result<Arc<V>> {
        if let Some(known) = self.get(key) {
            return Ok(known);
        }
        if self.entries.len() >= self.capacity {
            self.entries.clear();
        }
        let slot = self.entries.entry(key).or_default().clone();
        let found = slot.get_or_init(|| async { load.await.map(Arc::new) }).await.clone();
        if found.is_err() {
            self.entries.remove_if(&key, |_, kept| Arc::ptr_eq(kept, &slot));
        }
        found
    }

    /// Everything known, as it is now.
    pub fn snapshot(&self) -> Vec<(K, Arc<V>)> {
        let known = |entry: dashmap::mapref::multiple::RefMulti<'_, K, CacheEntry<V>>| {
            Some((*entry.key(), entry.value().get()?.clone().ok()?))
        };
        self.entries.iter().filter_map(known).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::app::Error;

    #[tokio::test]
    async fn one_reads_for_all_who_ask_at_once() {
        let (memory, reads) = (Cache::with_capacity(10), AtomicUsize::new(0));
        let read = async || {
            reads.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok("lamp")
        };
        let (one, two, three) = tokio::join!(memory.find(1, read()), memory.find(1, read()), memory.find(1, read()));
        assert_eq!([one, two, three].map(|found| *found.unwrap()), ["lamp"; 3]);
        assert_eq!((reads.load(Ordering::Relaxed), memory.get(1).as_deref()), (1, Some(&"lamp")));
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_and_forgotten() {
        let memory = Cache::with_capacity(10);
        let failing = async || {
            tokio::task::yield_now().await;
            Err(Error::Unavailable)
        };
        let told = tokio::join!(memory.find(1, failing()), memory.find(1, async { Ok("never read") }));
        assert_eq!(told, (Err(Error::Unavailable), Err(Error::Unavailable)));
        assert_eq!(memory.find(1, async { Ok("lamp") }).await.as_deref(), Ok(&"lamp"));
    }

    #[tokio::test]
    async fn it_never_grows_past_its_size() {
        let memory = Cache::with_capacity(10);
        for n in 0..100 {
            memory.find(n, async { Ok(n) }).await.unwrap();
            assert!(memory.snapshot().len() <= 10);
        }
    }
}

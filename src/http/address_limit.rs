//! Rate limits per client address, for routes that need no token, and per API key.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;

use super::address_key::AddressKey;
use super::rate_limit::{Judged, note};
use crate::domain::api_key::{REQUESTS_BURST, REQUESTS_PER_S};
use crate::domain::{ApiKeyId, Millis, Refusal, TokenBucket};

/// Addresses that are remembered. The ones that were used least are forgotten, which gives them a full bucket.
const ADDRESSES_MAX: usize = 20_000;
const KEYS_MAX: usize = 1_000;

/// A bucket for each key `K`.
struct Limit<K> {
    policy: &'static str,
    per_second: f64,
    burst: f64,
    buckets: Cache<K, Arc<Mutex<TokenBucket>>>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(policy: &'static str, per_second: f64, burst: f64, most: usize) -> Self {
        Self { policy, per_second, burst, buckets: Cache::new(most) }
    }

    fn bucket(&self, key: &K, now: Millis) -> Result<Arc<Mutex<TokenBucket>>, Refusal> {
        let new_bucket = || Ok::<_, Refusal>(Arc::new(Mutex::new(TokenBucket::new(self.per_second, self.burst, now))));
        self.buckets.get_or_insert_with(key, new_bucket)
    }

    /// Counts one request, and notes for its answer what is left.
    fn take(&self, key: &K, now: Millis) -> Result<(), Refusal> {
        let bucket = self.bucket(key, now)?;
        let mut bucket = lock(&bucket);
        let taken = bucket.take(now);
        let (left, full_in_ms) = bucket.left(now);
        let Self { policy, burst, per_second, .. } = *self;
        note(Judged { policy, burst, per_second, left, full_in_ms });
        taken.map_err(|retry_ms| Refusal::TooManyRequests { retry_ms })
    }
}

fn lock(bucket: &Mutex<TokenBucket>) -> MutexGuard<'_, TokenBucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request that is counted until this is dropped, also when its client has hung up; [`keep`](Self::keep) leaves it in the count.
pub struct CountedRequest<'a> {
    limit: &'a AddressLimit,
    address: Option<IpAddr>,
    now: Millis,
}

impl CountedRequest<'_> {
    pub fn keep(mut self) {
        self.address = None;
    }
}

impl Drop for CountedRequest<'_> {
    fn drop(&mut self) {
        let bucket = |address| self.limit.0.bucket(&AddressKey::from(address), self.now).ok();
        if let Some(bucket) = self.address.and_then(bucket) {
            lock(&bucket).give_back();
        }
    }
}

pub struct AddressLimit(Limit<AddressKey>);

impl AddressLimit {
    /// `per_second` requests of one address on average, and `burst` at once.
    pub fn new(per_second: f64, burst: f64) -> Self {
        Self(Limit::new("address", per_second, burst, ADDRESSES_MAX))
    }

    /// Counts one request. Refused when the address has made too many; the refusal says how long to wait.
    pub fn take(&self, address: Option<IpAddr>, now: Millis) -> Result<(), Refusal> {
        address.map_or(Ok(()), |address| self.0.take(&AddressKey::from(address), now))
    }

    /// The same for requests that may not count after all: dropping the result takes the request out of the count.
    pub fn count(&self, address: Option<IpAddr>, now: Millis) -> Result<CountedRequest<'_>, Refusal> {
        self.take(address, now)?;
        Ok(CountedRequest { limit: self, address, now })
    }

    /// Refused when the next request would be, without counting one.
    pub fn check(&self, address: Option<IpAddr>, now: Millis) -> Result<(), Refusal> {
        let Some(address) = address else { return Ok(()) };
        let bucket = self.0.bucket(&AddressKey::from(address), now)?;
        let mut tried = lock(&bucket).clone();
        tried.take(now).map_err(|retry_ms| Refusal::TooManyRequests { retry_ms })
    }
}

/// The limit of each API key on this node.
pub struct ApiKeyLimit(Limit<ApiKeyId>);

impl Default for ApiKeyLimit {
    fn default() -> Self {
        Self(Limit::new("key", REQUESTS_PER_S, REQUESTS_BURST, KEYS_MAX))
    }
}

impl ApiKeyLimit {
    /// Counts one request. Refused when the key has made too many; the refusal says how long to wait.
    pub fn take(&self, key: ApiKeyId, now: Millis) -> Result<(), Refusal> {
        self.0.take(&key, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_a_bucket_of_its_own_and_a_network_of_ipv6_shares_one() {
        let limit = AddressLimit::new(1.0, 2.0);
        let take = |address: &str, now| limit.take(Some(address.parse().unwrap()), now);
        for address in ["10.0.0.1", "10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"] {
            assert_eq!(take(address, 0), Ok(()), "{address}");
        }
        for address in ["10.0.0.1", "2001:db8::3"] {
            assert_eq!(take(address, 0), Err(Refusal::TooManyRequests { retry_ms: 1_000 }), "{address}");
        }
        assert_eq!(take("10.0.0.1", 1_000), Ok(()));
    }

    #[test]
    fn check_counts_nothing() {
        let limit = AddressLimit::new(1.0, 1.0);
        let address = Some("10.0.0.1".parse().unwrap());
        for _ in 0..3 {
            assert_eq!(limit.check(address, 0), Ok(()));
        }
        assert_eq!(limit.take(address, 0), Ok(()));
        assert_eq!(limit.check(address, 0), Err(Refusal::TooManyRequests { retry_ms: 1_000 }));
    }
}

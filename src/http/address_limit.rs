//! A rate limit per client address, for routes that need no token.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;

use super::address_key::AddressKey;
use crate::domain::{Millis, Refusal, TokenBucket};

/// Addresses that are remembered. The ones that were used least are forgotten, which gives them a full bucket.
const ADDRESSES_MAX: usize = 20_000;

pub struct AddressLimit {
    per_second: f64,
    burst: f64,
    buckets: Cache<AddressKey, Arc<Mutex<TokenBucket>>>,
}

impl AddressLimit {
    /// `per_second` requests of one address on average, and `burst` at once.
    pub fn new(per_second: f64, burst: f64) -> Self {
        Self { per_second, burst, buckets: Cache::new(ADDRESSES_MAX) }
    }

    /// Counts one request. Refused when the address has made too many; the refusal says how long to wait.
    pub fn take(&self, address: Option<IpAddr>, now: Millis) -> Result<(), Refusal> {
        let Some(address) = address else { return Ok(()) };
        let new_bucket = || Ok::<_, Refusal>(Arc::new(Mutex::new(TokenBucket::new(self.per_second, self.burst, now))));
        let bucket = self.buckets.get_or_insert_with(&AddressKey::from(address), new_bucket)?;
        let taken = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now);
        taken.map_err(|retry_ms| Refusal::TooManyRequests { retry_ms })
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
}

//! A rate limit of all clients together that one address cannot use up alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;

use super::address_key::AddressKey;
use crate::domain::{AtomicBucket, Millis, Rate, TokenBucket};

/// While tokens are short, one address gets this part of the rate.
const SHARE_DIVISOR: f64 = 20.0;
/// Addresses whose share is counted, about 100 bytes each. Above that, the least used are forgotten, and the limit of all
/// clients together still holds.
const ADDRESSES_MAX: usize = 20_000;

/// A token bucket for all clients. While less than half of its tokens are left, a token for an address must also be within the
/// share of that address.
#[derive(Debug)]
pub struct FairBucket {
    all: Mutex<TokenBucket>,
    share: Rate,
    addresses: Cache<AddressKey, Arc<AtomicBucket>>,
}

/// Why there is no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shortage {
    /// The address has used up its share. The value is the number of milliseconds until its next token.
    OfAddress(Millis),
    /// There is none for anybody.
    OfAll(Millis),
}

impl FairBucket {
    /// `per_second` must be greater than 0.
    pub fn new(per_second: f64, burst: f64, now: Millis) -> Self {
        let share_interval_ms = (1_000.0 * SHARE_DIVISOR / per_second).ceil().max(1.0) as Millis;
        let share = Rate::new(((burst / SHARE_DIVISOR) as i64).max(1), share_interval_ms);
        let all = Mutex::new(TokenBucket::new(per_second, burst, now));
        Self { all, share, addresses: Cache::new(ADDRESSES_MAX) }
    }

    /// Takes a token; `None` is a client whose address has no limit.
    pub fn take(&self, address: Option<AddressKey>, now: Millis) -> Result<(), Shortage> {
        self.take_above(0.0, address, now)
    }

    /// The same, if `kept` tokens are left then: they are for others.
    pub fn take_above(&self, kept: f64, address: Option<AddressKey>, now: Millis) -> Result<(), Shortage> {
        let mut all = self.lock();
        if all.is_short(now)
            && let Some(address) = address
        {
            self.bucket_of(address).take(self.share, now).map_err(Shortage::OfAddress)?;
        }
        all.take_above(kept, now).map_err(Shortage::OfAll)
    }

    /// Takes a token for a client who was promised one: the bucket goes into debt, by at most `debt_max` tokens. The error is the
    /// number of milliseconds until the next token.
    pub fn take_in_debt(&self, debt_max: f64, now: Millis) -> Result<(), Millis> {
        self.lock().take_in_debt(debt_max, now)
    }

    fn lock(&self) -> MutexGuard<'_, TokenBucket> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bucket_of(&self, address: AddressKey) -> Arc<AtomicBucket> {
        let new = || Ok::<_, std::convert::Infallible>(Arc::default());
        let Ok(bucket) = self.addresses.get_or_insert_with(&address, new);
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Option<AddressKey> = Some(AddressKey::V4(1));
    const BOB: Option<AddressKey> = Some(AddressKey::V4(2));

    #[test]
    fn one_address_cannot_empty_the_bucket() {
        let bucket = FairBucket::new(100.0, 200.0, 0);
        let taken = (0..1_000).filter(|_| bucket.take(ANN, 0).is_ok()).count();
        assert_eq!(taken, 101 + 10, "half of it, then its share");
        assert_eq!(bucket.take(ANN, 0), Err(Shortage::OfAddress(200)));
        assert!(bucket.take(BOB, 0).is_ok());
        // Every second it gets a twentieth of the rate.
        let taken = (0..1_000).filter(|_| bucket.take(ANN, 1_000).is_ok()).count();
        assert!(taken <= 105, "{taken}");
    }

    #[test]
    fn share_binds_only_while_tokens_are_short() {
        let bucket = FairBucket::new(100.0, 200.0, 0);
        assert!((0..30).all(|second| (0..100).all(|_| bucket.take(ANN, second * 1_000).is_ok())));
        assert!((0..190).all(|_| bucket.take(None, 60_000).is_ok()), "no share for an address without a limit");
        assert_eq!((0..100).filter(|_| bucket.take(None, 60_000).is_ok()).count(), 10);
        assert!(matches!(bucket.take(None, 60_000), Err(Shortage::OfAll(_))));
        assert_eq!(bucket.take_in_debt(1.0, 60_000), Ok(()));
        assert!(bucket.take_in_debt(1.0, 60_000).is_err());
    }
}

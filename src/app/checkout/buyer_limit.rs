//! Rate limits of one buyer, as a person: purchases, cancellations and payments. They hold per node. People never notice them; a
//! program that buys and cancels in a loop, or that tries stolen cards, does.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;

use crate::domain::{AtomicBucket, IdempotencyKey, Millis, PersonKey, Rate, Refusal};
use crate::metrics::LabeledCounter;

/// Requests to buy, also those that get nothing: people press the button until a unit is free.
const BUY: Rate = Rate::new(100, 50);
/// Purchases that reserve units.
const HOLD: Rate = Rate::new(30, 500);
/// As many as purchases, and one more, because this bucket begins to fill a moment later, at the first cancellation.
const CANCEL: Rate = Rate::new(31, 500);
/// Requests to pay, with those that repeat a try.
const PAY: Rate = Rate::new(60, 500);
/// New tries to pay, each with a key of its own.
const PAYMENT_TRY: Rate = Rate::new(20, 6_000);
/// Coupons that are set and removed: enough for people who try some codes, and too few to guess one.
const COUPON: Rate = Rate::new(20, 3_000);
/// Buyers whose requests are counted, about 200 bytes each. Above that, the least used are forgotten and start again.
const BUYERS_MAX: usize = 50_000;

#[derive(Debug)]
pub struct BuyerLimits {
    /// `None`: there are no limits.
    buyers: Option<Cache<PersonKey, Arc<BuyerBuckets>>>,
    pub refused: LabeledCounter,
}

#[derive(Debug, Default)]
struct BuyerBuckets {
    buy: AtomicBucket,
    hold: AtomicBucket,
    cancel: AtomicBucket,
    pay: AtomicBucket,
    payment_try: AtomicBucket,
    coupon: AtomicBucket,
    /// A digest of the key of the last payment try: a repeated request is not a new try.
    last_try: AtomicU64,
}

impl BuyerLimits {
    pub fn new(is_enabled: bool) -> Self {
        let refused =
            LabeledCounter::new(["buy", "hold", "cancel", "pay", "payment_try", "coupon", "lapsed_holds", "other"]);
        Self { buyers: is_enabled.then(|| Cache::new(BUYERS_MAX)), refused }
    }

    /// A request to buy, also one that gets nothing.
    pub fn take_buy(&self, buyer: &PersonKey, now: Millis) -> Result<(), Refusal> {
        self.take(buyer, "buy", |buckets| buckets.buy.take(BUY, now))
    }

    /// A purchase that is about to reserve units.
    pub fn take_hold(&self, buyer: &PersonKey, now: Millis) -> Result<(), Refusal> {
        self.take(buyer, "hold", |buckets| buckets.hold.take(HOLD, now))
    }

    /// The purchase reserved no units, or repeated an earlier one, so it does not count.
    pub fn give_back_hold(&self, buyer: &PersonKey) {
        if let Some(buckets) = self.buyers.as_ref().and_then(|buyers| buyers.get(buyer)) {
            buckets.hold.give_back(HOLD);
        }
    }

    pub fn take_cancel(&self, buyer: &PersonKey, now: Millis) -> Result<(), Refusal> {
        self.take(buyer, "cancel", |buckets| buckets.cancel.take(CANCEL, now))
    }

    pub fn take_pay(&self, buyer: &PersonKey, now: Millis) -> Result<(), Refusal> {
        self.take(buyer, "pay", |buckets| buckets.pay.take(PAY, now))
    }

    /// A request to set or remove a coupon.
    pub fn take_coupon(&self, buyer: &PersonKey, now: Millis) -> Result<(), Refusal> {
        self.take(buyer, "coupon", |buckets| buckets.coupon.take(COUPON, now))
    }

    /// A valid request to pay an order of this buyer: a new try, if the key is not the one of the last.
    pub fn take_payment_try(&self, buyer: &PersonKey, key: &IdempotencyKey, now: Millis) -> Result<(), Refusal> {
        let mut hasher = DefaultHasher::new();
        key.as_str().hash(&mut hasher);
        // 0 means that there was none.
        let digest = hasher.finish().max(1);
        let result = self.take(buyer, "payment_try", |buckets| {
            if buckets.last_try.load(Ordering::Relaxed) == digest {
                return Ok(());
            }
            buckets.payment_try.take(PAYMENT_TRY, now)?;
            buckets.last_try.store(digest, Ordering::Relaxed);
            Ok(())
        });
        result.map_err(|refusal| match refusal {
            Refusal::TooManyRequests { retry_ms } => Refusal::TooManyPayments { retry_ms },
            other => other,
        })
    }

    fn take(
        &self,
        buyer: &PersonKey,
        name: &'static str,
        take: impl FnOnce(&BuyerBuckets) -> Result<(), Millis>,
    ) -> Result<(), Refusal> {
        let Some(buyers) = &self.buyers else { return Ok(()) };
        let new = || Ok::<_, std::convert::Infallible>(Arc::default());
        let Ok(buckets) = buyers.get_or_insert_with(buyer, new);
        take(&buckets).map_err(|retry_ms| {
            self.refused.increment(name);
            Refusal::TooManyRequests { retry_ms }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(user: &str) -> PersonKey {
        PersonKey::of_user(&crate::domain::UserId::parse(user).unwrap())
    }

    fn key(number: usize) -> IdempotencyKey {
        IdempotencyKey::parse(&format!("key-{number:08}")).unwrap()
    }

    #[test]
    fn buyer_gets_a_burst_and_then_two_purchases_a_second() {
        let (limits, ann) = (BuyerLimits::new(true), person("ann"));
        let take = |buyer: &PersonKey, now| limits.take_buy(buyer, now).and_then(|()| limits.take_hold(buyer, now));
        let bought = (0..3_000).filter(|ms| take(&ann, 1_000 + ms).is_ok()).count();
        assert!((30..=36).contains(&bought), "{bought} in three seconds");
        let bob = person("bob");
        assert!(take(&bob, 4_000).is_ok());
        assert!(limits.take_cancel(&ann, 4_000).is_ok(), "cancellations have a limit of their own");
        let pressed = (0..50).filter(|press| take(&bob, 10_000 + press * 100).is_ok());
        assert_eq!(
            pressed.inspect(|_| limits.give_back_hold(&bob)).count(),
            50,
            "the button is pressed until a unit is free"
        );
        assert!((0..1_000).all(|_| BuyerLimits::new(false).take_buy(&ann, 0).is_ok()));
    }

    #[test]
    fn repeated_payment_request_is_not_a_new_try() {
        let (limits, ann) = (BuyerLimits::new(true), person("ann"));
        let pay = |number, now| limits.take_payment_try(&ann, &key(number), now);
        assert!((0..20).all(|number| pay(number, 0).is_ok()));
        assert_eq!(pay(20, 0), Err(Refusal::TooManyPayments { retry_ms: 6_000 }));
        assert!(pay(19, 0).is_ok(), "the last try may be repeated");
        assert!(pay(21, 6_000).is_ok());
        let repeated = (0..100).filter(|_| limits.take_pay(&ann, 6_000).is_ok()).count();
        assert_eq!(repeated, 60, "but not forever");
    }
}

//! Rate limits: token buckets. They have no clock of their own; callers pass the time.

use std::sync::atomic::{AtomicI64, Ordering};

use super::Millis;

/// A rate limit that gains `per_second` tokens each second and saves at most `burst` tokens.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    updated_at: Millis,
}

impl TokenBucket {
    pub fn new(per_second: f64, burst: f64, now: Millis) -> Self {
        Self { per_second, burst, tokens: burst, updated_at: now }
    }

    fn refill(&mut self, now: Millis) {
        let elapsed_s = (now - self.updated_at).max(0) as f64 / 1_000.0;
        self.tokens = (self.tokens + elapsed_s * self.per_second).min(self.burst);
        self.updated_at = self.updated_at.max(now);
    }

    /// How many whole tokens are left, and the milliseconds until the bucket is full.
    pub fn left(&mut self, now: Millis) -> (i64, Millis) {
        self.refill(now);
        let missing = (self.burst - self.tokens) / self.per_second * 1_000.0;
        (self.tokens.max(0.0) as i64, missing.ceil() as Millis)
    }

    /// Whether less than half of the tokens are left.
    pub fn is_short(&mut self, now: Millis) -> bool {
        self.refill(now);
        self.tokens < self.burst / 2.0
    }

    /// Takes one token. The error is the number of milliseconds until the next token.
    pub fn take(&mut self, now: Millis) -> Result<(), i64> {
        self.take_down_to(0.0, now)
    }

    /// The same, if `kept` tokens are left then. A full bucket always has one to give.
    pub fn take_above(&mut self, kept: f64, now: Millis) -> Result<(), i64> {
        self.take_down_to(kept.clamp(0.0, (self.burst - 1.0).max(0.0)), now)
    }

    /// The same for who was promised a token: the bucket goes into debt, by at most `debt_max` tokens.
    pub fn take_in_debt(&mut self, debt_max: f64, now: Millis) -> Result<(), i64> {
        self.take_down_to(-debt_max, now)
    }

    /// Returns a token that was taken and not used.
    pub fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.burst);
    }

    fn take_down_to(&mut self, least: f64, now: Millis) -> Result<(), i64> {
        self.refill(now);
        let left = self.tokens - 1.0;
        if left >= least {
            self.tokens = left;
            return Ok(());
        }
        Err(((least - left) / self.per_second * 1_000.0).ceil() as i64)
    }

    /// Takes one token even when none is left, for actors with priority. The bucket then goes into debt, by at most one burst, and
    /// all others wait until the debt is paid back.
    pub fn take_with_priority(&mut self, now: Millis) {
        if self.take(now).is_err() {
            self.tokens = (self.tokens - 1.0).max(-self.burst);
        }
    }
}

/// How many tokens a bucket saves at most, and how long it takes to gain one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    pub burst: i64,
    pub interval_ms: Millis,
}

impl Rate {
    pub const fn new(burst: i64, interval_ms: Millis) -> Self {
        Self { burst, interval_ms }
    }
}

/// A token bucket in eight bytes that many tasks use without a lock, for limits of each user or connection. Instead of its
/// tokens it stores the time at which it will be full again.
#[derive(Debug, Default)]
pub struct AtomicBucket(AtomicI64);

impl AtomicBucket {
    /// Takes one token. The error is the number of milliseconds until the next token.
    pub fn take(&self, rate: Rate, now: Millis) -> Result<(), Millis> {
        let mut full_at = self.0.load(Ordering::Relaxed);
        loop {
            let next = full_at.max(now) + rate.interval_ms;
            let missing_ms = next - now - rate.burst * rate.interval_ms;
            if missing_ms > 0 {
                return Err(missing_ms);
            }
            match self.0.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(current) => full_at = current,
            }
        }
    }

    /// Returns a token that was taken and not used.
    pub fn give_back(&self, rate: Rate) {
        self.0.fetch_sub(rate.interval_ms, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_is_spent_then_refilled_at_the_rate() {
        let mut bucket = TokenBucket::new(1.0, 3.0, 0);
        assert!((0..3).all(|_| bucket.take(0).is_ok()));
        assert_eq!(bucket.take(0), Err(1_000));
        assert_eq!(bucket.take(400), Err(600));
        assert_eq!(bucket.take(1_000), Ok(()));
        assert!((0..3).all(|_| bucket.take(60_000).is_ok()));
        assert!(bucket.take(60_000).is_err());
    }

    #[test]
    fn priority_is_never_refused_and_the_others_wait_for_its_debt() {
        let mut bucket = TokenBucket::new(10.0, 5.0, 0);
        (0..8).for_each(|_| bucket.take_with_priority(0));
        assert_eq!(bucket.take(0), Err(400));
        (0..1_000).for_each(|_| bucket.take_with_priority(0));
        assert_eq!(bucket.take(0), Err(600), "the debt is at most one burst");
        assert_eq!(bucket.take(600), Ok(()));
    }

    #[test]
    fn atomic_bucket_spends_its_burst_then_one_token_per_interval() {
        let (bucket, rate) = (AtomicBucket::default(), Rate::new(3, 500));
        assert!((0..3).all(|_| bucket.take(rate, 10_000).is_ok()));
        assert_eq!(bucket.take(rate, 10_000), Err(500));
        assert_eq!(bucket.take(rate, 10_400), Err(100));
        assert_eq!(bucket.take(rate, 10_500), Ok(()));
        assert!(bucket.take(rate, 10_500).is_err());
        assert!((0..3).all(|_| bucket.take(rate, 60_000).is_ok()));
        assert!(bucket.take(rate, 60_000).is_err(), "it saves no more than the burst");
        bucket.give_back(rate);
        assert_eq!([bucket.take(rate, 60_000), bucket.take(rate, 60_000)], [Ok(()), Err(500)]);
    }

    #[test]
    fn kept_tokens_are_left_and_debt_is_bounded() {
        let mut bucket = TokenBucket::new(1.0, 4.0, 0);
        assert_eq!((0..4).filter(|_| bucket.take_above(2.0, 0).is_ok()).count(), 2);
        assert_eq!(bucket.take_above(2.0, 0), Err(1_000));
        assert_eq!((0..9).filter(|_| bucket.take_in_debt(2.0, 0).is_ok()).count(), 4);
        assert_eq!((bucket.take_in_debt(2.0, 0), bucket.take(0)), (Err(1_000), Err(3_000)));
        let mut small = TokenBucket::new(1.0, 1.0, 0);
        assert_eq!(small.take_above(5.0, 0), Ok(()), "a full bucket gives one");
    }

    #[test]
    fn bucket_is_short_below_half_of_its_burst() {
        let mut bucket = TokenBucket::new(1.0, 4.0, 0);
        assert!((0..2).all(|_| bucket.take(0).is_ok()) && !bucket.is_short(0));
        assert!(bucket.take(0).is_ok() && bucket.is_short(0));
        assert!(!bucket.is_short(1_000));
    }

    #[test]
    fn token_that_was_given_back_is_taken_again() {
        let mut bucket = TokenBucket::new(1.0, 1.0, 0);
        assert!(bucket.take(0).is_ok() && bucket.take(0).is_err());
        bucket.give_back();
        bucket.give_back();
        assert_eq!([bucket.take(0), bucket.take(0)], [Ok(()), Err(1_000)], "no more than the burst");
    }

    #[test]
    fn clock_that_goes_back_adds_no_tokens() {
        let mut bucket = TokenBucket::new(1.0, 1.0, 10_000);
        assert!(bucket.take(10_000).is_ok());
        assert!(bucket.take(5_000).is_err());
        assert!(bucket.take(10_500).is_err());
    }
}

//! Rate limit: a token bucket. It has no clock of its own; callers pass the time.

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

    /// Takes one token. The error is the number of milliseconds until the next token.
    pub fn take(&mut self, now: Millis) -> Result<(), i64> {
        let elapsed_s = (now - self.updated_at).max(0) as f64 / 1_000.0;
        self.tokens = (self.tokens + elapsed_s * self.per_second).min(self.burst);
        self.updated_at = self.updated_at.max(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(((1.0 - self.tokens) / self.per_second * 1_000.0).ceil() as i64)
    }

    /// Takes one token even when none is left, for actors with priority. The bucket then goes into debt, by at most one burst, and
    /// all others wait until the debt is paid back.
    pub fn take_with_priority(&mut self, now: Millis) {
        if self.take(now).is_err() {
            self.tokens = (self.tokens - 1.0).max(-self.burst);
        }
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
    fn clock_that_goes_back_adds_no_tokens() {
        let mut bucket = TokenBucket::new(1.0, 1.0, 10_000);
        assert!(bucket.take(10_000).is_ok());
        assert!(bucket.take(5_000).is_err());
        assert!(bucket.take(10_500).is_err());
    }
}

//! A rate limit that is told the time.

use super::Millis;

/// `rate` tokens a second, at most `burst` saved up.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    at: Millis,
}

impl TokenBucket {
    pub fn new(per_second: f64, burst: f64, now: Millis) -> Self {
        Self { per_second, burst, tokens: burst, at: now }
    }

    /// Takes one token, or says how many milliseconds until there is one.
    pub fn take(&mut self, now: Millis) -> Result<(), i64> {
        let passed = (now - self.at).max(0) as f64 / 1_000.0;
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.at = self.at.max(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(((1.0 - self.tokens) / self.per_second * 1_000.0).ceil() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_rate_then_burst_again() {
        let mut bucket = TokenBucket::new(1.0, 3.0, 0);
        assert!((0..3).all(|_| bucket.take(0).is_ok()));
        assert_eq!(bucket.take(0), Err(1_000));
        assert_eq!(bucket.take(400), Err(600));
        assert_eq!(bucket.take(1_000), Ok(()));
        assert!((0..3).all(|_| bucket.take(60_000).is_ok()));
        assert!(bucket.take(60_000).is_err());
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let mut bucket = TokenBucket::new(1.0, 1.0, 10_000);
        assert!(bucket.take(10_000).is_ok());
        assert!(bucket.take(5_000).is_err());
        assert!(bucket.take(10_500).is_err());
    }
}

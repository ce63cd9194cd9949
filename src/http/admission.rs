//! Who may come in now. When a crowd comes back at once, it is let in at the pace this node can greet it, before any
//! work was done for it; everybody else gets a time to come again, each another one, so that the crowd comes spread.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::{Millis, TokenBucket};

const RETRY_MIN_MS: Millis = 1_000;
const RETRY_MAX_MS: Millis = 60_000;

/// What the door says to one who wants to come in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Admit {
    Welcome,
    /// Not now. A browser cannot read a refused handshake, so as long as it is cheap enough it is upgraded to be told.
    Told {
        retry_ms: Millis,
    },
    /// Not now, in the fewest words: 503.
    Refused {
        retry_ms: Millis,
    },
}

#[derive(Debug, Default)]
pub struct Admission {
    /// `None`: everybody comes in.
    gate: Option<Mutex<Gate>>,
    pub welcome: AtomicU64,
    pub told: AtomicU64,
    pub refused: AtomicU64,
}

#[derive(Debug)]
struct Gate {
    per_second: f64,
    welcome: TokenBucket,
    told: TokenBucket,
    /// When the next of those turned away may come.
    slot: f64,
}

impl Admission {
    /// `per_second` are let in, twice that in a burst; 0: all.
    pub fn new(per_second: f64, now: Millis) -> Self {
        let gate = (per_second > 0.0).then(|| Mutex::new(Gate::new(per_second, now)));
        Self { gate, ..Self::default() }
    }

    pub fn ask(&self, now: Millis) -> Admit {
        let mut admit = Admit::Welcome;
        if let Some(gate) = &self.gate {
            let mut gate = gate.lock().unwrap_or_else(|poison| poison.into_inner());
            admit = gate.ask(now, rand::random_range(0.75..1.25));
        }
        match admit {
            Admit::Welcome => _ = self.welcome.fetch_add(1, Ordering::Relaxed),
            Admit::Told { .. } => _ = self.told.fetch_add(1, Ordering::Relaxed),
            Admit::Refused { .. } => _ = self.refused.fetch_add(1, Ordering::Relaxed),
        }
        admit
    }
}

impl Gate {
    fn new(per_second: f64, now: Millis) -> Self {
        Self {
            per_second,
            welcome: TokenBucket::new(per_second, (2.0 * per_second).max(1.0), now),
            told: TokenBucket::new(per_second, per_second.max(1.0), now),
            slot: 0.0,
        }
    }

    fn ask(&mut self, now: Millis, jitter: f64) -> Admit {
        if self.welcome.take(now).is_ok() {
            return Admit::Welcome;
        }
        // Whoever is turned away has a place in the pace we can keep; a queue longer than a minute is not kept.
        let (first, last) = ((now + RETRY_MIN_MS) as f64, (now + RETRY_MAX_MS) as f64);
        self.slot = self.slot.clamp(first, last) + 1_000.0 / self.per_second;
        let retry_ms = ((self.slot - now as f64) * jitter) as Millis;
        match self.told.take(now) {
            Ok(()) => Admit::Told { retry_ms },
            Err(_) => Admit::Refused { retry_ms },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_let_in_at_the_pace_and_the_rest_get_times_that_keep_it() {
        let mut gate = Gate::new(100.0, 0);
        let asked: Vec<_> = (0..1_000).map(|_| gate.ask(0, 1.0)).collect();
        let welcome = asked.iter().filter(|admit| **admit == Admit::Welcome).count();
        let told = asked.iter().filter(|admit| matches!(admit, Admit::Told { .. })).count();
        assert_eq!((welcome, told), (200, 100), "a burst of two seconds, then as many told as let in each second");
        let times: Vec<Millis> = asked
            .iter()
            .filter_map(|admit| match admit {
                Admit::Welcome => None,
                Admit::Told { retry_ms } | Admit::Refused { retry_ms } => Some(*retry_ms),
            })
            .collect();
        assert_eq!((times[0], times[799]), (1_010, 9_000));
        let busiest = (0..10).map(|s| times.iter().filter(|ms| *ms / 1_000 == s).count()).max().unwrap();
        assert!(busiest <= 100, "{busiest} in one second");
    }

    #[test]
    fn nobody_is_told_to_wait_longer_than_a_minute_and_a_bit() {
        let mut gate = Gate::new(1.0, 0);
        let longest = (0..10_000).filter_map(|_| match gate.ask(0, 1.25) {
            Admit::Welcome => None,
            Admit::Told { retry_ms } | Admit::Refused { retry_ms } => Some(retry_ms),
        });
        assert!(longest.max().unwrap() <= 61 * 1_250);
    }

    #[test]
    fn a_door_without_a_pace_lets_everybody_in() {
        let admission = Admission::new(0.0, 0);
        assert!((0..10_000).all(|_| admission.ask(0) == Admit::Welcome));
    }
}

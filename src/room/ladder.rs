//! How a viewer who cannot keep up steps down, and up again. Plain values, no clock, no socket.
//!
//! 1. Taking up again too far behind: brought to the head by a fresh snapshot, the gap marked (`recovered: false`).
//! 2. The fourth time within a minute: the log stands still for them, and they get the values alone, at most once a
//!    second, the newest only. After ten seconds without a blocked socket they are brought to the head and follow again.
//! 3. Not steady within a minute: sent away with "come back". They come back with their own position.

use crate::domain::Millis;

const SKIPS_MAX: u32 = 3;
const SKIPS_WITHIN_MS: Millis = 60_000;
/// How long between two frames of values.
pub const VALUES_MS: Millis = 1_000;
/// How long the socket must have taken everything before the viewer follows the log again.
const STEADY_MS: Millis = 10_000;
const THIN_MAX_MS: Millis = 60_000;

pub struct Ladder {
    skips: u32,
    skips_since: Millis,
    /// Boxed: hardly anybody has it, and it would be part of every viewer.
    thin: Option<Box<Thin>>,
}

/// The log stands still.
struct Thin {
    /// The position the viewer was left at.
    seq: u64,
    since: Millis,
    next_at: Millis,
    steady_at: Millis,
}

/// What is to be sent to one whose log stands still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// All values, the position staying where it is.
    Values { seq: u64 },
    /// A snapshot, and from there on everything.
    Rejoin,
    /// Nothing helps.
    Close,
}

impl Ladder {
    pub fn new(now: Millis) -> Self {
        Self { skips: 0, skips_since: now, thin: None }
    }

    /// The log stands still for this viewer.
    pub fn is_thin(&self) -> bool {
        self.thin.is_some()
    }

    /// Too far behind: the viewer is brought to the head, `seq`. `true` when from there on they get the values alone.
    pub fn skip(&mut self, seq: u64, now: Millis) -> bool {
        if self.skips_since + SKIPS_WITHIN_MS <= now {
            (self.skips, self.skips_since) = (0, now);
        }
        self.skips += 1;
        if SKIPS_MAX < self.skips {
            let thin = Thin { seq, since: now, next_at: now + VALUES_MS, steady_at: now + STEADY_MS };
            self.thin = Some(Box::new(thin));
        }
        self.is_thin()
    }

    /// The socket would block.
    pub fn stumble(&mut self, now: Millis) {
        if let Some(thin) = &mut self.thin {
            thin.steady_at = now + STEADY_MS;
        }
    }

    /// What has come due. Asked only when the socket has taken everything before, so what is late falls away.
    pub fn due(&mut self, now: Millis) -> Option<Due> {
        let thin = self.thin.as_mut().filter(|thin| thin.next_at <= now)?;
        if thin.since + THIN_MAX_MS <= now {
            return Some(Due::Close);
        }
        if thin.steady_at <= now {
            (self.thin, self.skips, self.skips_since) = (None, 0, now);
            return Some(Due::Rejoin);
        }
        thin.next_at = now + VALUES_MS;
        Some(Due::Values { seq: thin.seq })
    }

    /// A viewer of the values alone has something due, or has been unsteady for too long.
    pub fn is_due(&self, now: Millis) -> bool {
        self.thin.as_ref().is_some_and(|thin| thin.next_at <= now)
    }

    /// Blocked or not, the minute is over.
    pub fn is_over(&self, now: Millis) -> bool {
        self.thin.as_ref().is_some_and(|thin| thin.since + THIN_MAX_MS <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_skips_in_a_minute_are_forgiven_and_the_fourth_leaves_the_values() {
        let mut ladder = Ladder::new(0);
        assert_eq!([1, 20_000, 59_000].map(|now| ladder.skip(7, now)), [false; 3]);
        assert_eq!([60_000, 61_000, 62_000].map(|now| ladder.skip(7, now)), [false; 3], "another minute");
        assert!(!ladder.is_due(63_000));
        assert!(ladder.skip(9, 63_000) && ladder.is_thin());
    }

    fn thin(now: Millis) -> Ladder {
        let mut ladder = Ladder::new(now);
        (0..4).for_each(|_| _ = ladder.skip(9, now));
        ladder
    }

    #[test]
    fn values_come_once_a_second_and_ten_steady_seconds_lead_back() {
        let mut ladder = thin(0);
        let mut values = 0;
        for now in (0..10_000).step_by(100) {
            match ladder.due(now) {
                None => {}
                Some(Due::Values { seq: 9 }) => values += 1,
                other => panic!("{other:?} at {now}"),
            }
        }
        assert_eq!(values, 9);
        assert_eq!(ladder.due(10_000), Some(Due::Rejoin));
        assert!(!ladder.is_thin() && ladder.due(20_000).is_none());
        assert_eq!([0; 3].map(|_| ladder.skip(9, 21_000)), [false; 3], "it starts from the top");
    }

    #[test]
    fn one_who_stumbles_for_a_minute_is_sent_away() {
        let mut ladder = thin(0);
        for now in (1_000..60_000).step_by(1_000) {
            assert_eq!(ladder.due(now), Some(Due::Values { seq: 9 }), "{now}");
            ladder.stumble(now);
            assert!(!ladder.is_over(now));
        }
        assert!(ladder.is_over(60_000));
        assert_eq!(ladder.due(60_000), Some(Due::Close));
    }
}
